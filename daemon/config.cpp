// SPDX-License-Identifier: Apache-2.0
#include "daemon/config.hpp"

#include "base/size_text.hpp"

#include <pwd.h>
#include <sys/statvfs.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace ciuic {
namespace {

std::string set_size(uint64_t& size_bytes, const std::string& text) {
    const Result<uint64_t> size = parse_size(text);
    if (!size) return size.error().what;
    size_bytes = *size;
    return {};
}

std::string set_count(uint32_t& count, const std::string& text, uint32_t max) {
    uint32_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || number > max)
        return "not a whole number from 0 to " + std::to_string(max);
    count = number;
    return {};
}

std::string set_weight(uint32_t& weight, const std::string& text) {
    uint32_t number = 0;
    if (!set_count(number, text, limits::weight_max).empty() || number == 0)
        return "not a whole number from 1 to " + std::to_string(limits::weight_max) +
               "; 100 is everybody's";
    weight = number;
    return {};
}

std::string set_user(std::optional<uid_t>& user, const std::string& text) {
    uint32_t number = 0;
    if (set_count(number, text, UINT32_MAX - 1).empty()) {
        user = number;
        return {};
    }
    const passwd* entry = ::getpwnam(text.c_str());
    if (!entry) return "there is no such user on this machine; give a name or a number";
    user = entry->pw_uid;
    return {};
}

std::string set_cgroup(std::string& cgroup, const std::string& text) {
    if (text.size() < 2 || text.front() != '/' || text.back() == '/')
        return "a cgroup is a path like \"/system.slice/train.service\"";
    cgroup = text;
    return {};
}

std::string set_path(std::string& path, const std::string& text) {
    if (text.empty()) return "the path is empty; leave the key out for the default";
    path = text;
    return {};
}

std::string set_chunk(DaemonConfig& config, const std::string& text) {
    uint64_t size_bytes = 0;
    if (std::string complaint = set_size(size_bytes, text); !complaint.empty()) return complaint;
    if (!is_power_of_two(size_bytes) || size_bytes < limits::chunk_bytes_min ||
        size_bytes > limits::chunk_bytes_max)
        return "a chunk is a power of two from 64KiB to 64MiB; 2MiB is right for most programs";
    config.chunk_bytes = size_bytes;
    return {};
}

std::string set_socket_mode(DaemonConfig& config, const std::string& text) {
    unsigned mode = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, mode, 8);
    if (error != std::errc{} || rest != end || mode > 0777)
        return "not an octal file mode such as \"0600\" or \"0660\"";
    config.socket_mode = mode;
    return {};
}

std::string set_frames(DaemonConfig& config, const std::string& text) {
    constexpr const char* names[] = {"auto", "hugetlb", "tmpfs", "memfd"};
    for (size_t index = 0; index < std::size(names); ++index) {
        if (text != names[index]) continue;
        config.frames = static_cast<FramesChoice>(index);
        return {};
    }
    return "frames are one of auto, hugetlb, tmpfs, memfd";
}

std::string set_policy(DaemonConfig& config, const std::string& text) {
    if (text != "learn" && text != "plain") return "policy is one of learn, plain";
    config.learns = text == "learn";
    return {};
}

std::string set_io(DaemonConfig& config, const std::string& text) {
    if (text == "auto")
        config.io = IoKind::automatic;
    else if (text == "io_uring")
        config.io = IoKind::uring;
    else if (text == "threads")
        config.io = IoKind::threads;
    else
        return "io is one of auto, io_uring, threads";
    return {};
}

std::string set_device_kind(DaemonConfig& config, const std::string& text) {
    if (text != "host") return "this build has one kind of device: host";
    config.device_kind = text;
    return {};
}

