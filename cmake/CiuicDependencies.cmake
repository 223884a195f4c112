# SPDX-License-Identifier: Apache-2.0
#
# Everything comes from the distribution (tools/install-deps); nothing is downloaded here.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(uring REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(numa REQUIRED IMPORTED_TARGET numa)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(toml REQUIRED IMPORTED_TARGET tomlplusplus)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
if(CIUIC_TESTS)
    find_package(GTest REQUIRED)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()
if(CIUIC_BENCHMARKS)
    find_package(benchmark REQUIRED)
endif()
