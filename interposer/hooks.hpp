// SPDX-License-Identifier: Apache-2.0
//
// The intercepted symbols, declared as the C library declares them and visible to the dynamic
// linker: a hook that symbols.def does not list stays hidden, and one that it lists but nobody
// defines fails tests/system/interposer_symbols_test.py.
#pragma once

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CIUIC_HOOK(name) extern "C" __attribute__((visibility("default"))) decltype(::name) name;
#include "interposer/symbols.def"
#undef CIUIC_HOOK
