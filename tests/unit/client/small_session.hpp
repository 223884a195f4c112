// SPDX-License-Identifier: Apache-2.0
//
// A small embedded session for tests, and what lies in its memory: every chunk filled with words
// that tell chunk, place and version apart.
#pragma once

#include "ciuic/vmm.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <span>

namespace ciuic::test {

// A sanitizer catches the signals of bad accesses; here they are what the test is about.
inline void die_by_bad_access() {
    std::signal(SIGBUS, SIG_DFL);
    std::signal(SIGSEGV, SIG_DFL);
}

struct SmallSession {
    static constexpr uint32_t frames = 16;

    // CIUIC_E_UNSUPPORTED: this machine has no host device, which the test may skip.
    ciuic_status open(uint64_t chunk_size_bytes, uint32_t store_chunks, uint32_t flags = 0) {
        chunk_bytes = chunk_size_bytes;
        ciuic_options options{};
        options.struct_size = sizeof options;
        options.mode = CIUIC_MODE_EMBEDDED;
        options.flags = flags;
        options.chunk_bytes = chunk_bytes;
        options.budget_bytes = frames * chunk_bytes;
        options.store_bytes = store_chunks * chunk_bytes;
        options.address_bytes = 4 * options.store_bytes;
        return session.open(&options);
    }

    std::span<uint64_t> words_of(void* base, uint64_t chunk) const {
        return {static_cast<uint64_t*>(base) + chunk * (chunk_bytes / 8), chunk_bytes / 8};
    }
    static uint64_t word(uint64_t chunk, uint64_t index, uint64_t version) {
        return (chunk << 40 | index << 16 | version) * 0x9e3779b97f4a7c15u;
    }
    void write(void* base, uint64_t chunk, uint64_t version) const {
        const std::span<uint64_t> words = words_of(base, chunk);
        for (uint64_t index = 0; index < words.size(); ++index)
            words[index] = word(chunk, index, version);
    }
    // How many words of the chunk are not of that version.
    uint64_t wrong_words(void* base, uint64_t chunk, uint64_t version) const {
        const std::span<uint64_t> words = words_of(base, chunk);
        uint64_t wrong = 0;
        for (uint64_t index = 0; index < words.size(); ++index)
            if (words[index] != word(chunk, index, version)) ++wrong;
        return wrong;
    }
    ciuic_statistics statistics() const {
        ciuic_statistics filled{};
        filled.struct_size = sizeof filled;
        EXPECT_EQ(ciuic_stats(session, &filled), CIUIC_OK) << ciuic_last_error_text();
        return filled;
    }

    vmm::Session session;
    uint64_t chunk_bytes = 0;
};

}  // namespace ciuic::test

// The arguments are those of open().
#define OPEN_OR_SKIP(small, ...)                                                                   \
    do {                                                                                           \
        const ciuic_status opened = (small).open(__VA_ARGS__);                                     \
        if (opened == CIUIC_E_UNSUPPORTED) GTEST_SKIP() << ciuic_last_error_text();                \
        ASSERT_EQ(opened, CIUIC_OK) << ciuic_last_error_text();                                    \
    } while (false)
