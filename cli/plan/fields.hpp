// SPDX-License-Identifier: Apache-2.0
//
// Data files: sections of numbers, each section with its source, or with the word that its numbers
// are assumed, and why.
//
//   [memory]
//   size_gib = 24
//   source = "..."            or: assumed = true, reason = "..."
//
// What is unknown, missing, of the wrong type, out of its range or without a source is one line:
// file, line, section, key, what is wrong with it.
//
// Not here: which sections there are (files).
// Threads: any.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>

namespace ciuic::cli::plan {

// A number as it is written times `scale` goes to `value`.
struct Field {
    const char* section;
    const char* key;
    std::variant<uint32_t*, uint64_t*, double*, bool*> value;
    double scale = 1;
    double least = 0;  // as written
    double most = 0;
};

// A key outside every section.
struct TextField {
    const char* key;
    std::string* value;
};

// A section whose keys are names of cards; "other" has to be there.
struct NamedNumbers {
    const char* section = nullptr;
    std::map<std::string, double>* values = nullptr;
    double least = 0;
    double most = 0;
};

struct Description {
    std::span<const TextField> texts;
    std::span<const Field> fields;
    std::span<const char* const> optional_sections;
    NamedNumbers named;
};

// One line, or nothing where all is well.
std::string parse(const std::string& path, std::string_view text, toml::table& file);
std::string read_fields(const std::string& path, const toml::table& file,
                        const Description& description);

// The beginning of a line about a value that was read: "path:7: [memory] size_gib: ".
std::string place_of(const std::string& path, const toml::table& file, const char* section,
                     const char* key);

// As people write numbers: "24", "0.65", "1e+06".
std::string number_text(double number);

}  // namespace ciuic::cli::plan
