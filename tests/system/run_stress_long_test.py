# SPDX-License-Identifier: Apache-2.0
"""Goal: what stress-ng does to memory, and checks, holds on managed memory that is short.
Method: its stressors of virtual memory, memory rates and sorting, each with more than its budget;
it fails by itself where it reads anything wrong. A sort first swaps numbers at random places, which
would page at every other swap and never end: the budget holds the numbers, but not the second array
that the sort itself takes."""
import re
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
        return said, total

    def sort(self, stressor, sorts=4, numbers=4 * MIB):
        """Two at once, to the end: each sorts all of its numbers `sorts` times over."""
        array = 4 * numbers
        said, total = self.stress(f"--{stressor}", 2, f"--{stressor}-size", numbers,
                                  f"--{stressor}-ops", 2 * sorts, "--verify", "--metrics-brief",
                                  "--timeout", TIME_LIMIT_S, budget="44MiB", least_bytes=4 * array)
        self.assertGreaterEqual(total["chunks_promised_peak"] * 2 * MIB, 4 * array)
        self.assertGreater(total["store_bytes_read"], sorts * array)
        self.assertEqual(re.findall(rf" {stressor} +(\d+) ", said), [str(2 * sorts)])

    def test_every_method_of_virtual_memory(self):
        self.stress("--vm", 2, "--vm-bytes", "96M", "--vm-method", "all", "--verify", "--vm-ops",
                    20000, "--timeout", 120, budget="48MiB", least_bytes=192 * MIB)

    def test_memory_rates(self):
        self.stress("--memrate", 1, "--memrate-bytes", "64M", "--memrate-ops", 1, "--verify",
                    "--timeout", 300, budget="48MiB", least_bytes=64 * MIB)

    def test_quick_sort(self):
        self.sort("qsort")

    def test_merge_sort(self):
        self.sort("mergesort")


if __name__ == "__main__":
    harness.main()
