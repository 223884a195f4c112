// SPDX-License-Identifier: Apache-2.0
//
// An ordinary program whose exceptions fly past large memory: thrown while it is used, out of
// functions that hold some, and because there is no more. Its argument is how many MiB it uses; it
// prints "ok".
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t mib = size_t{1} << 20;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "not true: %s\n", what);
    std::exit(1);
}

struct Found : std::runtime_error {
    explicit Found(size_t index) : std::runtime_error("found"), place(index) {}
    size_t place;
};

uint64_t value_of(size_t index) { return index * 0x9e3779b97f4a7c15u + 1; }

void find(const std::vector<uint64_t>& where, uint64_t value) {
    // A second large block goes away on the way out.
    const std::vector<uint64_t> copy(where.begin(), where.begin() + 2 * mib / 8);
    for (size_t index = 0; index < where.size(); ++index)
        if (where[index] == value) throw Found(index);
    throw std::out_of_range(std::to_string(copy.front()));
}

void throw_and_catch(size_t bytes) {
    std::vector<uint64_t> data(bytes / 8);
    for (size_t index = 0; index < data.size(); ++index) data[index] = value_of(index);
    for (size_t step = 1; step <= 8; ++step) {
        const size_t wanted = data.size() / 8 * step - 1;
        try {
            find(data, value_of(wanted));
            require(false, "it was thrown");
        } catch (const Found& found) {
            require(found.place == wanted, "the place");
        }
    }
    try {
        find(data, 3);
        require(false, "it was thrown");
    } catch (const std::out_of_range& error) {
        require(error.what() == std::to_string(value_of(0)), "the text");
    }
}

// Until there is no more; what was had goes back on the way out, and can be had again.
void run_out(size_t bytes) {
    for (int round = 0; round < 2; ++round) {
        std::vector<std::unique_ptr<std::vector<char>>> blocks;
        bool thrown = false;
        try {
            for (int count = 0; count < 4096; ++count)
                blocks.push_back(std::make_unique<std::vector<char>>(bytes / 4, 'x'));
        } catch (const std::bad_alloc&) {
            thrown = true;
        }
        if (blocks.size() == 4096) return;  // a machine with more than that
        require(thrown && blocks.size() >= 4, "bad_alloc, and not at once");
        for (const auto& block : blocks) require(block->back() == 'x', "the last byte");
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 2) return 2;
    const size_t bytes = static_cast<size_t>(std::atol(arguments[1])) * mib;
    throw_and_catch(bytes);
    std::thread([bytes] { throw_and_catch(bytes / 2); }).join();
    // Without a limit there is nothing to run out of.
    if (std::getenv("LD_PRELOAD")) run_out(bytes);
    std::puts("ok");
    return 0;
}
