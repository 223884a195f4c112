# SPDX-License-Identifier: Apache-2.0
"""Goal: what a device writes to managed memory by itself is there afterwards, however short memory
is meanwhile; what cannot be made safe is refused.
Method: an ordinary program that reads a file with direct I/O to memory which other threads push
out; where the machine allows it, its reads are slowed down to seconds, so that there is always one
under way when a chunk leaves. Without the pins it reads wrong bytes at once."""
import os
import subprocess
import tempfile
from pathlib import Path

import harness
from harness import CIUIC, MIB, SWAPD, RunTest, program

BYTES_PER_SECOND = 4_000_000


class Slow:
    """A cgroup whose reads of one disk are slow; `group` is None where that cannot be had."""

    def __init__(self, directory):
        device = os.stat(directory).st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        self.group = None
        version_1 = ("/sys/fs/cgroup/blkio", "blkio.throttle.read_bps_device",
                     f"{number} {BYTES_PER_SECOND}")
        version_2 = ("/sys/fs/cgroup", "io.max", f"{number} rbps={BYTES_PER_SECOND}")
        for root, file, limit in (version_1, version_2):
            group = Path(root) / f"ciuic-test.{os.getpid()}"
            try:
                group.mkdir()
            except OSError:
                continue
            try:
                # Open, not create: the second root may be a directory of others.
                with open(group / file, "r+", encoding="ascii") as setting:
                    setting.write(limit)
                self.group = group
                return
            except OSError:
                group.rmdir()

    def wrap(self, command):
        if not self.group:
            return command
        return ["sh", "-c", f'echo $$ >{self.group}/cgroup.procs && exec "$@"', "sh", *command]

    def remove(self):
        if self.group:
            self.group.rmdir()


class RunDmaTest(RunTest):
    def setUp(self):
        super().setUp()
        # On a disk: memory files have no direct I/O.
        self.disk = Path(self.enterContext_(tempfile.TemporaryDirectory(prefix="ciuic-test-",
                                                                        dir="/var/tmp")))

    def run_slowly(self, what, mib=8):
        """At a daemon that is not slowed down itself."""
        ready, ready_end = os.pipe()
        socket = self.scratch / "swapd.sock"
        daemon = subprocess.Popen(
            [SWAPD, "--socket", socket, "--budget", "16MiB", "--store", self.disk,
             "--store-size", "256MiB", "--report", self.scratch / "report.json",
             "--ready-fd", str(ready_end)], pass_fds=[ready_end])
        self.addCleanup(daemon.kill)
        os.close(ready_end)
        self.assertEqual(os.read(ready, 1), b"R")
        os.close(ready)
        slow = Slow(self.disk)
        done = subprocess.run(
            slow.wrap([CIUIC, "run", "--strict", "--", program("dma"), what, str(mib),
                       self.disk / "file"]),
            env={**self.environment, "CIUIC_SOCKET": str(socket)}, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=250, check=False)
        slow.remove()
        daemon.terminate()
        self.assertEqual(daemon.wait(60), 0)
        self.assert_ok(done)
        total = self.assert_served(2 * mib * MIB)
        self.assert_given_back(total)
        return done, total

    def test_direct_reads(self):
        for what in ("plain", "vector", "large"):
            with self.subTest(what=what):
                done, total = self.run_slowly(what)
                self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
                self.assertGreater(total["evictions"], 0)

    def test_direct_writes_and_pipes_of_pages(self):
        for what in ("writes", "vmsplice"):
            with self.subTest(what=what):
                done = self.ciuic_run(program("dma"), what, 24, self.disk / "file", budget="16MiB",
                                      options=["--strict"])
                self.assert_ok(done)
                self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
                self.assert_paged(self.assert_served(48 * MIB))

    def test_what_cannot_be_made_safe_is_refused_in_one_line(self):
        for what, named in (("aio", "asynchronous I/O"), ("uring", "io_uring")):
            with self.subTest(what=what):
                done = self.ciuic_run(program("dma"), what, 24, self.disk / "file", budget="16MiB",
                                      options=["--strict"])
                self.assert_ok(done)
                self.assertEqual(done.stdout, "refused\n")
                self.assertRegex(done.stderr, f"^ciuic: {named}.* is refused to this program.*\n$")
                self.assert_served(48 * MIB)


if __name__ == "__main__":
    harness.main()
