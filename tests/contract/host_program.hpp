// SPDX-License-Identifier: Apache-2.0
//
// The paged program of the host devices' rigs: threads that do what they are told over pipes, in
// this process or in a forked one.
#pragma once

#include "base/mapping.hpp"
#include "base/unique_fd.hpp"
#include "tests/contract/device_contract.hpp"

#include <array>
#include <atomic>

namespace ciuic::test {

class HostProgram {
public:
    HostProgram();

    // On the side of the test.
    void start(uint32_t worker, const Access& access);
    std::optional<Outcome> outcome(uint32_t worker, Nanos limit);
    uint64_t counted(uint32_t worker) const { return state().counted[worker]; }
    void stop_counting() { state().stop = true; }
    void end();  // every worker leaves run() after what it does now

    // On the side of the program: runs the workers until end().
    void run(std::byte* space);

private:
    struct Pipe {
        UniqueFd reader;
        UniqueFd writer;
    };
    struct Command {
        Access access;
        bool end = false;
    };
    // In memory that a forked program shares.
    struct State {
        std::atomic<bool> stop = false;
        std::array<std::atomic<uint64_t>, DeviceRig::workers> counted{};
    };

    static Pipe make_pipe();
    State& state() const { return *reinterpret_cast<State*>(shared_.data()); }
    void serve(uint32_t worker, std::byte* space);
    Outcome perform(uint32_t worker, std::byte* space, const Access& access);
    uint64_t touch(uint32_t worker, std::byte* space, const Access& access);

    Mapping shared_;
    UniqueFd pattern_;  // a file of kernel_word()
    std::array<Pipe, DeviceRig::workers> commands_;
    std::array<Pipe, DeviceRig::workers> outcomes_;
};

}  // namespace ciuic::test
