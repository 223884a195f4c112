# SPDX-License-Identifier: Apache-2.0
"""The machine: its facts, its counters, and the few settings that a benchmark borrows.

Not here: memory limits and swap files (limits.py). Every borrowed setting is given back when its
context ends.
"""
import contextlib
import os
import pathlib
import platform
import time

HUGE_PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
MIB = 1 << 20
SECTOR_BYTES = 512
PAGE_BYTES = os.sysconf("SC_PAGESIZE")


def read(path, otherwise=""):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return otherwise


@contextlib.contextmanager
def huge_pages(wanted):
    """At least `wanted` huge pages beside those in use, for a while; how many there are."""
    before = int(HUGE_PAGES.read_text())
    pages = dict(line.split()[:2] for line in read("/proc/meminfo").splitlines())
    used = (int(pages["HugePages_Total:"]) - int(pages["HugePages_Free:"]) +
            int(pages["HugePages_Rsvd:"]))
    if before < used + wanted:
        HUGE_PAGES.write_text(str(used + wanted))
    try:
        yield int(HUGE_PAGES.read_text()) - used
    finally:
        HUGE_PAGES.write_text(str(before))


class Disk:
    """Counters of the disk that a folder lies on. They count everybody's transfers."""

    def __init__(self, folder):
        number = os.stat(folder).st_dev
        self.folder = pathlib.Path(
            f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
        self.name = self.folder.name

    def counters(self):
        fields = read(self.folder / "stat").split()
        if len(fields) < 7:
            return {"disk_read": 0, "disk_written": 0}
        return {"disk_read": int(fields[2]) * SECTOR_BYTES,
                "disk_written": int(fields[6]) * SECTOR_BYTES}


def kernel_counters():
    """Bytes that the kernel swapped, and took back from programs, since the start."""
    values = dict(line.split() for line in read("/proc/vmstat").splitlines())
    return {name: int(values.get(name, 0)) * PAGE_BYTES
            for name in ("pswpin", "pswpout", "pgsteal_anon", "pgsteal_file")}


def cpu_seconds(pid):
    """Processor time of all threads of a process: its clock, to the nanosecond."""
    process_clock = (~pid << 3) | 2  # CPUCLOCK_SCHED, linux/posix-timers_types.h
    try:
        return time.clock_gettime(process_clock)
    except OSError:
        return 0.0


def kernel_threads():
    """Threads that reclaim, write back and finish I/O for everybody."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = read(folder / "stat").rpartition(")")[2].split()
            if len(fields) > 1 and fields[1] == "2":  # the parent is kthreadd
                found.append(int(folder.name))
    return found


def read_bytes(pid):
    """Bytes that a process had read from the disk, by calls and by faults."""
    for line in read(f"/proc/{pid}/io").splitlines():
        if line.startswith("read_bytes:"):
            return int(line.split()[1])
    return 0


def drop_page_cache():
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("1", encoding="utf-8")


def facts(folder):
    cpu = [line.partition(":")[2].strip() for line in read("/proc/cpuinfo").splitlines()
           if line.startswith("model name")]
    memory = read("/proc/meminfo").split()
    disk = Disk(folder)
    idle = read("/sys/devices/system/cpu/cpuidle/current_driver", "none")
    poll = read("/sys/module/haltpoll/parameters/guest_halt_poll_ns")
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "cpu": cpu[0] if cpu else "",
            "memory_mib": int(memory[1]) // 1024, "disk": disk.name,
            "filesystem": filesystem_of(folder), "idle": idle + (f" ({poll} ns)" if poll else ""),
            "page_cluster": read("/proc/sys/vm/page-cluster"),
            "swappiness": read("/proc/sys/vm/swappiness"),
            "load": os.getloadavg()[0], "huge_pages": int(HUGE_PAGES.read_text()),
            "transparent_huge_pages": read("/sys/kernel/mm/transparent_hugepage/enabled")}


def filesystem_of(folder):
    folder = os.path.realpath(folder)
    best = ("", "")
    for line in read("/proc/mounts").splitlines():
        _, place, kind = line.split()[:3]
        inside = place == "/" or folder == place or folder.startswith(place + "/")
        if inside and len(place) >= len(best[0]):
            best = (place, kind)
    return best[1]
