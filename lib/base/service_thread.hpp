// SPDX-License-Identifier: Apache-2.0
//
// A thread that serves the program it lives in: it takes none of that program's signals but a
// SIGBUS of its own making, and its owner joins it.
#pragma once

#include "base/result.hpp"

#include <pthread.h>

#include <utility>

namespace ciuic {

class ServiceThread {
public:
    using Run = void* (*)(void* argument);

    // `name`: at most 15 characters. Error: io (the system has no room for another thread).
    static Result<ServiceThread> start(const char* name, Run run, void* argument);

    ServiceThread() = default;
    ServiceThread(ServiceThread&& other) noexcept
        : thread_(other.thread_), running_(std::exchange(other.running_, false)) {}
    ServiceThread& operator=(ServiceThread&& other) noexcept {
        if (this != &other) {
            join();
            thread_ = other.thread_;
            running_ = std::exchange(other.running_, false);
        }
        return *this;
    }
    ServiceThread(const ServiceThread&) = delete;
    ServiceThread& operator=(const ServiceThread&) = delete;
    ~ServiceThread() { join(); }

    // Waits for `run` to return.
    void join();

private:
    pthread_t thread_{};
    bool running_ = false;
};

}  // namespace ciuic
