// SPDX-License-Identifier: Apache-2.0
//
// The I/O contract on the tests' own memory file: a fake that broke it would prove nothing.
#include "tests/contract/io_contract.hpp"
#include "tests/support/memory_io.hpp"

#include <memory>

namespace ciuic::test {
namespace {

class MemoryRig {
public:
    static constexpr uint64_t file_bytes = 4 * MiB;

    std::string refusal() const { return {}; }
    void open(uint32_t depth) { io_ = std::make_unique<MemoryIo>(file_bytes, depth); }
    Io& io() { return *io_; }
    void wait() {}  // whatever is not held back is done at once

private:
    std::unique_ptr<MemoryIo> io_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, IoContract, MemoryRig);

}  // namespace
}  // namespace ciuic::test
