// SPDX-License-Identifier: Apache-2.0
#include "daemon/realm.hpp"

#include <poll.h>

#include <fstream>
#include <sstream>

namespace ciuic {
namespace {

// FNV-1a, 64 bits: a name for a border, no secret.
uint64_t id_of(uid_t uid, std::string_view cgroup) {
    uint64_t hash = 14695981039346656037u;
    const auto mix = [&](uint64_t byte) { hash = (hash ^ byte) * 1099511628211u; };
    for (uint32_t shift = 0; shift < 32; shift += 8) mix(uid >> shift & 0xff);
    for (const char letter : cgroup) mix(static_cast<unsigned char>(letter));
    return hash;
}

bool has_ended(const UniqueFd& pidfd) {
    pollfd entry{pidfd.get(), POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

// Whether a comma-separated list has this word.
bool names(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const size_t comma = list.find(',');
        if (list.substr(0, comma) == word) return true;
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
    return false;
}

}  // namespace

std::string memory_cgroup_in(std::string_view text) {
    std::string unified = "/";
    while (!text.empty()) {
        const size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const size_t first = line.find(':');
        const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        if (names(controllers, "memory")) return std::string(path);
        if (controllers.empty()) unified = path;
    }
    return unified;
}

Result<Realm> realm_of(const Peer& peer) {
    std::ifstream file("/proc/" + std::to_string(peer.pid) + "/cgroup");
    std::ostringstream text;
    text << file.rdbuf();
    // The number was the client's until here only if the client is still there.
    if (has_ended(peer.pidfd))
        return Error{Errc::disconnected, 0, "the client has ended while it connected"};
    Realm realm{peer.uid, memory_cgroup_in(text.view()), 0};
    realm.id = id_of(realm.uid, realm.cgroup);
    return realm;
}

}  // namespace ciuic
