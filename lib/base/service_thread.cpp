// SPDX-License-Identifier: Apache-2.0
#include "base/service_thread.hpp"

#include "base/check.hpp"

#include <csignal>

namespace ciuic {

// The mask is inherited, so the signals are blocked before the thread exists: there is no instant
// in which one could be delivered to it.
Result<ServiceThread> ServiceThread::start(const char* name, Run run, void* argument) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    // A bus error is the thread's own, not the program's: blocked, it ends the process at once,
    // also where a handler would have known what to do.
    sigdelset(&all, SIGBUS);
    CIUIC_CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ServiceThread thread;
    const int refused = pthread_create(&thread.thread_, nullptr, run, argument);
    CIUIC_CHECK(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
    if (refused != 0) return os_refusal("pthread_create", refused);
    thread.running_ = true;
    pthread_setname_np(thread.thread_, name);
    return Result<ServiceThread>(std::move(thread));
}

void ServiceThread::join() {
    if (!running_) return;
    CIUIC_CHECK(pthread_join(thread_, nullptr) == 0);
    running_ = false;
}

}  // namespace ciuic
