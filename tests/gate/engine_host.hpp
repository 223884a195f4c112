// SPDX-License-Identifier: Apache-2.0
//
// A real engine over a given device, with a real swap file, on a thread of its own: what the gates
// and benchmarks that choose their own device run on.
//
// Threads: run() hands work to the engine's thread and waits for it; everything else there.
#pragma once

#include "base/mapping.hpp"
#include "base/unique_fd.hpp"
#include "engine/engine.hpp"
#include "io/io.hpp"
#include "store/swap_file.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace ciuic {

class EngineHost final : private Clients {
public:
    struct Options {
        std::string store_path = "/var/tmp";
        uint64_t store_bytes = 0;
        uint64_t block_bytes = 0;
        uint32_t chunks = 0;  // of the one session's address space, all promised
    };

    // `device` and its event descriptor outlive the host. Session 0 is open on return.
    static Result<std::unique_ptr<EngineHost>> create(Device& device, int device_fd,
                                                      const Options& options);
    ~EngineHost() override;

    // Runs `work` on the engine's thread, between two ticks.
    void run(const std::function<void(Engine&)>& work);
    // Asks for the eviction of everything and forgets about it.
    void evict_all(uint64_t ticket);
    SessionStats stats();

private:
    EngineHost() = default;
    Status open_parts(Device& device, const Options& options);
    void serve(int device_fd);
    void take_work();
    void completed(SessionIndex, uint64_t, Errc) override {}
    void closed(SessionIndex) override { closed_ = true; }
    void unanswerable(SessionIndex) override;

    MonotonicClock clock_;
    SwapFile file_;
    Mapping bounce_;
    std::unique_ptr<Io> io_;
    std::unique_ptr<SwapStore> store_;
    std::unique_ptr<Workers> workers_;
    Mapping records_;
    std::vector<std::atomic<uint32_t>> states_;
    std::vector<std::atomic<uint32_t>> pins_;
    std::unique_ptr<Engine> engine_;
    uint32_t chunks_ = 0;

    UniqueFd wake_;
    std::mutex mutex_;
    std::condition_variable done_;
    const std::function<void(Engine&)>* work_ = nullptr;  // under mutex_
    bool stopping_ = false;
    bool closed_ = false;
    std::thread thread_;
};

}  // namespace ciuic
