// SPDX-License-Identifier: Apache-2.0
#include "client/remote.hpp"

#include "base/units.hpp"
#include "ciuic/vmm.hpp"
#include "client/futex.hpp"
#include "protocol/request_ring.hpp"
#include "residency/chunk_state.hpp"
#include "tests/unit/client/small_session.hpp"

#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

namespace ciuic {
namespace {

constexpr Nanos patience{10'000'000'000};

// A daemon that knows one client and one trick after the other: the test says which.
class FakeDaemon {
public:
    static constexpr SegmentShape shape{8, 2 * MiB};

    FakeDaemon()
        : engine(*EngineSegment::create(shape)), client(*ClientSegment::create(shape)),
          doorbell(::eventfd(0, EFD_CLOEXEC)), memory(::memfd_create("memory", MFD_CLOEXEC)),
          directory_(make_directory()) {
        EXPECT_EQ(::ftruncate(memory.get(), shape.chunks * shape.chunk_bytes), 0);
        listener_ = *listen_socket(path().c_str(), 0600);
        welcome.address_chunks = shape.chunks;
        welcome.chunk_bytes = shape.chunk_bytes;
    }
    ~FakeDaemon() {
        if (thread_.joinable()) thread_.join();
        std::filesystem::remove_all(directory_);
    }
    std::string path() const { return directory_ + "/socket"; }

    // `act` runs on the daemon's thread once the client has said Hello and got its Welcome.
    void start(std::function<void(FakeDaemon&)> act) {
        thread_ = std::thread([this, act = std::move(act)] {
            pollfd entry{listener_.get(), POLLIN, 0};
            ASSERT_EQ(::poll(&entry, 1, 10'000), 1);
            socket = *accept_socket(listener_.get());
            // Now: some of the processes that get here do not live to clean up.
            std::filesystem::remove_all(directory_);
            ReceivedFds none;
            ASSERT_TRUE(receive_message(socket.get(), hello, none, patience).has_value());
            const std::array<int, 4> fds{memory.get(), engine.fd(), client.fd(), doorbell.get()};
            ASSERT_TRUE(
                send_message(socket.get(), welcome, std::span(fds).first(welcome_fds), patience)
                    .has_value());
            act(*this);
            socket.reset();
        });
    }

    void take_ready(Errc answer) {
        wire::Ready ready;
        ReceivedFds fds;
        ASSERT_TRUE(receive_message(socket.get(), ready, fds, patience).has_value());
        ASSERT_EQ(fds.count, 1u);
        uffd = std::move(fds.fds[0]);
        base = ready.base_address;
        wire::Started started;
        started.status = static_cast<uint32_t>(answer);
        ASSERT_TRUE(send_message(socket.get(), started, {}, patience).has_value());
    }

    wire::Request next_request() {
        if (!reader_) reader_.emplace(client);
        engine.page().sleeping = 1;
        std::array<wire::Request, 1> request;
        while (*reader_->pop(request) == 0) {
            uint64_t rings = 0;
            EXPECT_EQ(::read(doorbell.get(), &rings, sizeof rings), 8);
        }
        return request[0];
    }
    void reply(const wire::Request& request, Errc result) {
        wire::ReplySlot& slot = engine.page().replies[request.slot];
        slot.result = static_cast<uint32_t>(result);
        slot.sequence = request.sequence;
        futex_wake_all(slot.sequence);
    }
    // Promises what is asked for, once.
    void promise() {
        const wire::Request request = next_request();
        ASSERT_EQ(request.kind, wire::RequestKind::promise);
        for (uint32_t chunk = 0; chunk < request.chunks; ++chunk)
            engine.states()[request.first_chunk + chunk] = static_cast<uint32_t>(ChunkState::empty);
        reply(request, Errc::ok);
    }
    // Returns when a thread of the client waits for a page.
    void await_fault() {
        pollfd entry{uffd.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&entry, 1, 10'000), 1);
    }
    // Gives the client its first page, writable or not, with this in it.
    void show_first_page(uint64_t word, bool writable) {
        ASSERT_EQ(::pwrite(memory.get(), &word, sizeof word, 0), 8);
        uffdio_continue request{};
        request.range = {base, 4096};
        request.mode = writable ? 0 : 2;  // UFFDIO_CONTINUE_MODE_WP
        ASSERT_EQ(::ioctl(uffd.get(), UFFDIO_CONTINUE, &request), 0);
    }

    EngineSegment engine;
    ClientSegment client;
    UniqueFd doorbell;
    UniqueFd memory;
    UniqueFd socket;
    UniqueFd uffd;
    uint64_t base = 0;
    wire::Hello hello;
    wire::Welcome welcome;
    size_t welcome_fds = 4;

private:
    static std::string make_directory() {
        std::string name = std::filesystem::temp_directory_path() / "ciuic-remote-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        return name;
    }

    std::string directory_;
    UniqueFd listener_;
    std::optional<RequestReader> reader_;
    std::thread thread_;
};

ciuic_status open_at(vmm::Session& session, const std::string& path) {
    ciuic_options options{};
    options.struct_size = sizeof options;
    options.mode = CIUIC_MODE_DAEMON;
    options.socket_path = path.c_str();
    options.name = "a name that is longer than the thirty-one bytes it may have";
    options.address_bytes = 16 * MiB;
    return session.open(&options);
}

// Goal: nothing that a daemon says is believed when it makes no sense, and every refusal is passed
// on. Method: a Welcome with one thing wrong at a time.
TEST(Remote, RefusesWelcomesThatMakeNoSense) {
    const auto opened_with = [](auto change) {
        FakeDaemon daemon;
        change(daemon);
        daemon.start([](FakeDaemon&) {});
        vmm::Session session;
        return open_at(session, daemon.path());
    };
    const auto status = [](Errc code) {
        return [code](FakeDaemon& d) {
            d.welcome.status = static_cast<uint32_t>(code);
            d.welcome_fds = 0;
        };
    };
    EXPECT_EQ(opened_with(status(Errc::no_memory)), CIUIC_E_NO_MEMORY);
    EXPECT_EQ(opened_with(status(Errc::permission)), CIUIC_E_PERMISSION);
    EXPECT_EQ(opened_with(status(Errc::version)), CIUIC_E_VERSION);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.header.version = 99; }), CIUIC_E_VERSION);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome_fds = 3; }), CIUIC_E_INVALID);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.header.flags = 1; }), CIUIC_E_INVALID);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.chunk_bytes = 0; }), CIUIC_E_INVALID);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.chunk_bytes = 3 * MiB; }), CIUIC_E_INVALID);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.address_chunks = 0; }), CIUIC_E_INVALID);
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.address_chunks = ~0u; }), CIUIC_E_INVALID);
    // Segments of another size than announced.
    EXPECT_EQ(opened_with([](FakeDaemon& d) { d.welcome.address_chunks = 4096; }), CIUIC_E_INVALID);
}

