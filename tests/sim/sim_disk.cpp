// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_disk.hpp"

#include "limits.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace ciuic::sim {

namespace {

constexpr uint64_t granule_bytes = limits::granule_bytes;
constexpr uint64_t sector_bytes = 512;  // what a short transfer is a multiple of

uint32_t granules_of(const IoRequest& request) {
    return static_cast<uint32_t>(request.length_bytes / granule_bytes);
}

uint64_t mask_of(uint32_t granules) {
    return granules >= 64 ? ~uint64_t{0} : (uint64_t{1} << granules) - 1;
}

}  // namespace

SimDisk::SimDisk(const SimDiskOptions& options, Clock& clock, Random random, FrameOwners* owners,
                 Trace& trace)
    : options_(options), clock_(clock), random_(random), owners_(owners), trace_(trace),
      bytes_(options.capacity_bytes), granules_(options.capacity_bytes / granule_bytes),
      flights_(options.depth) {
    results_.reserve(options.depth);
    for (uint32_t index = 0; index < options_.bad_granules; ++index)
        granules_[random_.below(granules_.size())].bad = true;
}

bool SimDisk::chance(uint32_t chance) {
    return faulty_ && chance > 0 && random_.chance(chance, chance_base);
}

void SimDisk::count(Fault fault, const IoRequest& request) {
    faults_.add(fault);
    trace_.note(fault_text(fault), request.offset_bytes / granule_bytes, granules_of(request));
    if (request.op == IoOp::read && fault != Fault::short_transfer && fault != Fault::late)
        count_read_fault(request);
}

void SimDisk::count_read_fault(const IoRequest& request) {
    if (!owners_ || owners_->count_read_fault(request.data)) return;
    const uint64_t first = request.offset_bytes / granule_bytes;
    for (uint32_t granule = 0; granule < granules_of(request); ++granule)
        granules_[first + granule].disturbed = ++granules_[first + granule].read_faults > 0;
}

Status SimDisk::submit(const IoRequest& request) {
    if (request.offset_bytes % granule_bytes != 0 || request.length_bytes % granule_bytes != 0 ||
        request.length_bytes == 0 || reinterpret_cast<uintptr_t>(request.data) % granule_bytes != 0)
        fail("a disk request is not aligned to granules");
    if (request.offset_bytes + request.length_bytes > bytes_.size())
        fail("a disk request leaves the file");
    if (in_flight_ + results_.size() >= options_.depth)
        return Error{Errc::busy, 0, "I/O depth is used up"};
    for (const Flight& other : flights_)
        if (other.active && other.request.token == request.token)
            fail("a disk request's token is in use");
    Flight& flight = *std::find_if(flights_.begin(), flights_.end(),
                                   [](const Flight& entry) { return !entry.active; });
    flight = {.active = true,
              .started = options_.starts_at_submit,
              .request = request,
              .offset_bytes = request.offset_bytes};
    if (owners_) {
        flight.owner = owners_->owner_of(request.data);
        if (request.op == IoOp::read && owners_->is_shown({request.data, request.length_bytes}))
            fail("chunk %u is read into while its program sees it", flight.owner.chunk);
    }
    decide(flight);
    ++in_flight_;
    trace_.note(request.op == IoOp::read ? "disk read" : "disk write",
                request.offset_bytes / granule_bytes, granules_of(request), flight.owner.chunk);
    return {};
}

void SimDisk::flush() {
    for (Flight& flight : flights_) flight.started = true;
}

void SimDisk::decide(Flight& flight) {
    const uint32_t granules = granules_of(flight.request);
    flight.to_land = mask_of(granules);
    flight.result = flight.request.length_bytes;
    flight.not_before = clock_.now();
    if (chance(options_.late_chance) &&
        (flight.request.op == IoOp::read || write_errors_ < options_.write_errors_max)) {
        count(Fault::late, flight.request);
        // A write that is cancelled costs its place, as one that is refused does.
        if (flight.request.op == IoOp::write) write_errors_ += limits::io_retries_max + 1;
        flight.not_before =
            flight.not_before + Nanos{static_cast<int64_t>(
                                    random_.below(static_cast<uint64_t>(options_.late_max.value)))};
    }
    if (!decide_error(flight)) decide_transfer(flight, granules);
}

