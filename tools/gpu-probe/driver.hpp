// SPDX-License-Identifier: Apache-2.0
//
// The part of the CUDA driver's binary interface that the probe calls, declared from its published
// facts and found at run time in libcuda.so.1.
//
// Not here: any policy about memory (session.hpp). Safe from any thread after load_driver().
//
// The sizes and offsets asserted below, the constants and the symbols' signatures were compared
// with cuda.h of CUDA 12.8 and of 13.0, x86-64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace ciuic::probe {

using Status = int;  // 0 is success
using DevicePtr = unsigned long long;
using MemHandle = unsigned long long;
using Device = int;
using Context = struct ContextTag*;
using Module = struct ModuleTag*;
using Function = struct FunctionTag*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;

inline constexpr Status STATUS_INVALID_CONTEXT = 201;
inline constexpr Status STATUS_NOT_READY = 600;

inline constexpr int LOCATION_DEVICE = 1;
inline constexpr int LOCATION_HOST = 2;
inline constexpr int LOCATION_HOST_NUMA = 3;
inline constexpr int ALLOCATION_PINNED = 1;
inline constexpr int HANDLE_NONE = 0;
inline constexpr int HANDLE_POSIX_FD = 1;
inline constexpr int ACCESS_READ_WRITE = 3;
inline constexpr int GRANULARITY_MINIMUM = 0;
inline constexpr int GRANULARITY_RECOMMENDED = 1;
inline constexpr int COPY_SOURCE_IN_STREAM_ORDER = 1;
inline constexpr unsigned STREAM_NON_BLOCKING = 1;
inline constexpr unsigned EVENT_DISABLE_TIMING = 2;
inline constexpr unsigned HOST_REGISTER_PORTABLE = 1;
inline constexpr unsigned HOST_REGISTER_DEVICE_MAP = 2;
inline constexpr int JIT_ERROR_LOG_BUFFER = 5;
inline constexpr int JIT_ERROR_LOG_SIZE_BYTES = 6;

inline constexpr int ATTRIBUTE_MULTIPROCESSOR_COUNT = 16;
inline constexpr int ATTRIBUTE_INTEGRATED = 18;
inline constexpr int ATTRIBUTE_L2_CACHE_SIZE = 38;
inline constexpr int ATTRIBUTE_ASYNC_ENGINE_COUNT = 40;
inline constexpr int ATTRIBUTE_COMPUTE_MAJOR = 75;
inline constexpr int ATTRIBUTE_COMPUTE_MINOR = 76;
inline constexpr int ATTRIBUTE_HOST_NATIVE_ATOMIC = 86;
inline constexpr int ATTRIBUTE_PAGEABLE_ACCESS = 88;
inline constexpr int ATTRIBUTE_CONCURRENT_MANAGED_ACCESS = 89;
inline constexpr int ATTRIBUTE_HOST_POINTER_FOR_REGISTERED = 91;
inline constexpr int ATTRIBUTE_VMM = 102;
inline constexpr int ATTRIBUTE_HANDLE_POSIX_FD = 103;
inline constexpr int ATTRIBUTE_RDMA_WITH_VMM = 110;
inline constexpr int ATTRIBUTE_DMA_BUF = 124;
inline constexpr int ATTRIBUTE_TENSOR_MAP = 127;
inline constexpr int ATTRIBUTE_HANDLE_FABRIC = 128;
inline constexpr int ATTRIBUTE_HOST_NUMA_ID = 134;
inline constexpr int ATTRIBUTE_HOST_NUMA_VMM = 141;
inline constexpr int ATTRIBUTE_HOST_VMM = 145;

struct Location {
    int type = 0;
    int id = 0;  // device ordinal or NUMA node
};
static_assert(sizeof(Location) == 8);

struct AllocationProperties {
    int type = ALLOCATION_PINNED;
    int handle_types = HANDLE_NONE;
    Location location;
    void* windows_only = nullptr;
    uint8_t compression = 0;
    uint8_t rdma_capable = 0;
    uint16_t usage = 0;
    uint8_t reserved[4] = {};
};
static_assert(sizeof(AllocationProperties) == 32 && offsetof(AllocationProperties, location) == 8 &&
              offsetof(AllocationProperties, windows_only) == 16 &&
              offsetof(AllocationProperties, compression) == 24);

struct AccessDescriptor {
    Location location;
    int flags = ACCESS_READ_WRITE;
};
static_assert(sizeof(AccessDescriptor) == 12);

struct CopyAttributes {
    int source_access_order = COPY_SOURCE_IN_STREAM_ORDER;
    Location source_hint;
    Location target_hint;
    unsigned flags = 0;
};
static_assert(sizeof(CopyAttributes) == 24 && offsetof(CopyAttributes, flags) == 20);

// A driver call that failed: "cuMemMap: CUDA_ERROR_INVALID_VALUE (1): invalid argument".
class CallFailed : public std::runtime_error {
public:
    CallFailed(const char* call, Status status);
    Status status() const { return status_; }

private:
    Status status_;
};

// A measurement that this machine does not offer; the text says why.
class Unavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

void* find_symbol(void* library, const char* name);
[[noreturn]] void throw_missing(const char* call);

