// SPDX-License-Identifier: Apache-2.0
//
// Inherited: in a forked child, the memory of its ancestors' sessions, to be read, never written.
//
// The child says so on its parent's connection and is answered on one of its own, so that it needs
// neither the path of the daemon's socket nor its parent's rights. It sees what its parent's memory
// holds now, not what it held at the fork. When the parent's session or the daemon is gone, a
// thread of ours closes the memory: a touch raises SIGSEGV, as a write does at any time.
//
// Threads: the only one of a process that has just been forked, with every signal blocked. Memory:
// static, never given back; a process knows limits::ancestors_max such spaces.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <span>

namespace ciuic {

// How it is done with the device at hand.
struct SpaceReading {
    // In the place of `space`, not yet readable: what Device calls for; `userfaultfd_device` may
    // be -1. Returns what the pager is to have.
    Result<UniqueFd> (*map)(int file, std::span<std::byte> space, int userfaultfd_device) = nullptr;
    // Ends every wait in the range loudly, and every touch from now on.
    void (*close)(int uffd, std::span<std::byte> range) = nullptr;
};

namespace inherited {

// What the parent has of the daemon, as the child has inherited it.
struct Parent {
    UniqueFd socket;       // the parent's connection
    UniqueFd memory_file;  // what is mapped at the space
    UniqueFd userfaultfd;  // /dev/userfaultfd, where the daemon has given one
};

// Where it cannot be had, the space stays as it was: not to be touched.
void add(Parent parent, std::span<std::byte> space, const SpaceReading& reading);

// The child of a child: what was added before, anew.
void renew_in_child();

}  // namespace inherited
}  // namespace ciuic
