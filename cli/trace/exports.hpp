// SPDX-License-Identifier: Apache-2.0
//
// Our traces, written for the programs of others.
//
// perfetto: Chrome's trace event format in JSON, which ui.perfetto.dev and chrome://tracing show
// (Google, "Trace Event Format"): a use is a complete event ("X") of its thread, drawn until that
// thread's next use; phases have a track of their own.
//
// chunks: a line for each use of a chunk with the chunk's number, counted over all regions from 1:
// libCacheSim's `txt`.
//
// Threads: any.
#pragma once

#include "base/result.hpp"
#include "cli/trace/out_file.hpp"
#include "trace/reader.hpp"

namespace ciuic::cli {

// `reader` is open. Error: the reader's; what befalls the file, its finish() tells.
Status export_perfetto(trace::Reader& reader, OutFile& file);
Status export_chunks(trace::Reader& reader, OutFile& file);

}  // namespace ciuic::cli
