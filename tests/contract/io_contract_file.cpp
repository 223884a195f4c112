// SPDX-License-Identifier: Apache-2.0
//
// The I/O contract on real files: io_uring and threads, direct and through the page cache.
#include "io/threads.hpp"
#include "io/uring.hpp"
#include "tests/contract/io_contract.hpp"

#include <fcntl.h>

namespace ciuic::test {
namespace {

template <typename Adapter, int extra_flags> class FileRig {
public:
    static constexpr uint64_t file_bytes = 4 * MiB;

    std::string refusal() const { return refusal_; }

    void open(uint32_t depth) {
        const std::string directory = testing::TempDir();
        file_ =
            UniqueFd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC | extra_flags, 0600));
        if (!file_) {
            refusal_ = directory + " refuses the file: " + std::strerror(errno);
            return;
        }
        ASSERT_EQ(::ftruncate(file_.get(), file_bytes), 0);
        auto opened = Adapter::create(file_.get(), depth);
        if (opened.has_value()) {
            io_ = *std::move(opened);
        } else {
            refusal_ =
                std::string(opened.error().what) + ": " + std::strerror(opened.error().os_error);
        }
    }

    Io& io() { return *io_; }

    void wait() {
        pollfd event{io_->event_fd(), POLLIN, 0};
        while (::poll(&event, 1, -1) < 0) ASSERT_EQ(errno, EINTR);
    }

private:
    std::string refusal_;
    UniqueFd file_;
    std::unique_ptr<Io> io_;
};

using Adapters = testing::Types<FileRig<UringIo, 0>, FileRig<UringIo, O_DIRECT>,
                                FileRig<ThreadIo, 0>, FileRig<ThreadIo, O_DIRECT>>;

class AdapterNames {
public:
    template <typename Rig> static std::string GetName(int) {
        if (std::is_same_v<Rig, FileRig<UringIo, 0>>) return "UringCached";
        if (std::is_same_v<Rig, FileRig<UringIo, O_DIRECT>>) return "UringDirect";
        if (std::is_same_v<Rig, FileRig<ThreadIo, 0>>) return "ThreadsCached";
        return "ThreadsDirect";
    }
};

INSTANTIATE_TYPED_TEST_SUITE_P(File, IoContract, Adapters, AdapterNames);

}  // namespace
}  // namespace ciuic::test