// One entry point. Calling it throws CallFailed on any status but 0; raw() hands the status back.
template <typename... Args> class Call {
public:
    Call(void* library, const char* name)
        : name_(name), function_(reinterpret_cast<Pointer>(find_symbol(library, name))) {}
    bool present() const { return function_ != nullptr; }
    Status raw(Args... args) const {
        if (function_ == nullptr) throw_missing(name_);
        return function_(args...);
    }
    void operator()(Args... args) const {
        if (const Status status = raw(args...); status != 0) throw CallFailed(name_, status);
    }

private:
    using Pointer = Status (*)(Args...);
    const char* name_;
    Pointer function_;
};

struct Driver {
    explicit Driver(void* library) : library_(library) {}

private:
    void* library_;  // declared first: every entry below is looked up in it

public:
    using U64 = unsigned long long;
    template <typename... Args> using C = Call<Args...>;

    C<unsigned> init{library_, "cuInit"};
    C<int*> driver_version{library_, "cuDriverGetVersion"};
    C<Status, const char**> error_name{library_, "cuGetErrorName"};
    C<Status, const char**> error_text{library_, "cuGetErrorString"};
    C<int*> device_count{library_, "cuDeviceGetCount"};
    C<Device*, int> device_get{library_, "cuDeviceGet"};
    C<char*, int, Device> device_name{library_, "cuDeviceGetName"};
    C<int*, int, Device> device_attribute{library_, "cuDeviceGetAttribute"};
    C<char*, int, Device> device_pci_bus_id{library_, "cuDeviceGetPCIBusId"};
    C<Context*, Device> primary_retain{library_, "cuDevicePrimaryCtxRetain"};
    C<Context> context_set_current{library_, "cuCtxSetCurrent"};
    C<> context_synchronize{library_, "cuCtxSynchronize"};
    C<size_t*, size_t*> memory_info{library_, "cuMemGetInfo_v2"};

    C<DevicePtr*, size_t, size_t, DevicePtr, U64> reserve{library_, "cuMemAddressReserve"};
    C<DevicePtr, size_t> unreserve{library_, "cuMemAddressFree"};
    C<MemHandle*, size_t, const AllocationProperties*, U64> create{library_, "cuMemCreate"};
    C<MemHandle> release{library_, "cuMemRelease"};
    C<DevicePtr, size_t, size_t, MemHandle, U64> map{library_, "cuMemMap"};
    C<DevicePtr, size_t> unmap{library_, "cuMemUnmap"};
    C<DevicePtr, size_t, const AccessDescriptor*, size_t> set_access{library_, "cuMemSetAccess"};
    C<size_t*, const AllocationProperties*, int> granularity{library_,
                                                             "cuMemGetAllocationGranularity"};
    C<void*, MemHandle, int, U64> export_handle{library_, "cuMemExportToShareableHandle"};
    C<MemHandle*, void*, int> import_handle{library_, "cuMemImportFromShareableHandle"};

    C<DevicePtr*, size_t> alloc{library_, "cuMemAlloc_v2"};
    C<void*, size_t, unsigned> host_register{library_, "cuMemHostRegister_v2"};
    C<void*> host_unregister{library_, "cuMemHostUnregister"};
    C<DevicePtr*, void*, unsigned> host_device_pointer{library_, "cuMemHostGetDevicePointer_v2"};
    C<DevicePtr, const void*, size_t> copy_to_device{library_, "cuMemcpyHtoD_v2"};
    C<void*, DevicePtr, size_t> copy_to_host{library_, "cuMemcpyDtoH_v2"};
    C<DevicePtr, DevicePtr, size_t, StreamHandle> copy_async{library_, "cuMemcpyAsync"};
    // CUDA 12.8 brought the first form; 13.0 the second, without the index of the failing copy.
    C<DevicePtr*, DevicePtr*, size_t*, size_t, CopyAttributes*, size_t*, size_t, size_t*,
      StreamHandle>
        copy_batch_v1{library_, "cuMemcpyBatchAsync"};
    C<DevicePtr*, DevicePtr*, size_t*, size_t, CopyAttributes*, size_t*, size_t, StreamHandle>
        copy_batch_v2{library_, "cuMemcpyBatchAsync_v2"};

    C<StreamHandle*, unsigned> stream_create{library_, "cuStreamCreate"};
    C<StreamHandle> stream_destroy{library_, "cuStreamDestroy_v2"};
    C<StreamHandle> stream_synchronize{library_, "cuStreamSynchronize"};
    C<EventHandle*, unsigned> event_create{library_, "cuEventCreate"};
    C<EventHandle> event_destroy{library_, "cuEventDestroy_v2"};
    C<EventHandle, StreamHandle> event_record{library_, "cuEventRecord"};
    C<EventHandle> event_query{library_, "cuEventQuery"};
    C<EventHandle> event_synchronize{library_, "cuEventSynchronize"};
    C<float*, EventHandle, EventHandle> event_elapsed_ms{library_, "cuEventElapsedTime"};

    C<Module*, const void*, unsigned, int*, void**> module_load{library_, "cuModuleLoadDataEx"};
    C<Function*, Module, const char*> module_function{library_, "cuModuleGetFunction"};
    C<Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, StreamHandle,
      void**, void**>
        launch{library_, "cuLaunchKernel"};
    C<const void**, const void*> export_table{library_, "cuGetExportTable"};
};

// Opens libcuda.so.1 and initialises it. Throws Unavailable with the reason and the remedy.
const Driver& load_driver();

}  // namespace ciuic::probe
