// SPDX-License-Identifier: Apache-2.0
//
// A region of several budgets, filled with a pattern: what the path benchmarks read. Every failure
// ends the program with a line; 77 where the machine lacks what is needed.
#pragma once

#include "ciuic/vmm.h"

#include <cstdint>

namespace ciuic::bench {

struct RegionOptions {
    const char* socket = nullptr;
    const char* store = "/var/tmp";
    uint64_t budget_mib = 256;
    uint64_t region_mib = 1024;
    int passes = 5;
    bool wait = false;
};

// The arguments that all path benchmarks share:
//   [--smoke] [--daemon SOCKET] [--budget-mib N] [--region-mib N] [--passes N] [--store DIR]
//   [--wait]: a pass starts only when a line comes in on standard input, so that another program
//   can have its turn in between.
RegionOptions parse_options(int count, char** arguments);

class PagedRegion {
public:
    explicit PagedRegion(const RegionOptions& options);
    ~PagedRegion();
    PagedRegion(const PagedRegion&) = delete;
    PagedRegion& operator=(const PagedRegion&) = delete;

    uint64_t* words() const { return words_; }
    uint64_t count() const { return bytes_ / sizeof(uint64_t); }
    uint64_t bytes() const { return bytes_; }

    // False: there is to be no further pass. Else the whole region is in the store.
    bool begin_pass(int pass);
    ciuic_statistics statistics() const;

    static uint64_t word_at(uint64_t index) { return (index + 1) * 0x9e3779b97f4a7c15u; }

private:
    RegionOptions options_;
    ciuic_session* session_ = nullptr;
    uint64_t* words_ = nullptr;
    uint64_t bytes_ = 0;
};

double seconds_now();

// Ends the program, with a line, unless the call succeeded.
void require(ciuic_status status, const char* what);

}  // namespace ciuic::bench
