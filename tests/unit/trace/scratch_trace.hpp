// SPDX-License-Identifier: Apache-2.0
//
// A trace file of one test, and what a file says, in one piece.
//
// Threads: one.
#pragma once

#include "trace/reader.hpp"
#include "trace/writer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace ciuic::trace::test {

class ScratchFile {
public:
    explicit ScratchFile(const std::string& name = "trace")
        : path_(testing::TempDir() + "ciuic-" + std::to_string(::getpid()) + "-" + name) {}
    ~ScratchFile() { ::unlink(path_.c_str()); }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;

    const std::string& path() const { return path_; }
    std::string bytes() const {
        std::ifstream file(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void set_bytes(const std::string& bytes) const {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    }

private:
    std::string path_;
};

// All that a file says.
struct Content {
    uint64_t chunk_bytes = 0;
    std::vector<std::pair<std::string, uint32_t>> regions;
    std::vector<std::pair<size_t, std::string>> phases;  // and the uses before each
    std::vector<Use> uses;
    bool operator==(const Content&) const = default;
};

inline Result<Content> read_all(Reader& reader, const std::string& path) {
    CIUIC_TRY_STATUS(reader.open(path));
    Content content;
    content.chunk_bytes = reader.chunk_bytes();
    for (;;) {
        CIUIC_TRY(const Found found, reader.next());
        if (found == Found::end) return content;
        if (found == Found::region)
            content.regions.emplace_back(reader.regions().back().name,
                                         reader.regions().back().chunks);
        if (found == Found::phase) content.phases.emplace_back(content.uses.size(), reader.phase());
        if (found == Found::use) content.uses.push_back(reader.use());
    }
}

inline Status write_all(const Content& content, const std::string& path) {
    Writer writer;
    CIUIC_TRY_STATUS(writer.create(path, content.chunk_bytes));
    for (const auto& [name, chunks] : content.regions) writer.region(name, chunks);
    size_t phase = 0;
    for (size_t at = 0; at <= content.uses.size(); ++at) {
        for (; phase < content.phases.size() && content.phases[phase].first == at; ++phase)
            writer.phase(content.phases[phase].second);
        if (at < content.uses.size()) writer.use(content.uses[at]);
    }
    return writer.finish();
}

}  // namespace ciuic::trace::test
