// SPDX-License-Identifier: Apache-2.0
#include "base/unique_fd.hpp"
#include "cli/doctor/gather.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cerrno>

namespace ciuic::cli::doctor {

KernelFacts gather_kernel() {
    KernelFacts facts;
    utsname name{};
    if (::uname(&name) == 0) facts.release = name.release;
    facts.features = probe_host_features();
    return facts;
}

UserfaultFacts gather_userfault() {
    UserfaultFacts facts;
    const UniqueFd device(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
    facts.device_error = device ? 0 : errno;
    struct stat status {};
    facts.device_exists = ::stat("/dev/userfaultfd", &status) == 0;
    return facts;
}

}  // namespace ciuic::cli::doctor
