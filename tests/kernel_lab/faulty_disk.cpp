// SPDX-License-Identifier: Apache-2.0
#include "tests/kernel_lab/faulty_disk.hpp"

#include "base/unique_fd.hpp"
#include "base/units.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <fstream>

namespace ciuic::test {

namespace {

constexpr const char* disk = "/dev/vdb";
constexpr const char* mapped = "/dev/mapper/faulty";
constexpr uint64_t sector_bytes = 512;
constexpr uint64_t sectors = 512 * MiB / sector_bytes;
constexpr uint32_t extents_max = 64;

void run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

// A line of a table, over sectors of the device with the faults.
std::string line(uint64_t begin, uint64_t end, const std::string& target) {
    std::string text = target;
    const std::string place = std::string(disk) + " " + std::to_string(begin);
    for (size_t at = 0; (at = text.find("{}", at)) != std::string::npos;)
        text.replace(at, 2, place);
    return std::to_string(begin) + " " + std::to_string(end - begin) + " " + text + "\n";
}

}  // namespace

const char* FaultyDisk::raw_device() { return disk; }

uint64_t FaultyDisk::writes_under_way() {
    std::ifstream file("/sys/block/dm-0/inflight");
    uint64_t reads = 0;
    uint64_t writes = 0;
    file >> reads >> writes;
    return writes;
}

std::string FaultyDisk::refusal() {
    if (::access("/lab", F_OK) != 0 || ::access(disk, F_OK) != 0)
        return "runs in the machine of tests/kernel_lab/run only";
    return {};
}

FaultyDisk::FaultyDisk() {
    ::setenv("DM_DISABLE_UDEV", "1", 1);
    run("/usr/sbin/dmsetup create faulty --table '" + line(0, sectors, "linear {}") + "'");
    // Without a journal no write but the file's own is needed to keep it.
    run(std::string("/usr/sbin/mke2fs -q -F -t ext4 -O ^has_journal ") + mapped);
    run(std::string("mkdir -p ") + folder);
    EXPECT_EQ(::mount(mapped, folder, "ext4", 0, nullptr), 0) << errno;
}

FaultyDisk::~FaultyDisk() {
    load(line(0, sectors, "linear {}"));
    EXPECT_EQ(::umount(folder), 0) << errno;
    run("/usr/sbin/dmsetup remove faulty");
}

void FaultyDisk::watch(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    std::vector<char> buffer(sizeof(fiemap) + extents_max * sizeof(fiemap_extent));
    auto* map = reinterpret_cast<fiemap*>(buffer.data());
    map->fm_length = FIEMAP_MAX_OFFSET;
    map->fm_flags = FIEMAP_FLAG_SYNC;
    map->fm_extent_count = extents_max;
    ASSERT_EQ(::ioctl(file, FS_IOC_FIEMAP, map), 0);
    ::close(file);
    extents_.clear();
    for (uint32_t index = 0; index < map->fm_mapped_extents; ++index) {
        const fiemap_extent& extent = map->fm_extents[index];
        extents_.push_back({extent.fe_logical / sector_bytes, extent.fe_physical / sector_bytes,
                            extent.fe_length / sector_bytes});
    }
    ASSERT_FALSE(extents_.empty());
    ASSERT_LT(map->fm_mapped_extents, extents_max);
}

void FaultyDisk::fault(const std::string& target) {
    fault(target, {{0, extents_.back().file_sector * sector_bytes +
                           extents_.back().sectors * sector_bytes}});
}

void FaultyDisk::fault(const std::string& target, const std::vector<Range>& ranges) {
    struct Piece {
        uint64_t begin = 0;
        uint64_t end = 0;
    };
    std::vector<Piece> pieces;
    for (const Range& range : ranges) {
        const uint64_t begin = range.offset_bytes / sector_bytes;
        const uint64_t end = begin + range.length_bytes / sector_bytes;
        for (const Extent& extent : extents_) {
            const uint64_t from = std::max(begin, extent.file_sector);
            const uint64_t to = std::min(end, extent.file_sector + extent.sectors);
            if (from < to)
                pieces.push_back({extent.disk_sector + from - extent.file_sector,
                                  extent.disk_sector + to - extent.file_sector});
        }
    }
    std::sort(pieces.begin(), pieces.end(),
              [](const Piece& left, const Piece& right) { return left.begin < right.begin; });
    std::string table;
    uint64_t next = 0;
    for (const Piece& piece : pieces) {
        if (piece.begin > next) table += line(next, piece.begin, "linear {}");
        table += line(piece.begin, piece.end, target);
        next = piece.end;
    }
    if (next < sectors) table += line(next, sectors, "linear {}");
    load(table);
}

// Suspending ends what is under way by the old table, so nothing is caught between the two.
void FaultyDisk::load(const std::string& table) {
    const char* path = "/tmp/table";
    std::ofstream(path) << table;
    run(std::string("/usr/sbin/dmsetup load faulty ") + path);
    run("/usr/sbin/dmsetup suspend --nolockfs faulty && /usr/sbin/dmsetup resume faulty");
}

void FaultyDisk::turn_a_bit(uint64_t offset_bytes) const {
    alignas(4096) std::byte sector[sector_bytes];
    const UniqueFd file(::open(disk, O_RDWR | O_DIRECT | O_CLOEXEC));
    const auto place = static_cast<off_t>(raw_offset_bytes(offset_bytes));
    ASSERT_EQ(::pread(file.get(), sector, sector_bytes, place), ssize_t{sector_bytes});
    sector[offset_bytes % sector_bytes] ^= std::byte{1};
    ASSERT_EQ(::pwrite(file.get(), sector, sector_bytes, place), ssize_t{sector_bytes});
}

uint64_t FaultyDisk::raw_offset_bytes(uint64_t offset_bytes) const {
    const uint64_t sector = offset_bytes / sector_bytes;
    for (const Extent& extent : extents_)
        if (sector >= extent.file_sector && sector < extent.file_sector + extent.sectors)
            return (extent.disk_sector + sector - extent.file_sector) * sector_bytes;
    ADD_FAILURE() << "the file has no such byte";
    return 0;
}

}  // namespace ciuic::test
