// SPDX-License-Identifier: Apache-2.0
//
// Reads a trace file, record by record, in bounded memory.
//
// A file may come from anywhere: every number is checked before it is used, and what the file says
// counts only once the whole of it was read without an error, since the last bytes hold the
// checksum of the rest.
//
// Not here: what the uses mean together (cli/trace).
// Threads: one at a time.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "trace/record.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct ZSTD_DCtx_s;

namespace ciuic::trace {

enum class Found : uint8_t { end, region, phase, use };

class Reader {
public:
    Reader();
    ~Reader();
    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;

    // Error: io: it cannot be read; invalid: not a trace; version; data_lost: damaged.
    Status open(const std::string& path);

    uint64_t chunk_bytes() const { return chunk_bytes_; }

    // The next record; after `end` or an error there is none.
    // Error: data_lost: damaged or cut short; range: more than limits.hpp allows; io.
    Result<Found> next();

    // All regions so far; the last is the new one.
    const std::vector<Region>& regions() const { return regions_; }
    const std::string& phase() const { return phase_; }
    const Use& use() const { return use_; }
    // In the count of all chunks of all regions.
    uint32_t first_chunk() const { return regions_[use_.region].first_chunk + use_.chunk; }
    uint64_t chunks() const { return chunks_; }

    // One line: the file, the byte, what is wrong with it and what to do.
    std::string describe(const Error& error) const;

private:
    struct FreeContext {
        void operator()(ZSTD_DCtx_s* context) const;
    };

    Status read_header();
    Status fill();
    Result<bool> read_more();
    Result<Found> parse(std::span<const std::byte> rest);
    Status take_region(std::span<const std::byte>& rest);
    Status take_phase(std::span<const std::byte>& rest);
    Status take_use(uint8_t flags, std::span<const std::byte>& rest);
    Status take_end(std::span<const std::byte>& rest);

    UniqueFd file_;
    std::string path_;
    std::unique_ptr<ZSTD_DCtx_s, FreeContext> context_;
    std::vector<std::byte> packed_;
    size_t packed_at_ = 0;  // of what was read, how much was unpacked
    size_t packed_end_ = 0;
    uint64_t file_at_byte_ = 0;  // the file's byte that packed_end_ stands for
    std::vector<std::byte> records_;
    size_t records_at_ = 0;
    size_t records_end_ = 0;
    uint64_t record_byte_ = 0;  // of the record that is being read, in the unpacked records
    bool is_in_records_ = false;
    bool frame_ended_ = false;

    uint64_t chunk_bytes_ = 0;
    std::vector<Region> regions_;
    std::vector<uint32_t> next_chunk_;  // by region: behind its last use
    std::string phase_;
    Use use_;
    uint64_t chunks_ = 0;
    uint64_t uses_ = 0;
    uint32_t phases_ = 0;
};

}  // namespace ciuic::trace
