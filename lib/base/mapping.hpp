// SPDX-License-Identifier: Apache-2.0
//
// An owned mmap range: unmapped when its owner goes.
#pragma once

#include "base/result.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace ciuic {

class Mapping {
public:
    Mapping() = default;
    Mapping(Mapping&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_bytes_(std::exchange(other.size_bytes_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        if (this != &other) {
            reset();
            data_ = std::exchange(other.data_, nullptr);
            size_bytes_ = std::exchange(other.size_bytes_, 0);
        }
        return *this;
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    // `protection`, `flags`, `fd` and `offset` as for mmap(2).
    static Result<Mapping> create(size_t size_bytes, int protection, int flags, int fd = -1,
                                  off_t offset = 0) {
        void* data = ::mmap(nullptr, size_bytes, protection, flags, fd, offset);
        if (data == MAP_FAILED) return os_refusal("mmap", errno);
        return adopt(data, size_bytes);
    }

    // Like create() with a base address that is a multiple of `alignment_bytes` (a power of two,
    // at least a page).
    static Result<Mapping> create_aligned(size_t size_bytes, size_t alignment_bytes, int protection,
                                          int flags, int fd = -1);

    static Mapping adopt(void* data, size_t size_bytes) {
        Mapping mapping;
        mapping.data_ = static_cast<std::byte*>(data);
        mapping.size_bytes_ = size_bytes;
        return mapping;
    }

    std::byte* data() const { return data_; }
    size_t size_bytes() const { return size_bytes_; }
    std::span<std::byte> bytes() const { return {data_, size_bytes_}; }
    explicit operator bool() const { return data_ != nullptr; }
    // Gives the range up without unmapping it: for a range whose use outlives every owner.
    std::byte* release() {
        size_bytes_ = 0;
        return std::exchange(data_, nullptr);
    }
    void reset() {
        if (data_) ::munmap(data_, size_bytes_);
        data_ = nullptr;
        size_bytes_ = 0;
    }

private:
    std::byte* data_ = nullptr;
    size_t size_bytes_ = 0;
};

}  // namespace ciuic
