// SPDX-License-Identifier: Apache-2.0
//
// Rings: what a client writes into its segment, and what its threads touch, against the real
// server. Each entry that is put into the ring counts as one input. A session lives for many calls,
// since to make one costs as much as a thousand entries; when it ends, the innocent client has its
// bytes and everything else has come back.
//
// The bytes are steps of eight: what to do, three small numbers, one large one. Most entries are
// such that the session goes on; a few are any bytes at all.
#include "base/check.hpp"
#include "tests/fuzz/hostile_world.hpp"
#include "tests/fuzz/target.hpp"

#include <cstring>

namespace ciuic::fuzz {
namespace {

constexpr uint64_t lives_per_world = 1024;
constexpr uint32_t calls_per_life = 64;
constexpr uint32_t pushes_per_turn = 8;

struct Step {
    uint8_t what;
    uint8_t a;
    uint8_t b;
    uint8_t c;
    uint32_t word;
};
static_assert(sizeof(Step) == 8);

class Life {
public:
    explicit Life(HostileWorld& world) : world_(world), client_(world.running_client()) {}

    // False: it is over.
    bool run(std::span<const uint8_t> steps) {
        client_.ring();
        turn();
        for (; steps.size() >= sizeof(Step) && !ended_; steps = steps.subspan(sizeof(Step))) {
            Step step;
            std::memcpy(&step, steps.data(), sizeof step);
            take(step);
        }
        world_.server().engine().verify();
        return !ended_ && ++calls_ < calls_per_life;
    }

private:
    using Words = std::span<std::atomic<uint32_t>>;

    void take(const Step& step) {
        const bool rarely = step.a >= 0xf8;
        switch (step.what & 15) {
        case 9: return push(ranged(step, step.word, step.word >> (step.c & 31)));
        case 10: return rarely ? push(any(step)) : push(ranged(step, step.b, step.word));
        case 11: return pin(step);
        case 12:
        case 13: return touch(step);
        case 14: return rarely ? set_tail(step.word) : pass(step);
        case 15: return scribble(step);
        default: return push(ranged(step, step.b % chunks, 1 + step.c % (step.word & 1 ? 32 : 4)));
        }
    }

    static wire::Request ranged(const Step& step, uint32_t first, uint32_t count) {
        return {.kind = static_cast<wire::RequestKind>(step.what % wire::request_kinds),
                .slot = step.a % wire::reply_slots,
                .sequence = step.word,
                .first_chunk = first,
                .chunks = count};
    }
    static wire::Request any(const Step& step) {
        return {.kind = static_cast<wire::RequestKind>(step.word >> (step.b & 31)),
                .slot = step.c,
                .sequence = step.word,
                .first_chunk = step.word * step.c,
                .chunks = step.word ^ step.b};
    }
    void push(const wire::Request& request) {
        client_.push(request);
        ++inputs;
        if (++pushed_ % pushes_per_turn == 0) turn();
    }
    void turn() {
        world_.turn();
        ended_ = world_.server().running().size() == 1;
    }
    void pin(const Step& step) {
        client_.segment.pins()[step.b % chunks].store(step.a & 1 ? step.word : 0);
    }
    void touch(const Step& step) {
        world_.touch(client_.welcome.session, step.b % chunks,
                     step.word % HostileWorld::chunk_bytes, step.a & 1);
    }
    void set_tail(uint32_t tail) {
        client_.segment.request_tail().put(tail);
        client_.pushed = tail;
        ++inputs;
        turn();
    }
    void pass(const Step& step) {
        for (uint32_t count = step.a & 3; count > 0; --count) turn();
        if (step.c == 0) world_.pass_time(Nanos{step.word});
    }
    // Any word but the tail: the header, the counters, entries that were taken or are still to be.
    void scribble(const Step& step) {
        const std::span<std::byte> bytes = client_.segment.bytes();
        const Words words{reinterpret_cast<std::atomic<uint32_t>*>(bytes.data()),
                          bytes.size() / sizeof(uint32_t)};
        const size_t at = (size_t{step.b} << 8 | step.c) % words.size();
        if (at * sizeof(uint32_t) == offsetof(wire::ClientPage, request_tail)) return;
        words[at].store(step.word);
    }

    static constexpr uint32_t chunks = HostileWorld::address_chunks;
    HostileWorld& world_;
    test::ServedClient client_;
    uint32_t pushed_ = 0;
    uint32_t calls_ = 0;
    bool ended_ = false;
};

}  // namespace
}  // namespace ciuic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ciuic::fuzz;
    static std::unique_ptr<HostileWorld> world;
    static std::optional<Life> life;
    static uint64_t lives = 0;
    if (!life) {
        if (lives++ % lives_per_world == 0) world = std::make_unique<HostileWorld>();
        life.emplace(*world);
    }
    if (life->run({data, size})) return 0;
    life.reset();
    world->settle();
    world->check_that_all_came_back();
    world->check_innocent();
    return 0;
}
