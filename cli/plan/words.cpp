// SPDX-License-Identifier: Apache-2.0
#include "cli/plan/words.hpp"

#include <algorithm>
#include <cstdio>

namespace ciuic::cli::plan {
namespace {

std::string digits(double number, int decimals, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text, "%.*f %s", decimals, number, unit);
    return text;
}

}  // namespace

std::string gb_text(double bytes) { return digits(bytes / 1e9, 2, "GB"); }

std::string seconds_text(double seconds) {
    if (seconds >= 100) return digits(seconds, 0, "s");
    if (seconds >= 1) return digits(seconds, 2, "s");
    return digits(seconds * 1e3, seconds >= 0.1 ? 0 : 1, "ms");
}

std::string percent_text(double fraction) {
    if (fraction >= 1) return "100 %";
    const double percent = fraction * 100;
    return percent < 9.95 ? digits(percent, 1, "%") : digits(std::min(percent, 99.0), 0, "%");
}

}  // namespace ciuic::cli::plan
