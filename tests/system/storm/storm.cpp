// SPDX-License-Identifier: Apache-2.0
#include "tests/system/storm/storm.hpp"

#include "tests/system/daemon_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace ciuic::test {

namespace {

UniqueFd pidfd_of(pid_t pid) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// A copy of the client's connection; none while it has not connected yet.
UniqueFd copy_socket(pid_t pid, int pidfd) {
    std::error_code gone;
    const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
        const std::string target = std::filesystem::read_symlink(entry.path(), gone);
        if (target.rfind("socket:", 0) != 0) continue;
        const int fd = std::atoi(entry.path().filename().c_str());
        return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, fd, 0)));
    }
    return {};
}

bool await_event(int fd, short events, Nanos wait_max) {
    pollfd entry{fd, events, 0};
    const timespec timeout{wait_max.value / 1'000'000'000, wait_max.value % 1'000'000'000};
    return ::ppoll(&entry, 1, &timeout, nullptr) == 1;
}

std::string text_of_end(int status) {
    return WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                             : "signal " + std::to_string(WTERMSIG(status));
}

}  // namespace

Storm::Storm(const StormOptions& options)
    : options_(options), random_(options.seed), clients_(options.survivors + options.victims) {
    log_ = UniqueFd(
        ::open((options.directory + "/storm").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const size_t size_bytes = clients_.size() * sizeof(StormRecord);
    if (::ftruncate(log_.get(), static_cast<off_t>(size_bytes)) != 0) std::abort();
    auto memory = Mapping::create(size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, log_.get());
    if (!memory) std::abort();
    records_memory_ = std::move(*memory);
    records_ = reinterpret_cast<StormRecord*>(records_memory_.data());
    for (uint32_t index = 0; index < clients_.size(); ++index) start(index);
}

Storm::~Storm() {
    for (const Client& client : clients_) {
        if (client.pid <= 0) continue;
        ::kill(client.pid, SIGKILL);
        ::waitpid(client.pid, nullptr, 0);
    }
}

void Storm::start(uint32_t index) {
    std::vector<std::string> all = {"storm_client",
                                    options_.socket,
                                    options_.directory + "/storm",
                                    std::to_string(index),
                                    std::to_string(random_.next()),
                                    std::to_string(options_.chunks)};
    std::vector<char*> argv;
    for (std::string& argument : all) argv.push_back(argument.data());
    argv.push_back(nullptr);
    // To be taken when there is a handler for it.
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &stop, nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::execv(CIUIC_BIN_DIR "/storm_client", argv.data());
        ::_exit(127);
    }
    ::sigprocmask(SIG_UNBLOCK, &stop, nullptr);
    clients_[index] = {.pid = pid, .stopped = false};
}

void Storm::note_end(uint32_t index, int status) {
    const bool survivor = index < options_.survivors;
    result_.failures.push_back((survivor ? "survivor " : "victim ") + std::to_string(index) + ": " +
                               text_of_end(status));
    clients_[index].pid = 0;
}

void Storm::look_for_failures() {
    for (uint32_t index = 0; index < clients_.size(); ++index) {
        int status = 0;
        if (::waitpid(clients_[index].pid, &status, WNOHANG) == clients_[index].pid)
            note_end(index, status);
    }
}

void Storm::run() {
    while (result_.kills < options_.kills && result_.failures.empty()) {
        pause(
            {static_cast<int64_t>(random_.below(static_cast<uint64_t>(options_.pause_max.value)))});
        look_for_failures();
        if (result_.failures.empty())
            strike(options_.survivors + static_cast<uint32_t>(random_.below(options_.victims)));
    }
}

void Storm::strike(uint32_t index) {
    Client& client = clients_[index];
    if (client.stopped && random_.chance(1, 2)) {
        ::kill(client.pid, SIGCONT);
        client.stopped = false;
    } else if (!client.stopped && random_.chance(1, 3)) {
        ::kill(client.pid, SIGSTOP);
        client.stopped = true;
        ++result_.stops;
    } else {
        kill(index);
        start(index);
    }
}

void Storm::kill(uint32_t index) {
    const Client client = clients_[index];
    const UniqueFd pidfd = pidfd_of(client.pid);
    const UniqueFd socket = copy_socket(client.pid, pidfd.get());
    const Nanos killed = now();
    ::kill(client.pid, SIGKILL);
    (void)await_event(pidfd.get(), POLLIN, plenty);
    const Nanos dead = now();
    if (socket && !await_event(socket.get(), 0, plenty)) ++result_.unnoticed;
    const Nanos noticed = now();
    int status = 0;
    ::waitpid(client.pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return note_end(index, status);
    ++result_.kills;
    if (client.stopped) ++result_.kills_of_stopped;
    if (!socket) return;
    result_.after_kill.push_back(noticed - killed);
    result_.after_death.push_back(noticed - dead);
}

void Storm::end() {
    for (const Client& client : clients_) {
        if (client.pid <= 0) continue;
        ::kill(client.pid, SIGTERM);
        ::kill(client.pid, SIGCONT);
    }
    for (uint32_t index = 0; index < clients_.size(); ++index) {
        const pid_t pid = clients_[index].pid;
        if (pid <= 0) continue;
        int status = 0;
        if (!await([&] { return ::waitpid(pid, &status, WNOHANG) == pid; })) {
            result_.failures.push_back("client " + std::to_string(index) + " does not end");
            continue;
        }
        clients_[index].pid = 0;
        if (status != 0) note_end(index, status);
    }
}

uint64_t Storm::survivors_wait_max_ns() const {
    uint64_t longest_ns = 0;
    for (uint32_t index = 0; index < options_.survivors; ++index)
        longest_ns = std::max(longest_ns, records_[index].wait_max_ns.load());
    return longest_ns;
}

uint64_t Storm::survivors_wait_ns(uint32_t per_mille) const {
    uint64_t all = 0;
    for (uint32_t index = 0; index < options_.survivors; ++index)
        for (const auto& waits : records_[index].waits) all += waits.load();
    uint64_t counted = 0;
    const size_t buckets = records_[0].waits.size();
    for (size_t bucket = 0; bucket < buckets; ++bucket) {
        for (uint32_t index = 0; index < options_.survivors; ++index)
            counted += records_[index].waits[bucket].load();
        if (counted * 1000 >= all * per_mille) return uint64_t{2} << bucket;
    }
    return 0;
}

}  // namespace ciuic::test
