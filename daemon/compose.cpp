// SPDX-License-Identifier: Apache-2.0
#include "daemon/compose.hpp"

#include "base/size_text.hpp"
#include "daemon/recorder.hpp"
#include "device/host/shared.hpp"
#include "engine/worker_pool.hpp"
#include "io/open.hpp"
#include "staging/arena.hpp"
#include "staging/numa.hpp"
#include "store/swap_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace ciuic {
namespace {

// Descriptors of one session: socket, pidfd, doorbell, two segments, records, memory file,
// userfaultfd, and a reader's socket, pidfd and userfaultfd; and of the daemon itself, with room
// for libraries.
constexpr uint64_t fds_per_session = 8 + 3;
constexpr uint64_t fds_of_daemon = 64;

// Address space for a session: room to place regions without moving others.
constexpr uint32_t address_chunks_per_store_chunk = 4;
constexpr uint32_t address_chunks_min = 1024;

FrameKind frame_kind_of(FramesChoice choice) {
    switch (choice) {
    case FramesChoice::automatic: return FrameKind::automatic;
    case FramesChoice::hugetlb: return FrameKind::hugetlb;
    case FramesChoice::tmpfs: return FrameKind::tmpfs;
    case FramesChoice::memfd: return FrameKind::memfd;
    }
    return FrameKind::automatic;
}

class SharedHostSpaces final : public Spaces {
public:
    explicit SharedHostSpaces(SharedHostDevice& device) : device_(device) {}
    Result<int> make_space(SessionIndex session, uint32_t chunks) override {
        return device_.make_space(session, chunks);
    }
    Status attach(SessionIndex session, UniqueFd uffd, uint64_t client_base_address) override {
        return device_.attach(session, std::move(uffd), client_base_address);
    }
    Result<uint32_t> add_reader(SessionIndex session, UniqueFd uffd,
                                uint64_t base_address) override {
        return device_.add_reader(session, std::move(uffd), base_address);
    }
    void remove_reader(SessionIndex session, uint32_t reader) override {
        device_.remove_reader(session, reader);
    }
    bool is_reader_alive(SessionIndex session, uint32_t reader) const override {
        return device_.is_reader_alive(session, reader);
    }
    std::optional<SpaceBreach> next_breach() override {
        const auto breach = device_.next_breach();
        if (!breach) return std::nullopt;
        return SpaceBreach{breach->session, breach->what};
    }

private:
    SharedHostDevice& device_;
};

uint32_t sessions_for_descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const uint64_t left = limit.rlim_cur > fds_of_daemon ? limit.rlim_cur - fds_of_daemon : 0;
    return static_cast<uint32_t>(
        std::clamp<uint64_t>(left / fds_per_session, 1, limits::sessions_max));
}

uint64_t new_incarnation() {
    uint64_t incarnation = 0;
    (void)!::getrandom(&incarnation, sizeof incarnation, 0);
    return incarnation;
}

std::string line_of(const std::string& what, const Error& error, const char* advice) {
    std::string line = what + ": " + error.what;
    if (error.os_error != 0) line += std::string(" (") + std::strerror(error.os_error) + ")";
    return line + "; " + advice;
}

class HostDaemon final : public Daemon {
public:
    // False: `problem` says why.
    bool build(DaemonConfig config, int control_fd, std::string& problem);
    Server& server() override { return *server_; }
    std::string report() override;
    void stop_recording() override {
        if (recorder_) recorder_->finish();
    }

private:
    bool open_store(std::string& problem);
    bool open_device(uint32_t sessions_max, std::string& problem);
    bool open_recorder(uint32_t sessions_max, std::string& problem);
    bool open_server(uint32_t sessions_max, int control_fd, std::string& problem);
    bool open_socket(std::string& problem);

