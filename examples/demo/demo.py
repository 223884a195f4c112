# SPDX-License-Identifier: Apache-2.0
"""What ./demo runs once everything is built: two jobs, plain and managed, compared byte for byte.

A managed run and its daemon share one memory cgroup of budget + what the plain run needs beside its
large allocations + 64 MiB, without swap: that the job fits is the kernel's word, not ours. The
report must say that Ciuic did the work: 90 % of the large allocations served, bytes written to and
read from the store, chunks evicted.
"""
import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from bounds import Cgroup, UnmanagedPeak
from text_input import make_text

MIB = 1 << 20
HERE = pathlib.Path(__file__).parent
TEXT_BYTES = 1100 * MIB


class Job:
    """A command, its output file, and the budget that is a quarter of what it allocates."""

    def __init__(self, name, budget_mib, command, output):
        self.name, self.budget_mib, self.command, self.output = name, budget_mib, command, output


def sort_job(folder, text):
    # One buffer for all of the input: 1792 MiB, four times the budget.
    output = folder / "sorted.txt"
    command = ["sort", "--parallel=1", "-S", "1792M", "-T", str(folder), "-o", str(output),
               str(text)]
    return Job("GNU sort", 448, command, output)


def numpy_job(folder, text):
    output = folder / "matrix.out"
    command = [sys.executable, str(HERE / "matrix.py"), str(text), str(output)]
    return Job("NumPy", 256, command, output)


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(MIB):
            sha.update(block)
    path.unlink()
    return sha.hexdigest()


def run(command, **options):
    """Runs to the end; returns (exit code, seconds)."""
    start = time.monotonic()
    environment = dict(os.environ, LC_ALL="C", OPENBLAS_NUM_THREADS="1")
    process = subprocess.Popen(command, env=environment, **options)
    return process, start


def run_plain(job):
    process, start = run(job.command)
    peak = UnmanagedPeak(process.pid)
    code = peak.watch(process)
    if code != 0:
        sys.exit(f"demo: the plain run of {job.name} failed with exit code {code}")
    return time.monotonic() - start, peak.bytes, digest(job.output)


def run_managed(job, build, folder, unmanaged_bytes):
    report = folder / "report.json"
    limit = (job.budget_mib + 64) * MIB + unmanaged_bytes
    # tmpfs: its pages are charged to the cgroup, which hugetlb's are not.
    command = [str(build / "bin/ciuic"), "run", "--budget", f"{job.budget_mib}MiB", "--frames",
               "tmpfs", "--swap-dir", str(folder), "--report", str(report), "--", *job.command]
    with Cgroup(limit) as cgroup:
        process, start = run(command, preexec_fn=cgroup.enter)
        code = process.wait()
        seconds = time.monotonic() - start
        bound = cgroup.describe()
    if code != 0:
        sys.exit(f"demo: the managed run of {job.name} failed with exit code {code} ({bound})")
    if not report.exists():
        sys.exit(f"demo: {job.name} left no report: Ciuic was not at work")
    return seconds, bound, json.loads(report.read_text()), digest(job.output)


def judge(job, report, plain_digest, managed_digest):
    """What is wrong; empty when all is as promised."""
    total = report["total"]
    wrong = []
    if plain_digest != managed_digest:
        wrong.append("the outputs differ")
    if total["large_requests"] == 0:
        wrong.append("no large allocation was seen")
    elif total["large_served"] < 0.9 * total["large_requests"]:
        wrong.append(f"{total['large_served']} of {total['large_requests']} large allocations "
                     "were served")
    for name in ("store_bytes_written", "store_bytes_read", "evictions"):
        if total[name] == 0:
            wrong.append(f"{name} is 0")
    return [f"{job.name}: {text}" for text in wrong]


def show(job, report, plain, managed, bound):
    total, chunk = report["total"], report["device"]["chunk_bytes"]
    allocated = total["chunks_promised_peak"] * chunk / MIB
    resident = total["frames_peak"] * chunk / MIB
    by_cause = total["bytes_in_by_cause"]
    print(f"""
{job.name}: output byte-identical
  allocated   {allocated:8.0f} MiB in {total['large_served']} of {total['large_requests']} large \
allocations
  resident    {resident:8.0f} MiB at most (budget {job.budget_mib} MiB, \
{allocated / job.budget_mib:.1f} times smaller; frames: {report['device']['frame_kind']})
  bound       {bound}
  to store    {total['store_bytes_written'] / MIB:8.0f} MiB in {total['evictions']} evictions, \
{total['evictions_clean']} of them without a write
  from store  {total['store_bytes_read'] / MIB:8.0f} MiB: by fault \
{by_cause['fault'] / MIB:.0f} MiB, ahead of use {by_cause['prefetch'] / MIB:.0f} MiB
  waited      {total['stall_ns'] / 1e9:8.1f} s in {total['faults']} faults
  time        {managed:8.1f} s; plain, with all of its memory: {plain:.1f} s \
({managed / plain:.1f} times)""",
          flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--only", choices=["sort", "numpy"])
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ciuic-demo-", dir=options.work))
    wrong = []
    try:
        print("preparing the input: the Linux source, each line with its path and number ...",
              flush=True)
        text = make_text(folder, TEXT_BYTES)
        jobs = {"sort": sort_job, "numpy": numpy_job}
        for name in [options.only] if options.only else jobs:
            job = jobs[name](folder, text)
            print(f"{job.name}: plain, then managed ...", flush=True)
            plain, unmanaged, expected = run_plain(job)
            managed, bound, report, found = run_managed(job, options.build, folder, unmanaged)
            complaints = judge(job, report, expected, found)
            if not complaints:
                show(job, report, plain, managed, bound)
            wrong += complaints
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for line in wrong:
        print(f"\033[31mdemo: {line}\033[0m" if sys.stdout.isatty() else f"demo: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
