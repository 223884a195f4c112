// SPDX-License-Identifier: Apache-2.0
#include "cli/target.hpp"

#include "base/unique_fd.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>

namespace ciuic::cli {
namespace {

constexpr int interpreters_max = 4;  // as many scripts in a row as the kernel follows

// 0, or why it cannot be executed.
int try_path(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return errno;
    if (!S_ISREG(status.st_mode)) return EACCES;
    return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

Target look_up(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        const int error = try_path(name);
        return {error == 0 ? name : "", error, ""};
    }
    const char* listed = std::getenv("PATH");
    std::istringstream directories(listed ? listed : "/bin:/usr/bin");
    int error = ENOENT;
    for (std::string directory; std::getline(directories, directory, ':');) {
        const std::string path = (directory.empty() ? "." : directory) + "/" + name;
        const int refused = try_path(path);
        if (refused == 0) return {path, 0, ""};
        if (refused == EACCES) error = EACCES;
    }
    return {"", error, ""};
}

// The system ignores LD_PRELOAD for programs that run with more rights than whoever starts them.
bool gains_rights(const std::string& path, int file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) return false;
    if ((status.st_mode & S_ISUID) && status.st_uid != ::geteuid()) return true;
    if ((status.st_mode & S_ISGID) && status.st_gid != ::getegid()) return true;
    return ::geteuid() != 0 && ::getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

// The program header's interpreter: empty for a statically linked program.
std::string interpreter_of(int file, const Elf64_Ehdr& header) {
    for (unsigned index = 0; index < header.e_phnum; ++index) {
        Elf64_Phdr entry{};
        const auto at = static_cast<off_t>(header.e_phoff + index * sizeof entry);
        if (::pread(file, &entry, sizeof entry, at) != sizeof entry) break;
        if (entry.p_type != PT_INTERP) continue;
        std::array<char, 256> text{};
        if (::pread(file, text.data(), text.size() - 1, static_cast<off_t>(entry.p_offset)) > 0)
            return text.data();
    }
    return {};
}

std::string object_to_elf(int file) {
    Elf64_Ehdr self{};
    Elf64_Ehdr header{};
    const int own = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const bool know_self = own >= 0 && ::pread(own, &self, sizeof self, 0) == sizeof self;
    if (own >= 0) ::close(own);
    if (::pread(file, &header, sizeof header, 0) != sizeof header) return "it is damaged";
    if (know_self &&
        (header.e_ident[EI_CLASS] != self.e_ident[EI_CLASS] || header.e_machine != self.e_machine))
        return "it is built for another kind of processor, or for 32 bits";
    const std::string interpreter = interpreter_of(file, header);
    if (interpreter.empty()) return "it is statically linked, so nothing can be preloaded into it";
    if (interpreter.find("ld-linux") == std::string::npos &&
        interpreter.find("ld64") == std::string::npos)
        return "its C library is not glibc (" + interpreter + ")";
    return {};
}

// "#!/usr/bin/env python3" names env, which finds python3 and starts it with our library again.
std::string script_interpreter(std::string_view start) {
    const size_t end = start.find('\n');
    std::string_view line = start.substr(2, end == std::string_view::npos ? end : end - 2);
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    line.remove_prefix(first);
    return std::string(line.substr(0, line.find_first_of(" \t")));
}

std::string object_to(const std::string& path, int depth) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return {};  // executable but not readable: it may work
    if (gains_rights(path, file.get()))
        return "it runs with other rights than its caller's, so nothing can be preloaded into it";
    std::array<char, 256> start{};
    const ssize_t got = ::pread(file.get(), start.data(), start.size() - 1, 0);
    if (got >= SELFMAG && std::memcmp(start.data(), ELFMAG, SELFMAG) == 0)
        return object_to_elf(file.get());
    if (got > 2 && start[0] == '#' && start[1] == '!' && depth < interpreters_max) {
        const std::string interpreter = script_interpreter(start.data());
        const std::string objection = object_to(interpreter, depth + 1);
        return objection.empty() ? "" : "of its interpreter " + interpreter + ": " + objection;
    }
    return {};
}

}  // namespace

Target find_target(const std::string& name) {
    Target target = look_up(name);
    if (!target.path.empty()) target.objection = object_to(target.path, 0);
    return target;
}

}  // namespace ciuic::cli
