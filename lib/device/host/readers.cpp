// SPDX-License-Identifier: Apache-2.0
#include "device/host/readers.hpp"

#include "device/host/userfault.hpp"

#include <unistd.h>

#include <algorithm>

namespace ciuic {

Result<uint32_t> Readers::add(UniqueFd uffd, uint64_t base_address) {
    if (count_ == limits::readers_per_session_max)
        return Error{Errc::no_memory, 0, "the session has 256 readers"};
    static_assert(limits::readers_per_session_max == 256);
    auto reader = std::make_unique<Reader>();
    reader->uffd = std::move(uffd);
    reader->base = base_address;
    ++count_;
    for (uint32_t index = 0; index < readers_.size(); ++index) {
        if (readers_[index]) continue;
        readers_[index] = std::move(reader);
        return index;
    }
    readers_.push_back(std::move(reader));
    return static_cast<uint32_t>(readers_.size() - 1);
}

void Readers::remove(uint32_t reader) {
    readers_[reader].reset();
    --count_;
}

// Asked for with a call that changes nothing: what a reader has is protected from the start.
bool Readers::is_alive(uint32_t reader) const {
    const Reader& asked = *readers_[reader];
    const Status asking = userfault::write_protect(asked.uffd.get(), asked.base, page_bytes_, true);
    return asking.error().code != Errc::disconnected;
}

std::optional<uint64_t> Readers::on_message(uint32_t index, const uffd_msg& message,
                                            uint64_t space_bytes) {
    Reader& reader = *readers_[index];
    if (message.event == UFFD_EVENT_FORK) ::close(static_cast<int>(message.arg.fork.ufd));
    if (message.event != UFFD_EVENT_PAGEFAULT) return std::nullopt;
    const uint64_t offset_bytes = message.arg.pagefault.address - reader.base;
    if (offset_bytes >= space_bytes) return std::nullopt;
    // A reader that has made its mapping writable: it waits for ever rather than write.
    if (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) return std::nullopt;
    const auto end = reader.places.begin() + reader.waits;
    if (std::find(reader.places.begin(), end, offset_bytes) != end) return offset_bytes;
    if (reader.waits == reader.places.size()) {
        // More threads than anybody has: they touch again until there is room.
        (void)userfault::wake(reader.uffd.get(),
                              reader.base + offset_bytes / page_bytes_ * page_bytes_, page_bytes_);
        return std::nullopt;
    }
    reader.places[reader.waits++] = offset_bytes;
    return offset_bytes;
}

template <typename Answer>
void Readers::answer(uint64_t offset_bytes, uint64_t length_bytes, Answer give) {
    if (count_ == 0) return;
    for (const auto& reader : readers_) {
        if (!reader || reader->waits == 0) continue;
        const auto begin = reader->places.begin();
        const auto end = begin + reader->waits;
        const auto left = std::remove_if(
            begin, end, [&](uint64_t place) { return place - offset_bytes < length_bytes; });
        if (left == end) continue;
        reader->waits = static_cast<uint32_t>(left - begin);
        const int uffd = reader->uffd.get();
        const uint64_t address = reader->base + offset_bytes;
        // What did not work is tried again by whoever waits; a process that is gone needs nothing.
        if (!give(uffd, address)) (void)userfault::wake(uffd, address, length_bytes);
    }
}

void Readers::show(uint64_t offset_bytes, uint64_t length_bytes) {
    answer(offset_bytes, length_bytes, [&](int uffd, uint64_t address) -> Status {
        return userfault::map_present(uffd, address, length_bytes, page_bytes_, false);
    });
}

void Readers::retry(uint64_t offset_bytes, uint64_t length_bytes) {
    answer(offset_bytes, length_bytes, [&](int uffd, uint64_t address) -> Status {
        return userfault::wake(uffd, address, length_bytes);
    });
}

// Pages that left while they were protected have left marks that poison does not overwrite.
void Readers::poison(uint64_t offset_bytes, uint64_t length_bytes) {
    answer(offset_bytes, length_bytes, [&](int uffd, uint64_t address) -> Status {
        CIUIC_TRY_STATUS(userfault::write_protect(uffd, address, length_bytes, false));
        return userfault::poison(uffd, address, length_bytes, page_bytes_);
    });
}

}  // namespace ciuic
