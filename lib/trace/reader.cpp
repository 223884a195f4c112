// SPDX-License-Identifier: Apache-2.0
#include "trace/reader.hpp"

#include "base/check.hpp"
#include "trace/encoding.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace ciuic::trace {
namespace {

constexpr size_t packed_bytes = 128 * KiB;
constexpr size_t records_bytes = 256 * KiB;
static_assert(records_bytes > 2 * record_bytes_max);

Error damaged(const char* what) { return {Errc::data_lost, 0, what}; }

constexpr const char* number_text = "a number that does not end";

std::optional<std::string> take_name(std::span<const std::byte>& rest) {
    const auto size = take_varint(rest);
    if (!size || *size > limits::trace_name_bytes_max || *size > rest.size()) return {};
    std::string name(reinterpret_cast<const char*>(rest.data()), static_cast<size_t>(*size));
    rest = rest.subspan(static_cast<size_t>(*size));
    if (!is_name(name)) return {};
    return name;
}

const char* advice_on(Errc code) {
    switch (code) {
    case Errc::io: return "see that it is there and may be read";
    case Errc::invalid: return "`ciuic trace convert` reads other formats";
    case Errc::version: return "make it again with this version";
    case Errc::range: return "make a shorter one";
    default: return "copy it again, or make it again";
    }
}

}  // namespace

void Reader::FreeContext::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

Reader::Reader() = default;
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

Status Reader::open(const std::string& path) {
    CIUIC_CHECK(!file_);
    path_ = path;
    context_.reset(ZSTD_createDCtx());
    if (!context_) return Error{Errc::no_memory, 0, "no memory to unpack with"};
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, window_log);
    packed_.resize(packed_bytes);
    records_.resize(records_bytes);
    file_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_) return os_refusal("it cannot be opened", errno);
    return read_header();
}

Status Reader::read_header() {
    while (packed_end_ < header_bytes) {
        CIUIC_TRY(const bool has_more, read_more());
        if (!has_more) break;
    }
    const std::byte* header = packed_.data();
    const size_t magic_bytes = std::min(packed_end_, file_magic.size());
    if (magic_bytes == 0 || std::memcmp(header, file_magic.data(), magic_bytes) != 0)
        return Error{Errc::invalid, 0, "not a trace of Ciuic"};
    packed_at_ = std::min(packed_end_, version_offset);
    if (packed_end_ < header_bytes) return damaged("it ends within its header");
    if (load_little_endian(header + version_offset, 4) != file_version)
        return Error{Errc::version, 0, "a trace of another version"};
    Header copy;
    std::copy_n(header, header_bytes, copy.begin());
    packed_at_ = check_offset;
    if (load_little_endian(header + check_offset, 4) != header_check(copy))
        return damaged("its header is damaged");
    packed_at_ = chunk_bytes_offset;
    chunk_bytes_ = load_little_endian(header + chunk_bytes_offset, 8);
    if (!is_chunk_size(chunk_bytes_)) return damaged("its chunk size is none");
    packed_at_ = header_bytes;
    return {};
}

// Whether there was more to read.
Result<bool> Reader::read_more() {
    if (packed_at_ == packed_end_) packed_at_ = packed_end_ = 0;
    for (;;) {
        const ssize_t count =
            ::read(file_.get(), packed_.data() + packed_end_, packed_.size() - packed_end_);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return os_refusal("it cannot be read", errno);
        packed_end_ += static_cast<size_t>(count);
        file_at_byte_ += static_cast<uint64_t>(count);
        return count > 0;
    }
}

// So that a whole record can be looked at, or all there is.
Status Reader::fill() {
    is_in_records_ = false;
    if (records_end_ - records_at_ < record_bytes_max && !frame_ended_) {
        std::copy(records_.begin() + static_cast<std::ptrdiff_t>(records_at_),
                  records_.begin() + static_cast<std::ptrdiff_t>(records_end_), records_.begin());
        records_end_ -= std::exchange(records_at_, 0);
    }
    while (records_end_ - records_at_ < record_bytes_max && !frame_ended_) {
        ZSTD_inBuffer in{packed_.data(), packed_end_, packed_at_};
        ZSTD_outBuffer out{records_.data(), records_.size(), records_end_};
        const size_t left = ZSTD_decompressStream(context_.get(), &out, &in);
        packed_at_ = in.pos;
        const bool moved = out.pos != records_end_;
        records_end_ = out.pos;
        if (ZSTD_isError(left)) return damaged("its records cannot be unpacked");
        frame_ended_ = left == 0;
        if (!frame_ended_ && !moved && packed_at_ == packed_end_) {
            CIUIC_TRY(const bool has_more, read_more());
            if (!has_more) return damaged("it is cut short");
        }
    }
    if (frame_ended_ && packed_at_ == packed_end_) {
        CIUIC_TRY([[maybe_unused]] const bool has_more, read_more());
    }
    if (frame_ended_ && packed_at_ != packed_end_) return damaged("there are bytes behind its end");
    is_in_records_ = true;
    return {};
}

Result<Found> Reader::next() {
    CIUIC_CHECK(context_ != nullptr);
    if (!file_) return Found::end;
    Result<Found> found = damaged("");
    if (Status filled = fill(); filled.has_value())
        found = parse({records_.data() + records_at_, records_end_ - records_at_});
    else
        found = filled.error();
    if (!found.has_value() || *found == Found::end) file_.reset();
    return found;
}

