// SPDX-License-Identifier: Apache-2.0
//
// Readers, seen through the shared device: what a forked child's mapping shows, and when. The
// reader is a second mapping in this process; its touches are made by threads.
#include "device/host/readers.hpp"

#include "base/units.hpp"
#include "tests/unit/device/host/local_client.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint64_t chunk_bytes = 64 * KiB;
constexpr uint64_t block_bytes = 4 * KiB;
constexpr uint32_t chunks = 32;  // 2 MiB
constexpr SessionIndex session{0};
constexpr FrameIndex frame{0};
constexpr int patience_ms = 20'000;

// Reads by a system call: memory that is poisoned or closed is an error, not a signal.
class Read {
public:
    explicit Read(const std::byte* place)
        : thread_([this, place] {
              const UniqueFd sink(::memfd_create("sink", MFD_CLOEXEC));
              std::byte got{};
              if (::write(sink.get(), place, 1) != 1) return;
              if (::pread(sink.get(), &got, 1, 0) == 1) value_ = static_cast<int>(got);
          }) {}
    // The byte; -1: it could not be read.
    int join() {
        thread_.join();
        return value_;
    }

private:
    int value_ = -1;
    std::thread thread_;
};

class ReadersTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string refusal = userfault_refusal(HostRung::protects); !refusal.empty())
            GTEST_SKIP() << refusal;
        auto created = SharedHostDevice::create({.frames = 4,
                                                 .chunk_bytes = chunk_bytes,
                                                 .block_bytes = block_bytes,
                                                 .sessions = 1,
                                                 .kind = FrameKind::memfd});
        ASSERT_TRUE(created.has_value()) << created.error().what;
        device_ = *std::move(created);
        const Result<int> file = device_->make_space(session, chunks);
        ASSERT_TRUE(file.has_value());
        file_ = UniqueFd(::dup(*file));
        client_.emplace(*file, chunks * chunk_bytes);
        ASSERT_TRUE(device_->attach(session, client_->copy(), client_->base()).has_value());
        place_ = *Mapping::create_aligned(chunks * chunk_bytes, 2 * MiB, PROT_NONE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
        auto uffd = map_space_unread(file_.get(), place_.bytes(), -1);
        ASSERT_TRUE(uffd.has_value()) << uffd.error().what;
        uffd_ = *std::move(uffd);
    }

    UniqueFd copy() const { return UniqueFd(::dup(uffd_.get())); }
    uint64_t base() const { return reinterpret_cast<uint64_t>(place_.data()); }
    void add_reader() {
        const auto added = device_->add_reader(session, copy(), base());
        ASSERT_TRUE(added.has_value()) << added.error().what;
        reader_ = *added;
        ASSERT_EQ(::mprotect(place_.data(), place_.size_bytes(), PROT_READ), 0);
    }
    static ChunkRef ref(uint32_t chunk) { return {session, ChunkIndex{chunk}}; }
    const std::byte* at(uint32_t chunk, uint64_t offset = 0) const {
        return place_.data() + chunk * chunk_bytes + offset;
    }
    // The next fault that the device reports.
    DeviceEvent next_event() {
        std::array<DeviceEvent, 1> events;
        pollfd entry{device_->event_fd(), POLLIN, 0};
        for (;;) {
            if (device_->drain(events) == 1) return events[0];
            if (::poll(&entry, 1, patience_ms) != 1) {
                ADD_FAILURE() << "no fault was reported";
                return {};
            }
        }
    }
    void open(uint32_t chunk, int value) {
        const auto bytes = device_->open(ref(chunk), frame);
        ASSERT_TRUE(bytes.has_value());
        std::memset(bytes->data(), value, bytes->size());
    }
    uint64_t pages_held() const {
        struct stat status {};
        ::fstat(file_.get(), &status);
        return static_cast<uint64_t>(status.st_blocks) * 512 / block_bytes;
    }

    std::unique_ptr<SharedHostDevice> device_;
    UniqueFd file_;
    std::optional<LocalClient> client_;
    Mapping place_;
    UniqueFd uffd_;
    uint32_t reader_ = 0;
};

// Goal: nothing that a child says is believed. Method: descriptors and bases that are wrong.
TEST_F(ReadersTest, AddChecksTheChild) {
    const auto refused = [&](UniqueFd uffd, uint64_t at_address) {
        return device_->add_reader(session, std::move(uffd), at_address).error().code ==
               Errc::invalid;
    };
    EXPECT_TRUE(refused(UniqueFd(), base()));
    EXPECT_TRUE(refused(UniqueFd(::memfd_create("other", MFD_CLOEXEC)), base()));
    EXPECT_TRUE(refused(copy(), base() + 4 * KiB));
    EXPECT_TRUE(refused(copy(), 0 - 2 * MiB));
    EXPECT_TRUE(refused(copy(), base() + 64 * GiB));
    add_reader();
}

// Goal: a reader sees nothing but what the engine has shown, and no touch of its own puts a page
// into the file. Method: a touch before there is a page, while the page is being filled, and after
// only another block has been shown.
TEST_F(ReadersTest, WaitsUntilItIsShown) {
    add_reader();
    Read reading(at(3, 5 * block_bytes));
    DeviceEvent event = next_event();
    EXPECT_EQ(event.chunk, ref(3));
    EXPECT_EQ(event.offset_bytes, 5 * block_bytes);
    EXPECT_FALSE(event.is_write);
    EXPECT_EQ(pages_held(), 0u);
    open(3, 7);
    ASSERT_TRUE(device_->reveal(ref(3), frame, 0, block_bytes, false));
    Read other(at(3, 9 * block_bytes));  // not shown yet either
    EXPECT_EQ(next_event().offset_bytes, 9 * block_bytes);
    std::array<DeviceEvent, 4> none;
    EXPECT_EQ(device_->drain(none), 0u);
    ASSERT_TRUE(device_->reveal(ref(3), frame, 0, chunk_bytes, true));
    EXPECT_EQ(reading.join(), 7);
    EXPECT_EQ(other.join(), 7);
    device_->close(ref(3), frame);
}

