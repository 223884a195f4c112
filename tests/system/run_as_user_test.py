# SPDX-License-Identifier: Apache-2.0
"""Goal: a user without any right to /dev/userfaultfd has memory managed by a daemon of the
system's, and is told in one line what is missing where there is none or it is not for that user.
Method: the daemon as root, the programs as nobody, from an installation that nobody can read; what
happened is in the daemon's report, which names the user of each session."""
import os
import shutil
import subprocess
import sys

import harness
from harness import BUILD, CIUIC, MIB, RunTest, program

NOBODY = 65534
COUNTS = "b = bytearray(b'x') * (200 << 20); print(b.count(b'x'), len(b))"


def user_has_the_right() -> bool:
    """Whether nobody may open it anyway; the tests are about those who may not."""
    return subprocess.run(["/bin/sh", "-c", ": <>/dev/userfaultfd"], user=NOBODY, group=NOBODY,
                          extra_groups=[], stderr=subprocess.DEVNULL, check=False).returncode == 0


def unprivileged_is_full() -> bool:
    with open("/proc/sys/vm/unprivileged_userfaultfd", encoding="ascii") as file:
        return file.read().strip() != "0"


class RunAsUserTest(RunTest):
    def setUp(self):
        super().setUp()
        self.scratch.chmod(0o755)
        self.home = self.scratch / "home"
        self.home.mkdir()
        os.chown(self.home, NOBODY, NOBODY)
        self.environment |= {"TMPDIR": str(self.home), "HOME": str(self.home)}
        # The build may lie where nobody else can look.
        self.installed = self.scratch / "installed"
        for file, place in ((CIUIC, "bin"), (BUILD / "bin/ciuic-swapd", "bin"),
                            (program("pattern"), "bin"), (program("heap"), "bin"),
                            (BUILD / "lib/libciuic_run.so", "lib/ciuic")):
            (self.installed / place).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, self.installed / place)
        if "CIUIC_PRELOAD" in os.environ:
            shutil.copy(os.environ["CIUIC_PRELOAD"], self.installed / "lib/ciuic/libciuic_run.so")
            self.environment.pop("CIUIC_PRELOAD")

    def as_user(self, name, *arguments):
        """A program of the installation, as nobody."""
        return subprocess.run([self.installed / "bin" / name, *map(str, arguments)],
                              env=self.environment, cwd="/", user=NOBODY, group=NOBODY,
                              extra_groups=[], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=240, check=False)

    def run_managed(self, *command):
        done = self.as_user("ciuic", "run", "--strict", "--", *command)
        self.assert_ok(done)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def assert_users_work(self, least_bytes):
        self.stop_daemon()
        total = self.assert_served(least_bytes)
        self.assert_paged(total)
        self.assert_given_back(total)
        self.assertEqual({session["uid"] for session in self.report()["sessions"]}, {NOBODY})

    def assert_refused(self, *options, says):
        done = self.as_user("ciuic", "run", "--strict", *options, "--", "true")
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertRegex(done.stderr, rf"^ciuic: .*{says}.*\n$")

    def test_programs_of_a_user_are_paged_by_the_systems_daemon(self):
        for frames in ("auto", "memfd"):
            with self.subTest(frames=frames):
                self.start_daemon("--socket-mode", "0666", "--budget", "64MiB", "--store-size",
                                  "640MiB", "--frames", frames)
                bin_directory = self.installed / "bin"
                self.assertEqual(self.run_managed(bin_directory / "program_pattern", 256, 3),
                                 "ok\n")
                self.assertEqual(self.run_managed(bin_directory / "program_heap", "realloc"),
                                 "ok\n")
                self.assertEqual(self.run_managed("/usr/bin/python3", "-c", COUNTS),
                                 f"{200 * MIB} {200 * MIB}\n")
                self.assert_users_work((256 + 90 + 200) * MIB)

    def test_group_of_the_socket_is_let_in(self):
        self.start_daemon("--socket-mode", "0660", "--budget", "64MiB", "--store-size", "640MiB")
        self.assert_refused(says="socket_mode.*ciuic doctor")
        os.chown(self.socket, 0, NOBODY)
        self.assertEqual(self.run_managed(self.installed / "bin/program_pattern", 256, 1), "ok\n")
        self.assert_users_work(256 * MIB)

    def test_user_without_daemon_or_right_is_told_what_to_do(self):
        if unprivileged_is_full():
            self.skipTest("vm.unprivileged_userfaultfd lets everybody in")
        self.environment["CIUIC_SOCKET"] = str(self.scratch / "none.sock")
        self.assert_refused(says="no daemon is running; .*--budget")
        self.assert_refused("--budget", "64MiB", "--swap-dir", self.home,
                            says="/dev/userfaultfd.*ciuic doctor")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: only root can start programs as another user")
        sys.exit(harness.SKIP)
    if user_has_the_right():
        print("skipped: everybody may open /dev/userfaultfd here")
        sys.exit(harness.SKIP)
    harness.main()
