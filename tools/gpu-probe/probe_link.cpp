// SPDX-License-Identifier: Apache-2.0
//
// What the link between host and card carries: by size of the pieces, by direction, by the NUMA
// node of the pinned memory, with one call per piece and with one call for the batch. Rates are
// 10^9 bytes per second of wall time, from the first call to the end of the last copy; both
// directions together count the sum.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "probes.hpp"

namespace ciuic::probe {

namespace {

constexpr size_t WINDOW_BYTES = 128 * MIB;
constexpr size_t PIECES_MIB[] = {2, 4, 8, 16, 32, 64};
constexpr size_t NODES_MAX = 4;

enum class Direction { to_device, to_host, both };

// Equal pieces of one window, in one direction, on one stream.
class Copies {
public:
    Copies(Session& session, DevicePtr target, DevicePtr source, size_t bytes, size_t piece)
        : session_(session), stream_(session.cu) {
        for (size_t offset = 0; offset < bytes; offset += piece) {
            targets_.push_back(target + offset);
            sources_.push_back(source + offset);
            sizes_.push_back(std::min(piece, bytes - offset));
        }
    }
    size_t count() const { return sizes_.size(); }
    void submit_one(size_t i) {
        session_.cu.copy_async(targets_[i], sources_[i], sizes_[i], stream_.get());
    }
    void submit_batch() {
        CopyAttributes attributes;
        size_t first = 0;
        const Driver& cu = session_.cu;
        if (cu.copy_batch_v2.present()) {
            cu.copy_batch_v2(targets_.data(), sources_.data(), sizes_.data(), sizes_.size(),
                             &attributes, &first, 1, stream_.get());
        } else {
            size_t failed = 0;
            cu.copy_batch_v1(targets_.data(), sources_.data(), sizes_.data(), sizes_.size(),
                             &attributes, &first, 1, &failed, stream_.get());
        }
    }
    void synchronize() const { stream_.synchronize(); }

private:
    Session& session_;
    Stream stream_;
    std::vector<DevicePtr> targets_, sources_;
    std::vector<size_t> sizes_;
};

// A window on the host and one on the card for each direction.
struct Windows {
    PinnedBuffer host_up, host_down;
    const Range& device;
    size_t bytes;

