// SPDX-License-Identifier: Apache-2.0
//
// The probes, each run in a process of its own because a fault ends the CUDA context.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"
#include "session.hpp"

namespace ciuic::probe {

struct Probe {
    const char* name;
    const char* question;
    void (*run)(const Settings& settings, Reporter& report);
    int limit_s;
    bool provokes_fault;  // only runs when asked for
};

const std::vector<Probe>& all_probes();

void probe_device(const Settings& settings, Reporter& report);
void probe_map_cost(const Settings& settings, Reporter& report);
void probe_map_rules(const Settings& settings, Reporter& report);
void probe_host_memory(const Settings& settings, Reporter& report);
void probe_drain(const Settings& settings, Reporter& report);
void probe_drain_copy(const Settings& settings, Reporter& report);
void probe_unmap_in_use(const Settings& settings, Reporter& report);
void probe_share(const Settings& settings, Reporter& report);
void probe_injection(const Settings& settings, Reporter& report);
void probe_link(const Settings& settings, Reporter& report);
void probe_frameworks(const Settings& settings, Reporter& report);

// What `--helper NAME` runs in processes that probes start: the exporter that is killed and the
// target of the injection. `fd` is where they talk to their probe.
int run_exporter(const Settings& settings, Where where, int socket_fd);
int run_injection_target(int fd);

// Reports the PCIe link of the device as NVML sees it at this moment.
void report_link_state(const Session& session, Reporter& report);

}  // namespace ciuic::probe
