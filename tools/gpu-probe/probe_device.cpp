// SPDX-License-Identifier: Apache-2.0
//
// What the card and its driver say of themselves, and the questions that need more than this
// program carries, which are answered with that reason.
#include <dlfcn.h>

#include "probes.hpp"

namespace ciuic::probe {

namespace {

struct NamedAttribute {
    const char* name;
    int attribute;
    bool is_flag;
};

constexpr NamedAttribute ATTRIBUTES[] = {
    {"multiprocessors", ATTRIBUTE_MULTIPROCESSOR_COUNT, false},
    {"l2_cache_bytes", ATTRIBUTE_L2_CACHE_SIZE, false},
    {"async_engines", ATTRIBUTE_ASYNC_ENGINE_COUNT, false},
    {"integrated", ATTRIBUTE_INTEGRATED, true},
    {"virtual_memory_management", ATTRIBUTE_VMM, true},
    {"host_numa_virtual_memory_management", ATTRIBUTE_HOST_NUMA_VMM, true},
    {"host_virtual_memory_management", ATTRIBUTE_HOST_VMM, true},
    {"host_numa_id", ATTRIBUTE_HOST_NUMA_ID, false},
    {"handle_type_posix_fd", ATTRIBUTE_HANDLE_POSIX_FD, true},
    {"handle_type_fabric", ATTRIBUTE_HANDLE_FABRIC, true},
    {"rdma_with_vmm", ATTRIBUTE_RDMA_WITH_VMM, true},
    {"dma_buf", ATTRIBUTE_DMA_BUF, true},
    {"tensor_map_access", ATTRIBUTE_TENSOR_MAP, true},
    {"host_native_atomics", ATTRIBUTE_HOST_NATIVE_ATOMIC, true},
    {"concurrent_managed_access", ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, true},
    {"pageable_memory_access", ATTRIBUTE_PAGEABLE_ACCESS, true},
    {"registered_host_pointer_usable", ATTRIBUTE_HOST_POINTER_FOR_REGISTERED, true},
};

void report_granularity(const Session& session, Reporter& report, Where where,
                        const std::string& name) {
    const AllocationProperties wish = session.properties(where);
    const auto ask = [&](int which, const char* suffix) {
        report.attempt(name + suffix, [&] {
            size_t bytes = 0;
            session.cu.granularity(&bytes, &wish, which);
            report.number(name + suffix, static_cast<double>(bytes));
        });
    };
    ask(GRANULARITY_MINIMUM, "_granularity_minimum_bytes");
    ask(GRANULARITY_RECOMMENDED, "_granularity_recommended_bytes");
}

// The part of NVML used for the link; opened only where it is installed.
class Nvml {
public:
    Nvml() : library_(::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
        if (library_ == nullptr) throw Unavailable(std::string("no NVML: ") + ::dlerror());
        call<int (*)()>("nvmlInit_v2");
    }
    ~Nvml() { ::dlclose(library_); }
    Nvml(const Nvml&) = delete;
    Nvml& operator=(const Nvml&) = delete;

