// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor/findings.hpp"

#include <cerrno>

namespace ciuic::cli::doctor {
namespace {

std::vector<std::string> ways_to_userfaultfd(const Facts& facts) {
    const std::string daemon = "have an administrator run: ciuic-swapd --budget SIZE --socket-mode "
                               "0666 (users of a daemon need no right of their own)";
    if (facts.kernel.features.refusal.os_error == ENOSYS)
        return {"boot a kernel that is built with CONFIG_USERFAULTFD; in a container, its seccomp "
                "profile must allow userfaultfd"};
    if (!facts.place.container.empty() && !facts.userfault.device_exists)
        return {container_option(facts, "--device /dev/userfaultfd"), daemon};
    if (!facts.userfault.device_exists)  // Linux 6.1 brought it
        return {"sudo sysctl vm.unprivileged_userfaultfd=1", daemon};
    return {daemon, "until the next boot: sudo setfacl -m u:" + facts.user + ":rw /dev/userfaultfd",
            "for good: sudo groupadd -f ciuic && sudo usermod -aG ciuic " + facts.user +
                " && echo 'KERNEL==\"userfaultfd\", GROUP=\"ciuic\", MODE=\"0660\"' | sudo tee "
                "/etc/udev/rules.d/60-ciuic.rules && sudo udevadm control --reload && sudo udevadm "
                "trigger /dev/userfaultfd; then log in again"};
}

Finding judge_userfaultfd(const Facts& facts) {
    Finding finding{"rights.userfaultfd",
                    State::ok,
                    "",
                    "paging needs page faults of system calls too: full userfaultfd, which only "
                    "some may open",
                    {}};
    if (facts.kernel.features.userfault) {
        finding.what = facts.userfault.device_error == 0
                           ? "user " + facts.user + " may open /dev/userfaultfd"
                           : "user " + facts.user + " may call userfaultfd(2)";
    } else if (facts.daemon.state == DaemonFacts::State::serves) {
        finding.what =
            "user " + facts.user + " has no right to /dev/userfaultfd; the daemon hands it over";
    } else {
        finding.state = State::fail;
        finding.what = facts.kernel.features.refusal.os_error == ENOSYS
                           ? "this kernel, or a filter around this process, has no userfaultfd"
                           : "user " + facts.user + " may not open /dev/userfaultfd";
        finding.remedies = ways_to_userfaultfd(facts);
    }
    return finding;
}

Finding judge_daemon(const Facts& facts) {
    const DaemonFacts& daemon = facts.daemon;
    Finding finding{"rights.daemon",
                    State::ok,
                    "",
                    "one daemon serves many programs, and users without rights of their own",
                    {}};
    switch (daemon.state) {
    case DaemonFacts::State::serves:
        finding.what = "a session with the daemon at " + daemon.socket + " works";
        break;
    case DaemonFacts::State::none:
        finding.what = "no daemon at " + daemon.socket + "; ciuic run --budget starts its own";
        break;
    case DaemonFacts::State::closed:
        finding.state = State::warn;
        finding.what = "the daemon's socket " + daemon.socket + " is closed to user " + facts.user;
        finding.remedies = {"sudo setfacl -m u:" + facts.user + ":rw " + daemon.socket,
                            "set socket_mode = \"0660\" for the group that owns the socket, or "
                            "\"0666\", in the daemon's configuration, and start it again"};
        break;
    case DaemonFacts::State::refuses:
        finding.state = State::fail;
        finding.what = "the daemon at " + daemon.socket + " gives no session: " + daemon.text;
        finding.remedies = {"look at the daemon's log: journalctl -u ciuic-swapd"};
        break;
    }
    return finding;
}

}  // namespace

std::vector<Finding> judge_rights(const Facts& facts) {
    return {judge_userfaultfd(facts), judge_daemon(facts)};
}

}  // namespace ciuic::cli::doctor