constexpr std::array all_settings{
    Setting{"daemon", "socket", "--socket", "path of the socket for clients", true,
            [](DaemonConfig& c, const std::string& text) { return set_path(c.socket, text); }},
    Setting{"daemon", "socket_mode", "--socket-mode", "file mode of the socket, octal", true,
            set_socket_mode},
    Setting{"daemon", "report", "--report", "write a JSON report here at the end, and on SIGUSR1",
            true,
            [](DaemonConfig& c, const std::string& text) { return set_path(c.report, text); }},
    Setting{"daemon", "record", "--record", "write a trace of the uses that are seen here", true,
            [](DaemonConfig& c, const std::string& text) { return set_path(c.record, text); }},
    Setting{"device", "kind", "--device", "kind of device: host", true, set_device_kind},
    Setting{
        "device", "budget", "--budget", "device memory to use, e.g. 6GiB (required)", false,
        [](DaemonConfig& c, const std::string& text) { return set_size(c.budget_bytes, text); }},
    Setting{"device", "chunk", "--chunk", "unit of residency, a power of two", false, set_chunk},
    Setting{"device", "frames", "--frames", "auto, hugetlb, tmpfs or memfd", true, set_frames},
    Setting{"device", "policy", "--policy", "learn; plain: for recordings, nothing comes ahead",
            true, set_policy},
    Setting{"store", "path", "--store", "directory for the swap file, or a file to keep", true,
            [](DaemonConfig& c, const std::string& text) { return set_path(c.store_path, text); }},
    Setting{"store", "size", "--store-size", "size of the swap file", false,
            [](DaemonConfig& c, const std::string& text) { return set_size(c.store_bytes, text); }},
    Setting{"store", "io", "--io", "auto, io_uring or threads", true, set_io},
    Setting{"session", "max_promise", "--max-promise", "most memory promised to one session", false,
            [](DaemonConfig& c, const std::string& text) {
                return set_size(c.session.max_promise_bytes, text);
            }},
    Setting{"session", "max_frames", "--max-frames", "most chunks of one session on the device",
            false,
            [](DaemonConfig& c, const std::string& text) {
                return set_count(c.session.max_frames, text, limits::frames_max);
            }},
    Setting{"session", "guarantee", "--guarantee",
            "device memory of one session that others' needs do not take", false,
            [](DaemonConfig& c, const std::string& text) {
                return set_size(c.session.guarantee_bytes, text);
            }},
    Setting{"session", "weight", "--weight", "one session's part of the disk beside the others'",
            false,
            [](DaemonConfig& c, const std::string& text) {
                return set_weight(c.session.weight, text);
            }},
    Setting{"user", "max_sessions", "--max-user-sessions", "most sessions of one user", false,
            [](DaemonConfig& c, const std::string& text) {
                return set_count(c.user.max_sessions, text, limits::sessions_max);
            }},
    Setting{"user", "max_promise", "--max-user-promise",
            "most memory promised to all sessions of one user", false,
            [](DaemonConfig& c, const std::string& text) {
                return set_size(c.user.max_promise_bytes, text);
            }},
    Setting{"workers", "threads", "--workers", "threads for hashing and zeroing", false,
            [](DaemonConfig& c, const std::string& text) {
                return set_count(c.worker_threads, text, 64);
            }},
};

// The known names for the hint behind an unknown one.
std::string known_sections() {
    std::string names;
    const char* last = "";
    for (const Setting& setting : all_settings) {
        if (std::strcmp(setting.section, last) == 0) continue;
        last = setting.section;
        names += (names.empty() ? "[" : ", [") + std::string(last) + "]";
    }
    return names;
}
std::string known_keys(std::string_view section) {
    std::string names;
    for (const Setting& setting : all_settings)
        if (section == setting.section)
            names += (names.empty() ? "" : ", ") + std::string(setting.key);
    return names;
}

// The value as the user wrote it, for setters; none where it is of no type that a setting has.
std::optional<std::string> text_of(const toml::node& node, bool is_text) {
    if (auto text = node.value_exact<std::string>()) return text;
    if (const auto number = node.value_exact<int64_t>(); number && !is_text)
        return std::to_string(*number);
    return std::nullopt;
}

std::string place(const std::string& path, const toml::node& node) {
    return path + ":" + std::to_string(node.source().begin.line) + ": ";
}

// Keys, values and the parser's words hold anything that the file holds; a problem is one line.
void make_one_line(std::string& problem) {
    for (char& letter : problem)
        if (static_cast<unsigned char>(letter) < ' ' || letter == 0x7f) letter = '?';
}

