// SPDX-License-Identifier: Apache-2.0
//
// What a probe found: rows, written by a child one line each as soon as they are known, so that
// a child that dies loses only what it had not measured yet; read, shown and saved by the parent.
//
// Not here: processes (runner.hpp). A Reporter belongs to one thread.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ciuic::probe {

using Samples = std::vector<double>;

enum class RowKind { flag, number, text, samples, unavailable };

struct Row {
    RowKind kind = RowKind::unavailable;
    std::string name;    // ends in the unit, where there is one
    double value = 0;    // flag, number, or the median of samples
    double min = 0;      // samples
    double max = 0;      // samples
    uint64_t count = 0;  // samples
    std::string text;    // text, or why the row is unavailable
};

std::string encode(const Row& row);  // one line, without its newline
std::optional<Row> decode(std::string_view line);

class Reporter {
public:
    explicit Reporter(int fd) : fd_(fd) {}
    void flag(const std::string& name, bool value);
    void number(const std::string& name, double value);
    void text(const std::string& name, const std::string& value);
    void samples(const std::string& name, Samples values);
    void unavailable(const std::string& name, const std::string& reason);

    // Runs `measure`; if it throws, `name` is reported as not available with the reason.
    template <typename Measure> bool attempt(const std::string& name, Measure&& measure) {
        try {
            measure();
            return true;
        } catch (const std::exception& failed) {
            unavailable(name, failed.what());
            return false;
        }
    }

private:
    void write(const Row& row);
    int fd_;
};

struct ProbeResult {
    std::string name;
    std::string question;
    std::string status;  // ok, failed, timed_out, skipped
    std::string reason;  // why it is not ok
    double elapsed_s = 0;
    std::vector<Row> rows;
};

void print_table(const ProbeResult& result);

// False, with errno set, where the file could not be written.
bool write_json(const std::string& path, const std::vector<ProbeResult>& results, bool quick,
                double elapsed_s);

}  // namespace ciuic::probe