    Windows(Session& session, const Range& range, size_t window_bytes, int node)
        : host_up(session, window_bytes, node), host_down(session, window_bytes, node),
          device(range), bytes(window_bytes) {}
};

struct Rates {
    Samples gb_per_s, submit_us_per_piece;
};

Rates measure(Session& session, const Windows& windows, Direction direction, size_t piece,
              bool batch) {
    std::vector<std::unique_ptr<Copies>> streams;
    if (direction != Direction::to_host) {
        streams.push_back(std::make_unique<Copies>(
            session, windows.device.at(0), windows.host_up.address(), windows.bytes, piece));
    }
    if (direction != Direction::to_device) {
        streams.push_back(std::make_unique<Copies>(session, windows.host_down.address(),
                                                   windows.device.at(windows.bytes), windows.bytes,
                                                   piece));
    }
    const size_t pieces = streams.size() * streams.front()->count();
    const auto moved = static_cast<double>(streams.size() * windows.bytes);
    Rates rates;
    const int rounds = session.settings.quick ? 3 : 6;
    for (int round = 0; round < rounds && !session.past_deadline(); ++round) {
        double submit_us = 0;
        const double total_s = time_s([&] {
            submit_us = time_us([&] {
                if (batch) {
                    for (const auto& stream : streams) stream->submit_batch();
                } else {
                    for (size_t i = 0; i < streams.front()->count(); ++i)
                        for (const auto& stream : streams) stream->submit_one(i);
                }
            });
            for (const auto& stream : streams) stream->synchronize();
        });
        if (round == 0) continue;  // the first pass meets cold translations
        rates.gb_per_s.push_back(moved / total_s / 1e9);
        rates.submit_us_per_piece.push_back(submit_us / static_cast<double>(pieces));
    }
    return rates;
}

// Up with a known pattern, checked by a kernel; down what another kernel wrote, checked here.
void check_data(Session& session, Reporter& report, const std::string& prefix,
                const Windows& windows) {
    auto* up = reinterpret_cast<uint64_t*>(windows.host_up.data());
    const size_t words = windows.bytes / sizeof *up;
    for (size_t i = 0; i < words; ++i) up[i] = (41 + i) * PATTERN_FACTOR;
    Copies upload(session, windows.device.at(0), windows.host_up.address(), windows.bytes,
                  windows.bytes);
    upload.submit_one(0);
    upload.synchronize();
    report.flag(prefix + "h2d_data_right", session.holds(windows.device.at(0), windows.bytes, 41));

    session.fill_and_wait(windows.device.at(windows.bytes), windows.bytes, 43);
    Copies download(session, windows.host_down.address(), windows.device.at(windows.bytes),
                    windows.bytes, windows.bytes);
    download.submit_one(0);
    download.synchronize();
    const auto* got = reinterpret_cast<const uint64_t*>(windows.host_down.data());
    bool right = true;
    for (size_t i = 0; i < words; ++i) right = right && got[i] == (43 + i) * PATTERN_FACTOR;
    report.flag(prefix + "d2h_data_right", right);
}

void measure_pieces(Session& session, Reporter& report, const std::string& prefix,
                    const Windows& windows, size_t piece_mib) {
    for (const Direction direction : {Direction::to_device, Direction::to_host, Direction::both}) {
        const char* direction_name = direction == Direction::to_device ? "h2d."
                                     : direction == Direction::to_host ? "d2h."
                                                                       : "both.";
        for (const bool batch : {false, true}) {
            const std::string name = prefix + direction_name + std::to_string(piece_mib) + "_mib." +
                                     (batch ? "batch" : "loop");
            report.attempt(name + "_gb_per_s", [&] {
                const Rates rates = measure(session, windows, direction, piece_mib * MIB, batch);
                report.samples(name + "_gb_per_s", rates.gb_per_s);
                if (direction == Direction::to_device)
                    report.samples(name + "_submit_us_per_piece", rates.submit_us_per_piece);
            });
        }
    }
}

bool measure_node(Session& session, Reporter& report, const Range& device, size_t window_bytes,
                  int node) {
    const std::string prefix = node < 0 ? "any_node." : "node" + std::to_string(node) + ".";
    return report.attempt(prefix + "pinned_memory", [&] {
        const Windows windows(session, device, window_bytes, node);
        report.number(prefix + "register_gb_per_s",
                      static_cast<double>(window_bytes) / windows.host_up.register_s() / 1e9);
        check_data(session, report, prefix, windows);
        for (const size_t piece_mib : PIECES_MIB) {
            if (session.settings.quick && piece_mib != 2 && piece_mib != 16 && piece_mib != 64)
                continue;
            if (session.past_deadline()) throw Unavailable("the probe's time is up");
            measure_pieces(session, report, prefix, windows, piece_mib);
        }
    });
}

// Free memory of a node, 0 for a node without memory of its own.
size_t node_free_bytes(int node) {
    std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/meminfo");
    std::string word;
    size_t kib = 0;
    while (file >> word)
        if (word == "MemFree:" && file >> kib) return kib * 1024;
    return 0;
}

// The card's own node first. A binding is strict, so a node that is nearly full is left out.
std::vector<int> nodes_to_measure(const Session& session) {
    std::vector<int> nodes;
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator("/sys/devices/system/node", error)) {
        const std::string name = entry.path().filename();
        if (!name.starts_with("node") || name.find_first_of("0123456789") != 4) continue;
        const int node = std::atoi(name.c_str() + 4);
        if (node_free_bytes(node) >= GIB) nodes.push_back(node);
    }
    std::sort(nodes.begin(), nodes.end(), [&](int a, int b) {
        return std::pair(a != session.host_node, a) < std::pair(b != session.host_node, b);
    });
    if (nodes.size() > NODES_MAX) nodes.resize(NODES_MAX);
    return nodes;
}

}  // namespace

void probe_link(const Settings& settings, Reporter& report) {
    Session session(settings);
    const size_t affordable =
        std::min(session.left_bytes(Where::device) / 2, session.left_bytes(Where::host) / 2);
    const size_t wanted = settings.quick ? WINDOW_BYTES / 2 : WINDOW_BYTES;
    const size_t window_bytes = std::min(wanted, affordable / (2 * MIB) * (2 * MIB));
    if (window_bytes == 0) throw Unavailable("the probe's memory budget is below 4 MiB");
    const Memory memory(session, Where::device, session.rounded(2 * window_bytes));
    Range device(session, memory.size_bytes());
    device.map_and_allow(0, memory);
    report.number("window_bytes", static_cast<double>(window_bytes));
    report.number("device_node", session.host_node);

    bool any = false;
    for (const int node : nodes_to_measure(session))
        any = measure_node(session, report, device, window_bytes, node) || any;
    if (!any) measure_node(session, report, device, window_bytes, -1);
    report_link_state(session, report);
}

}  // namespace ciuic::probe
