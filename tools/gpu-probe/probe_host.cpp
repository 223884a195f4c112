// SPDX-License-Identifier: Apache-2.0
//
// Host-located physical memory at the card's addresses: the tier that makes a mispredicted access
// slow and not fatal. What a remap costs, how fast kernels read and write it, whether atomics count
// right on it, and whether the CPU can look at it.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "probes.hpp"

namespace ciuic::probe {

namespace {

constexpr size_t REMAP_SIZES_MIB[] = {2, 32, 64};
constexpr uint32_t ATOMIC_SLOTS = 1024;

void measure_create(Session& session, Reporter& report, Where where, const std::string& prefix,
                    size_t bytes) {
    Samples create, release;
    for (int i = 0; i < (session.settings.quick ? 2 : 6); ++i) {
        const AllocationProperties wish = session.properties(where);
        MemHandle handle = 0;
        session.charge(where, bytes);
        create.push_back(time_us([&] { session.cu.create(&handle, bytes, &wish, 0); }));
        release.push_back(time_us([&] { session.cu.release(handle); }));
        session.refund(where, bytes);
    }
    report.samples(prefix + "create_us", create);
    report.samples(prefix + "release_us", release);
}

// Takes what is mapped at the range's start away and puts other memory there, in microseconds.
double remap_us(Range& range, const Memory& memory) {
    return time_us([&] {
        range.unmap(0, memory.size_bytes());
        range.map_and_allow(0, memory);
    });
}

// One address, two homes: the device's memory holds the pattern of seed 10, the host's of seed 20.
void measure_remap(Session& session, Reporter& report, size_t size_mib) {
    const std::string prefix = "host_numa." + std::to_string(size_mib) + "_mib.";
    const size_t bytes = session.rounded(size_mib * MIB);
    measure_create(session, report, Where::host_numa, prefix, bytes);
    const Memory on_device(session, Where::device, bytes);
    const Memory on_host(session, Where::host_numa, bytes);
    Range range(session, bytes);
    range.map_and_allow(0, on_device);
    session.fill_and_wait(range.at(), bytes, 10);
    remap_us(range, on_host);
    session.fill_and_wait(range.at(), bytes, 20);
    remap_us(range, on_device);

    Samples to_host, to_device;
    bool right = true;
    const int rounds = session.settings.quick ? 4 : 24;
    for (int round = 0; round < rounds && !session.past_deadline(); ++round) {
        to_host.push_back(remap_us(range, on_host));
        right = right && session.holds(range.at(), bytes, 20);
        to_device.push_back(remap_us(range, on_device));
        right = right && session.holds(range.at(), bytes, 10);
    }
    report.samples(prefix + "remap_device_to_host_us", to_host);
    report.samples(prefix + "remap_host_to_device_us", to_device);
    report.flag(prefix + "remapped_data_right", right);
}

// Kernel rates over memory of one kind; bytes are counted once.
void measure_rates(Session& session, Reporter& report, Where where, const std::string& prefix) {
    const size_t affordable = session.left_bytes(where) / 2;
    const size_t bytes = std::min(256 * MIB, affordable / (2 * MIB) * (2 * MIB));
    if (bytes == 0) throw Unavailable("the probe's memory budget is used up");
    const Memory memory(session, where, session.rounded(bytes));
    Range range(session, memory.size_bytes());
    range.map_and_allow(0, memory);
    Stream stream(session.cu);
    Event begin(session.cu), end(session.cu);
    const auto gb_per_s = [&](auto&& launch) {
        begin.record(stream);
        launch();
        end.record(stream);
        end.synchronize();
        float elapsed_ms = 0;
        session.cu.event_elapsed_ms(&elapsed_ms, begin.get(), end.get());
        return static_cast<double>(memory.size_bytes()) / (elapsed_ms * 1e6);
    };
    Samples write, read;
    session.reset_mismatches();
    for (int i = 0; i < (session.settings.quick ? 3 : 8); ++i) {
        const double w = gb_per_s(
            [&] { session.kernels().fill(stream.get(), range.at(), memory.size_bytes(), 5); });
        const double r = gb_per_s([&] {
            session.kernels().verify(stream.get(), range.at(), memory.size_bytes(), 5,
                                     session.mismatches());
        });
        if (i == 0) continue;  // the first launch loads the kernel
        write.push_back(w);
        read.push_back(r);
    }
    report.number(prefix + "kernel_range_bytes", static_cast<double>(memory.size_bytes()));
    report.samples(prefix + "kernel_read_gb_per_s", read);
    report.samples(prefix + "kernel_write_gb_per_s", write);
    report.flag(prefix + "kernel_data_right", session.read_mismatches() == 0);
}

void measure_atomics(Session& session, Reporter& report, Where where, const std::string& prefix,
                     AtomicScope scope) {
    const Memory memory(session, where, session.rounded(2 * MIB));
    Range range(session, memory.size_bytes());
    range.map_and_allow(0, memory);
    std::vector<uint64_t> words(ATOMIC_SLOTS, 0);
    const size_t bytes = words.size() * sizeof(uint64_t);
    session.cu.copy_to_device(range.at(), words.data(), bytes);

    Stream stream(session.cu);
    session.cu.context_synchronize();
    uint64_t expected = 0;
    Samples rate;
    for (int i = 0; i < 4; ++i) {
        const uint64_t before = expected;
        const double seconds = time_s([&] {
            expected +=
                session.kernels().atomic_add(stream.get(), range.at(), ATOMIC_SLOTS, 4, scope);
            stream.synchronize();
        });
        if (i > 0) rate.push_back(static_cast<double>(expected - before) / seconds / 1e6);
    }
    session.cu.copy_to_host(words.data(), range.at(), bytes);
    uint64_t counted = 0;
    for (const uint64_t word : words) counted += word;
    report.samples(prefix + "million_per_s", rate);
    report.flag(prefix + "count_right", counted == expected);
}

// A write() from the address gives EFAULT where a load would end the process.
bool cpu_can_read(DevicePtr address, uint64_t* word) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw Unavailable(std::string("pipe: ") + strerror(errno));
    const auto wrote =
        ::write(fds[1], reinterpret_cast<const void*>(static_cast<uintptr_t>(address)), 8);
    const bool got = wrote == 8 && ::read(fds[0], word, 8) == 8;
    ::close(fds[0]);
    ::close(fds[1]);
    return got;
}

void check_cpu_access(Session& session, Reporter& report) {
    const Memory memory(session, Where::host_numa, session.rounded(2 * MIB));
    Range range(session, memory.size_bytes());
    range.map_and_allow(0, memory);
    session.fill_and_wait(range.at(), memory.size_bytes(), 7);
    uint64_t word = 0;
    report.flag("host_numa.cpu_reads_without_own_access", cpu_can_read(range.at(), &word));
    range.allow(0, memory.size_bytes(), session.host_node);
    const bool reads = cpu_can_read(range.at(8), &word);
    report.flag("host_numa.cpu_reads_after_set_access", reads);
    if (reads) report.flag("host_numa.cpu_reads_right_data", word == 8 * PATTERN_FACTOR);
}

}  // namespace

