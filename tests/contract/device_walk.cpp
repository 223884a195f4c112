// SPDX-License-Identifier: Apache-2.0
//
// The device contract under a random engine and a random program, against a model.
#include "base/random.hpp"
#include "tests/contract/device_contract.hpp"
#include "tests/support/seed.hpp"

#include <array>
#include <vector>

namespace ciuic::test {
namespace {

constexpr uint32_t workers = DeviceRig::workers;

enum class ChunkState : uint8_t { closed, opened, shown, concealed };

// What the program's words of one chunk should be. Each worker has a word of its own in every
// chunk, so at most one store to a word is under way.
struct ModelChunk {
    ChunkState state = ChunkState::closed;
    FrameIndex frame;
    std::array<uint64_t, workers> expected{};  // the program's last finished stores
    std::array<uint64_t, workers> stored{};    // what the engine last copied
};

struct ModelWorker {
    bool busy = false;
    Access access;
    uint32_t chunk = 0;
};

class Walk {
public:
    Walk(DeviceRig& rig, uint64_t seed) : rig_(rig), device_(rig.device()), random_(seed) {
        for (uint32_t index = 0; index < DeviceRig::frames; ++index)
            free_.push_back(FrameIndex{index});
    }

    void step() {
        if (random_.chance(1, 2))
            program_step(static_cast<uint32_t>(random_.below(workers)));
        else
            engine_step(static_cast<uint32_t>(random_.below(DeviceRig::chunks)));
        drain();
    }

    // Lets every access through and compares every word.
    void finish() {
        for (uint32_t worker = 0; worker < workers; ++worker)
            if (workers_[worker].busy) let_finish(worker);
        for (uint32_t index = 0; index < DeviceRig::chunks; ++index) {
            const ModelChunk& model = chunks_[index];
            if (model.state == ChunkState::shown) conceal(index);
            if (model.state != ChunkState::closed) close(index);
            EXPECT_EQ(model.stored, model.expected) << "chunk " << index;
        }
    }

private:
    static ChunkRef ref(uint32_t index) { return {SessionIndex{0}, ChunkIndex{index}}; }
    uint64_t chunk_bytes() const { return device_.traits().chunk_bytes; }
    uint64_t word_offset(uint32_t worker) const {
        return worker * (chunk_bytes() / workers) + 8 * worker;
    }

    void open(uint32_t index) {
        ModelChunk& model = chunks_[index];
        if (free_.empty()) return;
        model.frame = free_.back();
        Result<std::span<std::byte>> opened = device_.open(ref(index), model.frame);
        ASSERT_TRUE(opened.has_value()) << opened.error().what;
        free_.pop_back();
        for (uint32_t worker = 0; worker < workers; ++worker)
            put_word(*opened, word_offset(worker), model.stored[worker]);
        model.state = ChunkState::opened;
    }

    void close(uint32_t index) {
        ModelChunk& model = chunks_[index];
        device_.close(ref(index), model.frame);
        free_.push_back(model.frame);
        model.state = ChunkState::closed;
    }

    void conceal(uint32_t index) {
        ModelChunk& model = chunks_[index];
        Result<std::span<std::byte>> concealed = device_.conceal(ref(index), model.frame);
        ASSERT_TRUE(concealed.has_value()) << concealed.error().what;
        for (uint32_t worker = 0; worker < workers; ++worker) {
            const ModelWorker& who = workers_[worker];
            model.stored[worker] = word_at(*concealed, word_offset(worker));
            const bool just_stored = who.busy && who.chunk == index &&
                                     who.access.kind == Access::Kind::store &&
                                     model.stored[worker] == who.access.value;
            if (just_stored) continue;
            ASSERT_EQ(model.stored[worker], model.expected[worker]) << "chunk " << index;
        }
        model.state = ChunkState::concealed;
    }

    void show(uint32_t index, bool writable) {
        ModelChunk& model = chunks_[index];
        const Status shown =
            model.state == ChunkState::concealed
                ? device_.restore(ref(index), model.frame, writable)
                : device_.reveal(ref(index), model.frame, 0, chunk_bytes(), writable);
        ASSERT_TRUE(shown.has_value()) << shown.error().what;
        model.state = ChunkState::shown;
    }

