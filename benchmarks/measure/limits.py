# SPDX-License-Identifier: Apache-2.0
"""A memory limit that the kernel keeps, and swap on one disk: contexts that leave nothing behind.

Version 1 and 2 of the memory controller. Not here: what runs inside.
"""
import os
import pathlib
import subprocess
import time

from .machine import MIB, read

V1 = pathlib.Path("/sys/fs/cgroup/memory")
V2 = (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified"))
END_SECONDS = 20  # until those who were told to end have left the group


class Refused(Exception):
    """The machine or the rights do not allow it; the text says what."""


class MemoryLimit:
    """What enters it shares so much memory. Without `swap` none of it is swapped."""

    def __init__(self, name, limit_bytes, swap):
        self.limit_bytes = limit_bytes
        self.is_v1 = (V1 / "memory.limit_in_bytes").exists()
        self.group = self._parent() / f"ciuic-bench-{name}.{os.getpid()}"
        try:
            self.group.mkdir()
            if self.is_v1:
                self._set("memory.limit_in_bytes", limit_bytes)
                if not swap and (self.group / "memory.memsw.limit_in_bytes").exists():
                    self._set("memory.memsw.limit_in_bytes", limit_bytes)
            else:
                self._set("memory.max", limit_bytes)
                if (self.group / "memory.swap.max").exists():
                    self._set("memory.swap.max", "max" if swap else 0)
        except OSError as error:
            self.close()
            raise Refused(f"no memory limit can be set: {error}") from error

    def _parent(self):
        if self.is_v1:
            return V1
        for parent in V2:
            if "memory" not in read(parent / "cgroup.controllers").split():
                continue
            try:
                (parent / "cgroup.subtree_control").write_text("+memory", encoding="utf-8")
            except OSError:
                pass  # it may be on already; if not, the limit's file is missing
            return parent
        raise Refused("there is no memory controller")

    def _set(self, file, value):
        (self.group / file).write_text(str(value), encoding="utf-8")

    def enter(self):
        """In the child, before it executes."""
        self._set("cgroup.procs", os.getpid())

    def peak_bytes(self):
        name = "memory.max_usage_in_bytes" if self.is_v1 else "memory.peak"
        return int(read(self.group / name, "0"))

    def was_killed_in(self):
        name = "memory.oom_control" if self.is_v1 else "memory.events"
        counts = dict(line.split()[:2] for line in read(self.group / name).splitlines())
        return int(counts.get("oom_kill", 0)) > 0

    def close(self):
        deadline = time.monotonic() + END_SECONDS
        while self.group.exists():
            try:
                if self.is_v1:
                    self._set("memory.force_empty", 0)
                self.group.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class SwapFile:
    """The machine's only swap while the context lasts; what was on before is put back."""

    def __init__(self, folder, size_mib):
        self.path = pathlib.Path(folder) / f"ciuic-bench.{os.getpid()}.swap"
        self.size_bytes = size_mib * MIB
        self.others = []

    def __enter__(self):
        with open(self.path, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            os.posix_fallocate(file.fileno(), 0, self.size_bytes)
        try:
            self._call("mkswap", self.path)
            for line in read("/proc/swaps").splitlines()[1:]:
                place, *_, priority = line.split()
                self._call("swapoff", place)
                self.others.append((place, priority))
            self._call("swapon", self.path)
        except BaseException:
            self._undo()
            raise
        return self

    def __exit__(self, *_):
        self._undo()

    def _undo(self):
        if str(self.path) in read("/proc/swaps"):
            self._call("swapoff", self.path)
        self.path.unlink(missing_ok=True)
        for place, priority in self.others:
            options = ["-p", priority] if int(priority) >= 0 else []
            self._call("swapon", *options, place)
        self.others = []

    @staticmethod
    def _call(*command):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise Refused(f"{command[0]} is not installed") from error
        except subprocess.CalledProcessError as error:
            raise Refused(f"{command[0]}: {error.stderr.strip()}") from error
