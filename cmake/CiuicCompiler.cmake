# SPDX-License-Identifier: Apache-2.0
#
# Language level, warnings, sanitizers and where built files land: the same for every target.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "build type" FORCE)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Only what is marked CIUIC_API leaves a shared library.
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

# pread, memfd_create and the rest of the Linux interface are used everywhere.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wthread-safety>)
endif()
# A layer names what its whole folder may need; a binary keeps what it uses.
add_link_options(LINKER:--as-needed)
if(CIUIC_WERROR)
    add_compile_options(-Werror)
endif()

if(CIUIC_SANITIZE)
    add_compile_options(-fsanitize=${CIUIC_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${CIUIC_SANITIZE})
    if(CIUIC_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
    # Tests that cannot run here (preloading into strangers) look at this and skip with a reason.
    add_compile_definitions(CIUIC_SANITIZED=1)
endif()

find_program(CIUIC_CCACHE ccache)
if(CIUIC_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER "${CIUIC_CCACHE}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CIUIC_CCACHE}")
endif()

# Reading the standard library is two thirds of what most sources cost. Not with ccache, which by
# itself stores nothing that reads a precompiled header: such builds also show what a source that
# compiles here forgot to include.
if(CMAKE_CXX_COMPILER_LAUNCHER)
    set(precompile_by_default OFF)
else()
    set(precompile_by_default ON)
endif()
option(CIUIC_PRECOMPILED_HEADERS "sources read the standard library precompiled"
    ${precompile_by_default})
