// SPDX-License-Identifier: Apache-2.0
#include "interposer/runtime.hpp"

#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace ciuic::interposer {

Settings settings;

namespace {

// What `ciuic run` sets: a number of bytes. Anything else leaves the default.
size_t read_threshold() {
    // Half a chunk of the default size, so that at most half of a chunk is wasted: on an allocation
    // of 1 MiB, and on one just above 2 MiB alike.
    constexpr size_t default_bytes = size_t{1} << 20;
    const char* text = std::getenv("CIUIC_THRESHOLD");
    if (!text) return default_bytes;
    char* end = nullptr;
    const unsigned long long bytes = std::strtoull(text, &end, 10);
    return *end == '\0' && bytes > 0 ? bytes : default_bytes;
}

bool is_set(const char* name) {
    const char* text = std::getenv(name);
    return text && std::strcmp(text, "1") == 0;
}

__attribute__((constructor)) void read_environment() {
    settings.strict = is_set("CIUIC_STRICT");
    settings.serve_mmap = is_set("CIUIC_MMAP");
    settings.threshold_bytes = read_threshold();
}

__attribute__((destructor)) void look_once_more() { look_for_gpu_driver(); }

int look_at_object(dl_phdr_info* object, size_t, void* found) {
    if (!object->dlpi_name) return 0;
    const char* slash = std::strrchr(object->dlpi_name, '/');
    const char* name = slash ? slash + 1 : object->dlpi_name;
    for (const char* driver : {"libcuda.so", "libamdhip64.so", "libOpenCL.so", "libze_loader.so"})
        if (std::strncmp(name, driver, std::strlen(driver)) == 0)
            *static_cast<const char**>(found) = driver;
    return 0;
}

int count_loaded(dl_phdr_info* object, size_t, void* argument) {
    *static_cast<unsigned long long*>(argument) = object->dlpi_adds;
    return 1;
}

}  // namespace

void say(const char* part, const char* second, const char* third, const char* fourth) {
    const auto piece = [](const char* text) {
        return iovec{const_cast<char*>(text), std::strlen(text)};
    };
    const iovec line[] = {piece("ciuic: "), piece(part),   piece(second),
                          piece(third),     piece(fourth), piece("\n")};
    const InsideCiuic keeps_errno;
    [[maybe_unused]] const ssize_t written = ::writev(STDERR_FILENO, line, std::size(line));
}

void look_for_gpu_driver() {
    static std::atomic<unsigned long long> looked_at{0};
    static std::atomic<bool> said{false};
    if (said.load(std::memory_order_relaxed)) return;
    const InsideCiuic inside;
    unsigned long long loaded = 0;
    ::dl_iterate_phdr(count_loaded, &loaded);
    if (looked_at.exchange(loaded, std::memory_order_relaxed) == loaded) return;
    const char* driver = nullptr;
    ::dl_iterate_phdr(look_at_object, &driver);
    if (!driver || said.exchange(true)) return;
    say("this program has loaded ", driver,
        ": its GPU memory is not managed, only its large allocations in main memory are");
}

}  // namespace ciuic::interposer
