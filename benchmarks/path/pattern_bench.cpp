// SPDX-License-Identifier: Apache-2.0
//
// The same accesses on memory that the kernel or that Ciuic keeps (memory_backing.hpp). Every page
// that is read is verified; the run fails when one is not as it was left.
//
// usage: pattern_bench --backing plain|plain-huge|file|embedded|daemon [--region-mib N]
//            [--budget-mib N] [--store DIR] [--socket PATH] [--seed N] [--declares]
//        pattern_bench --smoke: every pattern once, embedded
//
// A line on standard input is a pass, a JSON line on standard output is what came of it:
//   sequential read|write [US]  every page in order
//   chunk read|write [US]       every page, chunk by chunk, chunks in random order
//   order read|write [US]       the same, in the same order each time
//   touch read|write [COUNT]    pages at random
//   acquire read|write          every chunk in random order, acquired as a whole, then its pages
//   declared read|write [US]    the same, in the same order each time, which --declares tells
//   stream                      ten times a = b + 3 c over three arrays; takes the pages' place
// With US, each chunk is worked on for so many microseconds from when its first page was there.
// Latencies are those of misses: of a page (touch), of all pages of a chunk, of the acquire.
#include "benchmarks/path/memory_backing.hpp"
#include "benchmarks/path/page_set.hpp"
#include "benchmarks/path/paged_region.hpp"

#include "base/random.hpp"
#include "base/units.hpp"

