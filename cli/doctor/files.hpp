// SPDX-License-Identifier: Apache-2.0
//
// Small text files of the kernel, from under a directory that a test may choose.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ciuic::cli::doctor {

class Files {
public:
    explicit Files(std::string root = "") : root_(std::move(root)) {}

    // `path` starts with a slash. None where it cannot be read.
    std::optional<std::string> text(const std::string& path) const;
    bool exists(const std::string& path) const;
    // The whole number that it starts with.
    std::optional<uint64_t> number(const std::string& path) const;

private:
    std::string root_;
};

std::optional<uint64_t> leading_number(std::string_view text);

// The number behind "key:" at the start of a line.
std::optional<uint64_t> number_of(std::string_view text, std::string_view key);

}  // namespace ciuic::cli::doctor