    // Any call that the port's diagram allows now.
    void engine_step(uint32_t index) {
        const ModelChunk& model = chunks_[index];
        switch (model.state) {
        case ChunkState::closed: return open(index);
        case ChunkState::shown:
            if (random_.chance(1, 4))
                ASSERT_TRUE(device_.allow_write(ref(index), model.frame).has_value());
            else if (random_.chance(1, 4))
                show(index, random_.chance(1, 2));
            else
                conceal(index);
            return;
        case ChunkState::opened:
        case ChunkState::concealed:
            if (random_.chance(1, 3))
                close(index);
            else
                show(index, random_.chance(1, 2));
        }
    }

    void program_step(uint32_t worker) {
        ModelWorker& who = workers_[worker];
        // Now and then all wait for one: otherwise the engine would be done before they start.
        if (who.busy && random_.chance(1, 16)) return let_finish(worker);
        if (who.busy) return collect(worker, Nanos{0});
        who.chunk = static_cast<uint32_t>(random_.below(DeviceRig::chunks));
        who.access.kind = random_.chance(1, 2) ? Access::Kind::load : Access::Kind::store;
        who.access.offset_bytes = who.chunk * chunk_bytes() + word_offset(worker);
        who.access.value = random_.next();
        who.busy = true;
        rig_.start(worker, who.access);
    }

    void collect(uint32_t worker, Nanos limit) {
        ModelWorker& who = workers_[worker];
        const std::optional<Outcome> outcome = rig_.outcome(worker, limit);
        if (!outcome) return;
        who.busy = false;
        ASSERT_FALSE(outcome->killed);
        uint64_t& expected = chunks_[who.chunk].expected[worker];
        if (who.access.kind == Access::Kind::store)
            expected = who.access.value;
        else
            ASSERT_EQ(outcome->value, expected) << "worker " << worker << " chunk " << who.chunk;
    }

    void drain() {
        std::array<DeviceEvent, 8> events;
        const size_t room = random_.below(events.size() + 1);
        const size_t count = device_.drain(std::span(events).first(room));
        ASSERT_LE(count, room);
        for (const DeviceEvent& event : std::span(events).first(count)) {
            ASSERT_EQ(event.chunk.session, SessionIndex{0});
            ASSERT_LT(event.chunk.chunk.value, DeviceRig::chunks);
            ASSERT_LT(event.offset_bytes, chunk_bytes());
            ASSERT_TRUE(event.is_write || event.kind == DeviceEventKind::missing);
        }
    }

    // Makes room if need be, and lets the worker's access through.
    void let_finish(uint32_t worker) {
        const uint32_t index = workers_[worker].chunk;
        if (chunks_[index].state == ChunkState::closed) {
            for (uint32_t victim = 0; free_.empty(); ++victim) {
                if (chunks_[victim].state == ChunkState::shown) conceal(victim);
                if (chunks_[victim].state != ChunkState::closed) close(victim);
            }
            open(index);
        }
        show(index, true);
        collect(worker, patience);
        ASSERT_FALSE(workers_[worker].busy) << "worker " << worker << " still waits";
    }

    DeviceRig& rig_;
    Device& device_;
    Random random_;
    std::array<ModelChunk, DeviceRig::chunks> chunks_;
    std::array<ModelWorker, workers> workers_;
    std::vector<FrameIndex> free_;
};

}  // namespace

// Goal: in no order of the engine's calls and the program's accesses is a byte lost, stale or
// another chunk's, and nobody waits for ever. Method: random steps of both against a model of the
// last stores; in the end every access is let through and every word compared.
TEST_P(DeviceContract, AgreesWithAModelUnderRandomSteps) {
    constexpr uint32_t steps = 5000;
    const uint64_t seed = random_seed();
    SCOPED_TRACE(seed_text(seed));
    Walk walk(*rig_, seed);
    for (uint32_t step = 0; step < steps; ++step) {
        SCOPED_TRACE("step " + std::to_string(step));
        walk.step();
        ASSERT_FALSE(HasFatalFailure());
    }
    walk.finish();
}

}  // namespace ciuic::test
