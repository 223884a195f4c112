// SPDX-License-Identifier: Apache-2.0
#include "driver.hpp"

#include <dlfcn.h>

#include <memory>

namespace ciuic::probe {

namespace {

// Set by load_driver() before any other driver call can fail.
const Driver* loaded = nullptr;

std::string describe(const char* call, Status status) {
    const char* name = nullptr;
    const char* text = nullptr;
    if (loaded != nullptr && loaded->error_name.present() && loaded->error_text.present()) {
        loaded->error_name.raw(status, &name);
        loaded->error_text.raw(status, &text);
    }
    return std::string(call) + ": " + (name != nullptr ? name : "unnamed error") + " (" +
           std::to_string(status) + "): " + (text != nullptr ? text : "the driver has no text");
}

}  // namespace

CallFailed::CallFailed(const char* call, Status status)
    : std::runtime_error(describe(call, status)), status_(status) {}

void* find_symbol(void* library, const char* name) { return ::dlsym(library, name); }

void throw_missing(const char* call) {
    throw Unavailable(std::string(call) + " is not exported by this driver's libcuda.so.1");
}

const Driver& load_driver() {
    static std::unique_ptr<Driver> driver;
    if (driver != nullptr) return *driver;

    void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        throw Unavailable(std::string("no CUDA driver: ") + ::dlerror() +
                          "; install the NVIDIA driver, or give the container the GPU");
    }
    driver = std::make_unique<Driver>(library);
    loaded = driver.get();
    int count = 0;
    try {
        driver->init(0);
        driver->device_count(&count);
    } catch (const CallFailed& failed) {
        throw Unavailable(std::string("no usable CUDA device: ") + failed.what() +
                          "; check nvidia-smi and the access rights of /dev/nvidia*");
    }
    if (count == 0) {
        throw Unavailable("no CUDA device: the driver is there and lists none; "
                          "check nvidia-smi and CUDA_VISIBLE_DEVICES");
    }
    return *driver;
}

}  // namespace ciuic::probe
