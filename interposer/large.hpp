// SPDX-License-Identifier: Apache-2.0
//
// Large allocations: what the hooks serve from Ciuic instead of the C library.
//
// The session is opened by the first of them. If that fails, the program runs on as if Ciuic were
// not there (one line says so), or ends where CIUIC_STRICT=1 asks for it; once a session is open, a
// request that cannot be kept is refused with ENOMEM, as strict commit demands.
//
// After fork the child has no part in its parent's session: it reads the memory as its parent has
// it, a write ends it with one line, and giving it back does nothing. A large allocation of the
// child's own opens a session of its own.
//
// Not here: what the calls mean to the C library (heap_hooks), memory that programs map and unmap
// by the page (mappings).
// Threads: any. errno is kept unless the function says otherwise.
#pragma once

#include "ciuic/vmm.h"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ciuic::interposer {

// Every address that was ever Ciuic's lies in [managed_base, managed_base + managed_bytes).
extern std::atomic<uintptr_t> managed_base;
extern std::atomic<uintptr_t> managed_bytes;

// The one comparison on the hot path. In this order: see widen_managed().
inline bool may_be_managed(const void* address) {
    const uintptr_t base = managed_base.load(std::memory_order_acquire);
    return reinterpret_cast<uintptr_t>(address) - base <
           managed_bytes.load(std::memory_order_acquire);
}

// False once this process has been found to have nothing managed.
bool may_manage();

// What an address that may be managed turns out to be.
enum class Owner : uint8_t {
    system,     // not Ciuic's after all
    session,    // memory of this process's session
    inherited,  // memory of an ancestor's session, which this process may read
};
Owner owner_of(const void* address);

enum class Verdict : uint8_t {
    fell_through,  // ask the C library
    served,
    refused,  // errno is ENOMEM
};
struct Large {
    Verdict verdict = Verdict::fell_through;
    void* address = nullptr;
};

// Zeroed memory, aligned to a chunk or to 2 MiB, whichever is less; a stricter alignment falls
// through.
Large allocate_large(size_t bytes, size_t alignment);

// The rest takes what allocate_large() gave in this process.

// An address that is not the start of an allocation ends the program, as in the C library.
void free_large(void* address);

// 0: the address is not the start of an allocation.
size_t usable_bytes(const void* address);

// In place, keeping the bytes that are in both sizes. False: the allocation is as it was.
bool resize_large(void* address, size_t bytes);

// Of an allocation of an ancestor's, as it was at the fork. 0: the address is not the start of one.
size_t inherited_bytes(const void* address);

// The program takes rights away from managed memory; it gets them back before it is given back.
void note_protection();
void restore_protection(void* address, size_t bytes);

// This process's session and where it lies; there is one while owner_of() says session.
struct SessionSpace {
    ciuic_session* session = nullptr;
    uintptr_t base = 0;
    uint64_t bytes = 0;
    uint64_t chunk_bytes = 0;
};
const SessionSpace& session_space();

}  // namespace ciuic::interposer
