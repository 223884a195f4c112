// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/trace.hpp"

#include <bit>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ciuic::sim {

void Trace::note(std::string_view what, uint64_t a, uint64_t b, uint64_t c) {
    // The first eight letters tell events apart well enough for a hash.
    uint64_t name = what.size();
    std::memcpy(&name, what.data(), what.size() < sizeof name ? what.size() : sizeof name);
    for (const uint64_t word : {name, a, b, c})
        hash_ = (std::rotl(hash_, 23) ^ word) * 0xff51afd7ed558ccdu;
    ++notes_;
    if (prints_)
        std::printf("%8" PRIu64 "  %-18.*s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", notes_,
                    static_cast<int>(what.size()), what.data(), a, b, c);
}

void fail(const char* format, ...) {
    std::fflush(stdout);
    std::fputs("ciuic-sim: ", stderr);
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fputc('\n', stderr);
    std::fflush(stderr);
    std::abort();
}

}  // namespace ciuic::sim
