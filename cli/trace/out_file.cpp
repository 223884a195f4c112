// SPDX-License-Identifier: Apache-2.0
#include "cli/trace/out_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace ciuic::cli {

Status OutFile::create(const std::string& path) {
    file_ = std::fopen(path.c_str(), "we");
    if (!file_) return os_refusal("it cannot be written", errno);
    path_ = path;
    struct stat facts {};
    is_regular_ = ::fstat(::fileno(file_), &facts) == 0 && S_ISREG(facts.st_mode);
    return {};
}

OutFile::~OutFile() {
    if (!file_) return;
    std::fclose(file_);
    discard();
}

void OutFile::discard() {
    if (is_regular_) ::unlink(path_.c_str());
}

Status OutFile::finish() {
    errno = 0;
    const bool failed = std::ferror(file_) != 0;
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!failed && closed) return {};
    const int error = errno != 0 ? errno : EIO;
    discard();
    return os_refusal("it cannot be written", error);
}

}  // namespace ciuic::cli
