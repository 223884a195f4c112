// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the preloaded library share: how it was told to behave, how it tells its own
// calls from the program's, and how it speaks to the user.
//
// Threads: any, once the constructor has run.
#pragma once

#include <cerrno>
#include <cstddef>

namespace ciuic::interposer {

// From the environment, before main(). Until then nothing is large.
struct Settings {
    size_t threshold_bytes = static_cast<size_t>(-1);  // CIUIC_THRESHOLD
    bool serve_mmap = false;                           // CIUIC_MMAP=1
    bool strict = false;                               // CIUIC_STRICT=1
};
extern Settings settings;

// While one is alive, the calling thread's allocations are Ciuic's own and go to the system; errno
// is put back at the end.
class InsideCiuic {
public:
    InsideCiuic() : error_(errno), outer_(inside_) { inside_ = true; }
    ~InsideCiuic() {
        inside_ = outer_;
        errno = error_;
    }
    InsideCiuic(const InsideCiuic&) = delete;
    InsideCiuic& operator=(const InsideCiuic&) = delete;

    static bool here() { return inside_; }

private:
    // Initial-exec: the library is there when the program starts, so its threads' storage is too,
    // and no access can end in an allocation.
    static inline __thread bool inside_ __attribute__((tls_model("initial-exec"))) = false;

    int error_;
    bool outer_;
};

// One line on standard error, by write(2): "ciuic: " and the parts.
void say(const char* part, const char* second = "", const char* third = "",
         const char* fourth = "");

// Once per process each: the program has loaded a GPU driver, whose memory is not managed. Looks
// only when something was loaded since it last did.
void look_for_gpu_driver();

}  // namespace ciuic::interposer
