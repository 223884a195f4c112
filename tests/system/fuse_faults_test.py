# SPDX-License-Identifier: Apache-2.0
"""Goal: every error of the disk is met: as many are repeated or refused for good as were injected,
and no program reads a byte that it did not write.
Method: a store on a file system of our own that fails one request in so many and counts
(fault_fs); a program that stamps and checks every byte, with three times as much as the budget."""
import json
import os
import signal
import subprocess
import time
import unittest

import harness
from harness import CIUIC, MIB, SWAPD, RunTest, program

FAULT_FS = harness.BUILD / "bin/fault_fs"
DATA_MIB = 96
PATIENCE = 200


def why_no_fuse() -> str:
    if not FAULT_FS.exists():
        return "built without libfuse3"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/fuse cannot be opened ({error.strerror})"
    return ""


@unittest.skipIf(why_no_fuse(), why_no_fuse())
class FuseFaultsTest(RunTest):
    def mount(self, kind, every):
        folder = self.scratch / "disk"
        folder.mkdir()
        self.disk = subprocess.Popen([FAULT_FS, self.scratch / "backing", folder,
                                      self.scratch / "injected.json", kind, str(every)])
        self.addCleanup(subprocess.run, ["umount", "-l", folder], stderr=subprocess.DEVNULL,
                        check=False)
        self.addCleanup(self.disk.kill)
        deadline = time.monotonic() + PATIENCE
        while not (folder / "swap").exists():
            if self.disk.poll() is not None:
                self.skipTest("a file system cannot be mounted here")
            self.assertLess(time.monotonic(), deadline)
            os.sched_yield()
        return folder

    def unmount(self, folder) -> int:
        subprocess.run(["umount", folder], check=True)
        self.assertEqual(self.disk.wait(PATIENCE), 0)
        return json.loads((self.scratch / "injected.json").read_text())["injected"]

    def run_on(self, kind, every, io="auto"):
        """The pattern program on such a disk: (its end, how many faults, the daemon's report)."""
        folder = self.mount(kind, every)
        socket = self.scratch / "swapd.sock"
        ready, ready_end = os.pipe()
        daemon = subprocess.Popen(
            [SWAPD, "--socket", socket, "--budget", "32MiB", "--store", folder / "swap",
             "--store-size", "512MiB", "--io", io, "--report", self.scratch / "report.json",
             "--ready-fd", str(ready_end)], pass_fds=[ready_end])
        self.addCleanup(daemon.kill)
        os.close(ready_end)
        self.assertEqual(os.read(ready, 1), b"R")
        os.close(ready)
        done = subprocess.run(
            [CIUIC, "run", "--strict", "--", program("pattern"), str(DATA_MIB), "4"],
            env={**self.environment, "CIUIC_SOCKET": str(socket)}, capture_output=True, text=True,
            timeout=PATIENCE, check=False)
        daemon.terminate()
        self.assertEqual(daemon.wait(PATIENCE), 0)
        injected = self.unmount(folder)
        report = self.report()
        self.assertTrue(report["store"]["direct"])
        print(f"{kind} ({report['device']['io']}): {injected} injected, "
              f"{report['store']['retries']} repeated, {report['store']['failures']} refused, "
              f"{report['total']['chunks_lost']} chunks lost")
        self.assertGreater(injected, 0)
        return done, injected, report

    def check_nothing_is_lost(self, done, report):
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")
        self.assertEqual(report["total"]["chunks_lost"], 0)
        self.assert_served(DATA_MIB * MIB)
        self.assert_paged(report["total"])

    def check_all_are_met(self, kind, io="auto"):
        done, injected, report = self.run_on(kind, 13, io)
        self.check_nothing_is_lost(done, report)
        self.assertEqual(report["store"]["retries"] + report["store"]["failures"], injected)

    def test_read_errors(self):
        self.check_all_are_met("read-eio")

    def test_read_errors_met_by_threads(self):
        self.check_all_are_met("read-eio", "threads")

    def test_write_errors(self):
        self.check_all_are_met("write-eio")

    def test_short_reads(self):
        self.check_all_are_met("read-short")

    def test_short_writes(self):
        self.check_all_are_met("write-short")

    def test_no_room(self):
        done, injected, report = self.run_on("write-enospc", 29)
        self.check_nothing_is_lost(done, report)
        self.assertEqual(report["store"]["failures"], injected)
        self.assertEqual(report["total"]["write_failures"], injected)

    def test_late_answers(self):
        done, _, report = self.run_on("late", 40)
        self.check_nothing_is_lost(done, report)
        self.assertEqual((report["store"]["failures"], report["store"]["late"]), (0, 0))

    def test_a_disk_that_cannot_be_read(self):
        """What cannot be had back is no data: the program dies at its first touch of it."""
        done, _, report = self.run_on("read-eio", 1)
        self.assertIn(done.returncode, (-signal.SIGBUS, -signal.SIGSEGV))
        self.assertEqual(done.stdout, "")
        self.assertGreater(report["total"]["chunks_lost"], 0)
        self.assertGreater(report["store"]["failures"], 0)


if __name__ == "__main__":
    harness.main()