void probe_host_memory(const Settings& settings, Reporter& report) {
    Session session(settings);
    report.attempt("device.rates",
                   [&] { measure_rates(session, report, Where::device, "device."); });
    for (const size_t size_mib : REMAP_SIZES_MIB) {
        report.attempt("host_numa." + std::to_string(size_mib) + "_mib.remap",
                       [&] { measure_remap(session, report, size_mib); });
    }
    report.attempt("host_numa.rates",
                   [&] { measure_rates(session, report, Where::host_numa, "host_numa."); });
    const auto atomics = [&](Where where, const std::string& prefix) {
        for (const AtomicScope scope : {AtomicScope::gpu, AtomicScope::system}) {
            const std::string name = prefix + (scope == AtomicScope::gpu ? "atomics_gpu_scope_"
                                                                         : "atomics_system_scope_");
            report.attempt(name + "million_per_s",
                           [&] { measure_atomics(session, report, where, name, scope); });
        }
    };
    atomics(Where::device, "device.");
    atomics(Where::host_numa, "host_numa.");
    report.attempt("host_numa.cpu_access", [&] { check_cpu_access(session, report); });
    report.attempt("host.create", [&] {
        measure_create(session, report, Where::host, "host.2_mib.", session.rounded(2 * MIB));
    });
    for (const char* name : {"host_numa.tma", "host_numa.cublas", "host_numa.async_shared_copy"})
        report.unavailable(name, "not probed: needs cuBLAS/TMA kernel");
}

}  // namespace ciuic::probe
