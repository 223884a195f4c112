// SPDX-License-Identifier: Apache-2.0
//
// The two questions that need a second process with a driver in it: whether exported memory
// outlives the killed process that exported it, and how libcuda treats CUDA_INJECTION64_PATH.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "child.hpp"
#include "probes.hpp"

namespace ciuic::probe {

namespace {

constexpr size_t EXPORT_MIB = 32;
constexpr uint64_t EXPORT_SEED = 31;
constexpr auto HELPER_PATIENCE = std::chrono::seconds(10);

// An fd or, where `fd` is negative, only the text: why there is none.
bool send_fd(int socket_fd, int fd, const std::string& text) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return ::sendmsg(socket_fd, &message, MSG_NOSIGNAL) > 0;
}

int receive_fd(int socket_fd) {
    const timeval patience{HELPER_PATIENCE.count(), 0};
    ::setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char text[512] = "";
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    iovec part{text, sizeof text - 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0) throw Unavailable(std::string("no word from the exporter: ") + strerror(errno));
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (got == 0) throw Unavailable("the exporter ended without a word");
    if (header == nullptr) throw Unavailable(std::string("in the exporter: ") + text);
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

struct Exporter {
    pid_t child;
    int fd;
};

Exporter start_exporter(const Settings& settings, Where where) {
    int sockets[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        throw Unavailable(std::string("socketpair: ") + std::strerror(errno));
    std::vector<std::string> arguments = settings_arguments(settings);
    arguments.insert(arguments.begin(),
                     {"--helper", where == Where::device ? "export-device" : "export-host-numa"});
    const pid_t child = start_self(arguments, sockets[1]);
    ::close(sockets[1]);
    try {
        const int fd = receive_fd(sockets[0]);
        ::close(sockets[0]);
        return {child, fd};
    } catch (...) {
        ::close(sockets[0]);
        end_child(child);
        throw;
    }
}

// Imports, maps and verifies; the exporter is killed before the import or only before the look.
void check_export(Session& session, Reporter& report, Where where, bool import_first) {
    const std::string prefix = std::string(where == Where::device ? "device." : "host_numa.") +
                               (import_first ? "imported_before_kill." : "imported_after_kill.");
    const Exporter exporter = start_exporter(session.settings, where);
    const size_t bytes = session.rounded(EXPORT_MIB * MIB);
    MemHandle handle = 0;
    const auto import = [&] {
        report.number(prefix + "import_us", time_us([&] {
                          session.cu.import_handle(
                              &handle, reinterpret_cast<void*>(static_cast<intptr_t>(exporter.fd)),
                              HANDLE_POSIX_FD);
                      }));
        ::close(exporter.fd);
    };
    try {
        if (import_first) import();
        report.text(prefix + "exporter_ended_by", end_child(exporter.child));
        if (!import_first) import();
    } catch (...) {
        report.flag(prefix + "outlives_exporter", false);
        end_child(exporter.child);
        throw;
    }
    Range range(session, bytes);
    range.map(0, bytes, handle);
    range.allow(0, bytes);
    report.flag(prefix + "outlives_exporter", session.holds(range.at(), bytes, EXPORT_SEED));
    session.fill_and_wait(range.at(), bytes, EXPORT_SEED + 1);
    report.flag(prefix + "writable", session.holds(range.at(), bytes, EXPORT_SEED + 1));
    session.cu.release(handle);
}

std::filesystem::path injected_library() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) throw Unavailable("cannot read /proc/self/exe: " + error.message());
    auto library = self.parent_path() / "libgpu-probe-inject.so";
    if (!std::filesystem::exists(library, error))
        throw Unavailable(library.string() + " is missing; it is built beside this program");
    return library;
}

// The letters, in the order in which target and library wrote them, are the answer.
std::string injection_trace() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) throw Unavailable(std::string("pipe: ") + strerror(errno));
    const pid_t child = start_self({"--helper", "injection-target"}, fds[1],
                                   {{"CUDA_INJECTION64_PATH", injected_library().string()},
                                    {"CIUIC_GPU_PROBE_INJECT_FD", std::to_string(CHILD_FD)}});
    ::close(fds[1]);
    bool timed_out = false;
    std::string trace =
        read_until(fds[0], std::chrono::steady_clock::now() + HELPER_PATIENCE, &timed_out);
    ::close(fds[0]);
    const std::string how =
        wait_child(child, std::chrono::steady_clock::now() + std::chrono::seconds(2));
    if (timed_out) throw Unavailable("the target did not end within 10 s; so far: " + trace);
    if (trace.find('c') == std::string::npos)
        throw Unavailable("the target ended early (" + how + "); so far: " + trace);
    return trace;
}

}  // namespace

int run_exporter(const Settings& settings, Where where, int socket_fd) {
    try {
        Session session(settings);
        const Memory memory(session, where, session.rounded(EXPORT_MIB * MIB), HANDLE_POSIX_FD);
        Range range(session, memory.size_bytes());
        range.map_and_allow(0, memory);
        session.fill_and_wait(range.at(), memory.size_bytes(), EXPORT_SEED);
        int fd = -1;
        session.cu.export_handle(&fd, memory.handle(), HANDLE_POSIX_FD, 0);
        send_fd(socket_fd, fd, "exported");
        for (;;) ::pause();  // until the probe kills this process
    } catch (const std::exception& failed) {
        send_fd(socket_fd, -1, failed.what());
        return 1;
    }
}

int run_injection_target(int fd) {
    const auto mark = [&](const char* letter) { return ::write(fd, letter, 1) == 1; };
    if (!mark("a")) return 1;
    void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return 1;
    if (!mark("b")) return 1;
    const auto init = reinterpret_cast<Status (*)(unsigned)>(find_symbol(library, "cuInit"));
    if (init == nullptr || init(0) != 0) return 1;
    return mark("c") ? 0 : 1;
}

void probe_share(const Settings& settings, Reporter& report) {
    Session session(settings);
    for (const Where where : {Where::device, Where::host_numa}) {
        for (const bool import_first : {false, true}) {
            const std::string name = std::string(where == Where::device ? "device" : "host_numa") +
                                     (import_first ? ".import_then_kill" : ".kill_then_import");
            report.attempt(name, [&] { check_export(session, report, where, import_first); });
        }
    }
}

void probe_injection(const Settings&, Reporter& report) {
    const Driver& cu = load_driver();
    report.flag("cuGetExportTable_exported", cu.export_table.present());
    report.attempt("injection", [&] {
        const std::string trace = injection_trace();
        report.text("order", trace);
        report.flag("library_loaded", trace.find('L') != std::string::npos);
        report.flag("initialize_called", trace.find('I') != std::string::npos);
        const size_t initialized = trace.find('I');
        report.flag("initialize_called_inside_cuInit", initialized != std::string::npos &&
                                                           initialized > trace.find('b') &&
                                                           initialized < trace.find('c'));
    });
}

}  // namespace ciuic::probe
