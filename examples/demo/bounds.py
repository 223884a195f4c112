# SPDX-License-Identifier: Apache-2.0
"""How much memory a run may have, enforced by the kernel, and how much it needs beside its large
allocations."""
import os
import pathlib
import time

MIB = 1 << 20
LARGE_BYTES = MIB  # what `ciuic run` manages


class UnmanagedPeak:
    """The most memory of a process outside anonymous mappings of 1 MiB and more.

    /proc/PID/smaps is read 20 times a second; pages of files count, too.
    """

    def __init__(self, pid):
        self.smaps = f"/proc/{pid}/smaps"
        self.bytes = 0

    def watch(self, process):
        while process.poll() is None:
            self.sample()
            time.sleep(0.05)
        return process.returncode

    def sample(self):
        total, counts = 0, False
        try:
            with open(self.smaps, encoding="ascii", errors="replace") as smaps:
                for line in smaps:
                    fields = line.split()
                    if "-" in fields[0] and not fields[0].endswith(":"):
                        begin, end = (int(part, 16) for part in fields[0].split("-"))
                        is_anonymous = len(fields) < 6
                        counts = not (is_anonymous and end - begin >= LARGE_BYTES)
                    elif counts and fields[0] == "Rss:":
                        total += int(fields[1]) * 1024
        except (FileNotFoundError, ProcessLookupError):
            return
        self.bytes = max(self.bytes, total)


class Cgroup:
    """A memory cgroup (v2, else v1) of a given limit without swap, for one run.

    Without the rights to make one the run goes on, and describe() says that nobody enforced it.
    """

    V1 = pathlib.Path("/sys/fs/cgroup/memory")
    V2 = pathlib.Path("/sys/fs/cgroup")

    def __init__(self, limit_bytes):
        self.limit_bytes = limit_bytes
        self.path = None

    def __enter__(self):
        name = f"ciuic-demo-{os.getpid()}"
        for root, limit_file in ((self.V1, "memory.limit_in_bytes"), (self.V2, "memory.max")):
            path = root / name
            try:
                path.mkdir()
            except OSError:
                continue
            try:
                (path / limit_file).write_text(str(self.limit_bytes))
            except OSError:  # no memory controller here
                path.rmdir()
                continue
            for file, value in (("memory.swappiness", "0"), ("memory.swap.max", "0")):
                if (path / file).exists():
                    (path / file).write_text(value)
            self.path = path
            break
        return self

    def enter(self):
        """In the child, before exec."""
        if self.path:
            (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def describe(self):
        limit = f"{self.limit_bytes / MIB:.0f} MiB for program and daemon"
        if not self.path:
            return f"{limit}, NOT enforced by the kernel: making a memory cgroup needs root"
        for file in ("memory.max_usage_in_bytes", "memory.peak"):
            if (self.path / file).exists():
                peak = int((self.path / file).read_text()) / MIB
                return f"{limit}, enforced by the kernel's memory cgroup (peak {peak:.0f} MiB)"
        return f"{limit}, enforced by the kernel's memory cgroup"

    def __exit__(self, *_):
        if not self.path:
            return
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                self.path.rmdir()
                return
            except OSError:  # a process is on its way out
                time.sleep(0.05)
