// SPDX-License-Identifier: Apache-2.0
//
// The library that the injection probe names in CUDA_INJECTION64_PATH. It writes L when it is
// loaded and I when the driver calls its entry point, to the descriptor it is told.
#include <unistd.h>

#include <cstdlib>

namespace {

void mark(const char* letter) {
    const char* fd = std::getenv("CIUIC_GPU_PROBE_INJECT_FD");
    if (fd != nullptr && ::write(std::atoi(fd), letter, 1) != 1) std::abort();
}

struct Loaded {
    Loaded() { mark("L"); }
} loaded;

}  // namespace

// Non-zero tells the driver that the library is ready.
extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
    mark("I");
    return 1;
}
