// SPDX-License-Identifier: Apache-2.0
#include "session.hpp"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace ciuic::probe {

namespace {

size_t host_available_bytes() {
    std::ifstream file("/proc/meminfo");
    std::string key, unit;
    for (size_t kib = 0; file >> key >> kib; std::getline(file, unit))
        if (key == "MemAvailable:") return kib * 1024;
    return 0;
}

// Through the system call: libnuma is not needed for one binding.
void bind_to_node(void* data, size_t bytes, size_t node) {
    unsigned long mask[16] = {};
    if (node >= sizeof mask * 8) throw Unavailable("the NUMA node's number is above 1023");
    mask[node / 64] = 1UL << (node % 64);
    if (::syscall(SYS_mbind, data, bytes, MPOL_BIND, mask, sizeof mask * 8, 0) != 0)
        throw Unavailable(std::string("mbind: ") + std::strerror(errno));
}

}  // namespace

Session::Session(const Settings& wanted) : cu(load_driver()), settings(wanted) {
    cu.device_get(&device, settings.device_ordinal);
    if (attribute(ATTRIBUTE_VMM) == 0)
        throw Unavailable("this device has no virtual memory management (attribute 102 is 0)");
    cu.primary_retain(&context_, device);
    cu.context_set_current(context_);
    kernels_ = std::make_unique<Kernels>(cu, attribute(ATTRIBUTE_MULTIPROCESSOR_COUNT));

    const AllocationProperties wish = properties(Where::device);
    cu.granularity(&granularity_bytes, &wish, GRANULARITY_MINIMUM);
    int node = -1;
    if (cu.device_attribute.raw(&node, ATTRIBUTE_HOST_NUMA_ID, device) == 0 && node >= 0)
        host_node = node;  // without NUMA the driver says -1 and wants 0

    size_t free_bytes = 0;
    size_t total_bytes = 0;
    cu.memory_info(&free_bytes, &total_bytes);
    device_left_bytes_ = std::min(free_bytes / 4, 4 * GIB);
    host_left_bytes_ = std::min(host_available_bytes() / 4, GIB);
    cu.alloc(&mismatches_, sizeof(uint64_t));
    reset_mismatches();
}

int Session::attribute(int which) const {
    int value = 0;
    cu.device_attribute(&value, which, device);
    return value;
}

Location Session::location(Where where) const {
    switch (where) {
    case Where::device: return {LOCATION_DEVICE, device};
    case Where::host_numa: return {LOCATION_HOST_NUMA, host_node};
    case Where::host: break;
    }
    return {LOCATION_HOST, 0};
}

AllocationProperties Session::properties(Where where, int handle_types) const {
    AllocationProperties wish;
    wish.handle_types = handle_types;
    wish.location = location(where);
    return wish;
}

size_t Session::rounded(size_t bytes) const {
    return (bytes + granularity_bytes - 1) / granularity_bytes * granularity_bytes;
}

void Session::charge(Where where, size_t bytes) {
    size_t& left = where == Where::device ? device_left_bytes_ : host_left_bytes_;
    if (bytes > left) {
        throw Unavailable("needs " + std::to_string(bytes / MIB) + " MiB; the probe's budget has " +
                          std::to_string(left / MIB) + " MiB left");
    }
    left -= bytes;
}

void Session::refund(Where where, size_t bytes) {
    (where == Where::device ? device_left_bytes_ : host_left_bytes_) += bytes;
}

size_t Session::left_bytes(Where where) const {
    return where == Where::device ? device_left_bytes_ : host_left_bytes_;
}

bool Session::past_deadline() const {
    return std::chrono::steady_clock::now() >= settings.deadline;
}

void Session::reset_mismatches() {
    const uint64_t zero = 0;
    cu.copy_to_device(mismatches_, &zero, sizeof zero);
    cu.context_synchronize();
}

uint64_t Session::read_mismatches() {
    uint64_t count = 0;
    cu.context_synchronize();
    cu.copy_to_host(&count, mismatches_, sizeof count);
    return count;
}

