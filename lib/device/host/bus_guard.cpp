// SPDX-License-Identifier: Apache-2.0
#include "device/host/bus_guard.hpp"

#include "base/check.hpp"
#include "limits.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

namespace ciuic {
namespace {

// `begin` is stored last and cleared first: an entry that has one is whole.
struct Entry {
    std::atomic<bool> taken;
    std::atomic<bool> hit;
    std::atomic<uintptr_t> begin;
    std::atomic<size_t> size_bytes;
    std::atomic<size_t> step_bytes;
};
std::array<Entry, limits::sessions_max> table;
std::atomic<uint32_t> hit_count;
struct sigaction previous;

static_assert(std::atomic<uintptr_t>::is_always_lock_free);

Entry* find(uintptr_t address) {
    for (Entry& entry : table) {
        const uintptr_t begin = entry.begin.load(std::memory_order_acquire);
        if (begin != 0 && address - begin < entry.size_bytes.load(std::memory_order_relaxed))
            return &entry;
    }
    return nullptr;
}

// The plain system call: a sanitizer's mmap does more than a signal handler may.
bool put_zeros(uintptr_t begin, size_t length_bytes) {
    const long mapped = ::syscall(SYS_mmap, begin, length_bytes, PROT_READ | PROT_WRITE,
                                  MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return mapped == static_cast<long>(begin);
}

bool absorb(uintptr_t address) {
    Entry* entry = find(address);
    if (!entry) return false;
    const uintptr_t begin = entry->begin.load(std::memory_order_relaxed);
    const size_t step_bytes = entry->step_bytes.load(std::memory_order_relaxed);
    const uintptr_t step = address - (address - begin) % step_bytes;
    // Every step makes two mappings more; where there can be no more, the whole makes them one.
    if (!put_zeros(step, step_bytes) &&
        !put_zeros(begin, entry->size_bytes.load(std::memory_order_relaxed)))
        return false;
    entry->hit.store(true, std::memory_order_relaxed);
    hit_count.fetch_add(1, std::memory_order_release);
    return true;
}

void on_bus_error(int, siginfo_t* info, void*) {
    const int os_error = errno;
    const bool is_absorbed =
        info->si_code == BUS_ADRERR && absorb(reinterpret_cast<uintptr_t>(info->si_addr));
    if (!is_absorbed) {
        // The touch is repeated, and ends as if this handler had never been.
        ::sigaction(SIGBUS, &previous, nullptr);
        if (info->si_code <= 0) ::raise(SIGBUS);  // somebody sent it: nothing repeats it
    }
    errno = os_error;
}

Status install() {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    if (::sigaction(SIGBUS, &action, &previous) != 0) return os_refusal("sigaction", errno);
    return {};
}

}  // namespace

Result<GuardedRange> GuardedRange::watch(std::span<std::byte> range, uint64_t step_bytes) {
    static const Status installed = install();
    if (!installed) return installed.error();
    const auto begin = reinterpret_cast<uintptr_t>(range.data());
    CIUIC_CHECK(step_bytes > 0 && !range.empty() && range.size() % step_bytes == 0);
    for (size_t index = 0; index < table.size(); ++index) {
        Entry& entry = table[index];
        if (entry.taken.exchange(true, std::memory_order_relaxed)) continue;
        entry.hit.store(false, std::memory_order_relaxed);
        entry.size_bytes.store(range.size(), std::memory_order_relaxed);
        entry.step_bytes.store(step_bytes, std::memory_order_relaxed);
        entry.begin.store(begin, std::memory_order_release);
        GuardedRange guarded;
        guarded.entry_ = index;
        return guarded;
    }
    return Error{Errc::no_memory, 0, "too many guarded ranges"};
}

void GuardedRange::reset() {
    if (entry_ == none) return;
    Entry& entry = table[std::exchange(entry_, none)];
    entry.begin.store(0, std::memory_order_release);
    entry.taken.store(false, std::memory_order_release);
}

bool GuardedRange::was_hit() const {
    return entry_ != none && table[entry_].hit.load(std::memory_order_relaxed);
}

uint32_t GuardedRange::hits() { return hit_count.load(std::memory_order_acquire); }

}  // namespace ciuic
