// SPDX-License-Identifier: Apache-2.0
#include "tests/system/test_client.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace ciuic::test {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t words_per_page = page_bytes / sizeof(uint64_t);
constexpr int does_not_end = 1000;

sigjmp_buf after_touch;

void leave_touch(int) { siglongjmp(after_touch, 1); }

void require(ciuic_status status, const char* what) {
    if (status == CIUIC_OK) return;
    std::fprintf(stderr, "client: %s: %s (%s)\n", what, ciuic_status_text(status),
                 ciuic_last_error_text());
    ::_exit(call_failed);
}

}  // namespace

bool survives(const std::function<void()>& touch) {
    struct sigaction action {};
    action.sa_handler = leave_touch;
    ::sigaction(SIGBUS, &action, nullptr);
    if (sigsetjmp(after_touch, 1) != 0) return false;
    touch();
    return true;
}

ciuic_status open_session(const std::string& socket, ciuic_session** session) {
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_DAEMON;
    options.socket_path = socket.c_str();
    options.name = "test";
    return ciuic_open(&options, session);
}

TestClient::TestClient(const Body& body) {
    void* memory = ::mmap(nullptr, sizeof(ClientFacts), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    facts_ = static_cast<ClientFacts*>(memory);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(body(*facts_));
}

TestClient::~TestClient() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::munmap(facts_, sizeof(ClientFacts));
}

bool TestClient::await_phase(uint32_t phase) {
    siginfo_t info{};
    const auto has_ended = [&] {
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == pid_;
    };
    return await([&] { return facts_->phase.load() >= phase || has_ended(); }) &&
           facts_->phase.load() >= phase;
}

int TestClient::wait() {
    int status = 0;
    if (!await([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return does_not_end;
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

StampedMemory::StampedMemory(const std::string& socket, uint64_t chunks, uint64_t salt)
    : salt_(salt) {
    require(open_session(socket, &session_), "open");
    ciuic_statistics facts{};
    facts.struct_size = sizeof facts;
    require(ciuic_stats(session_, &facts), "stats");
    chunk_bytes_ = facts.chunk_bytes;
    ciuic_region_options wanted{};
    wanted.struct_size = sizeof wanted;
    wanted.size_bytes = chunks * chunk_bytes_;
    require(ciuic_region_create(session_, &wanted, &region_), "region_create");
    words_ = static_cast<uint64_t*>(ciuic_region_address(region_));
    versions_.resize(wanted.size_bytes / page_bytes);
    written_.resize(versions_.size());
}

bool StampedMemory::verify(uint64_t page, ClientFacts& facts) {
    const volatile uint64_t* memory = words_ + page * words_per_page;
    uint64_t wrong = words_per_page;
    const bool answered = survives([&] {
        for (uint64_t word = 0; word < words_per_page; ++word)
            if (memory[word] != (written_[page] ? expected(page, word) : 0)) wrong = word;
    });
    if (wrong != words_per_page) {
        std::fprintf(stderr, "client: page %llu word %llu is wrong\n",
                     static_cast<unsigned long long>(page), static_cast<unsigned long long>(wrong));
        ::_exit(found_wrong_byte);
    }
    (answered ? facts.right : facts.refused).fetch_add(1);
    return answered;
}

bool StampedMemory::write(uint64_t page, ClientFacts& facts) {
    volatile uint64_t* memory = words_ + page * words_per_page;
    ++versions_[page];
    written_[page] = true;
    const bool answered = survives([&] {
        for (uint64_t word = 0; word < words_per_page; ++word) memory[word] = expected(page, word);
    });
    if (!answered) facts.refused.fetch_add(1);
    return answered;
}

void StampedMemory::fill(ClientFacts& facts) {
    for (uint64_t page = 0; page < pages(); ++page) write(page, facts);
}

void StampedMemory::verify_all(ClientFacts& facts) {
    for (uint64_t page = 0; page < pages(); ++page) verify(page, facts);
}

void StampedMemory::close() { require(ciuic_close(session_), "close"); }

}  // namespace ciuic::test
