// SPDX-License-Identifier: Apache-2.0
//
// The device contract on the host devices: embedded, and shared with frames of every kind; each on
// every rung of the ladder (device/host/rung) that changes what it does. On an older kernel the
// rungs that it lacks are skipped.
#include "device/host/client_side.hpp"
#include "device/host/embedded.hpp"
#include "device/host/embedded_file.hpp"
#include "device/host/rung.hpp"
#include "device/host/shared.hpp"
#include "tests/contract/host_program.hpp"
#include "tests/support/huge_pages.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <thread>
#include <vector>

namespace ciuic::test {
namespace {

std::string text_of(const Error& error) {
    return std::string(error.what) + ": " + std::strerror(error.os_error);
}

uint64_t allocated_bytes(int file) {
    struct stat status {};
    ::fstat(file, &status);
    return static_cast<uint64_t>(status.st_blocks) * 512;
}

// What the rigs have in common: the program's end of things.
class HostRig : public DeviceRig {
public:
    std::string refusal() const override { return refusal_; }
    void start(uint32_t worker, const Access& access) override { program_.start(worker, access); }
    std::optional<Outcome> outcome(uint32_t worker, Nanos limit) override {
        return program_.outcome(worker, limit);
    }
    uint64_t counted(uint32_t worker) override { return program_.counted(worker); }
    void stop_counting() override { program_.stop_counting(); }
    bool wait_event(Nanos limit) override {
        pollfd event{event_fd(), POLLIN, 0};
        return ::poll(&event, 1, static_cast<int>(limit.value / 1'000'000)) == 1;
    }

protected:
    virtual int event_fd() const = 0;

    // What is left of this kernel's features on that rung; the refusal says if it is not there.
    HostFeatures features_on(HostRung rung) {
        const HostRungReport here = host_rung();
        if (here.rung < rung)
            refusal_ = std::string("needs rung ") + rung_name(rung) + ": " + here.why;
        return limited_to(rung, probe_host_features());
    }

    HostProgram program_;
    std::string refusal_;
};

class EmbeddedRig final : public HostRig {
public:
    explicit EmbeddedRig(uint64_t chunk_bytes) {
        constexpr int protection = PROT_READ | PROT_WRITE;
        constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        arena_ = *Mapping::create_aligned(frames * chunk_bytes, 2 * MiB, protection, flags);
        space_ = *Mapping::create_aligned(chunks * chunk_bytes, 2 * MiB, protection, flags);
        const uint64_t piece_bytes = chunk_bytes / 16;
        pieces_ = *Mapping::create_aligned(pieces * piece_bytes, 2 * MiB, protection, flags);
        ::madvise(arena_.data(), arena_.size_bytes(), MADV_HUGEPAGE);
        for (const Mapping* memory : {&arena_, &pieces_})
            std::fill(memory->bytes().begin(), memory->bytes().end(), std::byte{0xee});
        auto device = EmbeddedHostDevice::create({.arena = arena_.bytes(),
                                                  .space = space_.bytes(),
                                                  .chunk_bytes = chunk_bytes,
                                                  .pieces = pieces_.bytes(),
                                                  .piece_bytes = piece_bytes});
        if (!device.has_value()) {
            refusal_ = text_of(device.error());
            return;
        }
        device_ = *std::move(device);
        thread_ = std::thread([this] { program_.run(space_.data()); });
    }

    ~EmbeddedRig() override {
        if (!device_) return;
        program_.end();
        // A test that failed may have left somebody waiting.
        for (uint32_t index = 0; index < chunks; ++index)
            (void)device_->poison({SessionIndex{0}, ChunkIndex{index}});
        thread_.join();
    }

    Device& device() override { return *device_; }
    uint64_t held_bytes() override {
        const uint64_t page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
        std::vector<unsigned char> present(space_.size_bytes() / page_bytes);
        ::mincore(space_.data(), space_.size_bytes(), present.data());
        const auto is_present = [](unsigned char page) { return (page & 1) != 0; };
        return page_bytes *
               static_cast<uint64_t>(std::count_if(present.begin(), present.end(), is_present));
    }

private:
    int event_fd() const override { return device_->event_fd(); }

