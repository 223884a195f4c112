// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/files.hpp"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ciuic::cli::doctor {

std::optional<std::string> Files::text(const std::string& path) const {
    std::ifstream file(root_ + path);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) return std::nullopt;
    return text.str();
}

bool Files::exists(const std::string& path) const {
    std::error_code ignored;
    return std::filesystem::exists(root_ + path, ignored);
}

std::optional<uint64_t> Files::number(const std::string& path) const {
    const std::optional<std::string> read = text(path);
    return read ? leading_number(*read) : std::nullopt;
}

std::optional<uint64_t> leading_number(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    uint64_t number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    return number;
}

std::optional<uint64_t> number_of(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        if (line.size() > key.size() && line.substr(0, key.size()) == key &&
            line[key.size()] == ':')
            return leading_number(line.substr(key.size() + 1));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return std::nullopt;
}

}  // namespace ciuic::cli::doctor