Result<Found> Reader::parse(std::span<const std::byte> rest) {
    if (rest.empty()) return damaged("its last record is missing");
    const size_t before = rest.size();
    const auto first = static_cast<uint8_t>(rest[0]);
    rest = rest.subspan(1);
    const auto kind = static_cast<Kind>(first & kind_mask);
    const auto flags = static_cast<uint8_t>(first & ~kind_mask);
    if ((flags & ~flags_mask) != 0 || (flags != 0 && kind != Kind::use))
        return damaged("a record of no known kind");
    Status taken;
    switch (kind) {
    case Kind::end: taken = take_end(rest); break;
    case Kind::region: taken = take_region(rest); break;
    case Kind::phase: taken = take_phase(rest); break;
    case Kind::use: taken = take_use(flags, rest); break;
    }
    if (!taken.has_value()) return taken.error();
    const size_t size = before - rest.size();
    records_at_ += size;
    record_byte_ += size;
    return static_cast<Found>(kind);
}
static_assert(static_cast<int>(Found::region) == static_cast<int>(Kind::region) &&
              static_cast<int>(Found::use) == static_cast<int>(Kind::use));

Status Reader::take_region(std::span<const std::byte>& rest) {
    const auto number = take_varint(rest);
    const auto chunks = take_varint(rest);
    if (!number || !chunks) return damaged(number_text);
    if (*number != regions_.size()) return damaged("a region out of turn");
    if (*chunks == 0) return damaged("a region without chunks");
    if (*number >= limits::trace_regions_max || *chunks > limits::trace_chunks_max ||
        chunks_ + *chunks > limits::trace_chunks_max)
        return Error{Errc::range, 0, "more regions or chunks than a trace may have"};
    auto name = take_name(rest);
    if (!name) return damaged("a name that is none");
    regions_.push_back(
        {std::move(*name), static_cast<uint32_t>(*chunks), static_cast<uint32_t>(chunks_)});
    next_chunk_.push_back(0);
    chunks_ += *chunks;
    return {};
}

Status Reader::take_phase(std::span<const std::byte>& rest) {
    auto name = take_name(rest);
    if (!name) return damaged("a name that is none");
    if (++phases_ > limits::trace_phases_max)
        return Error{Errc::range, 0, "more phases than a trace may have"};
    phase_ = std::move(*name);
    return {};
}

Status Reader::take_use(uint8_t flags, std::span<const std::byte>& rest) {
    const auto later_ns = take_varint(rest);
    if (!later_ns) return damaged(number_text);
    if (*later_ns > UINT64_MAX - use_.time_ns) return damaged("a time beyond all times");
    Use use = use_;
    use.time_ns += *later_ns;
    use.is_write = (flags & flag_write) != 0;
    if (flags & flag_elsewhere) {
        const auto thread = take_varint(rest);
        const auto region = take_varint(rest);
        if (!thread || !region) return damaged(number_text);
        if (*thread >= limits::trace_threads_max)
            return Error{Errc::range, 0, "more threads than a trace may have"};
        if (*region >= regions_.size()) return damaged("a use of a region that is not there");
        use.thread = static_cast<uint32_t>(*thread);
        use.region = static_cast<uint32_t>(*region);
    } else if (uses_ == 0) {
        return damaged("a first use without a place");
    }
    const auto step = take_varint(rest);
    const auto count = flags & flag_run ? take_varint(rest) : 1;
    if (!step || !count) return damaged(number_text);
    const uint32_t chunks = regions_[use.region].chunks;
    // The step is below 2^63 either way and the place below 2^27: their sum cannot wrap twice.
    const uint64_t chunk = next_chunk_[use.region] + static_cast<uint64_t>(unzigzag(*step));
    if (chunk >= chunks || *count == 0 || *count > chunks - chunk)
        return damaged("a use outside its region");
    if (uses_ + *count > limits::trace_uses_max)
        return Error{Errc::range, 0, "more uses than a trace may have"};
    use.chunk = static_cast<uint32_t>(chunk);
    use.count = static_cast<uint32_t>(*count);
    next_chunk_[use.region] = use.chunk + use.count;
    uses_ += use.count;
    use_ = use;
    return {};
}

Status Reader::take_end(std::span<const std::byte>& rest) {
    const auto uses = take_varint(rest);
    if (!uses) return damaged(number_text);
    if (*uses != uses_) return damaged("it has not the uses that it ends with");
    // A record's worth was asked for: had the frame not ended, there would be more.
    if (!rest.empty() || !frame_ended_) return damaged("there are records behind its end");
    return {};
}

std::string Reader::describe(const Error& error) const {
    const uint64_t file_byte = file_at_byte_ - (packed_end_ - packed_at_);
    char where[64];
    if (error.code == Errc::io || error.code == Errc::no_memory)
        std::snprintf(where, sizeof where, ":");
    else if (is_in_records_)
        std::snprintf(where, sizeof where,
                      ": unpacked byte %llu:", static_cast<unsigned long long>(record_byte_));
    else
        std::snprintf(where, sizeof where,
                      ": byte %llu:", static_cast<unsigned long long>(file_byte));
    std::string line = path_ + where + " " + error.what;
    if (error.os_error != 0) line += std::string(" (") + std::strerror(error.os_error) + ")";
    return line + "; " + advice_on(error.code);
}

}  // namespace ciuic::trace
