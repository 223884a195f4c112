// SPDX-License-Identifier: Apache-2.0
//
// ciuic-sim: the engine in a simulated world.
//
//   ciuic-sim SEED [--steps N] [--trace]          replays one seed
//   ciuic-sim --seeds FROM..TO [--jobs J]         runs a range
//   ciuic-sim --seeds-of TEXT --count N           a range that TEXT (a commit, a date) chooses
//   ciuic-sim --card NAME ...                     a described card (card/card_command.hpp)
//
// Exit: 0 when every seed passed, 1 when one failed or a mark was not hit, 2 for wrong use.
#include "tests/sim/card/card_command.hpp"
#include "tests/sim/range.hpp"

#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <unistd.h>

namespace {

using namespace ciuic::sim;

struct Arguments {
    std::optional<uint64_t> seed;
    bool is_range = false;
    RangeOptions range;
};

std::optional<uint64_t> number_of(std::string_view text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return number;
}

// FNV-1a, cut to 48 bits: seeds stay short enough to be typed.
uint64_t seed_of(std::string_view text) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char letter : text)
        hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
    return hash >> 16;
}

bool take_range(std::string_view text, RangeOptions& range) {
    const size_t dots = text.find("..");
    if (dots == std::string_view::npos) return false;
    const auto first = number_of(text.substr(0, dots));
    const auto last = number_of(text.substr(dots + 2));
    if (!first || !last || *last < *first) return false;
    range.first = *first;
    range.count = *last - *first + 1;
    return true;
}

// False: `name` is no option, or `value` does not fit it.
bool take_option(std::string_view name, std::string_view value, Arguments& arguments) {
    if (name == "--seeds") {
        arguments.is_range = true;
        return take_range(value, arguments.range);
    }
    if (name == "--seeds-of") {
        arguments.is_range = true;
        arguments.range.first = seed_of(value);
        return true;
    }
    const auto number = number_of(value);
    if (!number) return false;
    if (name == "--count" && *number > 0)
        arguments.range.count = *number;
    else if (name == "--jobs")
        arguments.range.jobs = static_cast<uint32_t>(*number);
    else if (name == "--steps")
        arguments.range.run.steps = static_cast<uint32_t>(*number);
    else
        return false;
    return true;
}

std::optional<Arguments> parse(int argc, char** argv) {
    Arguments arguments;
    const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
    arguments.range.jobs = processors > 0 ? static_cast<uint32_t>(processors) : 1;
    for (int index = 1; index < argc; ++index) {
        const std::string_view name = argv[index];
        if (name == "--trace") {
            arguments.range.run.traces = true;
        } else if (name == "--marks") {
            arguments.range.requires_marks = true;
        } else if (const auto seed = number_of(name)) {
            arguments.seed = *seed;
        } else if (index + 1 == argc || !take_option(name, argv[index + 1], arguments)) {
            return std::nullopt;
        } else {
            ++index;
        }
    }
    if (arguments.seed.has_value() == arguments.is_range) return std::nullopt;
    return arguments;
}

void print_run(uint64_t seed, const RunReport& report) {
    uint64_t injected = 0;
    for (const uint64_t count : report.fault_counts) injected += count;
    std::printf("seed %" PRIu64 ": passed; operations %" PRIu64 ", bytes compared %" PRIu64
                ", faults injected %" PRIu64 ", losses explained %" PRIu64
                ", waits expired %" PRIu64 ", trace %016" PRIx64 "\n",
                seed, report.operations, report.words_checked * 8, injected, report.losses,
                report.expired, report.trace_hash);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "--card") return card_command(argc, argv);
    const auto arguments = parse(argc, argv);
    if (!arguments) {
        std::fputs("usage: ciuic-sim SEED [--steps N] [--trace]\n"
                   "       ciuic-sim --seeds FROM..TO [--jobs J] [--steps N] [--marks]\n"
                   "       ciuic-sim --seeds-of TEXT --count N [--jobs J] [--steps N] [--marks]\n"
                   "       ciuic-sim --card NAME (--founding | --model NAME --budget SIZE ...)\n",
                   stderr);
        return 2;
    }
    if (arguments->is_range) return run_range(arguments->range) ? 0 : 1;
    print_run(*arguments->seed, simulate(*arguments->seed, arguments->range.run));
    return 0;
}
