// SPDX-License-Identifier: Apache-2.0
//
// The options of `ciuic trace`, as the command line's library wants to have them.
//
// Threads: start-up only.
#pragma once

#include "cli/trace_command.hpp"

#include <memory>

namespace CLI {
class App;
}

namespace ciuic::cli {

class TraceCommandLine {
public:
    // Adds `trace` and all below it.
    explicit TraceCommandLine(CLI::App& app);
    ~TraceCommandLine();
    TraceCommandLine(const TraceCommandLine&) = delete;
    TraceCommandLine& operator=(const TraceCommandLine&) = delete;

    // After parsing. Whether it was asked for.
    bool parsed() const;
    TraceOptions options() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace ciuic::cli
