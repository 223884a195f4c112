// SPDX-License-Identifier: Apache-2.0
#include "device/host/client_side.hpp"

#include "base/units.hpp"
#include "tests/unit/device/host/local_client.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cstring>

namespace ciuic::test {
namespace {

class ClientSideTest : public testing::Test {
protected:
    void SetUp() override {
        if (const std::string refusal = userfault_refusal(HostRung::base); !refusal.empty())
            GTEST_SKIP() << refusal;
    }
};

// Runs `body` in a child and returns its exit status.
template <typename Body> int in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void become_nobody() {
    constexpr unsigned nobody = 65534;
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) ::_exit(100);
}

// Goal: a user without privilege is told what to do, and gets full paging from a device descriptor
// that was handed over. Method: a child that has become nobody, without and with the descriptor.
TEST_F(ClientSideTest, OpensByDescriptorWhereTheUserMayNot) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to give privileges up";
    const UniqueFd device(::open("/dev/userfaultfd", O_RDWR));
    if (!device) GTEST_SKIP() << "no /dev/userfaultfd";
    const HostFeatures of_root = probe_host_features();
    EXPECT_EQ(in_child([&] {
                  become_nobody();
                  const Result<UniqueFd> refused = open_userfault(-1);
                  if (refused.has_value()) return 77;  // the administrator allows it to all
                  if (refused.error().code != Errc::unsupported) return 2;
                  if (!std::strstr(refused.error().what, "/dev/userfaultfd")) return 3;
                  // What the kernel has is known all the same.
                  const HostFeatures features = probe_host_features();
                  if (features.userfault) return 4;
                  if (!features.minor_shared) return 5;
                  return features.continue_wp == of_root.continue_wp ? 0 : 6;
              }) % 77,
              0);
    EXPECT_EQ(in_child([&] {
                  become_nobody();
                  Result<UniqueFd> opened = open_userfault(device.get());
                  if (!opened.has_value()) return 2;
                  return uffd_handshake(opened->get(), shared_userfault_features()) ? 0 : 3;
              }),
              0);
}

// Goal: what the kernel lacks is an error that says so, not a session that half works. Method: a
// feature bit that no kernel has.
TEST_F(ClientSideTest, HandshakeRefusesUnknownFeatures) {
    const Result<UniqueFd> uffd = open_userfault(-1);
    ASSERT_TRUE(uffd.has_value());
    const Status refused = uffd_handshake(uffd->get(), uint64_t{1} << 62);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
}

// Goal: a descriptor is non-blocking and does not cross exec. Method: its flags.
TEST_F(ClientSideTest, DescriptorNeverBlocksNorLeaks) {
    const Result<UniqueFd> uffd = open_userfault(-1);
    ASSERT_TRUE(uffd.has_value());
    EXPECT_TRUE(::fcntl(uffd->get(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(::fcntl(uffd->get(), F_GETFD) & FD_CLOEXEC);
}

// Goal: a space is where the pager can use huge pages, and a forked child has nothing there.
// Method: the address; the memory map of a child, which an ordinary mapping is in.
TEST_F(ClientSideTest, SpaceIsAlignedAndNotInherited) {
    const UniqueFd file(::memfd_create("space", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), 4 * MiB), 0);
    const Result<Mapping> space = map_space(file.get(), 4 * MiB);
    ASSERT_TRUE(space.has_value());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(space->data()) % (2 * MiB), 0u);
    const Result<Mapping> ordinary =
        Mapping::create(4 * MiB, PROT_READ | PROT_WRITE, MAP_SHARED, file.get());
    ASSERT_TRUE(ordinary.has_value());
    EXPECT_TRUE(child_inherits(*ordinary));
    EXPECT_FALSE(child_inherits(*space));
}

// Goal: memory that cannot be paged from outside is refused at registration. Method: anonymous
// memory registered for page-cache faults.
TEST_F(ClientSideTest, RefusesToRegisterPrivateMemoryAsShared) {
    const Result<UniqueFd> uffd = open_userfault(-1);
    ASSERT_TRUE(uffd.has_value());
    ASSERT_TRUE(uffd_handshake(uffd->get(), shared_userfault_features()).has_value());
    const Result<Mapping> memory =
        Mapping::create(2 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    ASSERT_TRUE(memory.has_value());
    EXPECT_FALSE(register_space(uffd->get(), memory->data(), 2 * MiB, true).has_value());
    EXPECT_TRUE(register_space(uffd->get(), memory->data(), 2 * MiB, false).has_value());
}

}  // namespace
}  // namespace ciuic::test