    template <typename Pointer, typename... Args> void call(const char* name, Args... args) const {
        const auto function = reinterpret_cast<Pointer>(find_symbol(library_, name));
        if (function == nullptr) throw Unavailable(std::string(name) + " is not in NVML");
        if (const int status = function(args...); status != 0) {
            const auto text =
                reinterpret_cast<const char* (*)(int)>(find_symbol(library_, "nvmlErrorString"));
            throw Unavailable(std::string(name) + ": error " + std::to_string(status) + ": " +
                              (text != nullptr ? text(status) : "NVML has no text"));
        }
    }

private:
    void* library_;
};

}  // namespace

void report_link_state(const Session& session, Reporter& report) {
    report.attempt("pcie_link", [&] {
        const Nvml nvml;
        char bus_id[32] = "";
        session.cu.device_pci_bus_id(bus_id, sizeof bus_id, session.device);
        void* device = nullptr;
        nvml.call<int (*)(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2", bus_id,
                                                &device);
        const auto ask = [&](const std::string& name, const char* call) {
            report.attempt(name, [&] {
                unsigned value = 0;
                nvml.call<int (*)(void*, unsigned*)>(call, device, &value);
                report.number(name, value);
            });
        };
        ask("pcie_generation_current", "nvmlDeviceGetCurrPcieLinkGeneration");
        ask("pcie_generation_max", "nvmlDeviceGetMaxPcieLinkGeneration");
        ask("pcie_lanes_current", "nvmlDeviceGetCurrPcieLinkWidth");
        ask("pcie_lanes_max", "nvmlDeviceGetMaxPcieLinkWidth");
        report.attempt("kernel_driver", [&] {
            char version[96] = "";
            nvml.call<int (*)(char*, unsigned)>("nvmlSystemGetDriverVersion", version,
                                                static_cast<unsigned>(sizeof version));
            report.text("kernel_driver", version);
        });
    });
}

void probe_device(const Settings& settings, Reporter& report) {
    const Driver& cu = load_driver();
    int version = 0;
    cu.driver_version(&version);
    report.number("driver_cuda_version", version);  // 1000 * major + 10 * minor
    Device device = 0;
    cu.device_get(&device, settings.device_ordinal);
    char name[256] = "";
    cu.device_name(name, sizeof name, device);
    report.text("name", name);
    int major = 0;
    int minor = 0;
    cu.device_attribute(&major, ATTRIBUTE_COMPUTE_MAJOR, device);
    cu.device_attribute(&minor, ATTRIBUTE_COMPUTE_MINOR, device);
    report.text("compute_capability", std::to_string(major) + "." + std::to_string(minor));
    for (const NamedAttribute& wanted : ATTRIBUTES) {
        report.attempt(wanted.name, [&] {
            int value = 0;
            cu.device_attribute(&value, wanted.attribute, device);
            if (wanted.is_flag)
                report.flag(wanted.name, value != 0);
            else
                report.number(wanted.name, value);
        });
    }

    const Session session(settings);
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    cu.memory_info(&free_bytes, &total_bytes);
    report.number("memory_total_bytes", static_cast<double>(total_bytes));
    report.number("memory_free_bytes", static_cast<double>(free_bytes));
    report.number("budget_device_bytes", static_cast<double>(session.left_bytes(Where::device)));
    report.number("budget_host_bytes", static_cast<double>(session.left_bytes(Where::host)));
    report_granularity(session, report, Where::device, "device");
    report_granularity(session, report, Where::host_numa, "host_numa");
    report_granularity(session, report, Where::host, "host");
    report.flag("cuMemcpyBatchAsync", cu.copy_batch_v1.present() || cu.copy_batch_v2.present());
    report_link_state(session, report);
}

void probe_frameworks(const Settings&, Reporter& report) {
    const std::string reason = "not applicable: needs a framework (PyTorch, JAX) and its programs";
    report.unavailable("kernels_with_visible_pointers_percent", reason);
    report.unavailable("kernels_with_pointers_in_structs_percent", reason);
    report.unavailable("kernels_with_pointer_arrays_in_memory_percent", reason);
}

const std::vector<Probe>& all_probes() {
    static const std::vector<Probe> probes = {
        {"device", "what card and driver is this?", probe_device, 25, false},
        {"map_rules", "offsets, aliases and runs in cuMemMap and cuMemUnmap", probe_map_rules, 15,
         false},
        {"map_cost", "cost of create, map, access, unmap, release, idle and beside a kernel",
         probe_map_cost, 45, false},
        {"host_memory", "host memory mapped at the card's addresses: remap, rates, atomics",
         probe_host_memory, 45, false},
        {"drain", "is waiting for one stream's event, behind a kernel, enough before unmap?",
         probe_drain, 30, false},
        {"drain_copy", "the same, behind a copy to the host", probe_drain_copy, 30, false},
        {"unmap_in_use", "what does unmapping a range in use do? (provokes a fault)",
         probe_unmap_in_use, 15, true},
        {"share", "does an exported handle outlive its killed exporter?", probe_share, 30, false},
        {"injection", "does libcuda load the library that CUDA_INJECTION64_PATH names?",
         probe_injection, 20, false},
        {"link", "copy rates by piece size, direction and NUMA node; loop against batch",
         probe_link, 75, false},
        {"frameworks", "share of framework kernels whose pointers are visible", probe_frameworks, 5,
         false},
    };
    return probes;
}

}  // namespace ciuic::probe
