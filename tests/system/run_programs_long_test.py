# SPDX-License-Identifier: Apache-2.0
"""Goal: programs that everybody has do their work under half of their memory, and nothing in their
output tells.
Method: each runs plainly and then managed, with a budget of about half of what its large
allocations take; the outputs are compared byte by byte, and the report shows that it was paged.

The inputs repeat a text at a distance that only the compressors' large windows can see: all of
their tables are used, and the plain runs stay within minutes.
"""
import itertools
import os
import random
import shutil
import subprocess
import sys
import time
import unittest

import harness
from harness import MIB, RunTest

TIME_LIMIT_S = 1200  # of one managed run, on two cores that others use too
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

SVD = """
import numpy
matrix = numpy.random.Generator(numpy.random.PCG64(7)).standard_normal((1500, 1200))
left, values, right = numpy.linalg.svd(matrix, full_matrices=False)
assert numpy.allclose(left * values @ right, matrix)
print(values[:5], float(numpy.abs(left).sum()), float(numpy.abs(right).sum()))
"""

THREADS = """
import hashlib, threading, zlib
digests = {}
def work(number):
    data = bytearray(number.to_bytes(4, "little")) * (14 << 20)
    for step in range(4):
        data[step::7919] = bytes((number + step) % 256 for _ in range(len(data[step::7919])))
        seen = hashlib.sha256(data)
        seen.update(zlib.compress(data[:16 << 20], 1))
    digests[number] = seen.hexdigest()
threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print([digests[number] for number in sorted(digests)])
"""


def write_text(path, base_mib, copies):
    """Words as in a language, few often and many seldom; the same every time."""
    rng = random.Random(20240501)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 11)))
             for _ in range(20000)]
    weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(words))))
    pieces, size = [], 0
    while size < base_mib * MIB:
        pieces.append(" ".join(rng.choices(words, cum_weights=weights, k=100_000)))
        size += len(pieces[-1])
    base = "\n".join(pieces)[:base_mib * MIB].encode()
    with open(path, "wb") as file:
        for _ in range(copies):
            file.write(base)


def write_source(path, functions):
    """A translation unit that makes the compiler keep a lot: templates, each used once."""
    lines = ["#include <map>", "#include <string>", "#include <vector>",
             "template <int N> struct Shape { int data[N % 7 + 1]; std::vector<int> more; };",
             "template <int N> int area(const Shape<N>& s) {",
             "    std::map<int, std::string> names;",
             "    for (int v : s.more) names[v * N] += std::to_string(v);",
             "    return static_cast<int>(names.size()) + s.data[N % 7];", "}"]
    lines += [f"int use_{n}(Shape<{n}>& s) {{ s.more.push_back({n}); return area(s); }}"
              for n in range(functions)]
    path.write_text("\n".join(lines) + "\n")


class RunProgramsTest(RunTest):
    def compare(self, command, budget_mib, output=None, options=(), stdin=None):
        """`output`: the file that the command writes; None: its standard output."""
        results = []
        for managed in (False, True):
            began = time.monotonic()
            with open(stdin or os.devnull, "rb") as source:
                if managed:
                    done = self.ciuic_run(*command, budget=f"{budget_mib}MiB", text=False,
                                          stdin=source, timeout=TIME_LIMIT_S,
                                          options=["--strict", "--total", "4GiB", *options])
                else:
                    done = subprocess.run(command, stdin=source, capture_output=True, check=False)
            self.assert_ok(done)
            results.append(output.read_bytes() if output else done.stdout)
            print(f"{'managed' if managed else 'plain'}: {time.monotonic() - began:.1f} s",
                  file=sys.stderr)
        self.assertGreater(len(results[0]), 0)
        self.assertEqual(len(results[0]), len(results[1]))
        self.assertTrue(results[0] == results[1], "the managed run's output differs")
        total = self.assert_served()
        self.assert_paged(total)
        return total

    def assert_budget_was_half(self, total, budget_mib):
        promised_mib = total["chunks_promised_peak"] * 2
        self.assertGreater(promised_mib, 1.7 * budget_mib, f"{promised_mib} MiB were promised")

    def test_xz(self):
        text = self.scratch / "text"
        write_text(text, 16, 16)
        total = self.compare(["xz", "-9", "--threads=1", "--stdout", text], 336)
        self.assert_budget_was_half(total, 336)

    def test_zstd(self):
        text = self.scratch / "text"
        write_text(text, 32, 8)
        command = ["zstd", "-q", "--long=27", "-19", "--single-thread", "--stdout", text]
        total = self.compare(command, 112)
        self.assert_budget_was_half(total, 112)

    def test_numpy_svd(self):
        self.assert_budget_was_half(self.compare([PYTHON, "-c", SVD], 28), 28)

    def test_threaded_python(self):
        self.assert_budget_was_half(self.compare([PYTHON, "-c", THREADS], 128), 128)

    @unittest.skipUnless(shutil.which("g++"), "there is no g++")
    def test_compiler_with_its_mappings(self):
        source, compiled = self.scratch / "large.cpp", self.scratch / "large.o"
        write_source(source, 1200)
        total = self.compare(["g++", "-O1", "-c", source, "-o", compiled], 144, output=compiled,
                             options=["--mmap"])
        self.assert_budget_was_half(total, 144)


if __name__ == "__main__":
    harness.main()
