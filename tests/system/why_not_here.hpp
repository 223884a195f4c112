// SPDX-License-Identifier: Apache-2.0
//
// Why a test of the real daemon cannot run on this machine; empty: it can, and a daemon that does
// not start then has failed.
//
// Threads: any.
#pragma once

#include "device/host/client_side.hpp"
#include "device/host/frame_files.hpp"
#include "limits.hpp"

#include <string>

namespace ciuic::test {

inline std::string why_no_daemon() {
    if (probe_host_features().continue_wp) return {};
    return "no full userfaultfd with CONTINUE in write-protected mode here";
}

// `kind` as for ciuic-swapd --frames; hugetlb takes pages that have been reserved.
inline std::string why_no_frames(const std::string& kind) {
    const FrameKind wanted = kind == "hugetlb" ? FrameKind::hugetlb
                             : kind == "tmpfs" ? FrameKind::tmpfs
                                               : FrameKind::memfd;
    const auto files = FrameFiles::create(wanted, limits::frames_min * limits::chunk_bytes_default,
                                          limits::chunk_bytes_default);
    if (files.has_value()) return {};
    return "no frames of kind " + kind + " here: " + files.error().what;
}

}  // namespace ciuic::test
