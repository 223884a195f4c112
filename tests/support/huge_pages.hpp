// SPDX-License-Identifier: Apache-2.0
//
// Huge pages for the time of a test: raises the kernel's pool and puts it back. One test at a time.
#pragma once

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace ciuic::test {

class HugePages {
public:
    explicit HugePages(uint64_t pages) : pool_(::open("/proc/sys/vm/nr_hugepages", O_RDWR)) {
        if (!pool_) {
            refusal_ = "no permission to reserve huge pages";
            return;
        }
        // Whoever else runs this test waits here; the kernel drops the lock with the descriptor.
        ::flock(pool_.get(), LOCK_EX);
        before_ = read();
        write(before_ + pages);
        if (read() < before_ + pages)
            refusal_ = "the machine has not " + std::to_string(pages) + " huge pages to spare";
    }
    ~HugePages() {
        if (pool_) write(before_);
    }
    HugePages(const HugePages&) = delete;
    HugePages& operator=(const HugePages&) = delete;

    const std::string& refusal() const { return refusal_; }

private:
    uint64_t read() const {
        std::array<char, 32> text{};
        if (::pread(pool_.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
        return std::strtoull(text.data(), nullptr, 10);
    }
    void write(uint64_t pages) {
        const std::string text = std::to_string(pages);
        if (::pwrite(pool_.get(), text.data(), text.size(), 0) < 0)
            refusal_ = "the kernel refuses to change the number of huge pages";
    }

    UniqueFd pool_;
    uint64_t before_ = 0;
    std::string refusal_;
};

}  // namespace ciuic::test
