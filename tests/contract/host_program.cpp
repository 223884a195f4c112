// SPDX-License-Identifier: Apache-2.0
#include "tests/contract/host_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <new>
#include <thread>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t pattern_words = 4096;

thread_local sigjmp_buf landing;
thread_local volatile bool lands = false;

void on_fatal_access(int) {
    if (!lands) _exit(3);
    lands = false;
    siglongjmp(landing, 1);
}

template <typename T> bool read_whole(int fd, T& value) {
    ssize_t bytes = 0;
    do bytes = ::read(fd, &value, sizeof value);
    while (bytes < 0 && errno == EINTR);
    return bytes == sizeof value;
}

template <typename T> void write_whole(int fd, const T& value) {
    ASSERT_EQ(::write(fd, &value, sizeof value), static_cast<ssize_t>(sizeof value));
}

}  // namespace

HostProgram::Pipe HostProgram::make_pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

HostProgram::HostProgram()
    : shared_(*Mapping::create(sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS)),
      pattern_(::memfd_create("kernel-words", MFD_CLOEXEC)) {
    new (shared_.data()) State;
    std::vector<uint64_t> words(pattern_words);
    for (uint64_t index = 0; index < pattern_words; ++index) words[index] = kernel_word(index);
    const size_t bytes = words.size() * sizeof(uint64_t);
    EXPECT_EQ(::pwrite(pattern_.get(), words.data(), bytes, 0), static_cast<ssize_t>(bytes));
    for (Pipe& pipe : commands_) pipe = make_pipe();
    for (Pipe& pipe : outcomes_) pipe = make_pipe();
}

void HostProgram::start(uint32_t worker, const Access& access) {
    write_whole(commands_[worker].writer.get(), Command{.access = access});
}

std::optional<Outcome> HostProgram::outcome(uint32_t worker, Nanos limit) {
    pollfd finished{outcomes_[worker].reader.get(), POLLIN, 0};
    Outcome outcome;
    if (::poll(&finished, 1, static_cast<int>(limit.value / 1'000'000)) != 1) return std::nullopt;
    if (!read_whole(finished.fd, outcome)) return std::nullopt;
    return outcome;
}

void HostProgram::end() {
    stop_counting();
    for (Pipe& pipe : commands_) write_whole(pipe.writer.get(), Command{.access = {}, .end = true});
}

void HostProgram::run(std::byte* space) {
    struct sigaction action {};
    struct sigaction bus_before {};
    struct sigaction segment_before {};
    action.sa_handler = on_fatal_access;
    ::sigaction(SIGBUS, &action, &bus_before);
    ::sigaction(SIGSEGV, &action, &segment_before);
    std::vector<std::thread> threads;
    for (uint32_t worker = 0; worker < DeviceRig::workers; ++worker)
        threads.emplace_back([this, worker, space] { serve(worker, space); });
    for (std::thread& thread : threads) thread.join();
    ::sigaction(SIGBUS, &bus_before, nullptr);
    ::sigaction(SIGSEGV, &segment_before, nullptr);
}

void HostProgram::serve(uint32_t worker, std::byte* space) {
    Command command;
    while (read_whole(commands_[worker].reader.get(), command) && !command.end)
        write_whole(outcomes_[worker].writer.get(), perform(worker, space, command.access));
}

Outcome HostProgram::perform(uint32_t worker, std::byte* space, const Access& access) {
    if (sigsetjmp(landing, 1) != 0) return {.killed = true};
    lands = true;
    const uint64_t value = touch(worker, space, access);
    lands = false;
    return {.value = value};
}

uint64_t HostProgram::touch(uint32_t worker, std::byte* space, const Access& access) {
    std::byte* const place = space + access.offset_bytes;
    volatile uint64_t& word = *reinterpret_cast<uint64_t*>(place);
    switch (access.kind) {
    case Access::Kind::load: return word;
    case Access::Kind::store: word = access.value; return 0;
    case Access::Kind::count: {
        uint64_t count = 0;
        while (!state().stop) {
            word = word + 1;
            state().counted[worker] = ++count;
        }
        return count;
    }
    case Access::Kind::kernel_fill:
        return static_cast<uint64_t>(::pread(pattern_.get(), place, access.length_bytes, 0));
    case Access::Kind::kernel_read: {
        Pipe pipe = make_pipe();
        uint64_t value = 0;
        if (::write(pipe.writer.get(), place, sizeof value) != sizeof value) return 0;
        return read_whole(pipe.reader.get(), value) ? value : 0;
    }
    case Access::Kind::discard:
        return static_cast<uint64_t>(::madvise(place, access.length_bytes, MADV_DONTNEED));
    }
    return 0;
}

}  // namespace ciuic::test
