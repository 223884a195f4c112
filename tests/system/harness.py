# SPDX-License-Identifier: Apache-2.0
"""For tests of `ciuic run`: where the built programs are, how to run one, what its report says.

A test that needs managed memory asserts on the report that it had some: with a preloaded library
that hooks nothing, every one of them fails (noop_preload_test.py).
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ.get("CIUIC_BUILD_DIR", "build/dev")).resolve()
CIUIC = BUILD / "bin/ciuic"
SWAPD = BUILD / "bin/ciuic-swapd"
PRELOAD = Path(os.environ.get("CIUIC_PRELOAD", BUILD / "lib/libciuic_run.so"))
NOOP_PRELOAD = BUILD / "lib/test/noop_preload.so"
FAKE_GPU_DRIVER = BUILD / "lib/test/libcuda.so.1"
MIB = 1 << 20
SKIP = 77


def program(name: str) -> str:
    return str(BUILD / "bin" / f"program_{name}")


def why_not_here() -> str:
    """Why memory cannot be managed on this machine or with this build; empty: it can."""
    if os.environ.get("CIUIC_SANITIZE"):
        return "a sanitizer's run-time cannot be preloaded into programs built without it"
    try:
        os.close(os.open("/dev/userfaultfd", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/userfaultfd cannot be opened ({error.strerror})"
    return ""


class RunTest(unittest.TestCase):
    """A directory of its own for each test, and `ciuic run` in it."""

    def setUp(self):
        self.scratch = Path(self.enterContext_(tempfile.TemporaryDirectory(prefix="ciuic-test-")))
        self.environment = {**os.environ, "TMPDIR": str(self.scratch)}
        self.environment.pop("CIUIC_SOCKET", None)

    def enterContext_(self, context):  # TestCase.enterContext() is Python 3.11's
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def arguments(self, *command, budget="48MiB", options=()):
        own = ["--budget", budget, "--swap-dir", str(self.scratch),
               "--report", str(self.scratch / "report.json")] if budget else []
        return [str(CIUIC), "run", *own, *map(str, options), "--", *map(str, command)]

    def ciuic_run(self, *command, budget="48MiB", options=(), timeout=240, **others):
        """Runs to the end; the output is captured, as text unless text=False."""
        others.setdefault("text", True)
        others.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.arguments(*command, budget=budget, options=options),
                              env=self.environment, capture_output=True, timeout=timeout,
                              check=False, **others)

    def start_daemon(self, *options, program=SWAPD, directory=None, **others):
        """A daemon that was there before its clients: self.daemon, listening on self.socket. All
        that it writes is in `directory`, else in this test's."""
        directory = directory or self.scratch
        self.socket = directory / "swapd.sock"
        ready, ready_end = os.pipe()
        self.daemon = subprocess.Popen(
            [program, "--socket", self.socket, "--store", directory, "--report",
             directory / "report.json", "--ready-fd", str(ready_end), *options],
            pass_fds=[ready_end], **others)
        os.close(ready_end)
        self.addCleanup(self.daemon.kill)
        self.assertEqual(os.read(ready, 1), b"R")
        os.close(ready)
        self.environment["CIUIC_SOCKET"] = str(self.socket)

    def stop_daemon(self):
        """In order; its report is written when this returns."""
        self.daemon.terminate()
        self.assertEqual(self.daemon.wait(60), 0)

    def report(self) -> dict:
        return json.loads((self.scratch / "report.json").read_text())

    def assert_ok(self, done):
        self.assertEqual(done.returncode, 0, f"stdout: {done.stdout[-2000:]!r}\n"
                                             f"stderr: {done.stderr[-4000:]!r}")

    def assert_served(self, least_bytes=1) -> dict:
        """Nine of ten large allocations were managed, and as many bytes as that."""
        total = self.report()["total"]
        self.assertGreater(total["large_requests"], 0, "no large allocation reached Ciuic")
        self.assertGreaterEqual(total["large_served"] / total["large_requests"], 0.9)
        self.assertGreaterEqual(total["large_bytes_served"], least_bytes)
        self.assertEqual(total["chunks_lost"], 0)
        return total

    def assert_paged(self, total: dict):
        """There was more data than memory: some of it went out and came back."""
        self.assertGreater(total["evictions"], 0)
        self.assertGreater(total["store_bytes_written"], 0)
        self.assertGreater(total["store_bytes_read"], 0)

    def assert_given_back(self, total: dict):
        self.assertEqual(total["chunks_promised"], 0)
        self.assertEqual(total["frames"], 0)


def main():
    reason = why_not_here()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIP)
    unittest.main(verbosity=2)