    DaemonConfig config_;
    MonotonicClock clock_;
    Nanos started_ = clock_.now();
    SwapFile swap_file_;
    std::unique_ptr<Io> io_;
    std::unique_ptr<SwapStore> store_;
    std::unique_ptr<Workers> workers_;
    std::unique_ptr<SharedHostDevice> device_;
    Arena bounce_;
    std::optional<SharedHostSpaces> spaces_;
    UniqueFd userfaultfd_;
    std::unique_ptr<Recorder> recorder_;  // none: nothing is recorded
    std::unique_ptr<Server> server_;
};

bool HostDaemon::build(DaemonConfig config, int control_fd, std::string& problem) {
    Result<DaemonConfig> complete = with_machine_defaults(std::move(config));
    if (!complete) {
        problem = line_of("store", complete.error(), "see --store and --store-size");
        return false;
    }
    config_ = *std::move(complete);
    const uint32_t sessions_max = sessions_for_descriptors();
    return open_store(problem) && open_device(sessions_max, problem) &&
           open_recorder(sessions_max, problem) && open_server(sessions_max, control_fd, problem) &&
           open_socket(problem);
}

// A recording that cannot begin is refused: without it, the run would be for nothing.
bool HostDaemon::open_recorder(uint32_t sessions_max, std::string& problem) {
    if (config_.record.empty()) return true;
    auto recorder = Recorder::create({.path = config_.record,
                                      .chunk_bytes = config_.chunk_bytes,
                                      .sessions_max = sessions_max,
                                      .began = started_});
    const Status recording = recorder ? (*recorder)->start() : Status(recorder.error());
    if (!recording) {
        problem = line_of("record " + config_.record, recording.error(),
                          "give --record a path that can be written");
        return false;
    }
    recorder_ = *std::move(recorder);
    return true;
}

bool HostDaemon::open_store(std::string& problem) {
    Result<SwapFile> file = open_swap_file({.path = config_.store_path,
                                            .size_bytes = config_.store_bytes,
                                            .fence_deadline = limits::fence_deadline},
                                           clock_);
    if (!file) {
        const std::string size = format_size(config_.store_bytes).data();
        const bool taken = file.error().code == Errc::busy;
        problem = line_of("store of " + size + " at " + config_.store_path, file.error(),
                          taken ? "see --store"
                                : "give --store a writable place with room, or a smaller "
                                  "--store-size");
        return false;
    }
    swap_file_ = *std::move(file);
    Result<std::unique_ptr<Io>> io = open_io(swap_file_.io.get(), limits::io_depth_max, config_.io);
    if (!io) {
        problem = line_of("io", io.error(), "--io threads works everywhere");
        return false;
    }
    io_ = *std::move(io);
    StoreOptions options;
    options.capacity_bytes = config_.store_bytes;
    options.chunk_bytes = config_.chunk_bytes;
    options.block_bytes = std::min(limits::block_bytes_max, config_.chunk_bytes);
    store_ = std::make_unique<SwapStore>(*io_, clock_, options);
    return true;
}

