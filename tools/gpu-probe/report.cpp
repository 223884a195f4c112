// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace ciuic::probe {

namespace {

constexpr char KIND_LETTERS[] = "fntsu";  // in the order of RowKind

std::string one_line(std::string text) {
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
    return text;
}

// Shortest form that reads back as the same number; JSON has no infinities.
std::string number_text(double value) {
    if (!std::isfinite(value)) return "null";
    char buffer[40];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    return error == std::errc() ? std::string(buffer, end) : "null";
}

std::string short_text(double value) {
    if (value == std::floor(value) && std::fabs(value) < 1e15) {
        char buffer[40];
        std::snprintf(buffer, sizeof buffer, "%.0f", value);
        return buffer;
    }
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, std::fabs(value) >= 100 ? "%.1f" : "%.3g", value);
    return buffer;
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string row_json(const Row& row) {
    switch (row.kind) {
    case RowKind::flag: return row.value != 0 ? "{\"value\": true}" : "{\"value\": false}";
    case RowKind::number: return "{\"value\": " + number_text(row.value) + "}";
    case RowKind::text: return "{\"value\": " + quoted(row.text) + "}";
    case RowKind::samples:
        return "{\"median\": " + number_text(row.value) + ", \"min\": " + number_text(row.min) +
               ", \"max\": " + number_text(row.max) + ", \"count\": " + std::to_string(row.count) +
               "}";
    case RowKind::unavailable: break;
    }
    return "{\"value\": null, \"reason\": " + quoted(row.text) + "}";
}

}  // namespace

std::string encode(const Row& row) {
    std::string line(1, KIND_LETTERS[static_cast<size_t>(row.kind)]);
    for (const std::string& field : {row.name, number_text(row.value), number_text(row.min),
                                     number_text(row.max), std::to_string(row.count), row.text}) {
        line += '\t' + one_line(field);
    }
    return line;
}

std::optional<Row> decode(std::string_view line) {
    std::vector<std::string> fields;
    for (size_t begin = 0; begin <= line.size();) {
        const size_t end = std::min(line.find('\t', begin), line.size());
        fields.emplace_back(line.substr(begin, end - begin));
        begin = end + 1;
    }
    if (fields.size() != 7 || fields[0].size() != 1) return std::nullopt;
    const size_t kind = std::string_view(KIND_LETTERS).find(fields[0][0]);
    if (kind == std::string_view::npos) return std::nullopt;
    // "null" (an infinity) reads as not a number again, and is written as null.
    const auto number = [](const std::string& field) {
        return field == "null" ? std::nan("") : std::strtod(field.c_str(), nullptr);
    };
    Row row;
    row.kind = static_cast<RowKind>(kind);
    row.name = fields[1];
    row.value = number(fields[2]);
    row.min = number(fields[3]);
    row.max = number(fields[4]);
    row.count = std::strtoull(fields[5].c_str(), nullptr, 10);
    row.text = fields[6];
    return row;
}

void Reporter::flag(const std::string& name, bool value) {
    Row row{.kind = RowKind::flag, .name = name, .text = {}};
    row.value = value ? 1 : 0;
    write(row);
}

void Reporter::number(const std::string& name, double value) {
    Row row{.kind = RowKind::number, .name = name, .text = {}};
    row.value = value;
    write(row);
}

void Reporter::text(const std::string& name, const std::string& value) {
    write(Row{.kind = RowKind::text, .name = name, .text = value});
}

void Reporter::samples(const std::string& name, Samples values) {
    if (values.empty()) return unavailable(name, "no repetition finished");
    std::sort(values.begin(), values.end());
    const size_t middle = values.size() / 2;
    Row row{.kind = RowKind::samples, .name = name, .text = {}};
    row.value = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    row.min = values.front();
    row.max = values.back();
    row.count = values.size();
    write(row);
}

void Reporter::unavailable(const std::string& name, const std::string& reason) {
    write(Row{.kind = RowKind::unavailable, .name = name, .text = reason});
}

// A row is far below PIPE_BUF, so one write carries it whole.
void Reporter::write(const Row& row) {
    const std::string line = encode(row) + '\n';
    size_t done = 0;
    while (done < line.size()) {
        const ssize_t wrote = ::write(fd_, line.data() + done, line.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return;
        done += static_cast<size_t>(wrote);
    }
}

void print_table(const ProbeResult& result) {
    std::printf("\n%s: %s\n", result.name.c_str(), result.question.c_str());
    for (const Row& row : result.rows) {
        std::printf("  %-52s ", row.name.c_str());
        switch (row.kind) {
        case RowKind::flag: std::printf("%s\n", row.value != 0 ? "yes" : "no"); break;
        case RowKind::number: std::printf("%s\n", short_text(row.value).c_str()); break;
        case RowKind::text: std::printf("%s\n", row.text.c_str()); break;
        case RowKind::samples:
            std::printf("%10s  (%s .. %s, n=%llu)\n", short_text(row.value).c_str(),
                        short_text(row.min).c_str(), short_text(row.max).c_str(),
                        static_cast<unsigned long long>(row.count));
            break;
        case RowKind::unavailable: std::printf("not available: %s\n", row.text.c_str()); break;
        }
    }
    std::printf("  %s%s%s (%.1f s)\n", result.status.c_str(), result.reason.empty() ? "" : ": ",
                result.reason.c_str(), result.elapsed_s);
    std::fflush(stdout);
}

bool write_json(const std::string& path, const std::vector<ProbeResult>& results, bool quick,
                double elapsed_s) {
    std::string out = "{\n  \"tool\": \"gpu-probe\",\n  \"format\": 1,\n  \"quick\": ";
    out += quick ? "true" : "false";
    out += ",\n  \"elapsed_s\": " + number_text(elapsed_s) + ",\n  \"probes\": {";
    for (const ProbeResult& result : results) {
        out += &result == results.data() ? "\n" : ",\n";
        out +=
            "    " + quoted(result.name) + ": {\n      \"question\": " + quoted(result.question) +
            ",\n      \"status\": " + quoted(result.status) +
            ",\n      \"reason\": " + (result.reason.empty() ? "null" : quoted(result.reason)) +
            ",\n      \"elapsed_s\": " + number_text(result.elapsed_s) + ",\n      \"results\": {";
        for (const Row& row : result.rows) {
            out += &row == result.rows.data() ? "\n" : ",\n";
            out += "        " + quoted(row.name) + ": " + row_json(row);
        }
        out += result.rows.empty() ? "}\n    }" : "\n      }\n    }";
    }
    out += "\n  }\n}\n";

    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr) return false;
    const bool wrote = std::fwrite(out.data(), 1, out.size(), file) == out.size();
    return std::fclose(file) == 0 && wrote;
}

}  // namespace ciuic::probe
