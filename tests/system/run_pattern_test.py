# SPDX-License-Identifier: Apache-2.0
"""Goal: no byte is lost or changed on its way out and back, alone, among threads and among clients;
a client that is killed gives all of it back.
Method: programs with four times as much data as memory that stamp and check every byte."""
import os
import signal
import subprocess
import time

import harness
from harness import CIUIC, MIB, RunTest, program


class RunPatternTest(RunTest):
    def check(self, *arguments, options=()):
        done = self.ciuic_run(program("pattern"), *arguments, budget="64MiB",
                              options=["--strict", *options])
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")
        total = self.assert_served(256 * MIB)
        self.assert_paged(total)
        self.assert_given_back(total)
        self.assertLessEqual(total["frames_peak"] * 2 * MIB, 64 * MIB)
        return total

    def test_four_times_the_budget(self):
        self.check(256, 6)

    def test_four_times_the_budget_in_threads(self):
        self.check(256, 6, 4)

    def test_every_kind_of_frames(self):
        for frames in ("memfd", "tmpfs"):
            with self.subTest(frames=frames):
                self.check(256, 2, options=["--frames", frames])
                self.assertTrue(self.report()["device"]["frame_kind"].startswith(frames))


class SharedDaemonTest(RunTest):
    """Several commands at one daemon that was there before them."""

    def setUp(self):
        super().setUp()
        self.start_daemon("--budget", "64MiB", "--store-size", "520MiB")

    def start(self, *command):
        return subprocess.Popen([CIUIC, "run", "--strict", "--", *map(str, command)],
                                env=self.environment, stdout=subprocess.PIPE, text=True)

    def wait_until_nothing_is_promised(self, deadline):
        report = self.scratch / "report.json"
        while True:
            self.assertLess(time.monotonic(), deadline)
            report.unlink(missing_ok=True)
            self.daemon.send_signal(signal.SIGUSR1)
            while not report.exists():
                self.assertLess(time.monotonic(), deadline)
                os.sched_yield()
            if self.report()["total"]["chunks_promised"] == 0:
                return

    def test_several_clients_at_once(self):
        clients = [self.start(program("pattern"), 120, 3) for _ in range(4)]
        for client in clients:
            self.assertEqual((client.communicate(timeout=200)[0], client.returncode), ("ok\n", 0))
        self.stop_daemon()
        total = self.assert_served(4 * 120 * MIB)
        self.assert_paged(total)
        self.assert_given_back(total)

    def test_killed_client_gives_its_memory_back(self):
        for round_number in range(3):
            filled = self.scratch / f"filled-{round_number}"
            client = subprocess.Popen([program("pattern"), "400", "1", "1", filled],
                                      env={**self.environment,
                                           "LD_PRELOAD": str(harness.PRELOAD),
                                           "CIUIC_STRICT": "1"})
            self.addCleanup(client.kill)
            deadline = time.monotonic() + 200
            while not filled.exists() and client.poll() is None:
                self.assertLess(time.monotonic(), deadline)
                os.sched_yield()
            client.send_signal(signal.SIGKILL)
            self.assertEqual(client.wait(), -signal.SIGKILL)
            self.wait_until_nothing_is_promised(deadline)
        # The store holds 520 MiB: a fourth 400 has room only where the others' has come back.
        last = self.start(program("pattern"), 400, 1)
        self.assertEqual((last.communicate(timeout=200)[0], last.returncode), ("ok\n", 0))
        self.stop_daemon()
        total = self.assert_served(4 * 400 * MIB)
        self.assert_given_back(total)

    def test_options_of_a_private_daemon_are_refused(self):
        done = self.ciuic_run("true", budget=None, options=["--total", "1GiB"])
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("--budget", done.stderr)
        self.stop_daemon()


if __name__ == "__main__":
    harness.main()
