// SPDX-License-Identifier: Apache-2.0
//
// What a trace says: regions, phases and uses of chunks, in the order in which they came.
//
// Not here: the bytes of the file (writer, reader; docs/trace-format.md).
// Threads: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ciuic::trace {

// A range of memory with chunks of its own. Regions are numbered as they come, from 0.
struct Region {
    std::string name;
    uint32_t chunks = 0;
    // Its chunk 0 in the count of all chunks of all regions, which is how caches see a trace.
    uint32_t first_chunk = 0;
};

// A run of chunks of one region, used in ascending order.
struct Use {
    uint64_t time_ns = 0;  // since the trace began; never less than that of the use before it
    uint32_t thread = 0;
    uint32_t region = 0;
    uint32_t chunk = 0;  // within its region
    uint32_t count = 1;
    bool is_write = false;

    bool operator==(const Use&) const = default;
};

// Where uses go while a trace is made.
class Sink {
public:
    virtual ~Sink() = default;

    // Its number. A region is named before it is used.
    virtual uint32_t region(std::string_view name, uint32_t chunks) = 0;
    // What follows belongs to this phase.
    virtual void phase(std::string_view name) = 0;
    virtual void use(const Use& use) = 0;
};

}  // namespace ciuic::trace