// Goal: a client introduces itself, survives a daemon that refuses it late, and tells the daemon
// when it leaves. Method: the handshake from the other end.
TEST(Remote, GreetsAndLeaves) {
    FakeDaemon daemon;
    bool left = false;
    daemon.start([&](FakeDaemon& d) {
        d.take_ready(Errc::ok);
        pollfd entry{d.socket.get(), POLLRDHUP, 0};
        left = ::poll(&entry, 1, 10'000) == 1;
    });
    vmm::Session session;
    const ciuic_status opened = open_at(session, daemon.path());
    if (opened == CIUIC_E_UNSUPPORTED) GTEST_SKIP() << ciuic_last_error_text();
    ASSERT_EQ(opened, CIUIC_OK) << ciuic_last_error_text();
    EXPECT_EQ(daemon.hello.address_chunks, 8u);
    EXPECT_EQ(std::string(daemon.hello.name.data()), "a name that is longer than the ");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(daemon.base) % (2 * MiB), 0u);
    session.close();
}

TEST(Remote, PassesOnALateRefusal) {
    FakeDaemon daemon;
    daemon.start([](FakeDaemon& d) { d.take_ready(Errc::unsupported); });
    vmm::Session session;
    EXPECT_EQ(open_at(session, daemon.path()), CIUIC_E_UNSUPPORTED);
}

