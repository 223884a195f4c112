// SPDX-License-Identifier: Apache-2.0
//
// From what the engine tells of uses to what a trace says.
//
// Regions: the ranges that a session promises, each chunk in the region that first had it: an
// address that is given up and promised again is the same chunk as before. A use of what no promise
// was heard for gets the gap between its neighbours as a region. One that is never used is not in
// the trace. Threads: a session is one, numbered as they come to use something; which of its
// threads it was, nobody here knows.
//
// A chunk that is seen again before any other was is not used once more; if it is written then, its
// use is one that writes.
//
// Not here: how the events come (recorder), the file (trace/).
// Threads: one.
#pragma once

#include "trace/record.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace ciuic {

struct UseEvent {
    enum class Kind : uint8_t {
        promise,
        use,
        lost,  // `time_ns` is how many uses were lost here; the rest counts for nothing
    };
    uint64_t time_ns = 0;
    uint32_t session = 0;  // the n-th that was opened
    uint32_t chunk = 0;    // of a promise: the first
    uint32_t chunks = 0;   // of a promise: how many; of a use: of the session's address space
    Kind kind = Kind::use;
    bool is_write = false;
};

class UseTrace {
public:
    explicit UseTrace(trace::Sink& sink) : sink_(sink) {}

    void take(const UseEvent& event);
    // What was held back, and how many uses are missing, if any are. The last call.
    void finish();

    uint64_t uses() const { return uses_; }
    // Beyond what a trace may hold, or reported as lost.
    uint64_t lost() const { return lost_; }

private:
    struct Range {
        uint32_t end = 0;
        std::optional<uint32_t> region;  // none before its first use
    };
    struct Space {
        std::map<uint32_t, Range> ranges;  // by their first chunk; none overlap
        std::optional<uint32_t> thread;    // none before its first use
    };
    struct Held {
        trace::Use use;
        uint32_t session = 0;
        uint32_t chunk = 0;  // in the session
    };

    void promise(const UseEvent& event);
    void use(const UseEvent& event);
    void lose(uint64_t uses);
    void let_go();
    // None: the trace has no room for another.
    std::optional<uint32_t> thread_of(Space& space);
    std::map<uint32_t, Range>::iterator range_of(Space& space, const UseEvent& event);
    bool name_region(Space& space, uint32_t first, Range& range);

    trace::Sink& sink_;
    std::map<uint32_t, Space> spaces_;
    std::optional<Held> held_;
    uint32_t threads_ = 0;
    uint32_t regions_ = 0;
    uint64_t chunks_ = 0;
    uint64_t uses_ = 0;
    uint64_t lost_ = 0;
    uint32_t losses_told_ = 0;
};

}  // namespace ciuic
