// SPDX-License-Identifier: Apache-2.0
//
// The entry points by which a program has the kernel write to its memory.
//
//   read and its kin   where a device may write to managed memory itself (pinned_reads), the memory
//                      is held in its place for the length of the call; else by the C library
//   io_uring, Linux AIO   refused with ENOSYS and one line: the memory would have to be held until
//                      some later time that no call tells of
//
// Not here: whoever makes these system calls by an instruction of his own (a static liburing, Go),
// the C library's own calls (fread, aio_read): docs/architecture.md, limits. What the kernel copies
// with the CPU waits for absent memory as a program's touch does, and needs nothing of this; what
// it reads from (write, vmsplice, send) keeps the bytes that it had.
// Threads: any. A read that pins is no cancellation point.
#include "interposer/hooks.hpp"
#include "interposer/large.hpp"
#include "interposer/pinned_reads.hpp"
#include "interposer/runtime.hpp"

#include <dlfcn.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>

namespace ciuic::interposer {
namespace {

// The C library's own: cancellation points, which a system call is not.
struct Originals {
    decltype(&::read) read = nullptr;
    decltype(&::pread) pread = nullptr;
    decltype(&::readv) readv = nullptr;
    decltype(&::preadv) preadv = nullptr;
    decltype(&::preadv2) preadv2 = nullptr;
};
Originals originals;

template <typename Function> void look_up(Function& into, const char* name) {
    into = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

// Not at the first call: that may come from a signal handler.
__attribute__((constructor)) void find_originals() {
    look_up(originals.read, "read");
    look_up(originals.pread, "pread64");
    look_up(originals.readv, "readv");
    look_up(originals.preadv, "preadv64");
    look_up(originals.preadv2, "preadv64v2");
}

ssize_t read_any(int fd, void* to, size_t bytes) {
    if (needs_pins(fd, to)) return read_pinned(fd, to, bytes, at_position);
    return originals.read ? originals.read(fd, to, bytes) : ::syscall(SYS_read, fd, to, bytes);
}

ssize_t pread_any(int fd, void* to, size_t bytes, off64_t offset) {
    // A negative offset is for the kernel to refuse; it is no position here.
    if (offset >= 0 && needs_pins(fd, to)) return read_pinned(fd, to, bytes, offset);
    return originals.pread ? originals.pread(fd, to, bytes, offset)
                           : ::syscall(SYS_pread64, fd, to, bytes, offset);
}

std::span<const iovec> parts_of(const iovec* parts, int count) {
    return {parts, count > 0 ? static_cast<size_t>(count) : 0};
}

ssize_t preadv_any(int fd, const iovec* parts, int count, off64_t offset) {
    const auto all = parts_of(parts, count);
    if (offset >= 0 && needs_pins(fd, all)) return read_pinned(fd, all, offset, 0);
    return originals.preadv ? originals.preadv(fd, parts, count, offset)
                            : ::syscall(SYS_preadv, fd, parts, count, offset, offset >> 63);
}

ssize_t preadv2_any(int fd, const iovec* parts, int count, off64_t offset, int flags) {
    const auto all = parts_of(parts, count);
    if (offset >= at_position && needs_pins(fd, all)) return read_pinned(fd, all, offset, flags);
    return originals.preadv2
               ? originals.preadv2(fd, parts, count, offset, flags)
               : ::syscall(SYS_preadv2, fd, parts, count, offset, offset >> 63, flags);
}

void check_length(size_t bytes, size_t room) {
    if (bytes <= room) return;
    say("a buffer is shorter than what is read into it");
    std::abort();
}

// Minus an errno, as these libraries return it. 0: let it be.
int refuse_async(const char* what) {
    if (InsideCiuic::here() || !may_manage()) return 0;
    static std::atomic<bool> said{false};
    if (!said.exchange(true))
        say(what, " is refused to this program: it could read to memory that is not there any more "
                  "when the data comes");
    return -ENOSYS;
}

constexpr const char* uring = "io_uring";
constexpr const char* aio = "asynchronous I/O (io_setup)";

template <typename Function> int pass_on(const char* name, auto... arguments) {
    const auto function = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
    return function ? function(arguments...) : -ENOSYS;
}

long raw_syscall(long number, const long (&arguments)[6]) {
#if defined(__x86_64__)
    long result = 0;
    register long fourth __asm__("r10") = arguments[3];
    register long fifth __asm__("r8") = arguments[4];
    register long sixth __asm__("r9") = arguments[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]),
                       "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = arguments[0];
    register long x1 __asm__("x1") = arguments[1];
    register long x2 __asm__("x2") = arguments[2];
    register long x3 __asm__("x3") = arguments[3];
    register long x4 __asm__("x4") = arguments[4];
    register long x5 __asm__("x5") = arguments[5];
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "this processor's system call instruction is not known here"
#endif
}

}  // namespace
}  // namespace ciuic::interposer

