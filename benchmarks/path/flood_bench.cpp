// SPDX-License-Identifier: Apache-2.0
//
// How long one client waits while others ask the daemon for all that is lawful.
//
// An innocent client touches chunks here and there, writes to them, and asks for something that
// takes no transfer. Beside it, none, one or eight clients that keep 48 requests under way, each of
// all that they may have: "requests" of 32 chunks of 2 MiB, "wide" of many thousands of 64 KiB, so
// that the looking at chunks is what takes time. All of it again with a program on every processor
// that computes. Per row: the median, the 99th percentile and the longest of the innocent one's
// requests and of its touches of chunks that are absent.
//
// One JSON line per row. The run fails when a word is wrong or a request is refused.
//
// usage: flood_bench [--smoke] [--frames KIND] [--seconds N] [--store DIR] [--store-mib N]
#include "base/random.hpp"
#include "benchmarks/path/paged_region.hpp"
#include "client/futex.hpp"
#include "residency/chunk_state.hpp"
#include "tests/system/bare_client.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace ciuic;
using bench::seconds_now;
using test::BareClient;
using test::Pipe;

constexpr uint32_t innocent_chunks = 20;
constexpr uint32_t frames_per_session = 12;
constexpr uint32_t flooders_max = 8;

struct Options {
    std::string frames = "memfd";
    std::string store = "/var/tmp";
    uint64_t store_mib = 4096;
    double seconds = 10;
};

struct Flood {
    const char* name;
    uint64_t chunk_bytes;
    uint32_t chunks_max;  // of one request
};
constexpr Flood floods[] = {{"requests", 2 * MiB, 32}, {"wide", 64 * KiB, 1u << 20}};

constexpr uint64_t word_of(uint64_t place) { return place * 0x9e3779b97f4a7c15u + 5; }

// Ends with the one that forked it.
template <typename Run> pid_t fork_to(Run run) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    run();
    ::_exit(1);
}

void end(pid_t& process, int signal = SIGKILL) {
    if (process <= 0) return;
    ::kill(process, signal);
    ::waitpid(process, nullptr, 0);
    process = 0;
}

// As the client library waits: without taking a processor.
Errc call(BareClient& client, wire::RequestKind kind, uint32_t first, uint32_t count) {
    client.ask(kind, first, count, 0);
    const wire::ReplySlot& slot = std::as_const(client.engine).page().replies[0];
    for (;;) {
        const uint32_t seen = slot.sequence.load(std::memory_order_acquire);
        if (seen == client.sequence) return static_cast<Errc>(slot.result.load());
        futex_wait(slot.sequence, seen, BareClient::plenty);
    }
}

// Lawful, and as much work as one client can ask for, for ever.
void flood(const std::string& socket, uint32_t chunks) {
    auto client = BareClient::connect(socket);
    if (!client) return;
    for (;;) {
        (void)call(*client, wire::RequestKind::promise, 0, chunks);
        for (uint32_t chunk = 0; chunk < frames_per_session; ++chunk)
            client->ask(wire::RequestKind::acquire, chunk, 1);
        for (uint32_t count = 0; count < 48; ++count)
            client->ask(static_cast<wire::RequestKind>(1 + count % 4), 0, chunks);
        (void)call(*client, wire::RequestKind::discard, 0, chunks);
    }
}

struct Waits {
    std::vector<double> requests_s;
    std::vector<double> misses_s;
};

// One touch, one change, one request. False: a wrong word, or a refusal.
bool live_once(BareClient& client, Random& random, Waits& waits) {
    const uint64_t chunk_words = client.chunk_bytes / sizeof(uint64_t);
    const auto chunk = static_cast<uint32_t>(random.below(innocent_chunks));
    const uint64_t place = chunk * chunk_words + random.below(chunk_words);
    const auto* word = static_cast<const volatile uint64_t*>(client.words() + place);
    const bool is_here = (std::as_const(client.engine).states()[chunk].load() & 0xff) ==
                         static_cast<uint32_t>(ChunkState::resident);
    double start = seconds_now();
    const bool is_right = *word == word_of(place);
    if (!is_here) waits.misses_s.push_back(seconds_now() - start);
    client.words()[place] = word_of(place);  // dirty, so that it is written when it leaves
    start = seconds_now();
    const Errc answer = call(client, wire::RequestKind::prefetch, chunk, 1);
    waits.requests_s.push_back(seconds_now() - start);
    return is_right && answer == Errc::ok;
}

void print_waits(const char* what, std::vector<double>& waits_s) {
    std::sort(waits_s.begin(), waits_s.end());
    const auto at = [&](size_t per_mille) {
        return waits_s.empty() ? 0 : waits_s[(waits_s.size() - 1) * per_mille / 1000] * 1e3;
    };
    std::printf("\"%s\": %zu, \"%s_p50_ms\": %.3f, \"%s_p99_ms\": %.3f, \"%s_max_ms\": %.3f", what,
                waits_s.size(), what, at(500), what, at(990), what, at(1000));
}

// Fills its memory, then lives for a while whenever a row is named on `orders`.
void be_innocent(const std::string& socket, const Pipe& orders, const Pipe& answers,
                 double seconds) {
    auto client = BareClient::connect(socket);
    if (!client || client->promise(0, innocent_chunks) != Errc::ok) return;
    const uint64_t count = innocent_chunks * client->chunk_bytes / sizeof(uint64_t);
    for (uint64_t place = 0; place < count; ++place) client->words()[place] = word_of(place);
    answers.write_byte('f');
    Random random(1);
    while (orders.read_byte() > 0) {
        Waits waits;
        bool is_right = true;
        for (const double stop = seconds_now() + seconds; is_right && seconds_now() < stop;)
            is_right = live_once(*client, random, waits);
        print_waits("requests", waits.requests_s);
        std::printf(", ");
        print_waits("misses", waits.misses_s);
        std::printf("}\n");
        std::fflush(stdout);
        answers.write_byte(is_right ? 'r' : 'w');
    }
}

