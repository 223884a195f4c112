// SPDX-License-Identifier: Apache-2.0
//
// SimDisk: a disk that is slow, disorderly and, where its options say so, broken.
//
// A request owns its buffer from submit() to its result: a write's bytes are taken, and a read's
// bytes land, granule by granule at moments of the disk's choice in between. Results come in any
// order. The disk keeps, per granule, whose bytes should lie there and whether a fault has damaged
// them: what a loss can be explained by.
//
// Not here: what a loss means (oracle), when time passes (simulation).
// Threads: one.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "io/io.hpp"
#include "tests/sim/marks.hpp"
#include "tests/sim/parts.hpp"
#include "tests/sim/trace.hpp"

#include <vector>

namespace ciuic::sim {

struct SimDiskOptions {
    uint64_t capacity_bytes = 0;
    uint32_t depth = 8;
    bool starts_at_submit = false;  // else at flush()
    bool ignores_cancel = false;
    // Of each request, out of chance_base.
    uint32_t short_chance = 0;
    uint32_t error_chance = 0;  // begins a streak
    uint32_t error_streak_max = 1;
    uint32_t late_chance = 0;
    uint32_t torn_chance = 0;
    uint32_t misdirected_chance = 0;
    // Of each step().
    uint32_t rot_chance = 0;
    uint32_t unreadable_chance = 0;
    Nanos late_max;
    uint32_t bad_granules = 0;  // refuse every write, for ever
    // Injected at most, so that places remain: each damage may cost one, so may each series of
    // limits::io_retries_max + 1 write errors.
    uint32_t write_errors_max = 0;
    uint32_t damages_max = 0;
};

class SimDisk final : public Io, public FrameUsers {
public:
    // `owners` may be null: then nothing is explained.
    SimDisk(const SimDiskOptions& options, Clock& clock, Random random, FrameOwners* owners,
            Trace& trace);

    // Io
    Status submit(const IoRequest& request) override;
    void flush() override;
    void cancel(uint64_t token) override;
    size_t drain(std::span<IoResult> results) override;
    int event_fd() const override { return -1; }
    uint32_t depth() const override { return options_.depth; }
    const char* name() const override { return "simulated"; }

    // FrameUsers
    bool writes_to(std::span<const std::byte> bytes) const override;
    bool reads_from(std::span<const std::byte> bytes) const override;

    // Time passes on the disk: a granule moves or a request ends. False: nothing is to be done now.
    bool step();
    bool has_results() const { return !results_.empty(); }
    uint32_t in_flight() const { return in_flight_; }

    // No new faults from here on, and what is late ends soon. Damage stays.
    void stop_faults();

    // A fault can have destroyed bytes of `owner` that are, or were last, on the disk.
    bool is_damaged(Owner owner) const;

    // Every try to read a part of it into no frame of its own was disturbed, in a row.
    bool is_unreadable(Owner owner) const;
    // One at least was, since the part was written.
    bool was_disturbed(Owner owner) const;

    // A place can have become unfit for use: by a fault, or by a write that was given up.
    bool has_cost_places() const {
        return write_cancelled_ || faults_.total() > faults_[Fault::short_transfer];
    }

    const FaultCounts& faults() const { return faults_; }
    const MarkSet& marks() const { return marks_; }

private:
    enum class Fate : uint8_t { fine, shortened, refused, torn };

    struct Flight {
        bool active = false;
        bool started = false;
        IoRequest request{};
        uint64_t offset_bytes = 0;  // where it really goes
        uint64_t to_land = 0;       // bit per granule
        Fate fate = Fate::fine;
        int64_t result = 0;
        Nanos not_before{};
        Owner owner{};
        bool misdirected = false;
    };

    struct Granule {
        Owner owner{};
        bool damaged = false;
        bool unreadable = false;
        bool bad = false;
        uint32_t read_faults = 0;  // in a row, of reads that name no owner
        bool disturbed = false;    // such a read was, since the granule was written
    };

    bool chance(uint32_t chance);
    void count(Fault fault, const IoRequest& request);
    void count_read_fault(const IoRequest& request);
    bool may_damage() { return faulty_ && damages_ < options_.damages_max; }
    void decide(Flight& flight);
    bool decide_error(Flight& flight);
    void decide_transfer(Flight& flight, uint32_t granules);
    void misdirect(Flight& flight, uint32_t granules);
    void land(Flight& flight, uint32_t granule);
    void land_write(const Flight& flight, uint32_t granule);
    void finish(Flight& flight, int64_t result);
    void damage_somewhere();

    SimDiskOptions options_;
    Clock& clock_;
    Random random_;
    FrameOwners* owners_;
    Trace& trace_;
    std::vector<std::byte> bytes_;
    std::vector<Granule> granules_;
    std::vector<Flight> flights_;
    std::vector<IoResult> results_;
    uint32_t in_flight_ = 0;  // active flights
    uint32_t streak_ = 0;     // requests still to be refused
    IoOp streak_op_ = IoOp::read;
    uint32_t write_errors_ = 0;
    uint32_t damages_ = 0;
    bool faulty_ = true;
    bool write_cancelled_ = false;  // also where the clock jumped, and nothing was late
    FaultCounts faults_;
    MarkSet marks_;
};

}  // namespace ciuic::sim
