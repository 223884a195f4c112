// SPDX-License-Identifier: Apache-2.0
//
// Owners for what vmm.h hands out: a session, a region and a pin end with their scope.
//
//     ciuic::vmm::Session session;
//     ciuic::vmm::Region region;
//     if (session.open() != CIUIC_OK || region.create(session, 64ull << 30) != CIUIC_OK) ...
//     ciuic::vmm::Pin pin;
//     if (pin.acquire(session, {region.get(), 0, 1 << 20}) == CIUIC_OK) ...
//
// No exceptions: what can fail returns vmm.h's ciuic_status. A region ends before its session, a
// pin before its region. Units, errors, threads: vmm.h.
#pragma once

#include "ciuic/vmm.h"

#include <utility>

namespace ciuic::vmm {

// Closed at the end of its scope. Also usable wherever vmm.h wants a session.
class Session {
public:
    Session() = default;
    Session(Session&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
    Session& operator=(Session&& other) noexcept {
        std::swap(session_, other.session_);
        return *this;
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { ciuic_close(session_); }

    // A session that is open already is closed first.
    [[nodiscard]] ciuic_status open(const ciuic_options* options = nullptr) {
        close();
        return ciuic_open(options, &session_);
    }
    void close() { ciuic_close(std::exchange(session_, nullptr)); }

    ciuic_session* get() const { return session_; }
    operator ciuic_session*() const { return session_; }
    explicit operator bool() const { return session_ != nullptr; }

private:
    ciuic_session* session_ = nullptr;
};

// Destroyed at the end of its scope.
class Region {
public:
    Region() = default;
    Region(Region&& other) noexcept : region_(std::exchange(other.region_, nullptr)) {}
    Region& operator=(Region&& other) noexcept {
        std::swap(region_, other.region_);
        return *this;
    }
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    ~Region() { ciuic_region_destroy(region_); }

    // A region that is there already is destroyed first; CIUIC_E_BUSY when it is acquired.
    [[nodiscard]] ciuic_status create(ciuic_session* session, uint64_t size_bytes,
                                      uint64_t reserve_bytes = 0) {
        if (const ciuic_status status = destroy(); status != CIUIC_OK) return status;
        ciuic_region_options options{};
        options.struct_size = sizeof options;
        options.size_bytes = size_bytes;
        options.reserve_bytes = reserve_bytes;
        return ciuic_region_create(session, &options, &region_);
    }
    ciuic_status destroy() {
        const ciuic_status status = ciuic_region_destroy(region_);
        if (status == CIUIC_OK) region_ = nullptr;
        return status;
    }
    [[nodiscard]] ciuic_status resize(uint64_t size_bytes) {
        return ciuic_region_resize(region_, size_bytes);
    }

    ciuic_region* get() const { return region_; }
    void* address() const { return ciuic_region_address(region_); }
    uint64_t size_bytes() const { return ciuic_region_size(region_); }
    ciuic_range all() const { return {region_, 0, size_bytes()}; }

private:
    ciuic_region* region_ = nullptr;
};

// One acquired range, released at the end of its scope.
class Pin {
public:
    Pin() = default;
    Pin(Pin&& other) noexcept
        : session_(std::exchange(other.session_, nullptr)), range_(other.range_) {}
    Pin& operator=(Pin&& other) noexcept {
        std::swap(session_, other.session_);
        std::swap(range_, other.range_);
        return *this;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() { release(); }

    // A range that is held already is released first.
    [[nodiscard]] ciuic_status acquire(ciuic_session* session, const ciuic_range& range,
                                       unsigned access = CIUIC_READ | CIUIC_WRITE) {
        release();
        const ciuic_status status = ciuic_acquire(session, &range, 1, access, nullptr);
        if (status != CIUIC_OK) return status;
        session_ = session;
        range_ = range;
        return status;
    }
    void release() {
        if (session_) ciuic_release(std::exchange(session_, nullptr), &range_, 1, nullptr);
    }

    explicit operator bool() const { return session_ != nullptr; }

private:
    ciuic_session* session_ = nullptr;
    ciuic_range range_{};
};

}  // namespace ciuic::vmm
