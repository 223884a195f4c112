// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/profile.hpp"

#include <algorithm>

namespace ciuic::sim {

namespace {

constexpr uint64_t granule = limits::granule_bytes;
constexpr Nanos second{1'000'000'000};

// Draws from one seed.
class Draw {
public:
    explicit Draw(uint64_t seed) : random_(seed) {}

    bool coin(uint64_t numerator, uint64_t denominator) {
        return random_.chance(numerator, denominator);
    }
    uint32_t between(uint32_t low, uint32_t high) {
        return low + static_cast<uint32_t>(random_.below(high - low + 1));
    }
    // A chance that is zero in half of the seeds.
    uint32_t chance(uint32_t high) { return coin(1, 2) ? 0 : between(1, high); }

private:
    Random random_;
};

constexpr uint32_t many_frames = 64;

void draw_device(Draw& draw, Profile& profile) {
    SimDeviceOptions& device = profile.device;
    const uint64_t block_bytes = granule;
    const bool shared = draw.coin(1, 2);
    const uint64_t chunk_bytes = granule << draw.between(1, shared ? 2 : 3);
    device.traits.name = shared ? "sim-shared" : "sim-embedded";
    device.traits.frame_kind = "bytes";
    device.traits.frames = draw.between(limits::frames_min, draw.coin(1, 2) ? 10 : 16);
    // With few frames everything happens soon; keep_old takes more.
    if (draw.coin(1, 8)) device.traits.frames = draw.between(20, many_frames);
    device.traits.chunk_bytes = chunk_bytes;
    // Huge pages can only be shown whole.
    device.traits.reveal_bytes = shared && draw.coin(2, 3) ? block_bytes : chunk_bytes;
    device.traits.sees_writes = shared;
    device.traits.opens_parts = shared && draw.coin(2, 3);
    device.traits.opens_zeroed = shared;
    device.conceals_reads = !shared;
    profile.store.chunk_bytes = chunk_bytes;
    profile.store.block_bytes = draw.coin(1, 4) ? chunk_bytes : block_bytes;
    if (profile.store.block_bytes > device.traits.reveal_bytes)
        profile.store.block_bytes = device.traits.reveal_bytes;
    profile.engine.pieces_per_chunk_max = draw.between(1, 4);
    if (shared || draw.coin(1, 3)) return;
    device.pieces = draw.between(1, 12);
    device.piece_bytes = profile.store.block_bytes;
}

void draw_programs(Draw& draw, Profile& profile) {
    SimClientsOptions& clients = profile.clients;
    clients.programs = draw.between(1, 3);
    clients.threads = draw.between(1, 5);
    const uint32_t frames = profile.device.traits.frames;
    clients.chunks = frames < 20 ? draw.between(16, 40) : draw.between(frames, 2 * frames);
    clients.promise_max =
        draw.between(clients.chunks < 20 ? 12 : clients.chunks / 2, clients.chunks);
    clients.frames_max = draw.coin(1, 2) ? draw.between(limits::frames_min, frames) : 0;
    clients.weight_max = draw.between(1, 4);
    clients.between_threads = draw.between(0, 2);
    clients.kill_chance = draw.coin(1, 4) ? draw.between(1, 32) : 0;
    clients.spurious_chance = draw.chance(16);
    clients.reopens = draw.coin(3, 4);
    profile.device.sessions = clients.programs;
    profile.device.chunks = clients.chunks;
    profile.engine.sessions_max = clients.programs;
    if (profile.workload != WorkloadKind::short_sequences) return;
    clients.reopens = true;
    clients.threads = draw.between(1, 2);
    clients.kill_chance = 0;
}

void draw_engine(Draw& draw, Profile& profile) {
    EngineOptions& engine = profile.engine;
    const uint32_t frames = profile.device.traits.frames;
    if (draw.coin(2, 3)) engine.free_frames = draw.between(1, frames / 2);
    if (draw.coin(1, 2))
        engine.contended_read_bytes =
            profile.device.traits.chunk_bytes * draw.between(1, 4) / draw.between(1, 2);
    const uint32_t guaranteed_max = frames - std::max(limits::frames_min, frames / 2);
    if (draw.coin(1, 2)) profile.clients.frames_guaranteed = draw.between(0, guaranteed_max);
    engine.prefetch_chunks_max = draw.coin(1, 3) ? 0 : draw.between(1, limits::prefetch_chunks_max);
    profile.clients.frame_deadline = engine.frame_deadline;
    profile.bounces = draw.between(1, 8);
}

void draw_faults(Draw& draw, Profile& profile) {
    SimDeviceOptions& device = profile.device;
    device.refuse_chance = draw.chance(128);
    device.busy_chance = draw.chance(256);
    device.hide_chance = draw.chance(64);
    device.duplicate_chance = draw.chance(128);
    device.late_chance = draw.chance(512);
    device.stale_chance = draw.chance(1024);

    SimDiskOptions& disk = profile.disk;
    disk.ignores_cancel = draw.coin(1, 2);
    disk.short_chance = draw.chance(128);
    disk.error_chance = draw.chance(64);
    disk.error_streak_max = draw.coin(1, 2) ? 1 : draw.between(1, 12);
    disk.late_chance = draw.chance(32);
    disk.late_max = Nanos{second.value * draw.between(1, 100)};
    disk.torn_chance = draw.coin(1, 2) ? draw.chance(32) : 0;
    disk.misdirected_chance = draw.coin(1, 2) ? draw.chance(64) : 0;
    disk.rot_chance = draw.coin(1, 2) ? draw.chance(256) : 0;
    disk.unreadable_chance = draw.coin(1, 3) ? draw.chance(256) : 0;
    disk.bad_granules = draw.coin(1, 4) ? draw.between(1, 3) : 0;

    if (draw.coin(1, 3)) {
        profile.jump_chance = draw.between(1, 64);
        profile.jump_max = Nanos{second.value * draw.between(1, 40)};
    }
}

void draw_store(Draw& draw, Profile& profile) {
    // Exactly what the programs may promise, or less than that; with spare places where the disk
    // may refuse writes for good.
    const uint32_t wanted = profile.clients.programs * profile.clients.promise_max;
    uint32_t chunks = draw.coin(1, 2) ? wanted : draw.between(wanted / 2, wanted);
    const SimDiskOptions& disk = profile.disk;
    const uint32_t chances = disk.error_chance + disk.late_chance + disk.torn_chance +
                             disk.misdirected_chance + disk.rot_chance + disk.unreadable_chance;
    if (chances + disk.bad_granules > 0) {
        constexpr uint32_t spare_max = 32;
        profile.disk.write_errors_max = spare_max * (limits::io_retries_max + 1);
        profile.disk.damages_max = spare_max;
        chunks = wanted + 2 * spare_max + disk.bad_granules;
    }
    profile.clients.store_chunks = chunks;
    profile.store.capacity_bytes = chunks * profile.store.chunk_bytes;
    profile.disk.capacity_bytes = profile.store.capacity_bytes;
}

void draw_schedule(Draw& draw, Profile& profile) {
    profile.thread_steps = draw.between(1, 6);
    profile.disk_steps = draw.between(1, draw.coin(1, 2) ? 4 : 24);
    profile.worker_steps = draw.between(1, draw.coin(1, 2) ? 4 : 24);
    profile.owner_waits = draw.coin(2, 3);
    profile.step_time_max = Nanos{int64_t{1} << draw.between(10, 22)};
    profile.disk.depth = draw.between(1, draw.coin(1, 2) ? 4 : limits::io_depth_max);
    profile.disk.starts_at_submit = draw.coin(1, 2);
}

}  // namespace

Profile profile_of(uint64_t seed, uint32_t steps) {
    Draw draw(seed);
    Profile profile;
    constexpr WorkloadKind kinds[] = {WorkloadKind::mixed, WorkloadKind::patterns,
                                      WorkloadKind::mixed, WorkloadKind::short_sequences};
    profile.workload = kinds[seed % std::size(kinds)];
    profile.sequence = seed / std::size(kinds);
    draw_device(draw, profile);
    draw_programs(draw, profile);
    draw_engine(draw, profile);
    draw_schedule(draw, profile);
    // A third of the seeds has nothing to forgive.
    if (!draw.coin(1, 3)) draw_faults(draw, profile);
    draw_store(draw, profile);
    profile.steps = steps > 0 ? steps : draw.between(800, 3200);
    profile.clients.declares = draw.coin(1, 4);
    return profile;
}

}  // namespace ciuic::sim
