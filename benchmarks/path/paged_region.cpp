// SPDX-License-Identifier: Apache-2.0
#include "benchmarks/path/paged_region.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace ciuic::bench {

void require(ciuic_status status, const char* what) {
    if (status == CIUIC_OK) return;
    std::fprintf(stderr, "%s: %s: %s: %s\n", program_invocation_short_name, what,
                 ciuic_status_text(status), ciuic_last_error_text());
    std::exit(status == CIUIC_E_UNSUPPORTED ? 77 : 1);
}

double seconds_now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

RegionOptions parse_options(int count, char** arguments) {
    RegionOptions options;
    for (int index = 1; index < count; ++index) {
        const std::string name = arguments[index];
        const auto value = [&] { return index + 1 < count ? arguments[++index] : ""; };
        if (name == "--smoke") {
            options.budget_mib = 32;
            options.region_mib = 96;
            options.passes = 1;
        } else if (name == "--daemon") {
            options.socket = value();
        } else if (name == "--store") {
            options.store = value();
        } else if (name == "--budget-mib") {
            options.budget_mib = std::strtoull(value(), nullptr, 10);
        } else if (name == "--region-mib") {
            options.region_mib = std::strtoull(value(), nullptr, 10);
        } else if (name == "--passes") {
            options.passes = std::atoi(value());
        } else if (name == "--wait") {
            options.wait = true;
        } else {
            std::fprintf(stderr, "%s: unknown option %s\n", program_invocation_short_name,
                         name.c_str());
            std::exit(2);
        }
    }
    return options;
}

PagedRegion::PagedRegion(const RegionOptions& options)
    : options_(options), bytes_(options.region_mib << 20) {
    ciuic_options wanted{};
    wanted.struct_size = sizeof wanted;
    wanted.mode = options.socket ? CIUIC_MODE_DAEMON : CIUIC_MODE_EMBEDDED;
    wanted.socket_path = options.socket;
    wanted.store_path = options.socket ? nullptr : options.store;
    wanted.budget_bytes = options.socket ? 0 : options.budget_mib << 20;
    wanted.store_bytes = options.socket ? 0 : bytes_;
    require(ciuic_open(&wanted, &session_), "cannot open a session");
    void* memory = nullptr;
    require(ciuic_alloc(session_, bytes_, &memory), "cannot allocate");
    words_ = static_cast<uint64_t*>(memory);
    for (uint64_t index = 0; index < count(); ++index) words_[index] = word_at(index);
}

PagedRegion::~PagedRegion() {
    ciuic_free(session_, words_);
    ciuic_close(session_);
}

bool PagedRegion::begin_pass(int pass) {
    if (pass == options_.passes || (options_.wait && std::getchar() == EOF)) return false;
    const ciuic_range all{nullptr, reinterpret_cast<uint64_t>(words_), bytes_};
    require(ciuic_advise(session_, &all, 1, CIUIC_ADVICE_COLD),
            "cannot send the region to the store");
    return true;
}

ciuic_statistics PagedRegion::statistics() const {
    ciuic_statistics now{};
    now.struct_size = sizeof now;
    require(ciuic_stats(session_, &now), "cannot read the statistics");
    return now;
}

}  // namespace ciuic::bench
