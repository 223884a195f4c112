// SPDX-License-Identifier: Apache-2.0
//
// A real file system on a real disk, of which a file's blocks can be made to fail by the device
// mapper: in the emulated machine of tests/kernel_lab/run, which has a second disk for it.
//
// Only the blocks of one file fail, never those of the file system that it lies in.
//
// Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ciuic::test {

class FaultyDisk {
public:
    static constexpr const char* folder = "/mnt/faulty";

    // Why there is no such disk here, or empty.
    static std::string refusal();

    FaultyDisk();
    ~FaultyDisk();

    // From now on all of the file lies where fault() can reach it.
    void watch(const std::string& path);

    // Replaces the target beneath [offset, offset + length) of the watched file. `{}` in `target`
    // stands for the disk and the first sector there: "flakey {} 0 60", "delay {} 500". Everything
    // else works again, or still.
    struct Range {
        uint64_t offset_bytes = 0;
        uint64_t length_bytes = 0;
    };
    void fault(const std::string& target, const std::vector<Range>& ranges);
    void fault(const std::string& target);  // all of the file
    void heal() { fault("", {}); }

    // Changes what the disk keeps of the file's byte, behind every cache.
    void turn_a_bit(uint64_t offset_bytes) const;

    // Where the file's byte lies on the disk below, where no fault is. Writes to it are of whole
    // sectors, with O_DIRECT.
    uint64_t raw_offset_bytes(uint64_t offset_bytes) const;
    static const char* raw_device();

    // Writes that the disk has been asked for and has not done.
    static uint64_t writes_under_way();

private:
    struct Extent {
        uint64_t file_sector = 0;
        uint64_t disk_sector = 0;  // of the device with the faults
        uint64_t sectors = 0;
    };

    void load(const std::string& table);

    std::vector<Extent> extents_;
};

}  // namespace ciuic::test
