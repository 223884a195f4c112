// SPDX-License-Identifier: Apache-2.0
//
// Sizes as people write them.
#include "base/size_text.hpp"

#include "base/units.hpp"

#include <cstdio>

namespace ciuic {
namespace {

struct Unit {
    std::string_view name;
    std::string_view short_name;
    uint64_t bytes;
};
constexpr Unit units[] = {{"TiB", "T", 1024 * GiB},
                          {"GiB", "G", GiB},
                          {"MiB", "M", MiB},
                          {"KiB", "K", KiB},
                          {"B", "", 1}};

constexpr Error malformed{Errc::invalid, 0,
                          "a size is a number of bytes, or like 256MiB, 6GiB or 1.5GiB"};
constexpr Error decimal_unit{Errc::invalid, 0,
                             "units of 1000 bytes are not accepted; write KiB, MiB, GiB or TiB"};
constexpr Error too_large{Errc::invalid, 0, "the size is larger than any machine's memory"};

// Takes the digits at the front of `text` away.
std::string_view take_digits(std::string_view& text) {
    size_t length = 0;
    while (length < text.size() && text[length] >= '0' && text[length] <= '9') ++length;
    const std::string_view digits = text.substr(0, length);
    text.remove_prefix(length);
    return digits;
}

// At most 19 digits: below 10^19 < 2^64.
uint64_t number_of(std::string_view digits) {
    uint64_t number = 0;
    for (const char digit : digits) number = number * 10 + static_cast<uint64_t>(digit - '0');
    return number;
}

Result<uint64_t> unit_of(std::string_view name) {
    if (name.empty()) return uint64_t{1};
    for (const Unit& unit : units)
        if (name == unit.name || name == unit.short_name) return unit.bytes;
    if (name == "kB" || name == "KB" || name == "MB" || name == "GB" || name == "TB")
        return decimal_unit;
    return malformed;
}

}  // namespace

Result<uint64_t> parse_size(std::string_view text) {
    const std::string_view whole = take_digits(text);
    std::string_view fraction;
    if (whole.empty()) return malformed;
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        fraction = take_digits(text);
        // "1.5" alone would be one and a half bytes.
        if (fraction.empty() || fraction.size() > 9 || text.empty()) return malformed;
    }
    CIUIC_TRY(const uint64_t unit_bytes, unit_of(text));
    if (whole.size() > 19) return too_large;
    uint64_t scale = 1;
    for (size_t digit = 0; digit < fraction.size(); ++digit) scale *= 10;
    // 10^9 x 2^40 < 2^70: the product does not fit 64 bits.
    const auto part = static_cast<unsigned __int128>(number_of(fraction)) * unit_bytes / scale;
    const auto sum = static_cast<unsigned __int128>(number_of(whole)) * unit_bytes + part;
    if (sum > INT64_MAX) return too_large;
    return static_cast<uint64_t>(sum);
}

std::array<char, 24> format_size(uint64_t size_bytes) {
    const Unit* unit = units;
    while (unit->bytes > 1 && size_bytes < unit->bytes) ++unit;
    uint64_t whole = size_bytes / unit->bytes;
    uint64_t hundredths = (size_bytes % unit->bytes * 100 + unit->bytes / 2) / unit->bytes;
    if (hundredths == 100) {
        ++whole;
        hundredths = 0;
    }
    const auto number = static_cast<unsigned long long>(whole);
    const auto decimals = static_cast<unsigned long long>(hundredths);
    std::array<char, 24> text{};
    const char* name = unit->name.data();
    if (hundredths == 0)
        std::snprintf(text.data(), text.size(), "%llu%s", number, name);
    else if (hundredths % 10 == 0)
        std::snprintf(text.data(), text.size(), "%llu.%llu%s", number, decimals / 10, name);
    else
        std::snprintf(text.data(), text.size(), "%llu.%02llu%s", number, decimals, name);
    return text;
}

}  // namespace ciuic
