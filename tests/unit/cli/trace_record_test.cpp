// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_record.hpp"

#include "base/units.hpp"

#include <gtest/gtest.h>

namespace ciuic::cli {
namespace {

constexpr StoreRoom much{64 * GiB, 64 * GiB};

RunOptions made(const TraceRecordOptions& options, const StoreRoom& room = much) {
    std::string problem;
    const RunOptions run = make_recorded_run(options, room, problem);
    EXPECT_EQ(problem, "");
    return run;
}

std::string problem_of(const TraceRecordOptions& options) {
    std::string problem;
    make_recorded_run(options, much, problem);
    return problem;
}

// Goal: as little memory as there can be, and everything else as asked. Method: the usual options,
// and others.
TEST(TraceRecord, RunsInTheLeastMemory) {
    const RunOptions usual = made({.to_path = "t", .command = {"true", "x"}});
    EXPECT_EQ(usual.record, "t");
    EXPECT_EQ(usual.budget, std::to_string(16 * MiB));
    EXPECT_EQ(usual.total, std::to_string(2 * GiB));
    EXPECT_TRUE(usual.strict);
    EXPECT_EQ(usual.command, (std::vector<std::string>{"true", "x"}));
    const RunOptions asked = made({.to_path = "t",
                                   .chunk = "64KiB",
                                   .window = "1MiB",
                                   .total = "1GiB",
                                   .swap_dir = "/s",
                                   .threshold = "64KiB",
                                   .serve_mmap = true,
                                   .summary = true});
    EXPECT_EQ(asked.budget, std::to_string(MiB));
    EXPECT_EQ(asked.chunk, std::to_string(64 * KiB));
    EXPECT_EQ(asked.total, std::to_string(GiB));
    EXPECT_EQ(asked.swap_dir, "/s");
    EXPECT_EQ(asked.threshold, "64KiB");
    EXPECT_TRUE(asked.serve_mmap && asked.summary);
}

// Goal: the swap file is in memory only where that leaves as much again. Method: too little of
// either.
TEST(TraceRecord, TakesMemoryWhereThereIsRoom) {
    const TraceRecordOptions options{.to_path = "t"};
    EXPECT_EQ(made(options, {2 * GiB, 4 * GiB}).swap_dir, "/dev/shm");
    EXPECT_EQ(made(options, {2 * GiB - 1, 4 * GiB}).swap_dir, "");
    EXPECT_EQ(made(options, {2 * GiB, 4 * GiB - 1}).swap_dir, "");
    EXPECT_GT(look_for_room().available_bytes, 0u);
}

TEST(TraceRecord, NamesMistakes) {
    EXPECT_EQ(problem_of({.window = "8MiB"}),
              "--window 8MiB: one instruction can need 8 chunks at once; give at least 16MiB, or a "
              "smaller chunk");
    for (const char* chunk : {"32KiB", "96KiB", "128MiB"})
        EXPECT_EQ(problem_of({.chunk = chunk}),
                  std::string("--chunk ") + chunk +
                      ": a chunk is a power of two from 64KiB to 64MiB");
    for (const TraceRecordOptions& wrong :
         {TraceRecordOptions{.chunk = "x"}, {.window = "x"}, {.total = "x"}})
        EXPECT_NE(problem_of(wrong).find(" x: "), std::string::npos);
}

}  // namespace
}  // namespace ciuic::cli
