// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/foreign.hpp"

#include "limits.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ciuic::cli {
namespace {

constexpr uint64_t tick_ns = 100;

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

struct Request {
    std::string_view disk;  // host and number
    uint64_t time_ticks = 0;
    uint64_t offset_bytes = 0;
    uint64_t size_bytes = 0;
    bool is_write = false;
};

bool take_number(std::string_view text, uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

std::optional<Request> parse(std::string_view line) {
    std::array<std::string_view, 7> fields;
    const char* const begin = line.data();
    for (size_t field = 0; field < fields.size(); ++field) {
        const size_t comma = line.find(',');
        if ((comma == std::string_view::npos) != (field == fields.size() - 1)) return {};
        fields[field] = line.substr(0, comma);
        line.remove_prefix(comma == std::string_view::npos ? line.size() : comma + 1);
    }
    Request request;
    const std::string_view type = fields[3];
    request.is_write = type == "Write";
    if (!request.is_write && type != "Read") return {};
    if (!take_number(fields[0], request.time_ticks) ||
        !take_number(fields[4], request.offset_bytes) ||
        !take_number(fields[5], request.size_bytes))
        return {};
    if (request.offset_bytes + request.size_bytes < request.offset_bytes) return {};
    // "host,disk", as it stands in the line.
    const char* const disk_end = fields[2].data() + fields[2].size();
    request.disk = {fields[1].data(), static_cast<size_t>(disk_end - fields[1].data())};
    if (request.disk.size() > limits::trace_name_bytes_max || fields[0].data() != begin) return {};
    return request;
}

std::string system_problem(const std::string& path, const char* what, int error) {
    return path + ": " + what + " (" + std::strerror(error) + ")";
}

// Calls `each` with every request; it gives what is wrong with it, or null.
template <typename Each> std::string for_each_request(const std::string& path, Each&& each) {
    const File file(std::fopen(path.c_str(), "re"));
    if (!file) return system_problem(path, "it cannot be opened", errno);
    char line[1024];
    for (uint64_t number = 1; std::fgets(line, sizeof line, file.get()); ++number) {
        std::string_view text(line);
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
        if (text.empty() || (number == 1 && text.substr(0, 9) == "Timestamp")) continue;
        const std::optional<Request> request = parse(text);
        const char* problem =
            request ? each(*request)
                    : "not Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime; is it an "
                      "MSR trace, unpacked?";
        if (problem) return path + ": line " + std::to_string(number) + ": " + problem;
    }
    if (std::ferror(file.get())) return system_problem(path, "it cannot be read", errno);
    return {};
}

struct Disk {
    uint64_t chunks = 0;
    uint32_t region = 0;
};
// Found by the text of a line, without a copy.
using Disks = std::map<std::string, Disk, std::less<>>;

// How large each disk is: at least to the end of its last request.
std::string measure(const std::string& path, uint64_t chunk_bytes, Disks& disks) {
    return for_each_request(path, [&](const Request& request) -> const char* {
        const uint64_t end = request.offset_bytes + request.size_bytes;
        const uint64_t chunks = end == 0 ? 1 : (end - 1) / chunk_bytes + 1;
        if (chunks > limits::trace_chunks_max)
            return "it is too far into the disk for a trace; use a larger --chunk";
        auto disk = disks.find(request.disk);
        if (disk == disks.end()) {
            if (disks.size() == limits::trace_regions_max)
                return "more disks than a trace may have";
            disk = disks.emplace(request.disk, Disk{}).first;
        }
        disk->second.chunks = std::max(disk->second.chunks, chunks);
        return nullptr;
    });
}

}  // namespace

std::string convert_msr(const std::string& path, uint64_t chunk_bytes, trace::Writer& writer) {
    Disks disks;
    if (std::string problem = measure(path, chunk_bytes, disks); !problem.empty()) return problem;
    for (auto& [name, disk] : disks)
        disk.region = writer.region(name, static_cast<uint32_t>(disk.chunks));
    std::optional<uint64_t> first_ticks;
    uint64_t time_ns = 0;
    return for_each_request(path, [&](const Request& request) -> const char* {
        if (request.size_bytes == 0) return nullptr;
        const auto disk = disks.find(request.disk);
        const uint64_t end = request.offset_bytes + request.size_bytes;
        if (disk == disks.end() || (end - 1) / chunk_bytes >= disk->second.chunks)
            return "the file has changed meanwhile; try again";
        if (!first_ticks) first_ticks = request.time_ticks;
        // A few lines are older than the one before: their order counts.
        const uint64_t ticks = request.time_ticks - std::min(request.time_ticks, *first_ticks);
        if (ticks > UINT64_MAX / tick_ns) return "a time that is none";
        time_ns = std::max(time_ns, ticks * tick_ns);
        trace::Use use;
        use.time_ns = time_ns;
        use.region = disk->second.region;
        use.chunk = static_cast<uint32_t>(request.offset_bytes / chunk_bytes);
        use.count = static_cast<uint32_t>((end - 1) / chunk_bytes) - use.chunk + 1;
        use.is_write = request.is_write;
        writer.use(use);
        return writer.status().has_value() ? nullptr : writer.status().error().what;
    });
}

}  // namespace ciuic::cli
