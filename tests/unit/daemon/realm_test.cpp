// SPDX-License-Identifier: Apache-2.0
//
// Goal: a realm is the user and the cgroup of a process that is still there. Method: texts as the
// kernel writes them; a peer that is this process, and one that has ended.
#include "daemon/realm.hpp"

#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ciuic {
namespace {

TEST(RealmTest, TheCgroupIsTheOneThatMemoryIsChargedTo) {
    EXPECT_EQ(memory_cgroup_in("0::/user.slice/a.scope\n"), "/user.slice/a.scope");
    EXPECT_EQ(memory_cgroup_in("4:cpu,cpuacct:/x\n3:memory:/jobs/1\n0::/unified\n"), "/jobs/1");
    EXPECT_EQ(memory_cgroup_in("5:hugetlb,memory:/both\n0::/unified\n"), "/both");
    EXPECT_EQ(memory_cgroup_in("3:memory_like:/no\n0::/yes\n"), "/yes");
    EXPECT_EQ(memory_cgroup_in("0::/with:colon"), "/with:colon");
    EXPECT_EQ(memory_cgroup_in("nonsense\n:\n"), "/");
    EXPECT_EQ(memory_cgroup_in(""), "/");
}

TEST(RealmTest, UsersAndCgroupsAreDifferentRealms) {
    auto pair = socket_pair();
    ASSERT_TRUE(pair);
    auto peer = peer_of((*pair)[0].get());
    ASSERT_TRUE(peer);
    const auto mine = realm_of(*peer);
    ASSERT_TRUE(mine);
    EXPECT_EQ(mine->uid, ::getuid());
    EXPECT_EQ(mine->cgroup.front(), '/');
    peer->uid = ::getuid() + 1;
    const auto other = realm_of(*peer);
    ASSERT_TRUE(other);
    EXPECT_NE(mine->id, other->id);
}

TEST(RealmTest, AProcessThatHasEndedHasNone) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    Peer peer;
    peer.pid = child;
    peer.pidfd = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(realm_of(peer).error().code, Errc::disconnected);
    ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace ciuic
