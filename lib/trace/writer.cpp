// SPDX-License-Identifier: Apache-2.0
#include "trace/writer.hpp"

#include "base/check.hpp"
#include "trace/encoding.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>

namespace ciuic::trace {
namespace {

constexpr size_t packed_at_once_bytes = 256 * KiB;
constexpr int compression_level = 3;

}  // namespace

void Writer::FreeContext::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

Writer::Writer() = default;

Writer::~Writer() {
    if (file_) discard();
}

void Writer::discard() {
    file_.reset();
    if (is_regular_) ::unlink(path_.c_str());
}

Status Writer::create(const std::string& path, uint64_t chunk_bytes) {
    CIUIC_CHECK(!file_);
    if (!is_chunk_size(chunk_bytes))
        return Error{Errc::invalid, 0, "a chunk is a power of two, 512 B to 64 MiB"};
    context_.reset(ZSTD_createCCtx());
    if (!context_) return Error{Errc::no_memory, 0, "no memory to compress with"};
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, compression_level);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
    file_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file_) return os_refusal("it cannot be written", errno);
    path_ = path;
    struct stat facts {};
    is_regular_ = ::fstat(file_.get(), &facts) == 0 && S_ISREG(facts.st_mode);
    packed_.resize(ZSTD_CStreamOutSize());
    records_.reserve(packed_at_once_bytes + record_bytes_max);

    Header header{};
    std::memcpy(header.data(), file_magic.data(), file_magic.size());
    store_little_endian(header.data() + version_offset, file_version, 4);
    store_little_endian(header.data() + chunk_bytes_offset, chunk_bytes, 8);
    store_little_endian(header.data() + check_offset, header_check(header), 4);
    write_out(header.data(), header.size());
    return status_;
}

uint32_t Writer::region(std::string_view name, uint32_t chunks) {
    const auto number = static_cast<uint32_t>(regions_.size());
    if (!is_name(name))
        refuse({Errc::invalid, 0, "a name has at most 255 bytes and no control characters"});
    else if (chunks == 0)
        refuse({Errc::invalid, 0, "a region has at least one chunk"});
    else if (number == limits::trace_regions_max || chunks_ + chunks > limits::trace_chunks_max)
        refuse({Errc::range, 0, "more regions or chunks than a trace may have"});
    if (!status_.has_value()) return number;
    std::byte record[record_bytes_max];
    size_t size = 0;
    record[size++] = static_cast<std::byte>(Kind::region);
    size += put_varint(record + size, number);
    size += put_varint(record + size, chunks);
    size += put_varint(record + size, name.size());
    std::memcpy(record + size, name.data(), name.size());
    append(record, size + name.size());
    regions_.push_back({chunks, 0});
    chunks_ += chunks;
    return number;
}

void Writer::phase(std::string_view name) {
    if (!is_name(name))
        refuse({Errc::invalid, 0, "a name has at most 255 bytes and no control characters"});
    else if (phases_ == limits::trace_phases_max)
        refuse({Errc::range, 0, "more phases than a trace may have"});
    if (!status_.has_value()) return;
    std::byte record[record_bytes_max];
    size_t size = 0;
    record[size++] = static_cast<std::byte>(Kind::phase);
    size += put_varint(record + size, name.size());
    std::memcpy(record + size, name.data(), name.size());
    append(record, size + name.size());
    ++phases_;
}

Error Writer::problem_of(const Use& use) const {
    if (use.region >= regions_.size())
        return {Errc::invalid, 0, "a use of a region that is not there"};
    const uint32_t chunks = regions_[use.region].chunks;
    if (use.count == 0 || use.chunk >= chunks || use.count > chunks - use.chunk)
        return {Errc::invalid, 0, "a use outside its region"};
    if (use.time_ns < last_.time_ns)
        return {Errc::invalid, 0, "a use that is older than the one before it"};
    if (use.thread >= limits::trace_threads_max)
        return {Errc::range, 0, "more threads than a trace may have"};
    if (uses_ + use.count > limits::trace_uses_max)
        return {Errc::range, 0, "more uses than a trace may have"};
    return {};
}

void Writer::use(const Use& use) {
    if (!status_.has_value()) return;
    if (const Error problem = problem_of(use); problem.code != Errc::ok) return refuse(problem);
    Written& region = regions_[use.region];
    // The first use says where it is in any case: there is none before it.
    const bool is_elsewhere =
        uses_ == 0 || use.thread != last_.thread || use.region != last_.region;
    std::byte record[record_bytes_max];
    size_t size = 0;
    record[size++] = static_cast<std::byte>(
        static_cast<uint8_t>(Kind::use) | (use.is_write ? flag_write : 0) |
        (is_elsewhere ? flag_elsewhere : 0) | (use.count > 1 ? flag_run : 0));
    size += put_varint(record + size, use.time_ns - last_.time_ns);
    if (is_elsewhere) {
        size += put_varint(record + size, use.thread);
        size += put_varint(record + size, use.region);
    }
    size += put_varint(record + size, zigzag(int64_t{use.chunk} - int64_t{region.next_chunk}));
    if (use.count > 1) size += put_varint(record + size, use.count);
    append(record, size);
    region.next_chunk = use.chunk + use.count;
    last_ = use;
    uses_ += use.count;
}

Status Writer::finish() {
    CIUIC_CHECK(file_);
    std::byte record[1 + varint_bytes_max];
    record[0] = static_cast<std::byte>(Kind::end);
    append(record, 1 + put_varint(record + 1, uses_));
    pack(true);
    // Where the disk is full, some file systems say so only here.
    if (status_.has_value() && ::close(file_.release()) != 0)
        refuse(os_refusal("it cannot be written", errno));
    if (!status_.has_value()) discard();
    return status_;
}

void Writer::refuse(Error error) {
    if (status_.has_value()) status_ = error;
}

void Writer::append(const std::byte* bytes, size_t count) {
    CIUIC_CHECK(file_);
    records_.insert(records_.end(), bytes, bytes + count);
    if (records_.size() >= packed_at_once_bytes) pack(false);
}

void Writer::pack(bool is_last) {
    ZSTD_inBuffer in{records_.data(), records_.size(), 0};
    bool is_done = false;
    while (status_.has_value() && !is_done) {
        ZSTD_outBuffer out{packed_.data(), packed_.size(), 0};
        const size_t left =
            ZSTD_compressStream2(context_.get(), &out, &in, is_last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) return refuse({Errc::no_memory, 0, "it cannot be compressed"});
        write_out(packed_.data(), out.pos);
        is_done = is_last ? left == 0 : in.pos == in.size;
    }
    records_.clear();
}

void Writer::write_out(const std::byte* bytes, size_t count) {
    while (count > 0 && status_.has_value()) {
        const ssize_t written = ::write(file_.get(), bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return refuse(os_refusal("it cannot be written", errno));
        bytes += written;
        count -= static_cast<size_t>(written);
    }
}

}  // namespace ciuic::trace
