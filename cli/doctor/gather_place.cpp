// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/gather.hpp"

#include <algorithm>
#include <cctype>

namespace ciuic::cli::doctor {
namespace {

std::string container_of(const Files& files) {
    // What systemd and the container managers that follow it leave for those inside.
    if (auto named = files.text("/run/systemd/container"); named && !named->empty()) {
        named->erase(std::remove(named->begin(), named->end(), '\n'), named->end());
        return *named;
    }
    if (files.exists("/run/.containerenv")) return "podman";
    if (files.exists("/.dockerenv")) return "docker";
    const std::string groups = files.text("/proc/1/cgroup").value_or("");
    for (const auto& [part, name] :
         {std::pair{"kubepods", "kubernetes"}, {"docker", "docker"}, {"lxc", "lxc"}})
        if (groups.find(part) != std::string::npos) return name;
    return {};
}

}  // namespace

PlaceFacts gather_place(const Files& files, const std::string& kernel_release) {
    std::string release = kernel_release;
    for (char& letter : release)
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return {container_of(files), release.find("microsoft") != std::string::npos};
}

}  // namespace ciuic::cli::doctor
