// SPDX-License-Identifier: Apache-2.0
//
// Workloads: what programs do next. Three kinds, so that what one never does another one may:
//
//   mixed     random operations, with weights that the seed draws; many are zero
//   patterns  scans, zigzags, streams, hot and cold sets, ping-pong over the budget
//   short     every short sequence of operations on two chunks, with a death at every place in it
//
// Not here: how an operation is carried out (sim_clients).
// Threads: one.
#pragma once

#include "base/random.hpp"
#include "tests/sim/oracle.hpp"

#include <memory>

namespace ciuic::sim {

enum class OpKind : uint8_t {
    touch,    // read or write without asking first
    acquire,  // pin, ask, read or write, hold, release
    prefetch,
    evict,
    clear,
    discard,
    promise,
    rest,  // do nothing for `hold` steps
    exit,  // the program ends in order
    die,   // it is killed
};

enum class Values : uint8_t { fresh, same, zero };

struct Op {
    OpKind kind = OpKind::rest;
    uint32_t first = 0;  // chunks
    uint32_t count = 1;
    uint32_t word = 0;  // of the access, counted from the start of chunk `first`
    uint32_t words = 0;
    bool writes = false;
    Values values = Values::fresh;
    uint32_t hold = 0;   // steps
    bool waits = true;   // for the request's answer
    uint32_t times = 1;  // so often at once; only what does not wait
};

// What a workload may look at.
struct WorkloadView {
    const Oracle& oracle;
    uint32_t programs = 1;
    uint32_t chunks = 1;       // per program
    uint32_t promise_max = 1;  // chunks that one program may promise
    uint32_t frames = 1;       // that it may hold
};

class Workload {
public:
    virtual ~Workload() = default;
    virtual Op next(uint32_t program, uint32_t thread) = 0;
    // A new life of the program begins.
    virtual void begin(uint32_t program) = 0;
};

// Which of them, and everything in it, follows from the seed.
std::unique_ptr<Workload> make_mixed(const WorkloadView& view, Random random);
std::unique_ptr<Workload> make_patterns(const WorkloadView& view, Random random);
std::unique_ptr<Workload> make_short(const WorkloadView& view, uint64_t number);

}  // namespace ciuic::sim
