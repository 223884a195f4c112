// SPDX-License-Identifier: Apache-2.0
#include "base/units.hpp"
#include "cli/doctor/gather.hpp"
#include "device/host/frame_files.hpp"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace ciuic::cli::doctor {
namespace {

// "always within_size advise [never] deny force": the chosen one.
std::string choice_in(const std::string& text) {
    const size_t begin = text.find('[');
    const size_t end = text.find(']');
    if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
    return text.substr(begin + 1, end - begin - 1);
}

// The tightest limit from the group up to the root. "max", and numbers beyond any memory, are none.
void tighten(const Files& files, const std::string& root, std::string group, const char* file,
             MemoryFacts& facts) {
    constexpr uint64_t beyond_any_memory = uint64_t{1} << 60;
    for (;;) {
        const std::string path = root + (group == "/" ? "" : group) + "/" + file;
        const std::optional<uint64_t> limit = files.number(path);
        if (limit && *limit < beyond_any_memory &&
            (facts.limit_bytes == 0 || *limit < facts.limit_bytes)) {
            facts.limit_bytes = *limit;
            facts.limit_file = path;
        }
        if (group.size() <= 1) return;
        group.resize(std::max<size_t>(group.rfind('/'), 1));
    }
}

void find_limit(const Files& files, MemoryFacts& facts) {
    std::istringstream groups(files.text("/proc/self/cgroup").value_or(""));
    for (std::string line; std::getline(groups, line);) {
        // "4:cpu,memory:/group"; version 2 names no controllers: "0::/group".
        const size_t names_at = line.find(':');
        const size_t path_at = line.find(":/");
        if (path_at == std::string::npos) continue;
        const std::string group = line.substr(path_at + 1);
        if (line.rfind("0::", 0) == 0) {
            tighten(files, "/sys/fs/cgroup", group, "memory.max", facts);
            tighten(files, "/sys/fs/cgroup/unified", group, "memory.max", facts);
        } else if (("," + line.substr(names_at + 1, path_at - names_at - 1) + ",")
                       .find(",memory,") != std::string::npos) {
            tighten(files, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", facts);
        }
    }
}

}  // namespace

MemoryFacts gather_memory(const Files& files) {
    MemoryFacts facts;
    const std::string info = files.text("/proc/meminfo").value_or("");
    const auto kib = [&](const char* key) { return number_of(info, key).value_or(0) * KiB; };
    facts.total_bytes = kib("MemTotal");
    facts.available_bytes = kib("MemAvailable");
    facts.huge_page_bytes = kib("Hugepagesize");
    facts.huge_pages_total = number_of(info, "HugePages_Total").value_or(0);
    facts.huge_pages_free = number_of(info, "HugePages_Free").value_or(0) -
                            number_of(info, "HugePages_Rsvd").value_or(0);
    facts.shmem_huge =
        choice_in(files.text("/sys/kernel/mm/transparent_hugepage/shmem_enabled").value_or(""));
    find_limit(files, facts);
    const Result<FrameFiles> tmpfs = FrameFiles::create(FrameKind::tmpfs, 4 * MiB, 2 * MiB);
    facts.may_mount = tmpfs.has_value();
    facts.tmpfs_gives_huge = tmpfs.has_value() && std::strcmp(tmpfs->name(), "tmpfs-huge") == 0;
    return facts;
}

}  // namespace ciuic::cli::doctor