#include <nlohmann/json.hpp>

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace {

using ciuic::bench::Backing;
using ciuic::bench::BackingOptions;
using ciuic::bench::MemoryBacking;
using ciuic::bench::PageSet;
using ciuic::bench::seconds_now;
using Json = nlohmann::ordered_json;

constexpr uint64_t chunk_bytes = 2 * ciuic::MiB;
constexpr uint64_t pages_per_chunk = chunk_bytes / PageSet::page_bytes;
constexpr int stream_repeats = 10;

struct Options {
    BackingOptions backing;
    uint64_t seed = 1;
    bool smoke = false;
};

struct Command {
    std::string pattern;
    bool write = false;
    uint64_t count = 0;  // of touches, or microseconds
};

struct Figures {
    uint64_t bytes = 0;  // of the pages that were looked at
    std::vector<double> miss_us;
    std::vector<double> hit_us;
    Json more = Json::object();
};

[[noreturn]] void refuse(const std::string& what) {
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
    std::exit(2);
}

double seconds_of(const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

double percentile(const std::vector<double>& sorted, size_t hundredth) {
    return sorted.empty() ? 0
                          : sorted[std::min(sorted.size() - 1, sorted.size() * hundredth / 100)];
}

Json latencies(std::vector<double>& took_us) {
    std::sort(took_us.begin(), took_us.end());
    return {{"count", took_us.size()},
            {"p50", percentile(took_us, 50)},
            {"p90", percentile(took_us, 90)},
            {"p99", percentile(took_us, 99)},
            {"max", percentile(took_us, 100)}};
}

class Bench {
public:
    explicit Bench(const Options& options)
        : memory_(options.backing), pages_(memory_.bytes(), options.seed), random_(options.seed) {}

    Json run(const Command& command);

private:
    void sequential(const Command& command, Figures& figures);
    void chunk(const Command& command, Figures& figures);
    void order(const Command& command, Figures& figures);
    void touch(const Command& command, Figures& figures);
    void acquire(std::span<const uint64_t> chunks, const Command& command, Figures& figures);
    void stream(Figures& figures);

    uint64_t chunks() const { return pages_.pages() / pages_per_chunk; }
    std::vector<uint64_t> shuffled_chunks();
    const std::vector<uint64_t>& same_order();
    void visit(uint64_t page, bool write);
    void visit_chunk(uint64_t chunk, bool write);
    void visit_timed(uint64_t chunk, const Command& command, Figures& figures);
    void note(double took_seconds, Figures& figures);

    MemoryBacking memory_;
    PageSet pages_;
    ciuic::Random random_;
    std::vector<uint64_t> order_;
    bool filled_ = false;
};

const std::vector<uint64_t>& Bench::same_order() {
    if (order_.empty()) order_ = shuffled_chunks();
    return order_;
}

std::vector<uint64_t> Bench::shuffled_chunks() {
    std::vector<uint64_t> order(chunks());
    std::iota(order.begin(), order.end(), 0);
    for (uint64_t left = order.size(); left > 1; --left)
        std::swap(order[left - 1], order[random_.below(left)]);
    return order;
}

void Bench::visit(uint64_t page, bool write) {
    pages_.check(page);
    if (write) pages_.rewrite(page);
}

void Bench::visit_chunk(uint64_t chunk, bool write) {
    for (uint64_t page = 0; page < pages_per_chunk; ++page)
        visit(chunk * pages_per_chunk + page, write);
}

void Bench::note(double took_seconds, Figures& figures) {
    (memory_.was_miss() ? figures.miss_us : figures.hit_us).push_back(took_seconds * 1e6);
}

void Bench::visit_timed(uint64_t chunk, const Command& command, Figures& figures) {
    memory_.expect_touch(chunk * chunk_bytes, chunk_bytes);
    const double start = seconds_now();
    if (command.count > 0) pages_.touch(chunk * pages_per_chunk);
    const double end = seconds_now() + static_cast<double>(command.count) * 1e-6;
    visit_chunk(chunk, command.write);
    note(seconds_now() - start, figures);
    figures.bytes += chunk_bytes;
    while (command.count > 0 && seconds_now() < end) {
    }
}

void Bench::sequential(const Command& command, Figures& figures) {
    for (uint64_t chunk = 0; chunk < chunks(); ++chunk) visit_timed(chunk, command, figures);
}

void Bench::chunk(const Command& command, Figures& figures) {
    for (const uint64_t chunk : shuffled_chunks()) visit_timed(chunk, command, figures);
}

void Bench::order(const Command& command, Figures& figures) {
    for (const uint64_t chunk : same_order()) visit_timed(chunk, command, figures);
}

void Bench::touch(const Command& command, Figures& figures) {
    const uint64_t count = command.count ? command.count : pages_.pages() / 64;
    for (uint64_t left = count; left > 0; --left) {
        const uint64_t page = random_.below(pages_.pages());
        memory_.expect_touch(page * PageSet::page_bytes, PageSet::page_bytes);
        const double start = seconds_now();
        pages_.touch(page);
        if (command.write) pages_.rewrite(page);
        note(seconds_now() - start, figures);
        pages_.check(page);
        figures.bytes += PageSet::page_bytes;
    }
}

void Bench::acquire(std::span<const uint64_t> chunks, const Command& command, Figures& figures) {
    if (!memory_.session()) refuse("only Ciuic's memory can be acquired");
    const auto base = reinterpret_cast<uint64_t>(memory_.bytes().data());
    const unsigned access = command.write ? CIUIC_READ | CIUIC_WRITE : CIUIC_READ;
    for (const uint64_t chunk : chunks) {
        const ciuic_range range{nullptr, base + chunk * chunk_bytes, chunk_bytes};
        memory_.expect_touch(chunk * chunk_bytes, chunk_bytes);
        const double start = seconds_now();
        ciuic::bench::require(ciuic_acquire(memory_.session(), &range, 1, access, nullptr),
                              "cannot acquire");
        note(seconds_now() - start, figures);
        const double end = seconds_now() + static_cast<double>(command.count) * 1e-6;
        visit_chunk(chunk, command.write);
        while (command.count > 0 && seconds_now() < end) {
        }
        ciuic::bench::require(ciuic_release(memory_.session(), &range, 1, nullptr),
                              "cannot release");
        figures.bytes += chunk_bytes;
    }
}

void Bench::stream(Figures& figures) {
    filled_ = false;
    auto* const a = reinterpret_cast<double*>(memory_.bytes().data());
    const uint64_t count = memory_.bytes().size() / sizeof(double) / 3;
    double* const b = a + count;
    double* const c = b + count;
    for (uint64_t index = 0; index < count; ++index) {
        a[index] = 0;
        b[index] = static_cast<double>(index);
        c[index] = 2;
    }
    std::vector<double> took;
    for (int repeat = 0; repeat < stream_repeats; ++repeat) {
        const double scalar = 3 + repeat;
        const double start = seconds_now();
        for (uint64_t index = 0; index < count; ++index) a[index] = b[index] + scalar * c[index];
        took.push_back(seconds_now() - start);
        figures.bytes += 3 * count * sizeof(double);
        for (uint64_t index = 0; index < count; ++index)
            if (a[index] != static_cast<double>(index) + 2 * scalar) refuse("a wrong sum");
    }
    std::sort(took.begin(), took.end());
    figures.more["triad_seconds_min"] = took.front();
    figures.more["triad_seconds_median"] = took[took.size() / 2];
}

// What Ciuic did meanwhile; zeros where the kernel keeps the memory.
Json differences(const ciuic_statistics& before, const ciuic_statistics& after) {
    Json json;
    const auto put = [&](const char* name, uint64_t ciuic_statistics::*field) {
        json[name] = after.*field - before.*field;
    };
    put("faults", &ciuic_statistics::faults);
    put("write_faults", &ciuic_statistics::write_faults);
    put("fetches", &ciuic_statistics::fetches);
    put("evictions", &ciuic_statistics::evictions);
    put("evictions_clean", &ciuic_statistics::evictions_clean);
    put("recalls", &ciuic_statistics::recalls);
    put("prefetches", &ciuic_statistics::prefetches);
    put("prefetches_in_order", &ciuic_statistics::prefetches_in_order);
    put("prefetches_used", &ciuic_statistics::prefetches_used);
    put("prefetches_wasted", &ciuic_statistics::prefetches_wasted);
    put("pieces_in", &ciuic_statistics::pieces_in);
    put("pieces_out", &ciuic_statistics::pieces_out);
    put("pieces_written", &ciuic_statistics::pieces_written);
    put("gathers", &ciuic_statistics::gathers);
    put("store_bytes_read", &ciuic_statistics::store_bytes_read);
    put("store_bytes_written", &ciuic_statistics::store_bytes_written);
    put("stall_ns", &ciuic_statistics::stall_ns);
    return json;
}

Json Bench::run(const Command& command) {
    if (!filled_ && command.pattern != "stream") {
        pages_.fill();
        filled_ = true;
    }
    Figures figures;
    memory_.expect_order(command.pattern == "sequential" ? MADV_SEQUENTIAL
                         : command.pattern == "touch"    ? MADV_RANDOM
                                                         : MADV_NORMAL);
    const ciuic_statistics before = memory_.statistics();
    rusage used_before{};
    getrusage(RUSAGE_SELF, &used_before);
    const double start = seconds_now();
    if (command.pattern == "sequential")
        sequential(command, figures);
    else if (command.pattern == "chunk")
        chunk(command, figures);
    else if (command.pattern == "order")
        order(command, figures);
    else if (command.pattern == "touch")
        touch(command, figures);
    else if (command.pattern == "acquire")
        acquire(shuffled_chunks(), command, figures);
    else if (command.pattern == "declared")
        acquire(same_order(), command, figures);
    else if (command.pattern == "stream")
        stream(figures);
    else
        refuse("unknown pattern " + command.pattern);
    const double took = seconds_now() - start;
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    if (pages_.wrong_pages() > 0) {
        std::fprintf(stderr, "pattern_bench: %llu pages are not as they were left\n",
                     static_cast<unsigned long long>(pages_.wrong_pages()));
        std::exit(1);
    }
    Json json = {
        {"pattern", command.pattern},
        {"access", command.write ? "write" : "read"},
        {"seconds", took},
        {"bytes", figures.bytes},
        {"mb_per_s", static_cast<double>(figures.bytes) / took / 1e6},
        {"miss_us", latencies(figures.miss_us)},
        {"hit_us", latencies(figures.hit_us)},
        {"user_seconds", seconds_of(used.ru_utime) - seconds_of(used_before.ru_utime)},
        {"system_seconds", seconds_of(used.ru_stime) - seconds_of(used_before.ru_stime)},
        {"major_faults", used.ru_majflt - used_before.ru_majflt},
        {"minor_faults", used.ru_minflt - used_before.ru_minflt},
        {"ciuic", differences(before, memory_.statistics())},
    };
    json.update(figures.more);
    return json;
}

Command parse_command(const std::string& line) {
    std::istringstream words(line);
    Command command;
    std::string access;
    words >> command.pattern >> access >> command.count;
    if (!access.empty() && access != "read" && access != "write") refuse("read or write: " + line);
    command.write = access == "write";
    return command;
}

Options parse_options(int count, char** arguments) {
    Options options;
    for (int index = 1; index < count; ++index) {
        const std::string name = arguments[index];
        const auto value = [&] { return index + 1 < count ? arguments[++index] : ""; };
        const auto number = [&] { return std::strtoull(value(), nullptr, 10); };
        if (name == "--smoke") {
            options.smoke = true;
            options.backing.budget_mib = 32;
            options.backing.region_mib = 64;
        } else if (name == "--backing") {
            const std::string kind = value();
            options.backing.huge = kind == "plain-huge";
            if (kind == "plain" || options.backing.huge)
                options.backing.backing = Backing::plain;
            else if (kind == "file")
                options.backing.backing = Backing::file;
            else if (kind == "embedded")
                options.backing.backing = Backing::embedded;
            else if (kind == "daemon")
                options.backing.backing = Backing::daemon;
            else
                refuse("unknown backing " + kind);
        } else if (name == "--store")
            options.backing.store = value();
        else if (name == "--socket")
            options.backing.socket = value();
        else if (name == "--budget-mib")
            options.backing.budget_mib = number();
        else if (name == "--region-mib")
            options.backing.region_mib = number();
        else if (name == "--seed")
            options.seed = number();
        else if (name == "--declares")
            options.backing.declares = true;
        else
            refuse("unknown option " + name);
    }
    return options;
}

int smoke(Bench& bench) {
    for (const char* line : {"sequential read", "sequential write", "chunk read", "chunk write",
                             "touch read 64", "touch write 64", "acquire read", "acquire write"}) {
        const Json json = bench.run(parse_command(line));
        std::cout << json.dump() << std::endl;
        if (json["ciuic"]["store_bytes_read"] > 0 && json["miss_us"]["count"] > 0) continue;
        std::fprintf(stderr, "pattern_bench: %s read nothing from the store\n", line);
        return 1;
    }
    std::cout << bench.run(parse_command("stream")).dump() << std::endl;
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const Options options = parse_options(count, arguments);
    Bench bench(options);
    if (options.smoke) return smoke(bench);
    for (std::string line; std::getline(std::cin, line);)
        std::cout << bench.run(parse_command(line)).dump() << std::endl;
    return 0;
}
