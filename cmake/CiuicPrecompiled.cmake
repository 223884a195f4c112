# SPDX-License-Identifier: Apache-2.0
#
# Headers of others that are read once for many targets. Whoever reads them has to have the flags
# that they were compiled with, so there is one set for each form of target.
#
#   library   optimised, position-independent: lib/, the daemon, the simulator
#   test      ciuic_quick_build(), an executable: ciuic_gtest()

if(CIUIC_PRECOMPILED_HEADERS)
    set(precompiled_headers
        <algorithm> <array> <atomic> <bit> <cerrno> <chrono> <cinttypes> <csignal> <cstdint>
        <cstdio> <cstdlib> <cstring> <functional> <memory> <mutex> <optional> <span>
        <string> <string_view> <utility> <variant> <vector>)
    add_library(ciuic_precompiled_library STATIC cmake/precompiled.cpp)
    target_precompile_headers(ciuic_precompiled_library PRIVATE ${precompiled_headers})
    if(CIUIC_TESTS)
        add_executable(ciuic_precompiled_test cmake/precompiled.cpp)
        target_link_libraries(ciuic_precompiled_test PRIVATE Threads::Threads GTest::gtest_main)
        ciuic_quick_build(ciuic_precompiled_test)
        target_precompile_headers(ciuic_precompiled_test PRIVATE ${precompiled_headers}
            <condition_variable> <deque> <filesystem> <fstream> <map> <set> <thread>
            <gtest/gtest.h>)
    endif()
endif()
