// SPDX-License-Identifier: Apache-2.0
#include "interposer/large.hpp"

#include "client/futex.hpp"
#include "client/session.hpp"
#include "interposer/mappings.hpp"
#include "interposer/runtime.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace ciuic::interposer {

std::atomic<uintptr_t> managed_base{0};
std::atomic<uintptr_t> managed_bytes{0};

namespace {

enum Phase : uint32_t { unopened, opening, open, failed };
std::atomic<uint32_t> phase{unopened};

SessionSpace space;  // written before `phase` becomes open

// Sessions of ancestors. Changed by the only thread of a process that has just been forked.
struct Range {
    uintptr_t base = 0;
    uint64_t bytes = 0;
    ciuic_session* session = nullptr;
};
std::array<Range, limits::ancestors_max> inherited;
size_t inherited_count = 0;

std::atomic<bool> protections_changed{false};

bool contains(uintptr_t base, uint64_t bytes, const void* address) {
    return reinterpret_cast<uintptr_t>(address) - base < bytes;
}

// Readers load the base before the size. Between the two stores to the size everything may be
// managed, so no reader misses an address that was managed before.
void widen_managed(uintptr_t base, uint64_t bytes) {
    uintptr_t begin = base;
    uintptr_t end = base + bytes;
    for (size_t index = 0; index < inherited_count; ++index) {
        begin = std::min(begin, inherited[index].base);
        end = std::max<uintptr_t>(end, inherited[index].base + inherited[index].bytes);
    }
    managed_bytes.store(UINTPTR_MAX);
    managed_base.store(begin);
    managed_bytes.store(end - begin);
}

wire::ClientCounters& counters() {
    return reinterpret_cast<ProgramSession*>(space.session)->counters();
}

// The handler of whoever had none: says what was wrong, and is gone, so that the access or the
// signal that is on its way again ends the process as it would have.
void explain_fault(int number, siginfo_t* info, void*) {
    for (size_t index = 0; index < inherited_count; ++index)
        if (info->si_code > 0 &&
            contains(inherited[index].base, inherited[index].bytes, info->si_addr))
            say("this process has written to memory of the process that forked it, or has read it "
                "after that had ended; a forked child may only read it, and only while its parent "
                "lives");
    if (info->si_code <= 0) ::syscall(SYS_tgkill, ::getpid(), ::gettid(), number);
}

void explain_faults() {
    struct sigaction action {};
    if (::sigaction(SIGSEGV, nullptr, &action) != 0 || action.sa_handler != SIG_DFL ||
        (action.sa_flags & SA_SIGINFO))
        return;
    action.sa_sigaction = explain_fault;
    action.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_ONSTACK;
    ::sigaction(SIGSEGV, &action, nullptr);
}

// In a forked child, alone. The client library has kept the addresses from anybody else's use.
void forget_parent() {
    if (phase.load() == open) {
        forget_mappings();
        if (inherited_count < inherited.size())
            inherited[inherited_count++] = {space.base, space.bytes, space.session};
        explain_faults();
    }
    // One generation too many to remember: this process makes no session that its own children
    // could not tell from others.
    phase.store(inherited_count < inherited.size() ? unopened : failed);
}

// Before the first session: a fork while that is being opened is one to hear of, too.
__attribute__((constructor)) void watch_for_forks() {
    ::pthread_atfork(nullptr, nullptr, forget_parent);
}

bool refuse_to_open(const char* why) {
    if (settings.strict) {
        say("cannot manage the memory of this program: ", why, "; ending it, as --strict asks");
        ::_exit(125);
    }
    say("the memory of this program is not managed: ", why);
    return false;
}

bool open_session() {
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_DAEMON;
    ciuic_session* session = nullptr;
    if (ciuic_open(&options, &session) != CIUIC_OK) return refuse_to_open(ciuic_last_error_text());
    ciuic_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    if (ciuic_stats(session, &statistics) != CIUIC_OK)
        return refuse_to_open(ciuic_last_error_text());

    const auto* inner = reinterpret_cast<const ProgramSession*>(session);
    space = {session, reinterpret_cast<uintptr_t>(inner->address_of(0)), statistics.address_bytes,
             statistics.chunk_bytes};
    if (!prepare_mappings(space)) return refuse_to_open("no address space for a table");
    widen_managed(space.base, space.bytes);
    return true;
}

// True once there is a session. Other threads wait for the one that opens it.
bool ensure_open() {
    for (;;) {
        uint32_t seen = phase.load(std::memory_order_acquire);
        if (seen == open) return true;
        if (seen == failed) return false;
        if (seen == opening) {
            futex_wait(phase, opening, Nanos{1'000'000'000});
        } else if (phase.compare_exchange_strong(seen, opening)) {
            phase.store(open_session() ? open : failed);
            futex_wake_all(phase);
        }
    }
}

Large fall_through(size_t bytes) {
    counters().large_fell_through.add(1);
    counters().large_bytes_fell_through.add(bytes);
    return {};
}

Large serve(size_t bytes, size_t alignment) {
    counters().large_requests.add(1);
    counters().large_bytes.add(bytes);
    if (alignment > std::min<uint64_t>(space.chunk_bytes, 2 * MiB)) return fall_through(bytes);
    void* address = nullptr;
    const ciuic_status status = ciuic_alloc(space.session, bytes, &address);
    if (status == CIUIC_OK) {
        counters().large_served.add(1);
        counters().large_bytes_served.add(bytes);
        return {Verdict::served, address};
    }
    counters().large_refused.add(1);
    counters().large_bytes_refused.add(bytes);
    static std::atomic<bool> said{false};
    if (status != CIUIC_E_NO_MEMORY && !said.exchange(true))
        say("an allocation was refused: ", ciuic_last_error_text());
    return {Verdict::refused, nullptr};
}

}  // namespace

bool may_manage() { return phase.load(std::memory_order_acquire) != failed; }

const SessionSpace& session_space() { return space; }

Owner owner_of(const void* address) {
    if (phase.load(std::memory_order_acquire) == open && contains(space.base, space.bytes, address))
        return Owner::session;
    for (size_t index = 0; index < inherited_count; ++index)
        if (contains(inherited[index].base, inherited[index].bytes, address))
            return Owner::inherited;
    return Owner::system;
}

Large allocate_large(size_t bytes, size_t alignment) {
    if (InsideCiuic::here()) return {};
    look_for_gpu_driver();
    Large large;
    {
        const InsideCiuic inside;
        if (!ensure_open()) return {};
        large = serve(bytes, alignment);
    }
    if (large.verdict == Verdict::refused) errno = ENOMEM;
    return large;
}

void free_large(void* address) {
    const InsideCiuic inside;
    restore_protection(address, usable_bytes(address));
    if (ciuic_free(space.session, address) == CIUIC_E_INVALID) {
        say("free(): invalid pointer");
        std::abort();
    }
    counters().large_freed.add(1);
}

size_t usable_bytes(const void* address) {
    const InsideCiuic inside;
    return ciuic_usable_size(space.session, address);
}

bool resize_large(void* address, size_t bytes) {
    const InsideCiuic inside;
    const size_t usable = usable_bytes(address);
    if (bytes < usable) {
        const size_t kept = round_up(bytes, space.chunk_bytes);
        restore_protection(static_cast<char*>(address) + kept, usable - kept);
    }
    if (ciuic_alloc_resize(space.session, address, bytes) != CIUIC_OK) return false;
    if (bytes > usable) {
        counters().large_bytes.add(bytes - usable);
        counters().large_bytes_served.add(bytes - usable);
    }
    return true;
}

size_t inherited_bytes(const void* address) {
    const InsideCiuic inside;
    for (size_t index = 0; index < inherited_count; ++index)
        if (contains(inherited[index].base, inherited[index].bytes, address))
            return ciuic_usable_size(inherited[index].session, address);
    return 0;
}

void note_protection() { protections_changed.store(true, std::memory_order_relaxed); }

void restore_protection(void* address, size_t bytes) {
    if (bytes == 0 || !protections_changed.load(std::memory_order_relaxed)) return;
    ::syscall(SYS_mprotect, address, bytes, PROT_READ | PROT_WRITE);
}

}  // namespace ciuic::interposer