// Goal: a chunk that leaves leaves the reader too, and comes back with what it then holds. Method:
// a chunk is shown, frozen, given back, frozen and closed, and shown anew with other bytes.
TEST_F(ReadersTest, FollowsAnEviction) {
    add_reader();
    open(1, 4);
    ASSERT_TRUE(device_->reveal(ref(1), frame, 0, chunk_bytes, true));
    Read first(at(1));
    EXPECT_EQ(next_event().chunk, ref(1));
    ASSERT_TRUE(device_->reveal(ref(1), frame, 0, block_bytes, true));  // as the engine answers
    EXPECT_EQ(first.join(), 4);
    EXPECT_EQ(Read(at(1, chunk_bytes - 1)).join(), 4);  // all of it, with one fault
    ASSERT_TRUE(device_->conceal(ref(1), frame).has_value());
    EXPECT_EQ(Read(at(1)).join(), 4);  // frozen bytes may be read
    ASSERT_TRUE(device_->restore(ref(1), frame, true));
    ASSERT_TRUE(device_->conceal(ref(1), frame).has_value());
    device_->close(ref(1), frame);
    EXPECT_EQ(pages_held(), 0u);
    Read second(at(1));
    EXPECT_EQ(next_event().chunk, ref(1));
    EXPECT_EQ(pages_held(), 0u);
    open(1, 5);
    ASSERT_TRUE(device_->reveal(ref(1), frame, 0, chunk_bytes, false));
    EXPECT_EQ(second.join(), 5);
    device_->close(ref(1), frame);
}

// Goal: a reader that waits at a chunk that is closed asks again; one that waits at a lost one
// fails. Method: both.
TEST_F(ReadersTest, AsksAgainOrFails) {
    add_reader();
    open(2, 1);
    Read reading(at(2));
    EXPECT_EQ(next_event().chunk, ref(2));
    device_->close(ref(2), frame);
    EXPECT_EQ(next_event().chunk, ref(2));
    ASSERT_TRUE(device_->poison(ref(2)));
    EXPECT_EQ(reading.join(), -1);
    EXPECT_EQ(Read(at(2, 3 * block_bytes)).join(), -1);
    EXPECT_EQ(pages_held(), 0u);
}

// Goal: a reader cannot write, even where it makes its mapping writable. Method: a write by system
// call into the read-only mapping fails; into the writable one it waits, and ends with the waiter.
TEST_F(ReadersTest, CannotWrite) {
    add_reader();
    open(0, 9);
    ASSERT_TRUE(device_->reveal(ref(0), frame, 0, chunk_bytes, true));
    Read first(at(0));
    EXPECT_EQ(next_event().chunk, ref(0));
    ASSERT_TRUE(device_->reveal(ref(0), frame, 0, chunk_bytes, true));
    EXPECT_EQ(first.join(), 9);
    const UniqueFd source(::memfd_create("source", MFD_CLOEXEC));
    ASSERT_EQ(::pwrite(source.get(), "x", 1, 0), 1);
    EXPECT_EQ(::pread(source.get(), place_.data(), 1, 0), -1);
    ASSERT_EQ(::mprotect(place_.data(), chunk_bytes, PROT_READ | PROT_WRITE), 0);
    std::thread writer([&] { (void)!::pread(source.get(), place_.data(), 1, 0); });
    pollfd entry{uffd_.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&entry, 1, patience_ms), 1);
    std::array<DeviceEvent, 4> none;
    EXPECT_EQ(device_->drain(none), 0u);
    EXPECT_EQ(*client_->space.data(), std::byte{9});
    // Let go of the waiter: its address is not there any more.
    ASSERT_EQ(::mprotect(place_.data(), chunk_bytes, PROT_NONE), 0);
    uffdio_range range{base(), chunk_bytes};
    ASSERT_EQ(::ioctl(uffd_.get(), UFFDIO_WAKE, &range), 0);
    writer.join();
    EXPECT_EQ(*client_->space.data(), std::byte{9});
    device_->close(ref(0), frame);
}

// Goal: readers come and go, up to a limit, and the session's end forgets those that are left.
// Method: as many as there may be, one more, one less, and the end.
TEST_F(ReadersTest, AreCountedAndForgotten) {
    add_reader();
    EXPECT_TRUE(device_->is_reader_alive(session, reader_));
    std::vector<uint32_t> others;
    for (uint32_t count = 1; count < limits::readers_per_session_max; ++count)
        others.push_back(*device_->add_reader(session, copy(), base()));
    EXPECT_EQ(device_->add_reader(session, copy(), base()).error().code, Errc::no_memory);
    device_->remove_reader(session, others.back());
    EXPECT_FALSE(device_->is_reader_alive(session, others.back()));
    EXPECT_TRUE(device_->add_reader(session, copy(), base()).has_value());
    place_.reset();  // as an exec does
    EXPECT_FALSE(device_->is_reader_alive(session, reader_));
    device_->detach(session);
    ASSERT_TRUE(device_->make_space(session, chunks).has_value());
    EXPECT_FALSE(device_->is_reader_alive(session, reader_));
}

}  // namespace
}  // namespace ciuic::test