// Takes the value over, or says what is wrong with it.
std::string take_value(const std::string& section, const std::string& key, const toml::node& node,
                       DaemonConfig& config) {
    const auto setting =
        std::find_if(all_settings.begin(), all_settings.end(), [&](const Setting& known) {
            return section == known.section && key == known.key;
        });
    if (setting == all_settings.end()) return "unknown key; known here: " + known_keys(section);
    const std::optional<std::string> text = text_of(node, setting->is_text);
    if (!text)
        return setting->is_text ? "not a string; write it in quotes"
                                : "neither a whole number nor a string like \"6GiB\"";
    std::string complaint = setting->set(config, *text);
    if (!complaint.empty()) complaint.insert(0, "\"" + *text + "\": ");
    return complaint;
}

void read_section(const std::string& path, const std::string& section, const toml::table& table,
                  DaemonConfig& config, std::vector<std::string>& problems) {
    for (const auto& [key_node, node] : table) {
        const std::string key(key_node.str());
        const std::string complaint = take_value(section, key, node, config);
        if (complaint.empty()) continue;
        std::string problem = place(path, node);
        problem += "[" + section + "] ";
        problem += key + ": ";
        problems.push_back(problem += complaint);
    }
}

// One [[share]]: whom it is for, and the keys of [session], whose values stand where it has none.
void read_share(const std::string& path, const toml::table& table, DaemonConfig& config,
                std::vector<std::string>& problems) {
    const size_t mistakes = problems.size();
    ShareRule rule;
    DaemonConfig values;
    values.session = config.session;
    for (const auto& [key_node, node] : table) {
        const std::string key(key_node.str());
        const std::optional<std::string> text = text_of(node, key == "cgroup");
        std::string complaint;
        if (key != "user" && key != "cgroup")
            complaint = take_value("session", key, node, values);
        else if (!text)
            complaint = "neither a name nor a number";
        else
            complaint = key == "user" ? set_user(rule.user, *text) : set_cgroup(rule.cgroup, *text);
        if (!complaint.empty())
            problems.push_back(
                place(path, node).append("[[share]] ").append(key).append(": ").append(complaint));
    }
    rule.share = values.session;
    if (!rule.user && rule.cgroup.empty() && problems.size() == mistakes)
        problems.push_back(place(path, table) +
                           "[[share]]: for whom? give user or cgroup, or use [session]");
    config.shares.push_back(std::move(rule));
}

// Behind the sections, whose values they start from.
void read_shares(const std::string& path, const toml::node& node, DaemonConfig& config,
                 std::vector<std::string>& problems) {
    const toml::array* rules = node.as_array();
    if (!rules || !rules->is_homogeneous(toml::node_type::table)) {
        problems.push_back(place(path, node) + "share: a list of tables; write [[share]]");
        return;
    }
    for (const toml::node& rule : *rules) read_share(path, *rule.as_table(), config, problems);
}

uint64_t chunks_of(const DaemonConfig& config) { return config.budget_bytes / config.chunk_bytes; }

}  // namespace

std::span<const Setting> settings() { return all_settings; }

std::vector<std::string> read_config_file(const std::string& path, DaemonConfig& config) {
    if (::access(path.c_str(), R_OK) != 0)
        return {path + ": cannot be read (" + std::strerror(errno) +
                "); name a readable configuration file"};
    std::vector<std::string> problems;
    toml::table file;
    try {
        file = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        problems.push_back(path + ":" + std::to_string(error.source().begin.line) + ": not TOML (" +
                           std::string(error.description()) + "); correct the line");
        make_one_line(problems.back());
        return problems;
    }
    for (const auto& [section, node] : file) {
        const std::string name(section.str());
        if (name == "share") continue;
        const toml::table* table = node.as_table();
        if (!table || known_keys(name).empty())
            problems.push_back(place(path, node) + name + ": unknown " +
                               (table ? "section" : "key outside every section") +
                               "; known sections: " + known_sections());
        else
            read_section(path, name, *table, config, problems);
    }
    if (const toml::node* rules = file.get("share")) read_shares(path, *rules, config, problems);
    for (std::string& problem : problems) make_one_line(problem);
    return problems;
}