    Mapping arena_;
    Mapping space_;
    Mapping pieces_;
    std::unique_ptr<EmbeddedHostDevice> device_;
    std::thread thread_;
};

class EmbeddedFileRig final : public HostRig {
public:
    EmbeddedFileRig(HostRung rung, FrameKind kind, uint64_t chunk_bytes) {
        const HostFeatures features = features_on(rung);
        if (!refusal_.empty()) return;
        space_ = *Mapping::create_aligned(chunks * chunk_bytes, 2 * MiB, PROT_READ | PROT_WRITE,
                                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
        auto device =
            EmbeddedFileDevice::create({.space = space_.bytes(),
                                        .frames = frames,
                                        .chunk_bytes = chunk_bytes,
                                        .block_bytes = std::min(chunk_bytes / 4, 64 * KiB),
                                        .kind = kind,
                                        .features = features});
        if (!device.has_value()) {
            refusal_ = text_of(device.error());
            return;
        }
        device_ = *std::move(device);
        file_ = UniqueFd(::dup(device_->fds()[2]));
        thread_ = std::thread([this] { program_.run(space_.data()); });
    }

    ~EmbeddedFileRig() override {
        if (!device_) return;
        program_.end();
        device_.reset();  // whoever a failed test left waiting finds the space closed
        thread_.join();
    }

    Device& device() override { return *device_; }
    uint64_t held_bytes() override { return allocated_bytes(file_.get()); }

private:
    int event_fd() const override { return device_->event_fd(); }

    Mapping space_;
    std::unique_ptr<EmbeddedFileDevice> device_;
    UniqueFd file_;
    std::thread thread_;
};

// What the client tells the daemon, with its userfaultfd; the daemon has sent one with the file.
struct Hello {
    uint64_t base = 0;
    Error error;
};

void send_hello(int socket, const Hello& hello, int fd) {
    iovec data{const_cast<Hello*>(&hello), sizeof hello};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        *header = {
            .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

UniqueFd receive_hello(int socket, Hello& hello) {
    iovec data{&hello, sizeof hello};
    int fd = -1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != static_cast<ssize_t>(sizeof hello))
        hello.error = Error{Errc::disconnected, 0, "the other process has ended"};
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message))
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return UniqueFd(fd);
}

class SharedRig final : public HostRig {
public:
    SharedRig(HostRung rung, FrameKind kind, uint64_t chunk_bytes) {
        const HostFeatures features = features_on(rung);
        if (!refusal_.empty()) return;
        if (kind == FrameKind::hugetlb) {
            huge_pages_ = std::make_unique<HugePages>(frames * chunk_bytes / (2 * MiB));
            refusal_ = huge_pages_->refusal();
            if (!refusal_.empty()) return;
        }
        start_client(chunks * chunk_bytes);
        auto device = SharedHostDevice::create({.frames = frames,
                                                .chunk_bytes = chunk_bytes,
                                                .block_bytes = std::min(chunk_bytes / 4, 64 * KiB),
                                                .sessions = 1,
                                                .kind = kind,
                                                .features = features});
        if (!device.has_value()) {
            refusal_ = text_of(device.error());
            return;
        }
        device_ = *std::move(device);
        const Result<int> file = device_->make_space(SessionIndex{0}, chunks);
        if (!file.has_value()) {
            refusal_ = text_of(file.error());
            return;
        }
        file_ = UniqueFd(::dup(*file));
        attach_client();
    }

    ~SharedRig() override {
        if (client_ <= 0) return;
        ::kill(client_, SIGKILL);
        ::waitpid(client_, nullptr, 0);
    }

    Device& device() override { return *device_; }
    uint64_t held_bytes() override { return allocated_bytes(file_.get()); }

private:
    int event_fd() const override { return device_->event_fd(); }

    // Before there is a device: it has threads, and the child of a process with threads may not
    // start any under ThreadSanitizer.
    void start_client(uint64_t space_bytes) {
        int ends[2] = {-1, -1};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        socket_ = UniqueFd(ends[0]);
        const UniqueFd theirs(ends[1]);
        client_ = ::fork();
        ASSERT_GE(client_, 0);
        if (client_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_client(theirs.get(), space_bytes);
        }
    }

    void attach_client() {
        send_hello(socket_.get(), {}, file_.get());
        Hello hello;
        UniqueFd uffd = receive_hello(socket_.get(), hello);
        Status attached = hello.error;
        if (attached.has_value())
            attached = device_->attach(SessionIndex{0}, std::move(uffd), hello.base);
        if (!attached.has_value()) refusal_ = text_of(attached.error());
    }

