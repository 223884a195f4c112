// SPDX-License-Identifier: Apache-2.0
//
// Handshakes: messages with descriptors through a real socket into the real server. Each call is
// one connection; each message counts as one input. Afterwards no descriptor is left open, and the
// innocent client has its bytes.
//
//   byte 0   what is sent: nothing, a Hello, a Ready, a Welcome (2 bits); descriptors (5 bits)
//   byte 1   changes to it, each of an offset and a value; or, of nothing, the length of raw bytes
#include "base/check.hpp"
#include "tests/fuzz/hostile_world.hpp"
#include "tests/fuzz/target.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace ciuic::fuzz {
namespace {

constexpr uint64_t connections_per_world = 4096;
constexpr uint64_t connections_per_look = 8;
constexpr size_t fds_max = 32;

class Input {
public:
    explicit Input(std::span<const uint8_t> bytes) : bytes_(bytes) {}
    bool is_empty() const { return bytes_.empty(); }
    uint8_t byte() {
        if (bytes_.empty()) return 0;
        const uint8_t first = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return first;
    }

private:
    std::span<const uint8_t> bytes_;
};

template <typename T> std::vector<uint8_t> bytes_of(const T& message) {
    std::vector<uint8_t> bytes(sizeof message);
    std::memcpy(bytes.data(), &message, sizeof message);
    return bytes;
}

std::vector<uint8_t> make_message(uint8_t what, Input& input) {
    std::vector<uint8_t> message;
    uint8_t count = input.byte();
    switch (what) {
    case 1: message = bytes_of(wire::Hello{}); break;
    case 2: message = bytes_of(wire::Ready{.base_address = HostileWorld::chunk_bytes}); break;
    case 3: message = bytes_of(wire::Welcome{}); break;
    default:
        for (; count > 0; --count) message.push_back(input.byte());
        return message;
    }
    for (count &= 7; count > 0; --count) {
        const size_t at = input.byte();
        message.resize(std::max(message.size(), at + 1));
        message[at] = input.byte();
    }
    return message;
}

// With as many copies of a descriptor as are wished for, which may be more than any message has.
void send(int socket, std::span<const uint8_t> message, size_t count, int fd) {
    std::array<int, fds_max> fds;
    fds.fill(fd);
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof fds)> control{};
    iovec part{const_cast<uint8_t*>(message.data()), message.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (count > 0) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(rights), fds.data(), count * sizeof(int));
    }
    (void)::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Open descriptors, as far as this process has any.
int open_fds() {
    int count = 0;
    for (int fd = 0; fd < 96; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

struct Place {
    HostileWorld world;
    UniqueFd surplus{::memfd_create("surplus", MFD_CLOEXEC)};
    int fds_before = open_fds();
};

void connect_once(Place& place, Input input) {
    const test::ServedClient client = place.world.connect();
    while (!input.is_empty()) {
        const uint8_t first = input.byte();
        const std::vector<uint8_t> message = make_message(first & 3, input);
        send(client.socket.get(), message, first >> 2 & (fds_max - 1), place.surplus.get());
        ++inputs;
        place.world.turn();
        if (place.world.is_gone(client)) return;
    }
}

}  // namespace
}  // namespace ciuic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ciuic::fuzz;
    static std::unique_ptr<Place> place;
    static uint64_t connections = 0;
    if (connections++ % connections_per_world == 0) {
        place.reset();
        place = std::make_unique<Place>();
    }
    connect_once(*place, Input({data, size}));
    place->world.settle();
    place->world.check_that_all_came_back();
    CIUIC_CHECK(open_fds() == place->fds_before);
    if (connections % connections_per_look == 0) place->world.check_innocent();
    return 0;
}
