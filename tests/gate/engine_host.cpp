// SPDX-License-Identifier: Apache-2.0
#include "tests/gate/engine_host.hpp"

#include "base/check.hpp"
#include "engine/worker_pool.hpp"
#include "io/open.hpp"

#include <poll.h>
#include <sys/eventfd.h>

namespace ciuic {

Result<std::unique_ptr<EngineHost>> EngineHost::create(Device& device, int device_fd,
                                                       const Options& options) {
    std::unique_ptr<EngineHost> host(new EngineHost);
    CIUIC_TRY_STATUS(host->open_parts(device, options));
    host->wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!host->wake_) return os_refusal("eventfd", errno);
    host->thread_ = std::thread([raw = host.get(), device_fd] { raw->serve(device_fd); });
    return host;
}

Status EngineHost::open_parts(Device& device, const Options& options) {
    CIUIC_TRY(file_, open_swap_file({.path = options.store_path,
                                     .size_bytes = options.store_bytes,
                                     .fence_deadline = limits::fence_deadline},
                                    clock_));
    CIUIC_TRY(io_, open_io(file_.io.get(), limits::io_depth_max, IoKind::automatic));
    StoreOptions store;
    store.capacity_bytes = options.store_bytes;
    store.chunk_bytes = device.traits().chunk_bytes;
    store.block_bytes = options.block_bytes;
    store_ = std::make_unique<SwapStore>(*io_, clock_, store);
    CIUIC_TRY(workers_, WorkerPool::create(1));
    CIUIC_TRY(bounce_, Mapping::create(limits::bounce_bytes, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS));
    engine_ = std::make_unique<Engine>(EnginePorts{device, *store_, *workers_, clock_,
                                                   static_cast<Clients&>(*this), bounce_.bytes()},
                                       EngineOptions{});

    chunks_ = options.chunks;
    CIUIC_TRY(records_, Mapping::create(chunks_ * sizeof(ChunkRecord), PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS));
    states_ = std::vector<std::atomic<uint32_t>>(chunks_);
    pins_ = std::vector<std::atomic<uint32_t>>(chunks_);
    SessionOptions session;
    session.records = {reinterpret_cast<ChunkRecord*>(records_.data()), chunks_};
    session.words = {states_, pins_};
    CIUIC_TRY(const SessionIndex index, engine_->open_session(session));
    CIUIC_CHECK(index.value == 0);
    return engine_->promise(index, {ChunkIndex{0}, chunks_});
}

EngineHost::~EngineHost() {
    if (!thread_.joinable()) return;
    run([&](Engine& engine) {
        engine.close_session(SessionIndex{0});
        stopping_ = true;
    });
    thread_.join();
}

void EngineHost::serve(int device_fd) {
    while (!(stopping_ && closed_)) {
        take_work();
        while (engine_->tick()) {
        }
        pollfd fds[] = {{device_fd, POLLIN, 0},
                        {io_->event_fd(), POLLIN, 0},
                        {workers_->event_fd(), POLLIN, 0},
                        {wake_.get(), POLLIN, 0}};
        const timespec wait{0, std::min<int64_t>(engine_->wait_max().value, 100'000'000)};
        ::ppoll(fds, std::size(fds), &wait, nullptr);
    }
}

void EngineHost::take_work() {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
    const std::lock_guard lock(mutex_);
    if (!work_) return;
    (*work_)(*engine_);
    work_ = nullptr;
    done_.notify_all();
}

// Nothing here touches what is lost or was not promised.
void EngineHost::unanswerable(SessionIndex) { CIUIC_CHECK(false); }

void EngineHost::run(const std::function<void(Engine&)>& work) {
    std::unique_lock lock(mutex_);
    work_ = &work;
    ::eventfd_write(wake_.get(), 1);
    done_.wait(lock, [&] { return work_ == nullptr; });
}

void EngineHost::evict_all(uint64_t ticket) {
    run([&](Engine& engine) {
        // Busy only when 64 such requests are waiting: then there is no lack of evictions.
        (void)engine.request(SessionIndex{0}, RequestKind::evict, {ChunkIndex{0}, chunks_}, ticket);
    });
}

SessionStats EngineHost::stats() {
    SessionStats stats;
    run([&](Engine& engine) { stats = engine.total_stats(); });
    return stats;
}

}  // namespace ciuic