    [[noreturn]] void run_client(int socket, uint64_t space_bytes) {
        Hello hello;
        const UniqueFd file = receive_hello(socket, hello);
        Mapping space;
        UniqueFd uffd;
        const Status ready = [&]() -> Status {
            CIUIC_TRY(space, map_space(file.get(), space_bytes));
            CIUIC_TRY(uffd, open_userfault(-1));
            CIUIC_TRY_STATUS(uffd_handshake(uffd.get(), shared_userfault_features()));
            return register_space(uffd.get(), space.data(), space_bytes, true);
        }();
        send_hello(socket, {reinterpret_cast<uint64_t>(space.data()), ready.error()}, uffd.get());
        if (ready.has_value()) program_.run(space.data());
        ::_exit(0);
    }

    std::unique_ptr<HugePages> huge_pages_;
    std::unique_ptr<SharedHostDevice> device_;
    UniqueFd file_;
    UniqueFd socket_;
    pid_t client_ = -1;
};

// What one kernel gives to daemons: on `poisons` and above they find all they need.
DeviceCase shared_case(const char* name, HostRung rung, FrameKind kind, uint64_t chunk_bytes) {
    return {name, [=] { return std::make_unique<SharedRig>(rung, kind, chunk_bytes); }};
}

DeviceCase file_case(const char* name, HostRung rung, FrameKind kind, uint64_t chunk_bytes) {
    return {name, [=] { return std::make_unique<EmbeddedFileRig>(rung, kind, chunk_bytes); }};
}

DeviceCase embedded_case(const char* name, uint64_t chunk_bytes) {
    return {name, [=] { return std::make_unique<EmbeddedRig>(chunk_bytes); }};
}

INSTANTIATE_TEST_SUITE_P(Host, PiecesContract,
                         testing::Values(embedded_case("Embedded2M", 2 * MiB),
                                         embedded_case("Embedded64K", 64 * KiB)),
                         DeviceCaseName());

using enum HostRung;

INSTANTIATE_TEST_SUITE_P(
    Host, DeviceContract,
    testing::Values(embedded_case("Embedded2M", 2 * MiB), embedded_case("Embedded64K", 64 * KiB),
                    shared_case("SharedMemfd2M", poisons, FrameKind::memfd, 2 * MiB),
                    shared_case("SharedMemfd64K", poisons, FrameKind::memfd, 64 * KiB),
                    shared_case("SharedTmpfs2M", poisons, FrameKind::tmpfs, 2 * MiB),
                    shared_case("SharedTmpfs64K", poisons, FrameKind::tmpfs, 64 * KiB),
                    shared_case("SharedHugetlb2M", poisons, FrameKind::hugetlb, 2 * MiB)),
    DeviceCaseName());

INSTANTIATE_TEST_SUITE_P(
    Ladder, DeviceContract,
    testing::Values(file_case("EmbeddedPoisonsMemfd2M", poisons, FrameKind::memfd, 2 * MiB),
                    file_case("EmbeddedPoisonsTmpfs64K", poisons, FrameKind::tmpfs, 64 * KiB),
                    file_case("EmbeddedProtectsMemfd2M", protects, FrameKind::memfd, 2 * MiB),
                    file_case("EmbeddedProtectsMemfd64K", protects, FrameKind::memfd, 64 * KiB),
                    file_case("EmbeddedBaseMemfd2M", base, FrameKind::memfd, 2 * MiB),
                    file_case("EmbeddedBaseMemfd64K", base, FrameKind::memfd, 64 * KiB),
                    file_case("EmbeddedBaseTmpfs2M", base, FrameKind::tmpfs, 2 * MiB),
                    shared_case("SharedProtectsMemfd64K", protects, FrameKind::memfd, 64 * KiB),
                    shared_case("SharedBaseMemfd2M", base, FrameKind::memfd, 2 * MiB),
                    shared_case("SharedBaseMemfd64K", base, FrameKind::memfd, 64 * KiB),
                    shared_case("SharedBaseTmpfs2M", base, FrameKind::tmpfs, 2 * MiB),
                    shared_case("SharedBaseHugetlb2M", base, FrameKind::hugetlb, 2 * MiB)),
    DeviceCaseName());

}  // namespace
}  // namespace ciuic::test
