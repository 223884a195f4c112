// SPDX-License-Identifier: Apache-2.0
//
// Trace: everything that happens in a run, as one hash and, on request, as text. Two runs of one
// seed have the same hash.
//
// Also here: how a run ends when something is wrong.
// Threads: one.
#pragma once

#include <cstdint>
#include <string_view>

namespace ciuic::sim {

class Trace {
public:
    explicit Trace(bool prints = false) : prints_(prints) {}

    void note(std::string_view what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);

    uint64_t hash() const { return hash_; }
    uint64_t notes() const { return notes_; }

private:
    uint64_t hash_ = 0x9e3779b97f4a7c15u;
    uint64_t notes_ = 0;
    bool prints_;
};

// Says on standard error what is wrong and stops the process: the run proves nothing from here on.
[[noreturn]] [[gnu::format(printf, 1, 2)]] void fail(const char* format, ...);

}  // namespace ciuic::sim
