// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/fields.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>

namespace ciuic::cli::plan {
namespace {

std::string at_line(const std::string& path, const toml::node& node) {
    return path + ":" + std::to_string(node.source().begin.line) + ": ";
}

std::string about(const std::string& path, const toml::node& node, const std::string& section,
                  std::string_view key) {
    return at_line(path, node) + section + std::string(key) + ": ";
}

// Keys and the parser's words hold anything that the file holds; a complaint is one line.
std::string one_line(std::string complaint) {
    for (char& letter : complaint)
        if (static_cast<unsigned char>(letter) < ' ' || letter == 0x7f) letter = '?';
    return complaint;
}

std::string keys_of(const Description& description, std::string_view section) {
    std::string keys;
    for (const Field& field : description.fields)
        if (section == field.section) keys += (keys.empty() ? "" : ", ") + std::string(field.key);
    return keys;
}

bool is_section(const Description& description, std::string_view name) {
    return !keys_of(description, name).empty() ||
           (description.named.section && name == description.named.section);
}

bool is_optional(const Description& description, std::string_view name) {
    return std::any_of(description.optional_sections.begin(), description.optional_sections.end(),
                       [name](const char* optional) { return name == optional; });
}

std::string range_text(double least, double most) {
    return "give " + number_text(least) + " to " + number_text(most);
}

std::optional<double> number_of(const toml::node& node) {
    if (const auto whole = node.value_exact<int64_t>()) return static_cast<double>(*whole);
    if (const auto real = node.value_exact<double>(); real && std::isfinite(*real)) return *real;
    return {};
}

std::string check_number(const toml::node& node, double least, double most, double& number) {
    const std::optional<double> written = number_of(node);
    if (!written) return "not a number";
    if (*written < least || *written > most)
        return number_text(*written) + " is not possible; " + range_text(least, most);
    number = *written;
    return {};
}

std::string take(const Field& field, const toml::node& node) {
    if (bool* const* flag = std::get_if<bool*>(&field.value)) {
        const auto written = node.value_exact<bool>();
        if (!written) return "neither true nor false";
        **flag = *written;
        return {};
    }
    double number = 0;
    std::string complaint = check_number(node, field.least, field.most, number);
    if (!complaint.empty()) return complaint;
    if (uint32_t* const* whole = std::get_if<uint32_t*>(&field.value)) {
        if (number != std::floor(number)) return "not a whole number";
        **whole = static_cast<uint32_t>(number * field.scale);
    } else if (uint64_t* const* size = std::get_if<uint64_t*>(&field.value)) {
        **size = static_cast<uint64_t>(std::llround(number * field.scale));
    } else {
        **std::get_if<double*>(&field.value) = number * field.scale;
    }
    return {};
}

// Where the numbers of a section come from.
std::string check_source(const std::string& path, const std::string& name,
                         const toml::table& section) {
    const auto text = [&](const char* key) {
        const auto written = section[key].value_exact<std::string>();
        return written && written->size() >= 10;
    };
    const bool is_assumed = section["assumed"].value_exact<bool>().value_or(false);
    if (text("source") && !section.contains("assumed") && !section.contains("reason")) return {};
    if (is_assumed && text("reason") && !section.contains("source")) return {};
    return at_line(path, section) + "[" + name +
           "] has no source; write source = \"...\", or assumed = true and reason = \"...\"";
}

std::string read_named(const std::string& path, const toml::table& section,
                       const NamedNumbers& named) {
    const std::string lead = "[" + std::string(named.section) + "] ";
    for (const auto& [key, node] : section) {
        if (key == "source" || key == "assumed" || key == "reason") continue;
        double number = 0;
        const std::string complaint = check_number(node, named.least, named.most, number);
        if (!complaint.empty()) return about(path, node, lead, key.str()) + complaint;
        (*named.values)[std::string(key.str())] = number;
    }
    if (named.values->count("other") == 0)
        return at_line(path, section) + lead + "other is missing";
    return {};
}

std::string read_section(const std::string& path, const std::string& name,
                         const toml::table& section, const Description& description) {
    if (std::string complaint = check_source(path, name, section); !complaint.empty())
        return complaint;
    if (description.named.section && name == description.named.section)
        return read_named(path, section, description.named);
    const std::string lead = "[" + name + "] ";
    for (const auto& [key, node] : section) {
        if (key == "source" || key == "assumed" || key == "reason") continue;
        const auto field = std::find_if(
            description.fields.begin(), description.fields.end(),
            [&, text = key.str()](const Field& f) { return name == f.section && text == f.key; });
        const std::string complaint = field == description.fields.end()
                                          ? "unknown; known here: " + keys_of(description, name)
                                          : take(*field, node);
        if (!complaint.empty()) return about(path, node, lead, key.str()) + complaint;
    }
    for (const Field& field : description.fields)
        if (name == field.section && !section.contains(field.key))
            return at_line(path, section) + lead + field.key + " is missing";
    return {};
}

std::string read_texts(const std::string& path, const toml::table& file,
                       const Description& description) {
    for (const TextField& field : description.texts) {
        const toml::node* node = file.get(field.key);
        if (!node) return path + ":1: " + field.key + " is missing";
        const auto written = node->value_exact<std::string>();
        if (!written || written->empty())
            return at_line(path, *node) + field.key + ": not a text; write it in quotes";
        *field.value = one_line(*written);
    }
    return {};
}

std::string unknown_name(const std::string& path, const toml::node& node, const std::string& name,
                         const Description& description) {
    std::string known;
    for (const TextField& field : description.texts)
        known += (known.empty() ? "" : ", ") + std::string(field.key);
    const char* last = "";
    for (const Field& field : description.fields) {
        if (std::strcmp(last, field.section) != 0)
            known += ", [" + std::string(field.section) + "]";
        last = field.section;
    }
    return at_line(path, node) + name + ": unknown; known: " + known;
}

std::string read_all(const std::string& path, const toml::table& file,
                     const Description& description) {
    if (std::string complaint = read_texts(path, file, description); !complaint.empty())
        return complaint;
    for (const auto& [key, node] : file) {
        const std::string name(key.str());
        if (std::any_of(description.texts.begin(), description.texts.end(),
                        [&](const TextField& field) { return name == field.key; }))
            continue;
        if (!node.is_table() || !is_section(description, name))
            return unknown_name(path, node, name, description);
        std::string complaint = read_section(path, name, *node.as_table(), description);
        if (!complaint.empty()) return complaint;
    }
    for (const Field& field : description.fields)
        if (!file.contains(field.section) && !is_optional(description, field.section))
            return path + ":1: [" + field.section +
                   "] is missing; its keys: " + keys_of(description, field.section);
    if (description.named.section && !file.contains(description.named.section))
        return path + ":1: [" + description.named.section + "] is missing; its keys: other";
    return {};
}

}  // namespace

std::string parse(const std::string& path, std::string_view text, toml::table& file) {
    try {
        file = toml::parse(text, path);
    } catch (const toml::parse_error& error) {
        return one_line(path + ":" + std::to_string(error.source().begin.line) + ": not TOML (" +
                        std::string(error.description()) + "); correct the line");
    }
    return {};
}

std::string read_fields(const std::string& path, const toml::table& file,
                        const Description& description) {
    return one_line(read_all(path, file, description));
}

std::string place_of(const std::string& path, const toml::table& file, const char* section,
                     const char* key) {
    const toml::node* node = file[section][key].node();
    return (node ? at_line(path, *node) : path + ":1: ") + "[" + section + "] " + key + ": ";
}

std::string number_text(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", number);
    return text;
}

}  // namespace ciuic::cli::plan
