# SPDX-License-Identifier: Apache-2.0
"""Everything fits: the same work with and without Ciuic, in pairs, where nothing has to be moved.

A STREAM-like pass inside each row's limit, and two ordinary programs under `ciuic run` with a
daemon that is there already. Not here: what a start costs, which `ciuic run` of nothing shows.
"""
import contextlib
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import time

from .machine import MIB
from .paging import ROWS, Sizes
from .limits import MemoryLimit
from .programs import Bench, Daemon

NUMPY_JOB = """
import hashlib, numpy, sys
rows = int(sys.argv[1])
matrix = numpy.random.Generator(numpy.random.PCG64(1)).standard_normal((rows, 2048))
direction = numpy.ones(2048)
for _ in range(8):
    matrix -= matrix.mean(axis=0)
    matrix *= 1.01
    direction = (matrix @ direction) @ matrix
    direction /= numpy.linalg.norm(direction)
print(hashlib.sha256(matrix.data).hexdigest(), hashlib.sha256(direction.data).hexdigest())
"""


def stream_bench(stack, row, options, sizes):
    """A benchmark that does STREAM-like passes on the row's memory."""
    place = ["--store", options.store]
    enter = None
    if row.is_ciuic:
        limit = stack.enter_context(MemoryLimit(
            f"fits-{row.backing}-{row.frames}", sizes.limit_bytes(row), swap=False))
        enter = limit.enter
    if row.backing == "daemon":
        daemon = Daemon(options.build, options.store, sizes.budget_mib, sizes.region_mib,
                        row.frames, enter)
        stack.callback(daemon.close)
        place = ["--socket", daemon.socket]
    bench = Bench(row.name, [
        options.build / "bin/pattern_bench", "--backing", row.backing, *place, "--budget-mib",
        str(sizes.budget_mib), "--region-mib", str(sizes.region_mib)], enter)
    stack.callback(bench.close)
    return bench


def streams(options, limit_mib, rows, say):
    """Pairs of STREAM-like passes, a row's after one on plain memory."""
    sizes = Sizes(limit_mib, limit_mib // 2, 0)
    plain = ROWS[0]
    with contextlib.ExitStack() as stack:
        benches = {row.name: stream_bench(stack, row, options, sizes)
                   for row in (plain, *rows) if row == plain or row.is_ciuic}
        for bench in benches.values():
            bench.do_pass("stream")
        for pair in range(options.pairs):
            for row in rows:
                if not row.is_ciuic:
                    continue
                before = benches[plain.name].do_pass("stream")["triad_seconds_min"]
                figures = benches[row.name].do_pass("stream")
                if figures["ciuic"]["evictions"] > 0:
                    raise RuntimeError(f"{row.name}: what should fit was evicted")
                took = figures["triad_seconds_min"]
                say(f"STREAM, {row.name}: {took / before:.3f} of plain")
                yield {"row": row.name, "pattern": "fits", "job": "STREAM-like", "pair": pair,
                       "plain_seconds": before, "seconds": took}


def budget_for(job_mib):
    """An engine keeps up to a sixteenth of its frames free: what is to fit needs that much more."""
    return (2 * job_mib * 9 // 8 + 16) // 2 * 2


class Job:
    """An ordinary program; run() gives what it took and a digest of what it made."""

    def __init__(self, name, folder, mib):
        self.name, self.output = name, pathlib.Path(folder) / f"ciuic-bench.{os.getpid()}.out"
        self.input = self.output.with_suffix(".in")
        if name == "sort":
            words = random.Random(1)
            with open(self.input, "wb") as file:
                for _ in range(mib):
                    file.write(b"\n".join(words.randbytes(24).hex().encode()
                                          for _ in range(MIB // 49)) + b"\n")
            self.command = ["sort", "--parallel=2", f"--buffer-size={2 * mib - 2}M",
                            f"--temporary-directory={folder}", f"--output={self.output}",
                            self.input]
        else:
            self.command = [sys.executable, "-c", NUMPY_JOB, str(mib * MIB // (8 * 2048))]

    def run(self, *before):
        os.sync()  # or it pays for writing back what the run before it has made: 15 % of sort
        start = time.monotonic()
        done = subprocess.run([*before, *self.command], stdout=subprocess.PIPE, check=True,
                              env={**os.environ, "LC_ALL": "C", "OMP_NUM_THREADS": "1",
                                   "OPENBLAS_NUM_THREADS": "1"})
        took = time.monotonic() - start
        made = self.output.read_bytes() if self.name == "sort" else done.stdout
        return took, hashlib.sha256(made).hexdigest()

    def close(self):
        self.input.unlink(missing_ok=True)
        self.output.unlink(missing_ok=True)


def jobs(options, job_mib, frames, say):
    """Pairs of runs of ordinary programs, plain and under `ciuic run`."""
    for name in ("sort", "NumPy"):
        with contextlib.ExitStack() as stack:
            job = Job(name, options.store, job_mib)
            stack.callback(job.close)
            budget_mib = budget_for(job_mib)
            for row in (row for row in ROWS if row.frames in frames):
                daemon = Daemon(options.build, options.store, budget_mib, budget_mib, row.frames)
                managed = [options.build / "bin/ciuic", "run", "--strict", "--socket",
                           daemon.socket, "--"]
                try:
                    job.run(*managed)
                    yield from job_pairs(job, row, managed, options, say)
                finally:
                    total = daemon.close()["total"]
                if total["evictions"] > 0 or total["large_bytes_served"] < job_mib * MIB:
                    raise RuntimeError(
                        f"{name}, {row.name}: {total['evictions']} evictions, "
                        f"{total['large_bytes_served'] // MIB} MiB served by Ciuic")


def job_pairs(job, row, managed, options, say):
    for pair in range(options.pairs):
        # Now one first, now the other.
        runs = [(), managed] if pair % 2 == 0 else [managed, ()]
        results = {bool(before): job.run(*before) for before in runs}
        if results[False][1] != results[True][1]:
            raise RuntimeError(f"{job.name}: the outputs differ")
        plain, took = results[False][0], results[True][0]
        say(f"{job.name}, {row.name}: {took:.2f} s, {took / plain:.3f} of plain")
        yield {"row": row.name, "pattern": "fits", "job": job.name, "pair": pair,
               "plain_seconds": plain, "seconds": took}


def starts(options, budget_mib, row, say):
    """What `ciuic run` of nothing takes, with a daemon of its own."""
    size = f"{budget_mib}MiB"
    for pair in range(options.pairs):
        start = time.monotonic()
        subprocess.run([options.build / "bin/ciuic", "run", "--budget", size, "--total", size,
                        "--frames", row.frames, "--swap-dir", options.store, "--", "true"],
                       check=True)
        took = time.monotonic() - start
        say(f"start, {row.name}: {took * 1e3:.0f} ms")
        yield {"row": row.name, "pattern": "start", "pair": pair, "seconds": took}
