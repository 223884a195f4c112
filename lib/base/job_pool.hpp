// SPDX-License-Identifier: Apache-2.0
//
// Job pool: a fixed number of threads, a bounded queue of jobs in, a bounded queue of results out
// through a descriptor that can be polled.
//
// Not here: what a job does.
// Threads: submit(), withdraw() and drain() on the owner's thread; the work function on the pool's,
// which take no signals. No allocation after creation.
#pragma once

#include "base/check.hpp"
#include "base/result.hpp"
#include "base/service_thread.hpp"
#include "base/unique_fd.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace ciuic {

// At most `capacity` entries, first in first out.
template <typename T> class BoundedQueue {
public:
    explicit BoundedQueue(uint32_t capacity)
        : entries_(std::make_unique<T[]>(capacity)), capacity_(capacity) {}

    uint32_t size() const { return size_; }
    void push(const T& entry) {
        CIUIC_CHECK(size_ < capacity_);
        at(size_) = entry;
        ++size_;
    }
    T pop() {
        CIUIC_CHECK(size_ > 0);
        const T entry = at(0);
        first_ = (first_ + 1) % capacity_;
        --size_;
        return entry;
    }
    // Takes the first entry out that satisfies `wanted`.
    template <typename Wanted> std::optional<T> remove_if(Wanted wanted) {
        uint32_t index = 0;
        while (index < size_ && !wanted(at(index))) ++index;
        if (index == size_) return std::nullopt;
        const T entry = at(index);
        for (; index + 1 < size_; ++index) at(index) = at(index + 1);
        --size_;
        return entry;
    }

private:
    T& at(uint32_t index) { return entries_[(first_ + index) % capacity_]; }

    std::unique_ptr<T[]> entries_;
    uint32_t capacity_;
    uint32_t first_ = 0;
    uint32_t size_ = 0;
};

template <typename Job, typename Done> class JobPool {
public:
    using Work = Done (*)(const Job& job);

    // `name`: of the threads, at most 15 characters. `capacity`: most jobs between submit() and
    // drain(). Error: io (the system has no room for a descriptor or a thread).
    static Result<std::unique_ptr<JobPool>> create(const char* name, uint32_t threads,
                                                   uint32_t capacity, Work work) {
        CIUIC_CHECK(threads > 0 && capacity > 0);
        UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!event) return os_refusal("eventfd", errno);
        std::unique_ptr<JobPool> pool(new JobPool(std::move(event), capacity, work));
        pool->threads_.reserve(threads);
        for (uint32_t index = 0; index < threads; ++index) {
            CIUIC_TRY(ServiceThread thread, ServiceThread::start(name, run, pool.get()));
            pool->threads_.push_back(std::move(thread));
        }
        return Result<std::unique_ptr<JobPool>>(std::move(pool));
    }

    // Waits for the jobs that a thread has begun; the others are dropped.
    ~JobPool() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        work_ready_.notify_all();
        threads_.clear();
    }
    JobPool(const JobPool&) = delete;
    JobPool& operator=(const JobPool&) = delete;

    // False when `capacity` jobs are under way.
    bool submit(const Job& job) {
        if (under_way_ == capacity_) return false;
        ++under_way_;
        {
            const std::lock_guard lock(mutex_);
            jobs_.push(job);
        }
        work_ready_.notify_one();
        return true;
    }

    // Completes a job that no thread has begun with `done` instead of doing it.
    template <typename Wanted> void withdraw(Wanted wanted, const Done& done) {
        const std::lock_guard lock(mutex_);
        if (jobs_.remove_if(wanted)) push_done(done);
    }

    size_t drain(std::span<Done> results) {
        const std::lock_guard lock(mutex_);
        size_t count = 0;
        while (count < results.size() && done_.size() > 0) results[count++] = done_.pop();
        if (count > 0 && done_.size() == 0) {
            uint64_t signals = 0;
            CIUIC_CHECK(::read(event_.get(), &signals, sizeof signals) == sizeof signals);
        }
        under_way_ -= static_cast<uint32_t>(count);
        return count;
    }

    // Readable while drain() would return something.
    int event_fd() const { return event_.get(); }
    uint32_t capacity() const { return capacity_; }

private:
    JobPool(UniqueFd event, uint32_t capacity, Work work)
        : event_(std::move(event)), work_(work), capacity_(capacity), jobs_(capacity),
          done_(capacity) {}

    static void* run(void* pool) {
        static_cast<JobPool*>(pool)->work_until_stopped();
        return nullptr;
    }

    void work_until_stopped() {
        std::unique_lock lock(mutex_);
        for (;;) {
            work_ready_.wait(lock, [this] { return stopping_ || jobs_.size() > 0; });
            if (stopping_) return;
            const Job job = jobs_.pop();
            lock.unlock();
            const Done done = work_(job);
            lock.lock();
            push_done(done);
        }
    }

    // Under the mutex, so that the descriptor is readable exactly while `done_` has entries.
    void push_done(const Done& done) {
        done_.push(done);
        if (done_.size() > 1) return;
        const uint64_t one = 1;
        CIUIC_CHECK(::write(event_.get(), &one, sizeof one) == sizeof one);
    }

    UniqueFd event_;
    Work work_;
    uint32_t capacity_;
    uint32_t under_way_ = 0;  // the owner's: submitted and not drained
    std::mutex mutex_;        // of everything below but the threads
    std::condition_variable work_ready_;
    BoundedQueue<Job> jobs_;
    BoundedQueue<Done> done_;
    bool stopping_ = false;
    std::vector<ServiceThread> threads_;
};

}  // namespace ciuic
