// SPDX-License-Identifier: Apache-2.0
#include "client/fork_guard.hpp"

#include "client/inherited.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>

namespace ciuic::fork_guard {

namespace {

constexpr size_t sessions_max = 64;

std::mutex mutex;  // of what follows
size_t count = 0;
std::array<ProgramSession*, sessions_max> sessions;

void before_fork() {
    mutex.lock();
    for (size_t index = 0; index < count; ++index) sessions[index]->lock_for_fork();
}

void unlock_all() {
    for (size_t index = 0; index < count; ++index) sessions[index]->unlock_after_fork();
}

void in_parent() {
    unlock_all();
    mutex.unlock();
}

void in_child() {
    unlock_all();
    // Until all is in its place, no handler of the program's may touch it.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    inherited::renew_in_child();
    for (size_t index = 0; index < count; ++index) sessions[index]->abandon_in_child();
    count = 0;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    mutex.unlock();
}

// When the library is loaded: a fork during the first opening is one to wait for, too, or the child
// is born with the guard locked for ever.
__attribute__((constructor)) void install() { ::pthread_atfork(before_fork, in_parent, in_child); }

}  // namespace

std::unique_lock<std::mutex> hold() { return std::unique_lock(mutex); }

Status add(ProgramSession& session) {
    if (count == sessions_max)
        return Error{Errc::no_memory, 0, "64 sessions are open in this process; close one first"};
    sessions[count++] = &session;
    return {};
}

void remove(ProgramSession& session) {
    const auto end = sessions.begin() + static_cast<ptrdiff_t>(count);
    const auto found = std::find(sessions.begin(), end, &session);
    if (found == end) return;
    *found = sessions[--count];
}

}  // namespace ciuic::fork_guard