class World {
public:
    World(const Options& options, const Flood& flood) : options_(options), flood_(flood) {
        std::error_code missing;
        std::string pattern = std::filesystem::temp_directory_path(missing) / "ciuic-flood-XXXXXX";
        if (missing || !::mkdtemp(pattern.data())) {
            std::fprintf(stderr, "flood_bench: no folder can be made for the socket: set TMPDIR\n");
            std::exit(2);
        }
        directory_ = pattern;
    }
    ~World() {
        for (pid_t& process : busy_) end(process);
        for (pid_t& process : flooders_) end(process);
        end(innocent_);
        end(daemon_, SIGTERM);
        std::filesystem::remove_all(directory_);
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // False: this machine cannot run the daemon.
    bool start() {
        const Pipe ready;
        const std::string binary =
            std::filesystem::read_symlink("/proc/self/exe").parent_path() / "ciuic-swapd";
        const std::string ready_fd = std::to_string(ready.in.get());
        const std::string size = std::to_string(options_.store_mib) + "MiB";
        const std::string chunk = std::to_string(flood_.chunk_bytes / KiB) + "KiB";
        const std::string budget = std::to_string(32 * flood_.chunk_bytes / KiB) + "KiB";
        daemon_ = fork_to([&] {
            ::fcntl(ready.in.get(), F_SETFD, 0);
            ::execl(binary.c_str(), "ciuic-swapd", "--socket", socket().c_str(), "--store",
                    options_.store.c_str(), "--store-size", size.c_str(), "--budget",
                    budget.c_str(), "--chunk", chunk.c_str(), "--max-frames",
                    std::to_string(frames_per_session).c_str(), "--frames", options_.frames.c_str(),
                    "--ready-fd", ready_fd.c_str(), nullptr);
        });
        Pipe closed;  // this process's copy of the writing end must not keep the pipe open
        if (::dup3(closed.out.get(), ready.in.get(), O_CLOEXEC) < 0) return false;
        if (ready.read_byte() != 'R') return false;
        innocent_ = fork_to([&] {
            orders_.in.reset();
            be_innocent(socket(), orders_, answers_, options_.seconds);
        });
        orders_.out.reset();
        answers_.in.reset();
        return answers_.read_byte() == 'f';
    }

    // False: the innocent one was wronged.
    bool measure(uint32_t hostile, bool load) {
        const uint64_t promised = options_.store_mib * MiB / flood_.chunk_bytes / 2;
        const auto chunks = static_cast<uint32_t>(
            std::min<uint64_t>(flood_.chunks_max, promised / std::max(1u, hostile)));
        for (uint32_t count = 0; count < hostile; ++count)
            flooders_.push_back(fork_to([&] { flood(socket(), chunks); }));
        for (uint32_t count = 0; load && count < std::thread::hardware_concurrency(); ++count)
            busy_.push_back(fork_to([] {
                for (volatile uint64_t turn = 0;;) turn = turn + 1;
            }));
        std::printf("{\"flood\": \"%s\", \"frames\": \"%s\", \"hostile\": %u, \"load\": %s, ",
                    flood_.name, options_.frames.c_str(), hostile, load ? "true" : "false");
        std::fflush(stdout);
        orders_.write_byte('m');
        const bool is_right = answers_.read_byte() == 'r';
        for (pid_t& process : busy_) end(process);
        for (pid_t& process : flooders_) end(process);
        busy_.clear();
        flooders_.clear();
        return is_right;
    }

private:
    std::string socket() const { return directory_ + "/s"; }

    const Options& options_;
    const Flood& flood_;
    std::string directory_;
    Pipe orders_;
    Pipe answers_;
    pid_t daemon_ = 0;
    pid_t innocent_ = 0;
    std::vector<pid_t> flooders_;
    std::vector<pid_t> busy_;
};

bool parse(int count, char** arguments, Options& options) {
    for (int index = 1; index < count; ++index) {
        const std::string name = arguments[index];
        const auto value = [&] { return index + 1 < count ? arguments[++index] : ""; };
        if (name == "--smoke")
            options.seconds = 0.1;
        else if (name == "--frames")
            options.frames = value();
        else if (name == "--seconds")
            options.seconds = std::strtod(value(), nullptr);
        else if (name == "--store")
            options.store = value();
        else if (name == "--store-mib")
            options.store_mib = std::strtoull(value(), nullptr, 10);
        else
            return false;
    }
    return true;
}

}  // namespace

int main(int count, char** arguments) {
    Options options;
    if (!parse(count, arguments, options)) {
        std::fprintf(stderr, "flood_bench: unknown option; see its source\n");
        return 2;
    }
    ::signal(SIGPIPE, SIG_IGN);
    for (const Flood& flood : floods) {
        World world(options, flood);
        if (!world.start()) {
            std::printf("no daemon can be run here\n");
            return 77;
        }
        for (const bool load : {false, true})
            for (const uint32_t hostile : {0u, 1u, flooders_max})
                if (!world.measure(hostile, load)) {
                    std::printf("\nflood_bench: a wrong word, or a request refused\n");
                    return 1;
                }
    }
    return 0;
}
