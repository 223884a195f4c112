# SPDX-License-Identifier: Apache-2.0
"""The programs that are measured and what they are measured against: fio, the daemon, a benchmark
that does a pass whenever it is told to.
"""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from .machine import MIB


class Fio:
    """The raw limit: direct I/O with huge-page buffers on a file that was really written."""

    def __init__(self, folder, size_mib):
        self.file = pathlib.Path(folder) / f"ciuic-bench.{os.getpid()}.fio"
        self.base = ["fio", "--name=raw", f"--filename={self.file}", f"--size={size_mib}m",
                     "--direct=1", "--ioengine=io_uring", "--mem=mmaphuge",
                     "--hugepage-size=2m", "--lat_percentiles=1", "--output-format=json"]
        self.run("write", "--bs=2M", "--iodepth=4")

    def run(self, rw, *options):
        output = subprocess.run([*self.base, f"--rw={rw}", *options],
                                capture_output=True, text=True, check=True).stdout
        job = json.loads(output[output.index("{"):])["jobs"][0]
        return job["write" if rw.endswith("write") else "read"]

    def mb_per_s(self, depth):
        return self.run("read", "--bs=2M", "--loops=2", f"--iodepth={depth}")["bw_bytes"] / 1e6

    def random(self, size, depth, requests):
        """(median latency in us, MB/s) of random reads."""
        job = self.run("randread", f"--bs={size}", f"--iodepth={depth}",
                       f"--number_ios={requests}")
        return job["lat_ns"]["percentile"]["50.000000"] / 1e3, job["bw_bytes"] / 1e6

    def block_us(self):
        return self.random("64k", 1, 2000)[0]

    def close(self):
        self.file.unlink(missing_ok=True)


class Daemon:
    """A daemon of one's own. `enter`: called in it before it executes; `more`: options."""

    def __init__(self, build, store, budget_mib, store_mib, frames, enter=None, more=()):
        self.folder = tempfile.TemporaryDirectory(prefix="ciuic-bench-")
        self.socket = os.path.join(self.folder.name, "socket")
        self.report_file = os.path.join(self.folder.name, "report")
        ready, told = os.pipe()
        self.process = subprocess.Popen(
            [build / "bin/ciuic-swapd", "--budget", str(budget_mib * MIB), "--socket", self.socket,
             "--frames", frames, "--store", store, "--store-size", str(store_mib * MIB),
             "--report", self.report_file, "--ready-fd", str(told), *more],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, pass_fds=[told],
            preexec_fn=enter)
        os.close(told)
        with os.fdopen(ready, "rb") as pipe:
            if pipe.read(1) != b"R":
                problem = self.process.stderr.read().strip()
                self.process.wait()
                self.folder.cleanup()
                raise RuntimeError(f"ciuic-swapd: {problem}")

    def report(self):
        """The report as it is now."""
        pathlib.Path(self.report_file).unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 20
        while not os.path.exists(self.report_file):  # it is renamed into place as a whole
            if time.monotonic() > deadline:
                raise RuntimeError("ciuic-swapd writes no report")
            time.sleep(0.001)
        with open(self.report_file, encoding="utf-8") as file:
            return json.load(file)

    def close(self):
        """The daemon's report."""
        self.process.terminate()
        self.process.communicate()
        if self.process.returncode != 0:
            self.folder.cleanup()
            raise RuntimeError(f"ciuic-swapd ended with {self.process.returncode}")
        with open(self.report_file, encoding="utf-8") as file:
            report = json.load(file)
        self.folder.cleanup()
        return report


class Bench:
    """A benchmark program: a line in is a pass, a JSON line out is what came of it."""

    def __init__(self, name, command, enter=None):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=enter)

    def do_pass(self, line=""):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.name}: the benchmark ended ({self.process.wait()})")
        return json.loads(answer)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:  # it ended before; do_pass() has said so
            pass
        self.process.stdout.close()
        self.process.wait()
