// SPDX-License-Identifier: Apache-2.0
//
// Texts: sizes as people write them, and configuration files. What is accepted is within the
// limits, and can be written and read again; what is not says where.
//
//   byte 0   even: a size; odd: a configuration file
#include "base/check.hpp"
#include "base/size_text.hpp"
#include "base/unique_fd.hpp"
#include "daemon/config.hpp"
#include "tests/fuzz/target.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace ciuic::fuzz {
namespace {

void read_size(std::string_view text) {
    const Result<uint64_t> size = parse_size(text);
    if (!size) {
        CIUIC_CHECK(size.error().code == Errc::invalid && size.error().what[0] != '\0');
        return;
    }
    CIUIC_CHECK(*size <= INT64_MAX);
    if (*size > INT64_MAX / 2) return;  // rounded to hundredths it may be too large
    const Result<uint64_t> again = parse_size(format_size(*size).data());
    CIUIC_CHECK(again.has_value());
    const uint64_t difference = *again > *size ? *again - *size : *size - *again;
    CIUIC_CHECK(difference <= *size / 100);  // two decimals of a number that is at least one
}

void read_config(std::string_view text) {
    static const UniqueFd file(::memfd_create("config", MFD_CLOEXEC));
    static const std::string path = "/proc/self/fd/" + std::to_string(file.get());
    CIUIC_CHECK(::ftruncate(file.get(), 0) == 0);
    CIUIC_CHECK(::pwrite(file.get(), text.data(), text.size(), 0) ==
                static_cast<ssize_t>(text.size()));
    DaemonConfig config;
    const auto problems = read_config_file(path, config);
    for (const std::string& problem : problems)
        CIUIC_CHECK(!problem.empty() && problem.find('\n') == std::string::npos);
    CIUIC_CHECK(is_power_of_two(config.chunk_bytes));
    CIUIC_CHECK(config.chunk_bytes >= limits::chunk_bytes_min &&
                config.chunk_bytes <= limits::chunk_bytes_max);
    CIUIC_CHECK(config.socket_mode <= 0777 && config.session.max_frames <= limits::frames_max);
    (void)check_config(config);
}

}  // namespace
}  // namespace ciuic::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ++ciuic::fuzz::inputs;
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 2 == 0)
        ciuic::fuzz::read_size(text);
    else
        ciuic::fuzz::read_config(text);
    return 0;
}
