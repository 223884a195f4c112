// SPDX-License-Identifier: Apache-2.0
//
// What the calls that change the address space cost, with the card idle and with a kernel running
// on a stream that has nothing to do with them, and which shapes of mapping the driver accepts.
#include <algorithm>

#include "probes.hpp"

namespace ciuic::probe {

namespace {

constexpr size_t SIZES_MIB[] = {2, 16, 32, 64};
constexpr uint64_t SPIN_NS = 20'000'000;

// A kernel that is certainly running when start() returns and ends SPIN_NS later.
class Spinner {
public:
    explicit Spinner(Session& session)
        : session_(session), stream_(session.cu), ended_(session.cu, EVENT_DISABLE_TIMING),
          flag_(session, 4096, -1), flag_address_(flag_.device_address()) {}

    void start() {
        stream_.synchronize();
        auto* flag = reinterpret_cast<volatile uint32_t*>(flag_.data());
        *flag = 0;
        session_.kernels().spin(stream_.get(), flag_address_, SPIN_NS);
        ended_.record(stream_);
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(2);
        while (*flag == 0) {
            if (std::chrono::steady_clock::now() > give_up)
                throw Unavailable("the spin kernel did not start within 2 s");
        }
    }
    bool running() const { return !ended_.done(); }

private:
    Session& session_;
    Stream stream_;
    Event ended_;
    PinnedBuffer flag_;
    DevicePtr flag_address_;
};

// Runs one call beside the spinner, again and again. A call that waits for the kernel is seen in
// two ways: the kernel is over when the call returns, and the call takes about SPIN_NS.
class BusyCall {
public:
    BusyCall(Spinner& spinner, std::string name) : spinner_(spinner), name_(std::move(name)) {}