bool HostDaemon::open_device(uint32_t sessions_max, std::string& problem) {
    Result<std::unique_ptr<Workers>> workers = WorkerPool::create(config_.worker_threads);
    if (!workers) {
        problem = line_of("workers", workers.error(), "give a smaller --workers");
        return false;
    }
    workers_ = *std::move(workers);
    SharedHostOptions options;
    options.frames = static_cast<uint32_t>(config_.budget_bytes / config_.chunk_bytes);
    options.chunk_bytes = config_.chunk_bytes;
    options.block_bytes = std::min(limits::block_bytes_max, config_.chunk_bytes);
    options.sessions = sessions_max;
    options.kind = frame_kind_of(config_.frames);
    const std::unique_ptr<Topology> topology = machine_topology();
    Result<Arena> bounce = create_arena(*topology, {.size_bytes = limits::bounce_bytes,
                                                    .alignment_bytes = limits::bounce_bytes,
                                                    .node = topology->current_node()});
    if (!bounce) {
        problem = line_of("bounce buffers", bounce.error(), "the machine is short of memory");
        return false;
    }
    bounce_ = *std::move(bounce);
    Result<std::unique_ptr<SharedHostDevice>> device = SharedHostDevice::create(options);
    if (!device) {
        problem = line_of("device", device.error(), "try --frames memfd, or a smaller --budget");
        return false;
    }
    device_ = *std::move(device);
    spaces_.emplace(*device_);
    // Without it clients open one themselves, where they are allowed to.
    userfaultfd_ = UniqueFd(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
    return true;
}

bool HostDaemon::open_server(uint32_t sessions_max, int control_fd, std::string& problem) {
    const ServerPorts ports{
        .device = *device_,
        .store = *store_,
        .workers = *workers_,
        .clock = clock_,
        .spaces = *spaces_,
        .bounce = bounce_.memory.bytes(),
        .witness = recorder_.get(),
        .engine_fds = {device_->event_fd(), io_->event_fd(), workers_->event_fd()},
        .control_fd = control_fd};
    ServerOptions options;
    options.sessions_max = sessions_max;
    options.readers_max = sessions_max;
    options.address_chunks = std::clamp(address_chunks_per_store_chunk * store_->chunks_max(),
                                        address_chunks_min, limits::session_chunks_max);
    options.share = config_.session;
    options.shares = config_.shares;
    options.user = config_.user;
    options.incarnation = new_incarnation();
    options.userfaultfd = userfaultfd_.get();
    options.engine.sessions_max = sessions_max;
    if (!config_.learns) options.engine.prefetch_chunks_max = 0;
    options.engine.recency_only = !config_.learns;
    Result<std::unique_ptr<Server>> server = Server::create(ports, options);
    if (!server) {
        problem = line_of("server", server.error(), "the machine is short of descriptors");
        return false;
    }
    server_ = *std::move(server);
    return true;
}

bool HostDaemon::open_socket(std::string& problem) {
    // The usual directory is there after the first start by hand; errors show in listen_socket().
    if (config_.socket == wire::default_socket_path) ::mkdir("/run/ciuic", 0755);
    Result<UniqueFd> socket = listen_socket(config_.socket.c_str(), config_.socket_mode);
    const Status listening = socket ? server_->listen(*std::move(socket)) : Status(socket.error());
    if (listening) return true;
    const bool taken = listening.error().code == Errc::busy;
    problem = line_of("socket " + config_.socket, listening.error(),
                      taken ? "stop it, or give --socket another path"
                            : "give --socket a path in a directory that you may write to");
    return false;
}

std::string HostDaemon::report() {
    const DeviceTraits& traits = device_->traits();
    const ReportFacts facts{.device_name = traits.name,
                            .frame_kind = traits.frame_kind,
                            .rung = traits.rung,
                            .frames = traits.frames,
                            .chunk_bytes = traits.chunk_bytes,
                            .budget_bytes = config_.budget_bytes,
                            .io = io_->name(),
                            .store_path = config_.store_path,
                            .store_capacity_bytes = config_.store_bytes,
                            .store_direct = swap_file_.direct,
                            .record_path = config_.record};
    const ReportNumbers numbers{.store = store_->stats(),
                                .total = server_->engine().total_stats(),
                                .counts = server_->total_counts(),
                                .server = server_->counts(),
                                .sessions = server_->summaries(),
                                .record = recorder_ ? recorder_->counts() : RecordCounts{},
                                .wall_seconds =
                                    static_cast<double>((clock_.now() - started_).value) / 1e9};
    return make_report(facts, numbers);
}

}  // namespace

std::unique_ptr<Daemon> compose(const DaemonConfig& config, int control_fd, std::string& problem) {
    auto daemon = std::make_unique<HostDaemon>();
    if (!daemon->build(config, control_fd, problem)) return nullptr;
    return daemon;
}

}  // namespace ciuic
