// SPDX-License-Identifier: Apache-2.0
//
// One probe's hold on the card: its context, streams, kernels, physical memory and address ranges.
//
// Every byte of physical memory is charged to a budget: at most a quarter of the card's free
// memory and never more than 4 GiB; at most a quarter of the host's available memory and never
// more than 1 GiB. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "driver.hpp"
#include "kernels.hpp"

namespace ciuic::probe {

inline constexpr size_t MIB = size_t{1} << 20;
inline constexpr size_t GIB = size_t{1} << 30;

struct Settings {
    int device_ordinal = 0;
    bool quick = false;
    std::chrono::steady_clock::time_point deadline;  // a probe ends its loops before this
};

// Where physical memory lies. `host` and `host_numa` draw on one budget.
enum class Where { device, host_numa, host };

class Session {
public:
    explicit Session(const Settings& settings);
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const Driver& cu;
    const Settings settings;
    Device device = 0;
    int host_node = 0;  // the NUMA node next to the card
    size_t granularity_bytes = 2 * MIB;

    const Kernels& kernels() const { return *kernels_; }
    int attribute(int attribute) const;
    Location location(Where where) const;
    AllocationProperties properties(Where where, int handle_types = HANDLE_NONE) const;
    size_t rounded(size_t bytes) const;  // up to what cuMemCreate accepts

    void charge(Where where, size_t bytes);  // throws Unavailable beyond the budget
    void refund(Where where, size_t bytes);
    size_t left_bytes(Where where) const;
    bool past_deadline() const;

    // The counter that Kernels::verify adds to. Reading it waits for every stream.
    DevicePtr mismatches() const { return mismatches_; }
    void reset_mismatches();
    uint64_t read_mismatches();
    // Whether the whole range holds the pattern of `seed`.
    bool holds(DevicePtr range, size_t bytes, uint64_t seed);
    void fill_and_wait(DevicePtr range, size_t bytes, uint64_t seed);

private:
    Context context_ = nullptr;
    std::unique_ptr<Kernels> kernels_;
    DevicePtr mismatches_ = 0;
    size_t device_left_bytes_ = 0;
    size_t host_left_bytes_ = 0;
};

// Physical memory, owned.
class Memory {
public:
    Memory(Session& session, Where where, size_t bytes, int handle_types = HANDLE_NONE);
    Memory(Memory&& other) noexcept;
    Memory(const Memory&) = delete;
    Memory& operator=(Memory&&) = delete;
    ~Memory();
    MemHandle handle() const { return handle_; }
    size_t size_bytes() const { return size_bytes_; }
    Where where() const { return where_; }

private:
    Session* session_;
    Where where_;
    size_t size_bytes_;
    MemHandle handle_ = 0;
};

// Reserved address space and what is mapped in it. The destructor waits for the card and unmaps.
class Range {
public:
    Range(Session& session, size_t bytes);
    Range(const Range&) = delete;
    Range& operator=(const Range&) = delete;
    ~Range();
    DevicePtr at(size_t offset_bytes = 0) const { return base_ + offset_bytes; }

    void map(size_t offset_bytes, size_t bytes, MemHandle handle, size_t handle_offset_bytes = 0);
    // Read and write for the card, and for the CPU too where `node` is not negative.
    void allow(size_t offset_bytes, size_t bytes, int node = -1);
    void unmap(size_t offset_bytes, size_t bytes);  // forgets every mapping inside
    void map_and_allow(size_t offset_bytes, const Memory& memory);

private:
    Session& session_;
    size_t size_bytes_;
    DevicePtr base_ = 0;
    std::vector<std::pair<DevicePtr, size_t>> mapped_;
};

class Stream {
public:
    explicit Stream(const Driver& driver) : driver_(driver) {
        driver_.stream_create(&handle_, STREAM_NON_BLOCKING);
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() { driver_.stream_destroy.raw(handle_); }
    StreamHandle get() const { return handle_; }
    void synchronize() const { driver_.stream_synchronize(handle_); }

private:
    const Driver& driver_;
    StreamHandle handle_ = nullptr;
};

class Event {
public:
    explicit Event(const Driver& driver, unsigned flags = 0) : driver_(driver) {
        driver_.event_create(&handle_, flags);
    }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() { driver_.event_destroy.raw(handle_); }
    void record(const Stream& stream) const { driver_.event_record(handle_, stream.get()); }
    void synchronize() const { driver_.event_synchronize(handle_); }
    EventHandle get() const { return handle_; }
    bool done() const;

private:
    const Driver& driver_;
    EventHandle handle_ = nullptr;
};

// Anonymous memory, bound to a NUMA node (any for -1), touched, then registered with the driver.
class PinnedBuffer {
public:
    PinnedBuffer(Session& session, size_t bytes, int node);
    PinnedBuffer(const PinnedBuffer&) = delete;
    PinnedBuffer& operator=(const PinnedBuffer&) = delete;
    ~PinnedBuffer();
    char* data() const { return static_cast<char*>(data_); }
    size_t size_bytes() const { return size_bytes_; }
    DevicePtr address() const { return reinterpret_cast<uintptr_t>(data_); }
    DevicePtr device_address() const;  // where a kernel finds it
    double register_s() const { return register_s_; }

private:
    Session& session_;
    size_t size_bytes_;
    void* data_ = nullptr;
    double register_s_ = 0;
};

template <typename Work> double time_s(Work&& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

template <typename Work> double time_us(Work&& work) { return time_s(work) * 1e6; }

}  // namespace ciuic::probe