bool SimDisk::decide_error(Flight& flight) {
    const IoRequest& request = flight.request;
    const uint64_t first = request.offset_bytes / granule_bytes;
    Fault fault = Fault::io_error;
    bool refused = false;
    for (uint32_t granule = 0; granule < granules_of(request); ++granule) {
        const Granule& facts = granules_[first + granule];
        if (request.op == IoOp::write ? !facts.bad : !facts.unreadable) continue;
        fault = request.op == IoOp::write ? Fault::bad_granule : Fault::unreadable;
        refused = true;
    }
    if (!refused && faulty_) {
        const bool in_streak = streak_ > 0 && streak_op_ == request.op;
        if (in_streak) --streak_;
        refused = in_streak;
        if (!refused && chance(options_.error_chance)) {
            streak_ = static_cast<uint32_t>(random_.below(options_.error_streak_max));
            streak_op_ = request.op;
            refused = true;
        }
        if (refused && request.op == IoOp::write && ++write_errors_ > options_.write_errors_max)
            refused = false;
    }
    if (!refused) return false;
    count(fault, request);
    flight.fate = Fate::refused;
    flight.result = -EIO;
    flight.to_land &= random_.next();
    return true;
}

void SimDisk::decide_transfer(Flight& flight, uint32_t granules) {
    if (chance(options_.short_chance) && flight.request.length_bytes > sector_bytes) {
        count(Fault::short_transfer, flight.request);
        flight.fate = Fate::shortened;
        const uint64_t sectors = flight.request.length_bytes / sector_bytes;
        const uint64_t moved_bytes = (1 + random_.below(sectors - 1)) * sector_bytes;
        flight.result = static_cast<int64_t>(moved_bytes);
        flight.to_land = mask_of(static_cast<uint32_t>(moved_bytes / granule_bytes));
        return;
    }
    if (flight.request.op == IoOp::write && may_damage() && chance(options_.torn_chance)) {
        ++damages_;
        count(Fault::torn, flight.request);
        flight.fate = Fate::torn;
        flight.to_land &= random_.next();
        return;
    }
    if (chance(options_.misdirected_chance)) misdirect(flight, granules);
}

void SimDisk::misdirect(Flight& flight, uint32_t granules) {
    const uint64_t places = granules_.size() - granules + 1;
    const uint64_t elsewhere = random_.below(places) * granule_bytes;
    if (elsewhere == flight.request.offset_bytes) return;
    const bool is_read = flight.request.op == IoOp::read;
    if (!is_read && !may_damage()) return;
    // What was to be written, and what lay where it went: two places.
    if (!is_read) damages_ += 1 + granules;
    count(is_read ? Fault::misdirected_read : Fault::misdirected_write, flight.request);
    flight.misdirected = true;
    flight.offset_bytes = elsewhere;
}

bool SimDisk::step() {
    if (may_damage() && random_.chance(1, 16)) damage_somewhere();
    if (in_flight_ == 0) return false;
    const Nanos now = clock_.now();
    const auto first = static_cast<uint32_t>(random_.below(options_.depth));
    for (uint32_t turn = 0; turn < options_.depth; ++turn) {
        Flight& flight = flights_[(first + turn) % options_.depth];
        if (!flight.active || !flight.started || now < flight.not_before) continue;
        if (flight.to_land == 0) {
            finish(flight, flight.result);
            return true;
        }
        auto granule = static_cast<uint32_t>(random_.below(granules_of(flight.request)));
        if (!((flight.to_land >> granule) & 1))
            granule = static_cast<uint32_t>(std::countr_zero(flight.to_land));
        land(flight, granule);
        flight.to_land &= ~(uint64_t{1} << granule);
        return true;
    }
    return false;
}

void SimDisk::land(Flight& flight, uint32_t granule) {
    if (flight.request.op == IoOp::write) return land_write(flight, granule);
    std::memcpy(flight.request.data + granule * granule_bytes,
                bytes_.data() + flight.offset_bytes + granule * granule_bytes, granule_bytes);
}

void SimDisk::land_write(const Flight& flight, uint32_t granule) {
    const uint64_t real = flight.offset_bytes / granule_bytes + granule;
    std::memcpy(bytes_.data() + real * granule_bytes, flight.request.data + granule * granule_bytes,
                granule_bytes);
    granules_[real].unreadable = false;
    if (flight.misdirected) {
        granules_[real].damaged = true;
        return;
    }
    granules_[real].owner = flight.owner;
    granules_[real].damaged = granules_[real].disturbed = false;
}

