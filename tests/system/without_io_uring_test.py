# SPDX-License-Identifier: Apache-2.0
"""Goal: where io_uring is refused, or threads are asked for, a daemon pages by threads, says so,
and no byte is changed; where io_uring is asked for by name, it is refused in one line.
Method: a filter around `ciuic run` and so around its daemon; a program that checks all it reads."""
import errno
import json
import os
import subprocess

import harness
from harness import BUILD, CIUIC, MIB, SWAPD, RunTest, program

LAUNCHER = BUILD / "bin/without_io_uring"


class WithoutIoUringTest(RunTest):
    def setUp(self):
        super().setUp()
        if subprocess.run([LAUNCHER, "1", "/bin/true"], check=False).returncode == harness.SKIP:
            self.skipTest("seccomp filters are refused here")

    def filtered(self, number, *command):
        return subprocess.run([LAUNCHER, str(number), *map(str, command)], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=240, check=False)

    def assert_paged_by(self, io, done):
        self.assert_ok(done)
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
        total = self.assert_served(256 * MIB)
        self.assert_paged(total)
        self.assertEqual(self.report()["device"]["io"], io)

    def test_refused_io_uring_is_paged_by_threads(self):
        for number in (errno.EPERM, errno.ENOSYS):
            with self.subTest(errno=errno.errorcode[number]):
                command = self.arguments(program("pattern"), 256, 3, budget="64MiB",
                                         options=["--strict"])
                self.assert_paged_by("threads", self.filtered(number, *command))

    def test_without_the_filter_it_is_io_uring(self):
        # Else the test above would say nothing.
        if self.doctor_of(subprocess.run([CIUIC, "doctor", "--json"], capture_output=True,
                                         text=True, check=False)) != "io_uring":
            self.skipTest("io_uring is refused here")
        done = self.ciuic_run(program("pattern"), 256, 1, budget="64MiB", options=["--strict"])
        self.assert_paged_by("io_uring", done)

    def test_threads_that_are_asked_for(self):
        self.start_daemon("--budget", "64MiB", "--store-size", "512MiB", "--io", "threads")
        done = self.ciuic_run(program("pattern"), 256, 3, budget=None, options=["--strict"])
        self.stop_daemon()
        self.assert_paged_by("threads", done)

    def test_io_uring_that_is_asked_for_is_refused_in_one_line(self):
        done = self.filtered(errno.EPERM, SWAPD, "--socket", self.scratch / "s", "--budget",
                             "32MiB", "--store", self.scratch, "--store-size", "64MiB", "--io",
                             "io_uring")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"^ciuic-swapd: io: io_uring_setup \(.*\); --io threads.*\n$")

    def doctor_of(self, done):
        return json.loads(done.stdout)["io"]

    def test_doctor_says_so(self):
        done = self.filtered(errno.EPERM, CIUIC, "doctor", "--json", "--store", self.scratch)
        self.assertEqual(self.doctor_of(done), "threads")
        finding, = [finding for finding in json.loads(done.stdout)["findings"]
                    if finding["id"] == "io.ring"]
        self.assertEqual(finding["state"], "warn")
        self.assertIn(os.strerror(errno.EPERM), finding["what"])
        self.assertIn("io_uring_setup", finding["remedies"][0])


if __name__ == "__main__":
    harness.main()
