// SPDX-License-Identifier: Apache-2.0
//
// Readers: forked children of a session's client, each with a read-only mapping of the session's
// memory file and a userfaultfd of its own.
//
// A reader sees what its parent sees, and only that: a page is mapped for it when the engine has
// shown it to the parent, and a page that leaves the file leaves every mapping. Until then its
// threads wait; where they do is remembered here, because the engine knows of chunks only.
//
// Not here: who may be a reader (daemon/), when a chunk is shown (engine/).
// Threads: one, the engine's. Only add() allocates memory.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "limits.hpp"

#include <linux/userfaultfd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace ciuic {

class Readers {
public:
    Readers() = default;
    explicit Readers(uint64_t page_bytes) : page_bytes_(page_bytes) {}

    // The caller has checked the descriptor. Error: no_memory (readers_per_session_max).
    Result<uint32_t> add(UniqueFd uffd, uint64_t base_address);
    void remove(uint32_t reader);
    bool has(uint32_t reader) const { return reader < readers_.size() && readers_[reader]; }
    const UniqueFd& descriptor(uint32_t reader) const { return readers_[reader]->uffd; }
    int uffd(uint32_t reader) const { return descriptor(reader).get(); }

    // False: the process has ended or runs another program, so nothing of the space is mapped.
    bool is_alive(uint32_t reader) const;

    // Every descriptor there is.
    template <typename Act> void for_each(Act act) const {
        for (const auto& reader : readers_)
            if (reader) act(reader->uffd.get());
    }

    // A fault of the reader, remembered until one of the calls below answers it: where in the space
    // it lies. Nothing: it is no fault that the engine can answer.
    std::optional<uint64_t> on_message(uint32_t reader, const uffd_msg& message,
                                       uint64_t space_bytes);

    // For whoever waits at [offset, offset + length) of the space. show() maps it, read-only;
    // retry() lets them touch it anew; poison() makes the touch fail.
    void show(uint64_t offset_bytes, uint64_t length_bytes);
    void retry(uint64_t offset_bytes, uint64_t length_bytes);
    void poison(uint64_t offset_bytes, uint64_t length_bytes);

private:
    struct Reader {
        UniqueFd uffd;
        uint64_t base = 0;
        uint32_t waits = 0;
        std::array<uint64_t, limits::reader_waits_max> places{};  // offsets in the space
    };

    template <typename Answer> void answer(uint64_t offset_bytes, uint64_t length_bytes, Answer);

    std::vector<std::unique_ptr<Reader>> readers_;
    uint32_t count_ = 0;
    uint64_t page_bytes_ = 0;
};

}  // namespace ciuic
