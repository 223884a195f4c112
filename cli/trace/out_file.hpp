// SPDX-License-Identifier: Apache-2.0
//
// A text file that is there when it is whole, and not otherwise.
//
// Threads: one.
#pragma once

#include "base/result.hpp"

#include <cstdio>
#include <string>

namespace ciuic::cli {

class OutFile {
public:
    // Error: io: it cannot be made.
    Status create(const std::string& path);
    ~OutFile();
    OutFile() = default;
    OutFile(const OutFile&) = delete;
    OutFile& operator=(const OutFile&) = delete;

    // A failure is kept and told by finish().
    void write(const char* text) { std::fputs(text, file_); }
    template <typename First, typename... More>
    void write(const char* format, First first, More... more) {
        std::fprintf(file_, format, first, more...);
    }
    Status finish();

private:
    void discard();

    std::string path_;
    std::FILE* file_ = nullptr;
    bool is_regular_ = false;
};

}  // namespace ciuic::cli
