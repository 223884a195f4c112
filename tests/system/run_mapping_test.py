# SPDX-License-Identifier: Apache-2.0
"""Goal: with --mmap, large anonymous mappings come from Ciuic and still behave as mappings.
Method: an ordinary program that maps, cuts, advises, moves and protects, and checks what it reads;
run plainly, managed, and managed with less memory than it uses."""
import subprocess

import harness
from harness import MIB, RunTest, program


class RunMappingTest(RunTest):
    def test_mappings_behave_and_are_given_back(self):
        subprocess.run([program("mapping")], check=True, stdout=subprocess.DEVNULL)
        for budget, chunk in (("48MiB", "2MiB"), ("16MiB", "2MiB"), ("16MiB", "64KiB")):
            with self.subTest(budget=budget, chunk=chunk):
                done = self.ciuic_run(program("mapping"), budget=budget,
                                      options=["--strict", "--mmap", "--total", "160MiB",
                                               "--chunk", chunk])
                self.assert_ok(done)
                total = self.assert_served(1000 * MIB)
                self.assert_given_back(total)
                if budget == "16MiB":
                    self.assert_paged(total)

    def test_partly_unmapped_memory_does_not_pile_up(self):
        # 30 rounds of 16 MiB each within a promise of 64 MiB: unmapped chunks are given back.
        done = self.ciuic_run(program("mapping"),
                              options=["--strict", "--mmap", "--total", "64MiB"])
        self.assert_ok(done)
        self.assertLessEqual(self.report()["total"]["chunks_promised_peak"], 32)

    def test_without_the_option_mappings_are_the_systems(self):
        self.assert_ok(self.ciuic_run(program("mapping"), options=["--strict"]))
        self.assertEqual(self.report()["total"]["large_requests"], 0)


if __name__ == "__main__":
    harness.main()