namespace {

void check_share(const DaemonConfig& config, const Share& share, const std::string& whose,
                 std::vector<std::string>& problems) {
    const auto size_of = [](uint64_t bytes) { return std::string(format_size(bytes).data()); };
    if (share.max_promise_bytes != 0 && share.max_promise_bytes < config.chunk_bytes)
        problems.push_back(whose + "max_promise: " + size_of(share.max_promise_bytes) +
                           " is less than a chunk; give at least " + size_of(config.chunk_bytes) +
                           ", or 0 for no limit");
    if (share.max_frames != 0 && share.max_frames < limits::frames_min)
        problems.push_back(whose + "max_frames: one instruction can need more than " +
                           std::to_string(share.max_frames) + " chunks at once; give at least " +
                           std::to_string(limits::frames_min) + ", or 0 for no limit");
    if (share.guarantee_bytes > config.budget_bytes)
        problems.push_back(whose + "guarantee: " + size_of(share.guarantee_bytes) +
                           " is more than the budget; give less");
}

}  // namespace

std::vector<std::string> check_config(const DaemonConfig& config) {
    std::vector<std::string> problems;
    const std::string chunk = format_size(config.chunk_bytes).data();
    const auto size_of = [](uint64_t bytes) { return std::string(format_size(bytes).data()); };
    const uint64_t least_bytes = limits::frames_min * config.chunk_bytes;
    if (config.budget_bytes == 0)
        problems.push_back("budget: missing; how much memory programs may really use is for you to "
                           "say: give --budget, or budget in [device]");
    else if (config.budget_bytes < least_bytes)
        problems.push_back("budget: " + size_of(config.budget_bytes) + " is less than " +
                           std::to_string(limits::frames_min) + " chunks of " + chunk +
                           "; give at least " + size_of(least_bytes) + " or a smaller chunk");
    else if (chunks_of(config) > limits::frames_max)
        problems.push_back("budget: " + size_of(config.budget_bytes) + " is more than " +
                           size_of(limits::frames_max * config.chunk_bytes) +
                           "; give less, or a larger chunk");
    if (config.store_bytes != 0 && config.store_bytes < least_bytes)
        problems.push_back("store size: " + size_of(config.store_bytes) +
                           " holds too little to be of use; give at least " + size_of(least_bytes));
    if (config.store_bytes > limits::store_bytes_max)
        problems.push_back("store size: " + size_of(config.store_bytes) + " is more than " +
                           size_of(limits::store_bytes_max) + "; give less");
    check_share(config, config.session, "", problems);
    for (size_t rule = 0; rule < config.shares.size(); ++rule)
        check_share(config, config.shares[rule].share, "share " + std::to_string(rule + 1) + ": ",
                    problems);
    if (config.user.max_promise_bytes != 0 && config.user.max_promise_bytes < config.chunk_bytes)
        problems.push_back("max_promise of a user: " + size_of(config.user.max_promise_bytes) +
                           " is less than a chunk; give at least " + chunk + ", or 0 for no limit");
    return problems;
}

Result<DaemonConfig> with_machine_defaults(DaemonConfig config) {
    if (config.worker_threads == 0) {
        const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
        config.worker_threads = static_cast<uint32_t>(std::clamp(processors - 1, 1L, 4L));
    }
    config.budget_bytes -= config.budget_bytes % config.chunk_bytes;
    if (config.store_bytes == 0) {
        struct statvfs status {};
        if (::statvfs(config.store_path.c_str(), &status) != 0)
            return os_refusal("the store's path cannot be looked at; give an existing directory",
                              errno);
        const uint64_t free_bytes = status.f_bavail * status.f_frsize;
        config.store_bytes =
            std::min({16 * config.budget_bytes, free_bytes / 2, limits::store_bytes_max});
    }
    config.store_bytes -= config.store_bytes % config.chunk_bytes;
    if (config.store_bytes < limits::frames_min * config.chunk_bytes)
        return Error{Errc::no_memory, 0,
                     "the store's file system has no room; give --store a larger one"};
    return config;
}

}  // namespace ciuic
