// SPDX-License-Identifier: Apache-2.0
//
// Fork guard: which sessions a child of fork(2) has inherited and must let go of.
//
// A fork waits while a session is being opened or closed: descriptors that nobody knows of yet
// would live on in the child, and with them the lock on a store or a daemon's idea of its client.
//
// Threads: any. Locks: the guard's, then each session's; a session never takes the guard's.
#pragma once

#include "client/session.hpp"

#include <memory>
#include <mutex>

namespace ciuic::fork_guard {

// Held while a session is opened or closed.
std::unique_lock<std::mutex> hold();

// With the lock held. Error: no_memory (too many sessions in this process).
Status add(ProgramSession& session);
void remove(ProgramSession& session);

}  // namespace ciuic::fork_guard
