// SPDX-License-Identifier: Apache-2.0
//
// A child process that uses Ciuic as a program does, and survives touches that fail.
//
// Threads: one, beside the library's.
#pragma once

#include "ciuic/vmm.h"
#include "tests/system/daemon_process.hpp"

#include <atomic>
#include <csetjmp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ciuic::test {

// Shared between the child and its parent.
struct ClientFacts {
    std::atomic<uint32_t> phase;    // the child counts up; what each means is the test's affair
    std::atomic<uint32_t> go;       // the parent counts up
    std::atomic<uint64_t> right;    // pages that held what they should
    std::atomic<uint64_t> refused;  // pages whose touch raised SIGBUS
    std::atomic<uint32_t> status;   // a ciuic_status
    std::atomic<int64_t> took_ns;

    void await_go(uint32_t at_least) {
        if (!await([&] { return go.load() >= at_least; })) ::_exit(9);
    }
};

// Exit statuses of a child.
inline constexpr int ended_well = 0;
inline constexpr int found_wrong_byte = 3;
inline constexpr int call_failed = 4;

class TestClient {
public:
    using Body = std::function<int(ClientFacts&)>;

    explicit TestClient(const Body& body);
    ~TestClient();  // kills it
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;

    pid_t pid() const { return pid_; }
    ClientFacts& facts() const { return *facts_; }
    // False: it has ended before, or never does.
    bool await_phase(uint32_t phase);
    void go() { facts_->go.fetch_add(1); }
    // Waits for its end: the exit status, minus the signal, or 1000: it does not end.
    int wait();

private:
    ClientFacts* facts_;
    pid_t pid_ = 0;
};

// In the child: memory of one session whose every word follows from its page's version.
class StampedMemory {
public:
    // Exits with call_failed where there is no session or no room.
    StampedMemory(const std::string& socket, uint64_t chunks, uint64_t salt);

    uint64_t pages() const { return versions_.size(); }
    uint64_t chunk_bytes() const { return chunk_bytes_; }
    ciuic_session* session() const { return session_; }
    ciuic_range range(uint64_t first_chunk, uint64_t chunks) const {
        return {region_, first_chunk * chunk_bytes_, chunks * chunk_bytes_};
    }

    // False: the touch was refused. A wrong byte ends the process with found_wrong_byte.
    bool verify(uint64_t page, ClientFacts& facts);
    bool write(uint64_t page, ClientFacts& facts);
    void fill(ClientFacts& facts);
    void verify_all(ClientFacts& facts);
    void close();

private:
    uint64_t expected(uint64_t page, uint64_t word) const {
        return (salt_ ^ page << 32 ^ versions_[page]) * 0x9e3779b97f4a7c15u + word;
    }

    uint64_t salt_;
    uint64_t chunk_bytes_ = 0;
    ciuic_session* session_ = nullptr;
    ciuic_region* region_ = nullptr;
    uint64_t* words_ = nullptr;
    std::vector<uint32_t> versions_;
    std::vector<bool> written_;  // false: zero
};

// Runs `touch`; false: it raised SIGBUS.
bool survives(const std::function<void()>& touch);

ciuic_status open_session(const std::string& socket, ciuic_session** session);

}  // namespace ciuic::test
