// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/hostile_world.hpp"

#include "base/check.hpp"
#include "store/tag.hpp"

#include <sys/eventfd.h>

#include <algorithm>

namespace ciuic::fuzz {
namespace {

// 64 requests of 64 chunks, each through every state, are a few thousand.
constexpr int turns_max = 100'000;

constexpr uint64_t word_of(uint32_t chunk, size_t word) {
    return (chunk * 4096 + word + 1) * 0x9e3779b97f4a7c15u;
}

}  // namespace

Status QuickIo::submit(const IoRequest& request) {
    if (done_.size() == depth()) return Error{Errc::busy, 0, "I/O depth is used up"};
    CIUIC_CHECK(request.offset_bytes + request.length_bytes <= bytes_.size());
    std::byte* const file = bytes_.data() + request.offset_bytes;
    if (request.op == IoOp::read)
        std::memcpy(request.data, file, request.length_bytes);
    else
        std::memcpy(file, request.data, request.length_bytes);
    done_.push_back({request.token, request.length_bytes});
    return {};
}

size_t QuickIo::drain(std::span<IoResult> results) {
    size_t count = 0;
    for (; count < results.size() && !done_.empty(); ++count) {
        results[count] = done_.front();
        done_.pop_front();
    }
    return count;
}

HostileWorld::HostileWorld() : stand_in_(::eventfd(0, EFD_CLOEXEC)) {
    device_.conceals = true;
    ServerOptions options;
    options.sessions_max = 8;
    options.address_chunks = address_chunks;
    options.share.max_frames = frames_per_session;
    options.engine.sessions_max = 8;
    auto server = Server::create({.device = device_,
                                  .store = store_,
                                  .workers = workers_,
                                  .clock = clock_,
                                  .spaces = spaces_},
                                 options);
    CIUIC_CHECK(server.has_value());
    server_ = *std::move(server);
    innocent_ = running_client();
    innocent_asks(wire::RequestKind::promise, 0, innocent_chunks);
    innocent_asks(wire::RequestKind::acquire, 0, innocent_chunks);
    for (uint32_t chunk = 0; chunk < innocent_chunks; ++chunk) {
        touch(innocent_.welcome.session, chunk, 0, true);
        settle();
        const std::span<uint64_t> words = innocent_words(chunk);
        for (size_t word = 0; word < words.size(); ++word) words[word] = word_of(chunk, word);
    }
}

test::ServedClient HostileWorld::connect() {
    auto pair = socket_pair();
    CIUIC_CHECK(pair.has_value());
    test::ServedClient client;
    client.socket = std::move((*pair)[1]);
    (void)server_->adopt(std::move((*pair)[0]));
    return client;
}

test::ServedClient HostileWorld::running_client() {
    test::ServedClient client = connect();
    client.say(wire::Hello{});
    turn();
    CIUIC_CHECK(client.receive_welcome() == Errc::ok && client.welcome.status == 0);
    client.map();
    const int fd = stand_in_.get();
    client.say(wire::Ready{.base_address = 16 * chunk_bytes}, std::span(&fd, 1));
    turn();
    wire::Started started;
    ReceivedFds none;
    CIUIC_CHECK(receive_message(client.socket.get(), started, none, Nanos{0}).has_value());
    CIUIC_CHECK(started.status == 0);
    return client;
}

void HostileWorld::settle() {
    int quiet = 0;
    for (int turns = 0; quiet < 2; ++turns) {
        CIUIC_CHECK(turns < turns_max);
        // Who waits for a frame behind its own pins waits for the deadline.
        if (turns > 64) clock_.advance(limits::frame_deadline);
        turn();
        quiet = server_->engine().is_idle() && device_.events.empty() ? quiet + 1 : 0;
    }
}

void HostileWorld::touch(uint32_t session, uint32_t chunk, uint64_t offset_bytes, bool is_write) {
    device_.events.push_back({DeviceEventKind::missing, is_write,
                              ChunkRef{SessionIndex{session}, ChunkIndex{chunk}}, offset_bytes});
}

void HostileWorld::check_that_all_came_back() {
    const Engine& engine = server_->engine();
    engine.verify();
    CIUIC_CHECK(server_->running().size() == 1);
    CIUIC_CHECK(engine.chunks_promised() == innocent_chunks);
    CIUIC_CHECK(engine.frames_free() + innocent_chunks >= engine.frames());
    CIUIC_CHECK(device_.open_frames + engine.frames_free() == engine.frames());
    CIUIC_CHECK(store_.chunks_max() == 2 * address_chunks);
}

void HostileWorld::innocent_asks(wire::RequestKind kind, uint32_t first, uint32_t count) {
    const uint32_t request = innocent_.ask(kind, first, count);
    innocent_.ring();
    for (int turns = 0; !innocent_.is_answered(request); ++turns) {
        CIUIC_CHECK(turns < turns_max);
        turn();
    }
    CIUIC_CHECK(innocent_.answer(request) == Errc::ok);
}

std::span<uint64_t> HostileWorld::innocent_words(uint32_t chunk) {
    const ChunkTable& table = server_->engine().chunks(SessionIndex{innocent_.welcome.session});
    const std::span<std::byte> bytes = device_.bytes(FrameIndex{table[ChunkIndex{chunk}].frame});
    return {reinterpret_cast<uint64_t*>(bytes.data()), bytes.size() / sizeof(uint64_t)};
}

void HostileWorld::check_innocent() {
    const auto chunk = static_cast<uint32_t>(look_++ % innocent_chunks);
    innocent_asks(wire::RequestKind::acquire, chunk, 1);
    const std::span<uint64_t> words = innocent_words(chunk);
    for (size_t word = 0; word < words.size(); ++word)
        CIUIC_CHECK(words[word] == word_of(chunk, word));
    // On its way to the store and back before the next look.
    innocent_asks(wire::RequestKind::evict, chunk, 1);
}

}  // namespace ciuic::fuzz
