// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/foreign.hpp"

#include "limits.hpp"
#include "trace/encoding.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unordered_map>

namespace ciuic::cli {
namespace {

constexpr size_t record_bytes = 24;
constexpr uint64_t second_ns = 1'000'000'000;
// Further ahead than any trace is long: what is read is no number of a request.
constexpr int64_t furthest = int64_t{1} << 48;

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

struct Request {
    uint64_t time_s;
    uint64_t object;
    int64_t next;
};

Request parse(const std::byte* record) {
    return {trace::load_little_endian(record, 4), trace::load_little_endian(record + 4, 8),
            static_cast<int64_t>(trace::load_little_endian(record + 16, 8))};
}

// Calls `each` with every request; it gives what is wrong with it, or null.
template <typename Each> std::string for_each_request(const std::string& path, Each&& each) {
    const auto problem = [&](uint64_t byte, const char* what) {
        return path + ": byte " + std::to_string(byte) + ": " + what;
    };
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "re"));
    if (!file) return path + ": it cannot be opened (" + std::strerror(errno) + ")";
    std::byte record[record_bytes];
    for (uint64_t number = 0;; ++number) {
        const uint64_t byte = number * record_bytes;
        const size_t got = std::fread(record, 1, record_bytes, file.get());
        if (std::ferror(file.get()))
            return path + ": it cannot be read (" + std::strerror(errno) + ")";
        if (got == 0) return {};
        if (got < record_bytes) return problem(byte, "it ends within a request; copy it again");
        const Request request = parse(record);
        const bool is_last = request.next == -1 || request.next == INT64_MAX;
        if (!is_last && (request.next < 0 || request.next > furthest))
            return problem(byte + 16, "no number of a request; is it oracleGeneral, unpacked?");
        if (const char* what = each(request)) return problem(byte, what);
    }
}

}  // namespace

std::string convert_oracle(const std::string& path, trace::Writer& writer) {
    std::unordered_map<uint64_t, uint32_t> chunk_of;
    std::string problem = for_each_request(path, [&](const Request& request) -> const char* {
        const auto next = static_cast<uint32_t>(chunk_of.size());
        const bool is_new = chunk_of.emplace(request.object, next).second;
        return is_new && next == limits::trace_chunks_max ? "more objects than a trace may have"
                                                          : nullptr;
    });
    if (!problem.empty() || chunk_of.empty()) return problem;
    const uint32_t region = writer.region("objects", static_cast<uint32_t>(chunk_of.size()));
    std::optional<uint64_t> first_s;
    uint64_t time_ns = 0;
    return for_each_request(path, [&](const Request& request) -> const char* {
        const auto chunk = chunk_of.find(request.object);
        if (chunk == chunk_of.end()) return "the file has changed meanwhile; try again";
        if (!first_s) first_s = request.time_s;
        time_ns =
            std::max(time_ns, (request.time_s - std::min(request.time_s, *first_s)) * second_ns);
        trace::Use use;
        use.time_ns = time_ns;
        use.region = region;
        use.chunk = chunk->second;
        writer.use(use);
        return writer.status().has_value() ? nullptr : writer.status().error().what;
    });
}

}  // namespace ciuic::cli