bool Session::holds(DevicePtr range, size_t bytes, uint64_t seed) {
    reset_mismatches();
    kernels().verify(nullptr, range, bytes, seed, mismatches_);
    return read_mismatches() == 0;
}

void Session::fill_and_wait(DevicePtr range, size_t bytes, uint64_t seed) {
    kernels().fill(nullptr, range, bytes, seed);
    cu.context_synchronize();
}

Memory::Memory(Session& session, Where where, size_t bytes, int handle_types)
    : session_(&session), where_(where), size_bytes_(bytes) {
    const AllocationProperties wish = session.properties(where, handle_types);
    session.charge(where, bytes);
    try {
        session.cu.create(&handle_, bytes, &wish, 0);
    } catch (...) {
        session.refund(where, bytes);
        throw;
    }
}

Memory::Memory(Memory&& other) noexcept
    : session_(std::exchange(other.session_, nullptr)), where_(other.where_),
      size_bytes_(other.size_bytes_), handle_(other.handle_) {}

Memory::~Memory() {
    if (session_ == nullptr) return;
    session_->cu.release.raw(handle_);
    session_->refund(where_, size_bytes_);
}

Range::Range(Session& session, size_t bytes) : session_(session), size_bytes_(bytes) {
    mapped_.reserve(256);
    session.cu.reserve(&base_, bytes, 0, 0, 0);
}

Range::~Range() {
    session_.cu.context_synchronize.raw();
    for (const auto& [address, bytes] : mapped_) session_.cu.unmap.raw(address, bytes);
    session_.cu.unreserve.raw(base_, size_bytes_);
}

void Range::map(size_t offset_bytes, size_t bytes, MemHandle handle, size_t handle_offset_bytes) {
    session_.cu.map(at(offset_bytes), bytes, handle_offset_bytes, handle, 0);
    mapped_.emplace_back(at(offset_bytes), bytes);
}

void Range::allow(size_t offset_bytes, size_t bytes, int node) {
    AccessDescriptor wish[2];
    wish[0].location = session_.location(Where::device);
    wish[1].location = {LOCATION_HOST_NUMA, node};
    session_.cu.set_access(at(offset_bytes), bytes, wish, node >= 0 ? 2 : 1);
}

void Range::unmap(size_t offset_bytes, size_t bytes) {
    session_.cu.unmap(at(offset_bytes), bytes);
    std::erase_if(mapped_, [&](const auto& mapping) {
        return mapping.first >= at(offset_bytes) && mapping.first < at(offset_bytes) + bytes;
    });
}

void Range::map_and_allow(size_t offset_bytes, const Memory& memory) {
    map(offset_bytes, memory.size_bytes(), memory.handle());
    allow(offset_bytes, memory.size_bytes());
}

bool Event::done() const {
    const Status status = driver_.event_query.raw(handle_);
    if (status != 0 && status != STATUS_NOT_READY) throw CallFailed("cuEventQuery", status);
    return status == 0;
}

PinnedBuffer::PinnedBuffer(Session& session, size_t bytes, int node)
    : session_(session), size_bytes_(bytes) {
    session.charge(Where::host, bytes);
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) {
        session.refund(Where::host, bytes);
        throw Unavailable(std::string("mmap: ") + std::strerror(errno));
    }
    try {
        ::madvise(data_, bytes, MADV_HUGEPAGE);
        if (node >= 0) bind_to_node(data_, bytes, static_cast<size_t>(node));
        std::memset(data_, 0, bytes);
        register_s_ = time_s([&] {
            session.cu.host_register(data_, bytes,
                                     HOST_REGISTER_PORTABLE | HOST_REGISTER_DEVICE_MAP);
        });
    } catch (...) {
        ::munmap(data_, bytes);
        session.refund(Where::host, bytes);
        throw;
    }
}

PinnedBuffer::~PinnedBuffer() {
    session_.cu.host_unregister.raw(data_);
    ::munmap(data_, size_bytes_);
    session_.refund(Where::host, size_bytes_);
}

DevicePtr PinnedBuffer::device_address() const {
    DevicePtr address = 0;
    session_.cu.host_device_pointer(&address, data_, 0);
    return address;
}

}  // namespace ciuic::probe
