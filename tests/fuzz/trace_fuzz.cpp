// SPDX-License-Identifier: Apache-2.0
//
// Traces, ours and those of others. What is read is within the limits and its regions; what is not
// is said in one line.
//
//   byte 0   of four: a file as it is; the frame behind a right header; records in a right frame;
//            a trace of others to convert (of eight: MSR Cambridge, else oracleGeneral)
#include "base/check.hpp"
#include "base/unique_fd.hpp"
#include "cli/trace/options.hpp"
#include "tests/fuzz/target.hpp"
#include "trace/encoding.hpp"
#include "trace/reader.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <string>
#include <string_view>

namespace ciuic::fuzz {
namespace {

class MemoryFile {
public:
    std::string path() const { return "/proc/self/fd/" + std::to_string(file_.get()); }
    void set(std::string_view bytes) const {
        CIUIC_CHECK(::ftruncate(file_.get(), 0) == 0);
        CIUIC_CHECK(::pwrite(file_.get(), bytes.data(), bytes.size(), 0) ==
                    static_cast<ssize_t>(bytes.size()));
    }

private:
    UniqueFd file_{::memfd_create("trace", MFD_CLOEXEC)};
};

void check_line(const std::string& line) {
    CIUIC_CHECK(!line.empty() && line.find('\n') == std::string::npos);
}

void read_trace(const std::string& path) {
    trace::Reader reader;
    Status status = reader.open(path);
    uint64_t uses = 0;
    uint64_t time_ns = 0;
    while (status.has_value()) {
        const Result<trace::Found> found = reader.next();
        if (!found.has_value()) {
            status = found.error();
            break;
        }
        if (*found == trace::Found::end) return;
        CIUIC_CHECK(reader.chunks() <= limits::trace_chunks_max);
        if (*found != trace::Found::use) continue;
        const trace::Use& use = reader.use();
        CIUIC_CHECK(use.region < reader.regions().size() && use.count > 0);
        CIUIC_CHECK(uint64_t{use.chunk} + use.count <= reader.regions()[use.region].chunks);
        CIUIC_CHECK(uint64_t{reader.first_chunk()} + use.count <= reader.chunks());
        CIUIC_CHECK(use.time_ns >= time_ns && use.thread < limits::trace_threads_max);
        time_ns = use.time_ns;
        uses += use.count;
        CIUIC_CHECK(uses <= limits::trace_uses_max);
    }
    check_line(reader.describe(status.error()));
}

std::string right_header() {
    trace::Header header{};
    std::memcpy(header.data(), trace::file_magic.data(), trace::file_magic.size());
    trace::store_little_endian(header.data() + trace::version_offset, trace::file_version, 4);
    trace::store_little_endian(header.data() + trace::chunk_bytes_offset, 2 * MiB, 8);
    trace::store_little_endian(header.data() + trace::check_offset, trace::header_check(header), 4);
    return {reinterpret_cast<const char*>(header.data()), header.size()};
}

std::string right_frame(std::string_view records) {
    std::string frame(ZSTD_compressBound(records.size()), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), records.data(), records.size(), 1));
    return frame;
}

void convert(const std::string& path, const char* from) {
    static const MemoryFile converted;
    cli::TraceConvertOptions options;
    options.from_path = path;
    options.to_path = converted.path();
    options.from = from;
    const cli::Answer answer = cli::trace_convert(options);
    if (answer.is_refusal) return check_line(answer.text);
    const cli::Answer info = cli::trace_info({converted.path(), true});
    CIUIC_CHECK(!info.is_refusal);
}

}  // namespace
}  // namespace ciuic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace ciuic::fuzz;
    ++inputs;
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    static const MemoryFile file;
    switch (data[0] % 4) {
    case 0: file.set(bytes); break;
    case 1: file.set(right_header() + std::string(bytes)); break;
    case 2: file.set(right_header() + right_frame(bytes)); break;
    default:
        file.set(bytes);
        convert(file.path(), data[0] % 8 == 3 ? "msr" : "oracle");
        return 0;
    }
    read_trace(file.path());
    return 0;
}
