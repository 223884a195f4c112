# SPDX-License-Identifier: Apache-2.0
#
# The few forms of target there are. Patterns are re-evaluated at every build (CONFIGURE_DEPENDS);
# a folder without sources gives an INTERFACE library or nothing at all, never an error.

# ciuic_sources(out dir [name to leave out]...): the .cpp files directly in dir.
function(ciuic_sources out dir)
    file(GLOB found CONFIGURE_DEPENDS "${dir}/*.cpp")
    foreach(name IN LISTS ARGN)
        list(FILTER found EXCLUDE REGEX "/${name}$")
    endforeach()
    set(${out} "${found}" PARENT_SCOPE)
endfunction()

# ciuic_library(name dir EXCLUDE regex... LINKS target... INCLUDES dir...): a static library of the
# sources in dir, or an INTERFACE one while dir holds headers only.
function(ciuic_library name dir)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "EXCLUDE;LINKS;INCLUDES")
    ciuic_sources(sources "${dir}" ${arg_EXCLUDE})
    if(sources)
        add_library(${name} STATIC ${sources})
        set(scope PUBLIC)
    else()
        add_library(${name} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(${name} ${scope} ${arg_INCLUDES})
    target_link_libraries(${name} ${scope} ${arg_LINKS})
endfunction()

# ciuic_layer(folder LINKS target...): lib/<folder> as ciuic_<folder>, slashes becoming underscores.
function(ciuic_layer folder)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINKS")
    string(REPLACE "/" "_" name "ciuic_${folder}")
    ciuic_library(${name} "${PROJECT_SOURCE_DIR}/lib/${folder}"
        LINKS ${arg_LINKS}
        INCLUDES "${PROJECT_SOURCE_DIR}/lib" "${PROJECT_SOURCE_DIR}/lib/include")
    get_target_property(kind ${name} TYPE)
    if(kind STREQUAL "STATIC_LIBRARY")
        ciuic_read_precompiled(${name} library)
    endif()
endfunction()

# ciuic_program(name dir LINKS target...): an executable from dir/main.cpp, once it exists. The rest
# of dir is a library, so that tests can link it.
function(ciuic_program name dir)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LINKS")
    file(GLOB main CONFIGURE_DEPENDS "${dir}/main.cpp")
    if(main)
        add_executable(${name} ${main})
        target_link_libraries(${name} PRIVATE ${arg_LINKS})
    endif()
endfunction()

# ciuic_quick_build(name): compiled without the optimiser, which is more than half of the time that
# a build takes, in all builds but those that ship. For what starts, reads options, prints or tests.
function(ciuic_quick_build name)
    target_compile_options(${name} PRIVATE $<$<NOT:$<CONFIG:Release>>:-O0>)
endfunction()

# ciuic_read_precompiled(name form): of one of the forms in CiuicPrecompiled.cmake.
function(ciuic_read_precompiled name form)
    if(CIUIC_PRECOMPILED_HEADERS)
        target_precompile_headers(${name} REUSE_FROM ciuic_precompiled_${form})
    endif()
endfunction()

# ciuic_gtest(name LABEL label SOURCES file... LINKS target... [PREFIX text] [TIMEOUT s] [SERIAL]
# [OPTIMISED]): a GoogleTest binary, each case a CTest of its own. OPTIMISED: it races the code that
# it tests and has to be as fast. The cases are listed when ctest runs, not when the binary is
# built, so a cross-compiled or sanitized build needs no working run-time.
function(ciuic_gtest name)
    cmake_parse_arguments(PARSE_ARGV 1 arg
        "SERIAL;OPTIMISED" "LABEL;PREFIX;TIMEOUT" "SOURCES;LINKS")
    if(NOT arg_SOURCES)
        return()
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE ${arg_LINKS} ciuic_test_support GTest::gtest_main)
    if(NOT arg_OPTIMISED)
        ciuic_quick_build(${name})
        ciuic_read_precompiled(${name} test)
    endif()
    gtest_discover_tests(${name}
        DISCOVERY_MODE PRE_TEST
        TEST_PREFIX "${arg_PREFIX}"
        PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} RUN_SERIAL ${arg_SERIAL})
endfunction()

# ciuic_script_tests(LABEL label dir): every *_test.py and *_test.sh of dir as one CTest each; exit
# 77 is a skip. They find what was built through CIUIC_BUILD_DIR and the sources through
# CIUIC_SOURCE_DIR. A name ending in _long_test gets the label `long` instead.
function(ciuic_script_tests label dir)
    file(GLOB scripts CONFIGURE_DEPENDS "${dir}/*_test.py" "${dir}/*_test.sh")
    foreach(script IN LISTS scripts)
        cmake_path(GET script STEM stem)
        cmake_path(GET script EXTENSION extension)
        set(name "${label}.${stem}")
        if(extension STREQUAL ".py")
            add_test(NAME ${name} COMMAND Python3::Interpreter "${script}")
        else()
            add_test(NAME ${name} COMMAND bash "${script}")
        endif()
        set(test_label ${label})
        if(stem MATCHES "_long_test$")
            set(test_label long)
        endif()
        set_tests_properties(${name} PROPERTIES
            LABELS ${test_label} SKIP_RETURN_CODE 77 TIMEOUT 300
            ENVIRONMENT "CIUIC_BUILD_DIR=${CMAKE_BINARY_DIR};\
CIUIC_SOURCE_DIR=${PROJECT_SOURCE_DIR};CIUIC_SANITIZE=${CIUIC_SANITIZE}")
    endforeach()
endfunction()
