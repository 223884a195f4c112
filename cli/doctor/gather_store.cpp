// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"
#include "base/mapping.hpp"
#include "base/random.hpp"
#include "base/unique_fd.hpp"
#include "cli/doctor/gather.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace ciuic::cli::doctor {
namespace {

constexpr uint64_t file_bytes = 64 * MiB;
constexpr uint64_t block_bytes = 64 * KiB;
constexpr uint64_t piece_bytes = 2 * MiB;
constexpr Nanos time_each{250'000'000};  // three of them: less than a second in all

// linux/magic.h does not have all of them.
constexpr struct {
    uint32_t magic;
    const char* name;
} file_systems[] = {
    {EXT4_SUPER_MAGIC, "ext4"}, {XFS_SUPER_MAGIC, "xfs"},   {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},     {RAMFS_MAGIC, "ramfs"},     {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    {NFS_SUPER_MAGIC, "nfs"},   {V9FS_MAGIC, "9p"},         {FUSE_SUPER_MAGIC, "fuse"},
    {0xff534d42, "cifs"},       {0xfe534d42, "cifs"},       {0x2fc12fc1, "zfs"},
    {0xca451a4e, "bcachefs"},   {F2FS_SUPER_MAGIC, "f2fs"},
};

std::string name_of(uint32_t magic) {
    for (const auto& known : file_systems)
        if (known.magic == magic) return known.name;
    char text[32];
    std::snprintf(text, sizeof text, "file system 0x%x", magic);
    return text;
}

// Repeats a transfer at place 0, 1, ... until the time is over; the nanoseconds of each. Empty: one
// failed.
template <typename Transfer> std::vector<int64_t> time_transfers(Transfer transfer) {
    MonotonicClock clock;
    std::vector<int64_t> taken;
    const Nanos end = clock.now() + time_each;
    for (uint64_t turn = 0;; ++turn) {
        const Nanos before = clock.now();
        if (before >= end && turn > 0) return taken;
        if (!transfer(turn)) return {};
        taken.push_back((clock.now() - before).value);
    }
}

double mb_per_s(const std::vector<int64_t>& taken) {
    int64_t sum_ns = 0;
    for (const int64_t one_ns : taken) sum_ns += one_ns;
    const auto bytes = static_cast<double>(taken.size() * piece_bytes);
    return bytes / (static_cast<double>(std::max<int64_t>(sum_ns, 1)) / 1e9) / 1e6;
}

}  // namespace

DiskRate measure_rate(int file, uint64_t size_bytes) {
    const Result<Mapping> buffer = Mapping::create_aligned(
        piece_bytes, piece_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (!buffer.has_value() || size_bytes < piece_bytes) return {};
    // Neither zeros nor a pattern: some disks compress.
    Random random(20240229);
    auto* words = reinterpret_cast<uint64_t*>(buffer->data());
    for (uint64_t word = 0; word < piece_bytes / sizeof *words; ++word) words[word] = random.next();
    const uint64_t pieces = size_bytes / piece_bytes;
    const auto place = [&](uint64_t piece) { return static_cast<off_t>(piece * piece_bytes); };

    const auto writes = time_transfers([&](uint64_t turn) {
        return ::pwrite(file, words, piece_bytes, place(turn % pieces)) == piece_bytes;
    });
    // What has not been written is a hole, which no disk is asked for.
    const uint64_t written = std::min<uint64_t>(writes.size(), pieces);
    if (written == 0) return {};
    const auto reads = time_transfers([&](uint64_t turn) {
        return ::pread(file, words, piece_bytes, place(turn % written)) == piece_bytes;
    });
    auto blocks = time_transfers([&](uint64_t) {
        const uint64_t block = random.next() % (written * (piece_bytes / block_bytes));
        return ::pread(file, words, block_bytes, static_cast<off_t>(block * block_bytes)) ==
               block_bytes;
    });
    if (reads.empty() || blocks.empty()) return {};
    const auto middle = blocks.begin() + static_cast<ptrdiff_t>(blocks.size() / 2);
    std::nth_element(blocks.begin(), middle, blocks.end());
    return {true, mb_per_s(writes), mb_per_s(reads), static_cast<double>(*middle) / 1e3};
}

StoreFacts gather_store(const std::string& path) {
    StoreFacts facts;
    facts.path = path;
    struct statfs status {};
    if (::statfs(path.c_str(), &status) != 0) {
        facts.error = errno;
        return facts;
    }
    facts.file_system = name_of(static_cast<uint32_t>(status.f_type));
    facts.free_bytes = status.f_bavail * static_cast<uint64_t>(status.f_frsize);
    constexpr int flags = O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC;
    UniqueFd file(::open(path.c_str(), flags | O_DIRECT, 0600));
    facts.is_direct = static_cast<bool>(file);
    if (!file) file = UniqueFd(::open(path.c_str(), flags, 0600));
    if (!file) {
        facts.error = errno;
        return facts;
    }
    // In memory and through the page cache it would be the memory's rate; without room reserved,
    // the rate of the file system's allocator.
    const bool is_memory = facts.file_system == "tmpfs" || facts.file_system == "ramfs";
    if (facts.is_direct && !is_memory && facts.free_bytes >= 2 * file_bytes &&
        ::fallocate(file.get(), 0, 0, file_bytes) == 0)
        facts.rate = measure_rate(file.get(), file_bytes);
    return facts;
}

}  // namespace ciuic::cli::doctor