    template <typename Work> void operator()(Work&& work) {
        spinner_.start();
        us_.push_back(time_us(work));
        if (!spinner_.running()) waited_++;
    }
    void report(Reporter& report, const std::string& prefix) const {
        report.samples(prefix + "busy." + name_ + "_us", us_);
        if (!us_.empty())
            report.flag(prefix + "busy." + name_ + "_waits_for_kernel", waited_ * 2 > us_.size());
    }

private:
    Spinner& spinner_;
    std::string name_;
    Samples us_;
    size_t waited_ = 0;
};

struct MapSamples {
    Samples map, access, unmap, total;
};

// Maps the handles of a pool, in turn, at one address: the steady state of a chunk swap.
MapSamples recycle(Session& session, const std::vector<Memory>& pool, size_t rounds) {
    Range range(session, pool.front().size_bytes());
    MapSamples us;
    for (size_t round = 0; round < rounds && !session.past_deadline(); ++round) {
        const Memory& memory = pool[round % pool.size()];
        const double map = time_us([&] { range.map(0, memory.size_bytes(), memory.handle()); });
        const double access = time_us([&] { range.allow(0, memory.size_bytes()); });
        const double unmap = time_us([&] { range.unmap(0, memory.size_bytes()); });
        if (round < pool.size()) continue;  // the first use of a handle is not the steady state
        us.map.push_back(map);
        us.access.push_back(access);
        us.unmap.push_back(unmap);
        us.total.push_back(map + access + unmap);
    }
    return us;
}

// One access call and one unmap over a run of whole mappings, per chunk of the run.
void measure_run(Session& session, Reporter& report, const std::string& prefix,
                 const std::vector<Memory>& pool, size_t rounds) {
    const size_t chunk = pool.front().size_bytes();
    const size_t run = pool.size() * chunk;
    Range range(session, run);
    Samples map, access, unmap;
    const auto per_chunk = 1.0 / static_cast<double>(pool.size());
    for (size_t round = 0; round < rounds && !session.past_deadline(); ++round) {
        map.push_back(per_chunk * time_us([&] {
                          for (size_t i = 0; i < pool.size(); ++i)
                              range.map(i * chunk, chunk, pool[i].handle());
                      }));
        access.push_back(per_chunk * time_us([&] { range.allow(0, run); }));
        unmap.push_back(per_chunk * time_us([&] { range.unmap(0, run); }));
    }
    report.number(prefix + "run.chunks", static_cast<double>(pool.size()));
    report.samples(prefix + "run.map_us_per_chunk", map);
    report.samples(prefix + "run.access_us_per_chunk", access);
    report.samples(prefix + "run.unmap_us_per_chunk", unmap);
}

void measure_busy(Session& session, Reporter& report, const std::string& prefix, size_t bytes,
                  size_t rounds) {
    Spinner spinner(session);
    BusyCall create(spinner, "create"), map(spinner, "map"), access(spinner, "access"),
        unmap(spinner, "unmap"), release(spinner, "release");
    Range range(session, bytes);
    session.charge(Where::device, bytes);
    const AllocationProperties wish = session.properties(Where::device);
    for (size_t round = 0; round < rounds && !session.past_deadline(); ++round) {
        MemHandle handle = 0;
        create([&] { session.cu.create(&handle, bytes, &wish, 0); });
        map([&] { range.map(0, bytes, handle); });
        access([&] { range.allow(0, bytes); });
        unmap([&] { range.unmap(0, bytes); });
        release([&] { session.cu.release(handle); });
    }
    session.refund(Where::device, bytes);
    for (const BusyCall* call : {&create, &map, &access, &unmap, &release})
        call->report(report, prefix);
}

void measure_size(Session& session, Reporter& report, size_t size_mib) {
    const std::string prefix = std::to_string(size_mib) + "_mib.";
    const size_t bytes = session.rounded(size_mib * MIB);
    const size_t affordable = session.left_bytes(Where::device) / 2 / bytes;
    const size_t count = std::clamp<size_t>(affordable, 1, size_mib <= 16 ? 16 : 8);
    const size_t rounds = session.settings.quick ? 3 : 12;

    report.attempt(prefix + "pool", [&] {
        const AllocationProperties wish = session.properties(Where::device);
        Samples create, release;
        std::vector<MemHandle> fresh(count);
        session.charge(Where::device, count * bytes);
        for (MemHandle& handle : fresh)
            create.push_back(time_us([&] { session.cu.create(&handle, bytes, &wish, 0); }));
        for (const MemHandle handle : fresh)
            release.push_back(time_us([&] { session.cu.release(handle); }));
        session.refund(Where::device, count * bytes);
        report.samples(prefix + "idle.create_us", create);
        report.samples(prefix + "idle.release_us", release);

        std::vector<Memory> pool;
        for (size_t i = 0; i < count; ++i) pool.emplace_back(session, Where::device, bytes);
        const MapSamples us = recycle(session, pool, count * (rounds + 1));
        report.samples(prefix + "idle.map_us", us.map);
        report.samples(prefix + "idle.access_us", us.access);
        report.samples(prefix + "idle.unmap_us", us.unmap);
        report.samples(prefix + "idle.map_access_unmap_us", us.total);
        report.attempt(prefix + "run", [&] { measure_run(session, report, prefix, pool, rounds); });
    });
    report.attempt(prefix + "busy", [&] {
        measure_busy(session, report, prefix, bytes, session.settings.quick ? 2 : 6);
    });
}

// Whether the driver took a call; its refusal is an answer too, and is reported in its own words.
bool accepted(Reporter& report, const std::string& name, const char* call, Status status) {
    report.flag(name, status == 0);
    if (status != 0) report.text(name + "_refusal", CallFailed(call, status).what());
    return status == 0;
}

// Maps the second half of a two-part handle and looks for what was written there.
void check_offset(Session& session, Reporter& report) {
    const size_t part = session.granularity_bytes;
    const Memory whole(session, Where::device, 2 * part);
    Range all(session, 2 * part);
    all.map_and_allow(0, whole);
    session.fill_and_wait(all.at(0), part, 1);
    session.fill_and_wait(all.at(part), part, 2);

    const auto try_part = [&](const std::string& name, size_t offset, uint64_t seed) {
        Range window(session, part);
        const Status status = session.cu.map.raw(window.at(), part, offset, whole.handle(), 0);
        if (!accepted(report, name, "cuMemMap", status)) return;
        session.cu.unmap(window.at(), part);
        window.map(0, part, whole.handle(), offset);
        window.allow(0, part);
        report.flag(name + "_data_right", session.holds(window.at(), part, seed));
    };
    try_part("map_first_half_of_handle", 0, 1);
    try_part("map_at_handle_offset", part, 2);
}

void check_partial_unmap(Session& session, Reporter& report) {
    const size_t part = session.granularity_bytes;
    const Memory whole(session, Where::device, 2 * part);
    Range range(session, 2 * part);
    range.map_and_allow(0, whole);
    accepted(report, "unmap_half_of_mapping", "cuMemUnmap", session.cu.unmap.raw(range.at(), part));
}

void check_run(Session& session, Reporter& report) {
    const size_t part = session.granularity_bytes;
    const Memory first(session, Where::device, part);
    const Memory second(session, Where::device, part);
    Range range(session, 2 * part);
    range.map(0, part, first.handle());
    range.map(part, part, second.handle());
    const AccessDescriptor wish{session.location(Where::device)};
    accepted(report, "one_access_call_over_two_mappings", "cuMemSetAccess",
             session.cu.set_access.raw(range.at(), 2 * part, &wish, 1));
    accepted(report, "one_unmap_over_two_mappings", "cuMemUnmap",
             session.cu.unmap.raw(range.at(), 2 * part));
}

// Released while mapped, memory has to stay until it is unmapped: the pool's handles may be closed.
void check_released_while_mapped(Session& session, Reporter& report) {
    const size_t part = session.granularity_bytes;
    Range range(session, part);
    {
        const Memory memory(session, Where::device, part);
        range.map_and_allow(0, memory);
        session.fill_and_wait(range.at(), part, 3);
    }
    report.flag("mapping_survives_release", session.holds(range.at(), part, 3));
}

void check_alias(Session& session, Reporter& report) {
    const size_t part = session.granularity_bytes;
    const Memory memory(session, Where::device, part);
    Range range(session, 2 * part);
    range.map_and_allow(0, memory);
    range.map_and_allow(part, memory);
    session.fill_and_wait(range.at(0), part, 4);
    report.flag("one_handle_at_two_addresses", session.holds(range.at(part), part, 4));
}

}  // namespace

void probe_map_cost(const Settings& settings, Reporter& report) {
    Session session(settings);
    // The first launches of a kernel load it; that belongs to no measurement.
    const Memory warm(session, Where::device, session.granularity_bytes);
    Range range(session, session.granularity_bytes);
    range.map_and_allow(0, warm);
    session.fill_and_wait(range.at(), session.granularity_bytes, 0);
    for (const size_t size_mib : SIZES_MIB) measure_size(session, report, size_mib);
}

void probe_map_rules(const Settings& settings, Reporter& report) {
    Session session(settings);
    report.attempt("offset", [&] { check_offset(session, report); });
    report.attempt("partial_unmap", [&] { check_partial_unmap(session, report); });
    report.attempt("run_of_mappings", [&] { check_run(session, report); });
    report.attempt("release_while_mapped", [&] { check_released_while_mapped(session, report); });
    report.attempt("alias", [&] { check_alias(session, report); });
}

}  // namespace ciuic::probe
