// SPDX-License-Identifier: Apache-2.0
//
// The intercepted symbols, declared as the C library declares them and visible to the dynamic
// linker: a hook that symbols.def does not list stays hidden, and one that it lists but nobody
// defines fails tests/system/interposer_symbols_test.py.
#pragma once

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

// Of libraries that need not be installed where this is built, and of the C library's own for
// programs that were built with its checks.
struct io_uring;
struct io_uring_params;
struct io_context;
extern "C" {
int io_uring_queue_init(unsigned, io_uring*, unsigned);
int io_uring_queue_init_params(unsigned, io_uring*, io_uring_params*);
int io_uring_queue_init_mem(unsigned, io_uring*, io_uring_params*, void*, size_t);
int io_uring_setup(unsigned, io_uring_params*);
int io_setup(int, io_context**);
int io_queue_init(int, io_context**);
// NOLINTBEGIN(bugprone-reserved-identifier): glibc's own names
ssize_t __read_chk(int, void*, size_t, size_t);
ssize_t __pread_chk(int, void*, size_t, off_t, size_t);
ssize_t __pread64_chk(int, void*, size_t, off64_t, size_t);
// NOLINTEND(bugprone-reserved-identifier)
}

#define CIUIC_HOOK(name) extern "C" __attribute__((visibility("default"))) decltype(::name) name;
#include "interposer/symbols.def"
#undef CIUIC_HOOK
