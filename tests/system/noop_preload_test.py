# SPDX-License-Identifier: Apache-2.0
"""Goal: the tests of managed memory cannot pass without managed memory.
Method: a library that hooks nothing in the place of the real one; each of the test scripts must
fail, and fail because of its report."""
import os
import subprocess
import sys
import unittest
from pathlib import Path

import harness

HERE = Path(__file__).parent
# One of each is enough: all of them make the same assertion.
CASES = {"run_heap_test.py": "RunHeapTest.test_calloc_reads_zero_where_others_have_written",
         "run_mapping_test.py": "RunMappingTest.test_mappings_behave_and_are_given_back",
         "run_process_test.py":
             "RunProcessTest.test_threads_before_and_after_the_first_allocation",
         "run_dma_test.py": "RunDmaTest.test_direct_writes_and_pipes_of_pages",
         "run_pattern_test.py": "RunPatternTest.test_four_times_the_budget"}
if os.geteuid() == 0:  # else it skips itself
    CASES["run_as_user_test.py"] = \
        "RunAsUserTest.test_programs_of_a_user_are_paged_by_the_systems_daemon"


class NoopPreloadTest(unittest.TestCase):
    def test_every_test_of_managed_memory_turns_red(self):
        environment = {**os.environ, "CIUIC_PRELOAD": str(harness.NOOP_PRELOAD)}
        for script, case in CASES.items():
            with self.subTest(script=script):
                done = subprocess.run([sys.executable, HERE / script, case], env=environment,
                                      capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("no large allocation reached Ciuic", done.stderr)


if __name__ == "__main__":
    harness.main()
