# SPDX-License-Identifier: Apache-2.0
"""Goal: what stress-ng does to memory, and checks, holds on managed memory that is short.
Method: its stressors of virtual memory, memory rates and sorting, each with more than its budget
and a bound of time; it fails by itself where it reads anything wrong. The sorts first swap numbers
at random places, which pages at every other swap: how far they get in their time is not judged."""
import shutil
import unittest

import harness
from harness import MIB, RunTest

TIME_LIMIT_S = 600


@unittest.skipUnless(shutil.which("stress-ng"),
                     "stress-ng is not installed (tools/install-deps --full)")
class RunStressTest(RunTest):
    def stress(self, *arguments, budget="16MiB", least_bytes):
        command = ["stress-ng", "--seed", "7", "--temp-path", self.scratch, *arguments]
        done = self.ciuic_run(*command, budget=budget, timeout=TIME_LIMIT_S,
                              options=["--strict", "--mmap", "--total", "2GiB"])
        self.assert_ok(done)
        said = done.stdout + done.stderr
        self.assertIn("successful run completed", said)
        for word in ("fail:", "detected", "SIGSEGV", "SIGBUS", "not managed"):
            self.assertNotIn(word, said)
        total = self.assert_served(least_bytes)
        self.assert_paged(total)
        self.assertEqual((total["chunks_lost"], total["stray_touches"]), (0, 0))
        self.assert_given_back(total)
        self.assertEqual(self.report()["clients"]["violations"], 0)

    def test_every_method_of_virtual_memory(self):
        self.stress("--vm", 2, "--vm-bytes", "96M", "--vm-method", "all", "--verify", "--vm-ops",
                    20000, "--timeout", 120, budget="48MiB", least_bytes=192 * MIB)

    def test_memory_rates(self):
        self.stress("--memrate", 1, "--memrate-bytes", "64M", "--memrate-ops", 1, "--verify",
                    "--timeout", 300, budget="48MiB", least_bytes=64 * MIB)

    def test_quick_sort(self):
        self.stress("--qsort", 2, "--qsort-size", 4 * MIB, "--verify", "--timeout", 60,
                    least_bytes=32 * MIB)

    def test_merge_sort(self):
        self.stress("--mergesort", 2, "--mergesort-size", 4 * MIB, "--verify", "--timeout", 60,
                    least_bytes=32 * MIB)


if __name__ == "__main__":
    harness.main()