// Goal: a request that waits when the daemon dies ends, and so does every later one. Method: the
// daemon takes a request and closes its socket instead of answering.
TEST(Remote, RequestsEndWithTheDaemon) {
    FakeDaemon daemon;
    daemon.start([](FakeDaemon& d) {
        d.take_ready(Errc::ok);
        d.next_request();
    });
    vmm::Session session;
    const ciuic_status opened = open_at(session, daemon.path());
    if (opened == CIUIC_E_UNSUPPORTED) GTEST_SKIP() << ciuic_last_error_text();
    ASSERT_EQ(opened, CIUIC_OK) << ciuic_last_error_text();
    void* memory = nullptr;
    EXPECT_EQ(ciuic_alloc(session, 1, &memory), CIUIC_E_DISCONNECTED);
    EXPECT_EQ(ciuic_alloc(session, 1, &memory), CIUIC_E_DISCONNECTED);
}

class RemoteDeath : public testing::Test {
protected:
    void SetUp() override {
        testing::FLAGS_gtest_death_test_style = "threadsafe";
        FakeDaemon daemon;
        daemon.start([](FakeDaemon& d) { d.take_ready(Errc::ok); });
        vmm::Session session;
        const ciuic_status opened = open_at(session, daemon.path());
        if (opened == CIUIC_E_UNSUPPORTED) GTEST_SKIP() << ciuic_last_error_text();
        ASSERT_EQ(opened, CIUIC_OK) << ciuic_last_error_text();
    }

    // Opens, allocates two chunks, and gives them to `use`.
    template <typename Use> static void run(const std::function<void(FakeDaemon&)>& act, Use use) {
        test::die_by_bad_access();
        FakeDaemon daemon;
        daemon.start([act](FakeDaemon& d) {
            d.take_ready(Errc::ok);
            d.promise();
            act(d);
            d.uffd.reset();
        });
        vmm::Session session;
        void* memory = nullptr;
        if (open_at(session, daemon.path()) != CIUIC_OK ||
            ciuic_alloc(session, 4 * MiB, &memory) != CIUIC_OK)
            std::_Exit(1);
        use(static_cast<volatile uint64_t*>(memory));
        std::_Exit(2);
    }
};

// Goal: a thread that waits for the daemon when it dies gets a signal: it neither waits for ever
// nor reads zeros. Method: the daemon sees the touch and dies instead of serving it.
TEST_F(RemoteDeath, WaitingTouchEndsLoudly) {
    EXPECT_EXIT(run([](FakeDaemon& d) { d.await_fault(); },
                    [](volatile uint64_t* words) { (void)words[0]; }),
                testing::KilledBySignal(SIGBUS), "the daemon is gone");
}

// Goal: memory that was never allocated does not become zeros either. Method: a touch behind the
// last chunk.
TEST_F(RemoteDeath, WaitingTouchOfUnallocatedMemoryEndsLoudly) {
    EXPECT_EXIT(run([](FakeDaemon& d) { d.await_fault(); },
                    [](volatile uint64_t* words) { (void)words[4 * MiB / 8]; }),
                testing::KilledBySignal(SIGSEGV), "");
}

// Goal: what was on the device stays usable, also for a write that waited. Method: a page shown
// read-only; the daemon dies when it sees the write; then the page next to it is touched.
TEST_F(RemoteDeath, ResidentMemoryOutlivesTheDaemon) {
    constexpr uint64_t word = 0x123456789;
    EXPECT_EXIT(run(
                    [](FakeDaemon& d) {
                        d.show_first_page(word, false);
                        d.await_fault();
                    },
                    [](volatile uint64_t* words) {
                        // Atomically with the write: the page may be shown a moment later.
                        auto* first = const_cast<uint64_t*>(words);
                        if (__atomic_fetch_add(first, 1, __ATOMIC_SEQ_CST) != word) std::_Exit(3);
                        if (words[0] != word + 1) std::_Exit(4);
                        (void)words[512];
                    }),
                testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace ciuic
