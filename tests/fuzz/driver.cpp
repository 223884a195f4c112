// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target where there is no libFuzzer: replays its corpus, then as many made-up inputs
// as it is told to.
//
// usage: <name>_fuzz [--runs N] [--seed S] [--jobs J] [CORPUS_FILE_OR_FOLDER...]
//
// N counts inputs, of which one call may be many; they are shared between J processes, whose seeds
// are S, S + 1, ... An input that ends the process is left in ./crash-<seed>-<call>; give it as the
// only argument to see it again. Where a target keeps something from call to call, the same seed
// does.
#include "tests/fuzz/mutator.hpp"
#include "tests/fuzz/target.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// A sanitizer's last words; absent without one.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizer's own name
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace ciuic::fuzz {
namespace {

struct Options {
    uint64_t runs = 0;
    uint64_t seed = 1;
    uint64_t jobs = 1;
    std::vector<std::string> corpus;
};

// For the handler, which may only use what is ready.
const Bytes* current = nullptr;
char crash_name[64];

void keep_input() {
    if (!current) return;
    const int file = ::open(crash_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return;
    (void)!::write(file, current->data(), current->size());
    (void)!::write(STDERR_FILENO, crash_name, __builtin_strlen(crash_name));
    constexpr char text[] = " holds the input that ended the process\n";
    (void)!::write(STDERR_FILENO, text, sizeof text - 1);
    ::close(file);
    current = nullptr;
}

void on_signal(int signal) {
    keep_input();
    std::signal(signal, SIG_DFL);
    ::raise(signal);
}

void watch_for_the_end() {
    if (__sanitizer_set_death_callback) return __sanitizer_set_death_callback(keep_input);
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM})
        std::signal(signal, on_signal);
}

void run(const Bytes& input, uint64_t seed, uint64_t call) {
    std::snprintf(crash_name, sizeof crash_name, "crash-%llu-%llu",
                  static_cast<unsigned long long>(seed), static_cast<unsigned long long>(call));
    current = &input;
    LLVMFuzzerTestOneInput(input.data(), input.size());
    current = nullptr;
}

std::vector<Bytes> read_corpus(const std::vector<std::string>& places) {
    std::vector<std::string> paths;
    for (const std::string& place : places) {
        if (!std::filesystem::is_directory(place)) {
            paths.push_back(place);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(place))
            paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());  // the same order on every file system
    std::vector<Bytes> corpus;
    for (const std::string& path : paths) {
        std::ifstream file(path, std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "%s cannot be read\n", path.c_str());
            std::exit(2);
        }
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return corpus;
}

// One process's share.
void work(const std::vector<Bytes>& corpus, uint64_t runs, uint64_t seed) {
    const auto start = std::chrono::steady_clock::now();
    uint64_t calls = 0;
    for (const Bytes& input : corpus) run(input, 0, calls++);
    const uint64_t replayed = inputs;
    Mutator mutator(corpus, seed);
    while (inputs - replayed < runs) run(mutator.next(), seed, calls++);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const double busy = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
    std::printf("seed %llu: %zu of the corpus, %llu inputs in %llu calls, %.1f s (%.1f s of a "
                "processor, %.2f M inputs each)\n",
                static_cast<unsigned long long>(seed), corpus.size(),
                static_cast<unsigned long long>(inputs), static_cast<unsigned long long>(calls),
                took.count(), busy, static_cast<double>(inputs) / busy / 1e6);
    std::fflush(stdout);
}

int work_in_processes(const std::vector<Bytes>& corpus, const Options& options) {
    const uint64_t share = (options.runs + options.jobs - 1) / options.jobs;
    if (options.jobs == 1) {
        work(corpus, share, options.seed);
        return 0;
    }
    for (uint64_t job = 0; job < options.jobs; ++job) {
        if (::fork() != 0) continue;
        work(corpus, share, options.seed + job);
        std::exit(0);
    }
    int worst = 0;
    int status = 0;
    while (::wait(&status) > 0)
        if (status != 0) worst = 1;
    return worst;
}

// A number, or any text, such as the name of a commit.
uint64_t seed_of(std::string_view text) {
    char* end = nullptr;
    const uint64_t number = std::strtoull(text.data(), &end, 10);
    return end == text.data() + text.size() ? number : std::hash<std::string_view>{}(text);
}

Options parse(int argc, char** argv) {
    Options options;
    for (int index = 1; index < argc; ++index) {
        const std::string_view argument = argv[index];
        const auto number = [&] {
            return index + 1 < argc ? std::strtoull(argv[++index], nullptr, 10) : 0;
        };
        if (argument == "--runs")
            options.runs = number();
        else if (argument == "--seed")
            options.seed = seed_of(index + 1 < argc ? argv[++index] : "");
        else if (argument == "--jobs")
            options.jobs = std::max(1ull, number());
        else
            options.corpus.emplace_back(argument);
    }
    return options;
}

}  // namespace
}  // namespace ciuic::fuzz

int main(int argc, char** argv) {
    using namespace ciuic::fuzz;
    const Options options = parse(argc, argv);
    watch_for_the_end();
    return work_in_processes(read_corpus(options.corpus), options);
}
