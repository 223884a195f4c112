// SPDX-License-Identifier: Apache-2.0
//
// Writes a trace file.
//
// The first refusal is kept: what comes after it is dropped, and finish() returns it. So whoever
// makes a trace has one place to look.
//
// Not here: where uses come from.
// Threads: one at a time.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "trace/record.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

struct ZSTD_CCtx_s;

namespace ciuic::trace {

class Writer final : public Sink {
public:
    Writer();
    // A regular file that was not finished is removed: half a trace is none.
    ~Writer() override;
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    // Error: invalid: not a chunk size; io: the file cannot be made.
    Status create(const std::string& path, uint64_t chunk_bytes);

    uint32_t region(std::string_view name, uint32_t chunks) override;
    void phase(std::string_view name) override;
    void use(const Use& use) override;

    // What went wrong so far: a use outside its region or before the last one (invalid), more than
    // limits.hpp allows (range), a full disk (io).
    const Status& status() const { return status_; }
    // Error: as status(), or the rest could not be written.
    Status finish();

private:
    struct FreeContext {
        void operator()(ZSTD_CCtx_s* context) const;
    };
    struct Written {
        uint32_t chunks;
        uint32_t next_chunk;  // behind the last use
    };

    Error problem_of(const Use& use) const;
    void refuse(Error error);
    void discard();
    void append(const std::byte* bytes, size_t count);
    void pack(bool is_last);
    void write_out(const std::byte* bytes, size_t count);

    UniqueFd file_;
    std::string path_;
    bool is_regular_ = false;
    Status status_;
    std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
    std::vector<std::byte> records_;  // not yet packed
    std::vector<std::byte> packed_;
    std::vector<Written> regions_;
    Use last_;
    uint64_t chunks_ = 0;
    uint64_t uses_ = 0;
    uint32_t phases_ = 0;
};

}  // namespace ciuic::trace
