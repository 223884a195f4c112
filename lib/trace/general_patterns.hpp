// SPDX-License-Identifier: Apache-2.0
//
// Patterns that caches are usually judged by: sweeps, popularity, and changes from one to another.
//
// Threads: any.
#pragma once

#include "trace/patterns.hpp"

namespace ciuic::trace {

std::span<const Pattern> general_patterns();

}  // namespace ciuic::trace
