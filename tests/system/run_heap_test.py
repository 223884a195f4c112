# SPDX-License-Identifier: Apache-2.0
"""Goal: every entry of the heap keeps its promises when large sizes come from Ciuic.
Method: an ordinary program that checks all it gets, run plainly and managed; the report tells that
it was managed."""
import subprocess

import harness
from harness import FAKE_GPU_DRIVER, MIB, RunTest, program


class RunHeapTest(RunTest):
    def check(self, *arguments, least_bytes, options=(), plain=True, budget="48MiB"):
        heap = program("heap")
        if plain:  # else a failure says nothing about Ciuic
            subprocess.run([heap, *arguments], check=True, stdout=subprocess.DEVNULL)
        done = self.ciuic_run(heap, *arguments, budget=budget,
                              options=["--strict", "--total", "640MiB", *options])
        self.assert_ok(done)
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
        total = self.assert_served(least_bytes)
        self.assert_given_back(total)
        return total

    def test_calloc_reads_zero_where_others_have_written(self):
        self.check("calloc", least_bytes=96 * MIB)

    def test_realloc_keeps_the_bytes_growing_and_shrinking(self):
        self.assert_paged(self.check("realloc", least_bytes=90 * MIB))

    def test_alignments_are_honoured_and_too_strict_ones_counted(self):
        self.assertGreater(self.check("alignment", least_bytes=200 * MIB)["large_fell_through"], 0)

    def test_all_of_the_usable_size_can_be_used(self):
        self.check("usable_size", least_bytes=50 * MIB)

    def test_used_up_promise_is_enomem_and_can_be_had_again(self):
        done = self.ciuic_run(program("heap"), "exhaustion", "160",
                              options=["--strict", "--total", "160MiB"])
        self.assert_ok(done)
        total = self.assert_served(300 * MIB)
        self.assertGreaterEqual(total["large_refused"], 2)
        self.assert_paged(total)
        self.assert_given_back(total)

    def test_children_are_safe_from_inherited_pointers_and_have_memory_of_their_own(self):
        self.check("fork", "managed", least_bytes=72 * MIB, plain=False)
        names = [session["large_served"] for session in self.report()["sessions"]]
        # The preflight, and three generations; the second has copied what it inherited.
        self.assertEqual(sorted(names), [0, 1, 1, 2])

    def test_threads_allocate_at_the_same_time(self):
        total = self.check("threads", least_bytes=1000 * MIB)
        self.assertEqual(total["large_freed"], total["large_served"])

    def test_forks_among_allocating_threads(self):
        self.check("fork_among_threads", least_bytes=400 * MIB)

    def test_larger_chunks_and_smaller_ones(self):
        for chunk in ("64KiB", "8MiB"):
            with self.subTest(chunk=chunk):
                self.check("threads", least_bytes=1000 * MIB,
                           options=["--chunk", chunk], plain=False, budget="64MiB")

    def test_gpu_driver_is_noticed_once(self):
        done = self.ciuic_run(program("heap"), "library", FAKE_GPU_DRIVER, options=["--strict"])
        self.assert_ok(done)
        self.assertEqual(done.stderr.count("libcuda.so"), 1)
        self.assertIn("GPU memory is not managed", done.stderr)


if __name__ == "__main__":
    harness.main()