void SimDisk::finish(Flight& flight, int64_t result) {
    const uint64_t first = flight.request.offset_bytes / granule_bytes;
    const bool is_write = flight.request.op == IoOp::write;
    if (is_write && result > 0 && (flight.fate == Fate::torn || flight.misdirected)) {
        // What should lie here and does not.
        for (uint32_t granule = 0; granule < granules_of(flight.request); ++granule) {
            granules_[first + granule].owner = flight.owner;
            granules_[first + granule].damaged = true;
        }
    }
    if (!is_write && result == flight.request.length_bytes && !flight.misdirected)
        for (uint32_t granule = 0; granule < granules_of(flight.request); ++granule)
            granules_[first + granule].read_faults = 0;
    trace_.note("disk result", first, static_cast<uint64_t>(result));
    results_.push_back({flight.request.token, result});
    flight.active = false;
    --in_flight_;
}

void SimDisk::cancel(uint64_t token) {
    trace_.note("disk cancel", token);
    marks_.hit(Mark::cancelled);
    for (Flight& flight : flights_) {
        if (!flight.active || flight.request.token != token) continue;
        if (flight.request.op == IoOp::write) write_cancelled_ = true;
        if (options_.ignores_cancel && random_.chance(1, 2)) return;
        // The real result, soon; or what has landed by now, and no more.
        flight.not_before = clock_.now();
        if (random_.chance(1, 2)) {
            if (flight.request.op == IoOp::read) count_read_fault(flight.request);
            flight.to_land &= random_.next();
            flight.result = -ECANCELED;
        }
        return;
    }
    const bool is_done = std::any_of(results_.begin(), results_.end(),
                                     [&](const IoResult& done) { return done.token == token; });
    if (!is_done) fail("a request is cancelled that is not in flight");
}

size_t SimDisk::drain(std::span<IoResult> results) {
    size_t count = 0;
    while (count < results.size() && !results_.empty()) {
        const size_t which = random_.below(results_.size());
        results[count++] = results_[which];
        results_[which] = results_.back();
        results_.pop_back();
    }
    return count;
}

void SimDisk::damage_somewhere() {
    const bool rots = random_.chance(options_.rot_chance, chance_base);
    if (!rots && !random_.chance(options_.unreadable_chance, chance_base)) return;
    Granule& granule = granules_[random_.below(granules_.size())];
    if (granule.owner.life == 0 || !may_damage()) return;
    ++damages_;
    const auto index = static_cast<uint64_t>(&granule - granules_.data());
    granule.damaged = true;
    faults_.add(rots ? Fault::rot : Fault::unreadable);
    trace_.note(rots ? "rot" : "unreadable", index, granule.owner.life, granule.owner.chunk);
    if (!rots) {
        granule.unreadable = true;
        return;
    }
    const uint64_t bit = random_.below(granule_bytes * 8);
    bytes_[index * granule_bytes + bit / 8] ^= std::byte(1u << (bit % 8));
}

void SimDisk::stop_faults() {
    faulty_ = false;
    options_.ignores_cancel = false;
    for (Flight& flight : flights_) flight.not_before = clock_.now();
}

bool SimDisk::is_damaged(Owner owner) const {
    return std::any_of(granules_.begin(), granules_.end(), [&](const Granule& granule) {
        return granule.damaged && granule.owner == owner;
    });
}

bool SimDisk::is_unreadable(Owner owner) const {
    return std::any_of(granules_.begin(), granules_.end(), [&](const Granule& granule) {
        return granule.read_faults > limits::io_retries_max && granule.owner == owner;
    });
}

bool SimDisk::was_disturbed(Owner owner) const {
    return std::any_of(granules_.begin(), granules_.end(), [&](const Granule& granule) {
        return granule.disturbed && granule.owner == owner;
    });
}

bool SimDisk::writes_to(std::span<const std::byte> bytes) const {
    return in_flight_ > 0 &&
           std::any_of(flights_.begin(), flights_.end(), [&](const Flight& flight) {
               return flight.active && flight.request.op == IoOp::read &&
                      overlap(flight.request.data, flight.request.length_bytes, bytes);
           });
}

bool SimDisk::reads_from(std::span<const std::byte> bytes) const {
    return in_flight_ > 0 &&
           std::any_of(flights_.begin(), flights_.end(), [&](const Flight& flight) {
               return flight.active && flight.request.op == IoOp::write &&
                      overlap(flight.request.data, flight.request.length_bytes, bytes);
           });
}

}  // namespace ciuic::sim
