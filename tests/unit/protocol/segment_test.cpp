// SPDX-License-Identifier: Apache-2.0
#include "protocol/segment.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace ciuic {
namespace {

constexpr SegmentShape shape{.chunks = 3000, .chunk_bytes = 2 * MiB};

// Goal: what one side writes the other reads, at the same place. Method: both halves in one
// process; the first and the last word of every array.
TEST(Segment, BothSidesSeeTheSameWords) {
    auto daemon_engine = EngineSegment::create(shape);
    auto daemon_client = ClientSegment::create(shape);
    ASSERT_TRUE(daemon_engine && daemon_client);
    const auto engine = EngineSegment::map(daemon_engine->fd(), shape);
    auto client = ClientSegment::map(daemon_client->fd(), shape);
    ASSERT_TRUE(engine && client);

    daemon_engine->states()[0].store(7);
    daemon_engine->states()[2999].store(9);
    daemon_engine->page().sleeping.store(1);
    daemon_engine->page().replies[63].sequence.store(5);
    daemon_engine->statistics().frames_peak.store(11);
    EXPECT_EQ(engine->states().size(), 3000u);
    EXPECT_EQ(engine->states()[0].load(), 7u);
    EXPECT_EQ(engine->states()[2999].load(), 9u);
    EXPECT_EQ(engine->page().sleeping.load(), 1u);
    EXPECT_EQ(engine->page().replies[63].sequence.load(), 5u);
    EXPECT_EQ(engine->statistics().frames_peak.load(), 11u);

    client->pins()[2999].store(3);
    client->ring()[255].put({.slot = 4});
    client->request_tail().put(6);
    client->counters().large_bytes_refused.add(8);
    EXPECT_EQ(daemon_client->pins()[2999].load(), 3u);
    EXPECT_EQ(daemon_client->ring()[255].fetch().slot, 4u);
    EXPECT_EQ(daemon_client->request_tail().fetch(), 6u);
    EXPECT_EQ(daemon_client->counters().large_bytes_refused.fetch(), 8u);
}

// Goal: no client can write to the engine segment or change a segment's size. Method: every way
// there is, with the descriptor that clients get.
TEST(Segment, ClientsCannotWriteOrResize) {
    auto engine = EngineSegment::create(shape);
    auto client = ClientSegment::create(shape);
    ASSERT_TRUE(engine && client);
    const size_t size_bytes = engine->bytes().size();
    EXPECT_EQ(::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, engine->fd(), 0),
              MAP_FAILED);
    EXPECT_LT(::pwrite(engine->fd(), "x", 1, 0), 0);
    EXPECT_NE(::fallocate(engine->fd(), FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4096), 0);
    void* read_only = ::mmap(nullptr, size_bytes, PROT_READ, MAP_SHARED, engine->fd(), 0);
    ASSERT_NE(read_only, MAP_FAILED);
    EXPECT_NE(::mprotect(read_only, size_bytes, PROT_READ | PROT_WRITE), 0);
    ::munmap(read_only, size_bytes);
    for (const int fd : {engine->fd(), client->fd()}) {
        EXPECT_NE(::ftruncate(fd, 0), 0);
        EXPECT_NE(::ftruncate(fd, static_cast<off_t>(size_bytes * 2)), 0);
        EXPECT_NE(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    struct stat status {};
    ASSERT_EQ(::fstat(engine->fd(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0400u);
    // The daemon's own mapping still writes.
    engine->states()[5].store(1);
    EXPECT_EQ(engine->states()[5].load(), 1u);
}

// Goal: the client touches nothing that is not what was announced. Method: segments that differ in
// one thing each; all are refused, none is a crash.
TEST(Segment, TheClientRefusesWhatDiffers) {
    const auto engine = EngineSegment::create(shape);
    const auto client = ClientSegment::create(shape);
    ASSERT_TRUE(engine && client);
    const auto code_of = [](const auto& result) { return result ? Errc::ok : result.error().code; };
    EXPECT_EQ(code_of(EngineSegment::map(engine->fd(), {100, shape.chunk_bytes})), Errc::invalid);
    EXPECT_EQ(code_of(EngineSegment::map(engine->fd(), {shape.chunks, 4 * MiB})), Errc::invalid);
    EXPECT_EQ(code_of(EngineSegment::map(client->fd(), shape)), Errc::invalid);
    EXPECT_EQ(code_of(ClientSegment::map(engine->fd(), shape)), Errc::invalid);
    // The right size, but not sealed: it could shrink under the client.
    const UniqueFd open(::memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const auto size_bytes = static_cast<off_t>(engine->bytes().size());
    ASSERT_EQ(::ftruncate(open.get(), size_bytes), 0);
    EXPECT_EQ(code_of(EngineSegment::map(open.get(), shape)), Errc::invalid);
    // Sealed, but zeros.
    ASSERT_EQ(::fcntl(open.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    EXPECT_EQ(code_of(EngineSegment::map(open.get(), shape)), Errc::invalid);
    EXPECT_EQ(code_of(EngineSegment::map(-1, shape)), Errc::io);
}

// Goal: a forked child has none of its parent's segments. Method: the child asks the kernel
// whether the address is mapped.
TEST(Segment, ForkedChildrenDoNotInherit) {
    auto client = ClientSegment::create(shape);
    ASSERT_TRUE(client);
    const pid_t child = ::fork();
    if (child == 0) {
        unsigned char present = 0;
        ::_exit(::mincore(client->bytes().data(), 4096, &present) == 0 ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace ciuic