using namespace ciuic::interposer;

extern "C" {

ssize_t read(int fd, void* to, size_t bytes) { return read_any(fd, to, bytes); }

ssize_t __read_chk(int fd, void* to, size_t bytes, size_t room) {
    check_length(bytes, room);
    return read_any(fd, to, bytes);
}

ssize_t pread(int fd, void* to, size_t bytes, off_t offset) {
    return pread_any(fd, to, bytes, offset);
}
ssize_t pread64(int fd, void* to, size_t bytes, off64_t offset) {
    return pread_any(fd, to, bytes, offset);
}
ssize_t __pread_chk(int fd, void* to, size_t bytes, off_t offset, size_t room) {
    check_length(bytes, room);
    return pread_any(fd, to, bytes, offset);
}
ssize_t __pread64_chk(int fd, void* to, size_t bytes, off64_t offset, size_t room) {
    check_length(bytes, room);
    return pread_any(fd, to, bytes, offset);
}

ssize_t readv(int fd, const iovec* parts, int count) {
    const auto all = parts_of(parts, count);
    if (needs_pins(fd, all)) return read_pinned(fd, all, at_position, 0);
    return originals.readv ? originals.readv(fd, parts, count)
                           : ::syscall(SYS_readv, fd, parts, count);
}

ssize_t preadv(int fd, const iovec* parts, int count, off_t offset) {
    return preadv_any(fd, parts, count, offset);
}
ssize_t preadv64(int fd, const iovec* parts, int count, off64_t offset) {
    return preadv_any(fd, parts, count, offset);
}
ssize_t preadv2(int fd, const iovec* parts, int count, off_t offset, int flags) {
    return preadv2_any(fd, parts, count, offset, flags);
}
ssize_t preadv64v2(int fd, const iovec* parts, int count, off64_t offset, int flags) {
    return preadv2_any(fd, parts, count, offset, flags);
}

// liburing, where it is a shared library

int io_uring_queue_init(unsigned entries, io_uring* ring, unsigned flags) {
    if (const int refused = refuse_async(uring); refused != 0) return refused;
    return pass_on<decltype(&::io_uring_queue_init)>("io_uring_queue_init", entries, ring, flags);
}
int io_uring_queue_init_params(unsigned entries, io_uring* ring, io_uring_params* parameters) {
    if (const int refused = refuse_async(uring); refused != 0) return refused;
    return pass_on<decltype(&::io_uring_queue_init_params)>("io_uring_queue_init_params", entries,
                                                            ring, parameters);
}
int io_uring_queue_init_mem(unsigned entries, io_uring* ring, io_uring_params* parameters,
                            void* memory, size_t bytes) {
    if (const int refused = refuse_async(uring); refused != 0) return refused;
    return pass_on<decltype(&::io_uring_queue_init_mem)>("io_uring_queue_init_mem", entries, ring,
                                                         parameters, memory, bytes);
}
int io_uring_setup(unsigned entries, io_uring_params* parameters) {
    if (const int refused = refuse_async(uring); refused != 0) return refused;
    return pass_on<decltype(&::io_uring_setup)>("io_uring_setup", entries, parameters);
}

// libaio

int io_setup(int events, io_context** context) {
    if (const int refused = refuse_async(aio); refused != 0) return refused;
    return pass_on<decltype(&::io_setup)>("io_setup", events, context);
}
int io_queue_init(int events, io_context** context) {
    if (const int refused = refuse_async(aio); refused != 0) return refused;
    return pass_on<decltype(&::io_queue_init)>("io_queue_init", events, context);
}

// Whoever has no name for them

long syscall(long number, ...) noexcept {
    long arguments[6];
    va_list given;
    va_start(given, number);
    for (long& argument : arguments) argument = va_arg(given, long);
    va_end(given);
    long result = 0;
    if (number == SYS_io_uring_setup) result = refuse_async(uring);
    if (number == SYS_io_setup) result = refuse_async(aio);
    if (result == 0) result = raw_syscall(number, arguments);
    if (result >= 0 || result < -4095) return result;
    errno = static_cast<int>(-result);
    return -1;
}

}  // extern "C"
