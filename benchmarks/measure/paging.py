# SPDX-License-Identifier: Apache-2.0
"""One row of the comparison under one memory limit: who keeps the memory, what a pass cost, and the
proof that it was served by whom it names.

The limit holds the program and its daemon. Frames of hugetlbfs are charged to no group, so they
are taken off the limit there; elsewhere the budget is the limit less `RESERVE_MIB` for everything
that is no frame.
"""
import contextlib
import dataclasses

from . import machine
from .limits import MemoryLimit, SwapFile
from .machine import MIB
from .programs import Bench, Daemon

RESERVE_MIB = 16  # beside frames of hugetlbfs, 8 MiB leave no room for the programs' own code
FIO_PAGES = 24  # huge pages for fio's buffers
BLOCK_BYTES = 64 << 10
POLLS = "polls for 200 us at most, then sleeps in epoll"
ASLEEP = "sleeps in epoll"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    backing: str
    pages: str
    buffers: str
    wake: str
    frames: str = ""  # of the daemon, as its option names them
    frame_kind: str = ""  # and as its report does
    declares: bool = False  # the program acquires what it uses, and has said so

    @property
    def is_ciuic(self):
        return self.backing in ("embedded", "daemon")


SWAP = Row("Linux swap", "plain", "4 KiB", "the pages themselves, through the swap cache",
           "the faulting thread sleeps on the disk")
ROWS = (
    SWAP,
    Row("mmap of a file", "file", "4 KiB", "the page cache, advised of the order",
        "the faulting thread sleeps on the disk"),
    Row("embedded", "embedded", "2 MiB anonymous", "the frames, O_DIRECT, huge pages", POLLS),
    Row("daemon, hugetlb", "daemon", "2 MiB hugetlb", "the frames, O_DIRECT, huge pages", ASLEEP,
        "hugetlb", "hugetlb"),
    Row("daemon, tmpfs", "daemon", "2 MiB tmpfs, mapped by 4 KiB",
        "the frames, O_DIRECT, huge pages", ASLEEP, "tmpfs", "tmpfs-huge"),
    Row("daemon, memfd", "daemon", "4 KiB memfd", "the frames, O_DIRECT, 4 KiB pages", ASLEEP,
        "memfd", "memfd-4k"),
)


@dataclasses.dataclass(frozen=True)
class Sizes:
    limit_mib: int
    region_mib: int
    touches: int

    @property
    def budget_mib(self):
        return (self.limit_mib - RESERVE_MIB) // 2 * 2

    def limit_bytes(self, row):
        return (self.limit_mib - (self.budget_mib if row.frames == "hugetlb" else 0)) * MIB


class Running:
    """The program of a row, and its daemon if it has one, inside their limit."""

    def __init__(self, row, options, sizes):
        self.row, self.daemon, self.report = row, None, None
        with contextlib.ExitStack() as stack:
            self.disk = machine.Disk(options.store)
            if row == SWAP:
                stack.enter_context(SwapFile(options.store, 2 * sizes.region_mib))
            if row.frames == "hugetlb":  # again: they are everybody's, and others give them back
                stack.enter_context(machine.huge_pages(sizes.budget_mib // 2 + FIO_PAGES))
            self.limit = stack.enter_context(MemoryLimit(
                row.backing, sizes.limit_bytes(row), swap=row == SWAP))
            place = ["--store", options.store]
            if row.backing == "daemon":
                self.daemon = Daemon(options.build, options.store, sizes.budget_mib,
                                     sizes.region_mib, row.frames, self.limit.enter)
                stack.callback(self._close_daemon)
                place = ["--socket", self.daemon.socket]
            self.bench = Bench(row.name, [
                options.build / "bin/pattern_bench", "--backing", row.backing, *place,
                "--budget-mib", str(sizes.budget_mib), "--region-mib", str(sizes.region_mib),
                *(["--declares"] if row.declares else [])],
                self.limit.enter)
            stack.callback(self.bench.close)
            self.stack = stack.pop_all()

    def _close_daemon(self):
        self.report = self.daemon.close()

    def counters(self):
        pid = self.bench.process.pid
        return {**self.disk.counters(), **machine.kernel_counters(),
                "program_read": machine.read_bytes(pid),
                "daemon_cpu": machine.cpu_seconds(self.daemon.process.pid) if self.daemon else 0,
                "kernel_cpu": sum(map(machine.cpu_seconds, self.threads))}

    def do_pass(self, line):
        self.threads = machine.kernel_threads()
        before = self.counters()
        figures = self.bench.do_pass(line)
        after = self.counters()
        figures.update({name: after[name] - before[name] for name in before})
        figures["row"] = self.row.name
        figures.update(self._moved(figures))
        figures["program_cpu"] = figures.pop("user_seconds") + figures.pop("system_seconds")
        cpu = figures["program_cpu"] + figures["daemon_cpu"] + figures["kernel_cpu"]
        paged_mib = (figures["paged_in"] + figures["paged_out"]) / MIB
        figures["cpu_us_per_mib"] = cpu * 1e6 / paged_mib if paged_mib else None
        evicted = figures["evicted"]
        figures["written_per_evicted"] = figures["paged_out"] / evicted if evicted else None
        return figures

    def _moved(self, figures):
        """Bytes brought in, bytes written, and bytes that had to make room. Of a file's pages only
        the disk knows what was written: other programs' writes are in it."""
        ciuic = figures["ciuic"]
        if self.row.is_ciuic:
            return {"paged_in": ciuic["store_bytes_read"],
                    "paged_out": ciuic["store_bytes_written"],
                    "evicted": ciuic["evictions"] * 2 * MIB + ciuic["pieces_out"] * BLOCK_BYTES}
        if self.row == SWAP:
            return {"paged_in": figures["pswpin"], "paged_out": figures["pswpout"],
                    "evicted": figures["pgsteal_anon"]}
        return {"paged_in": figures["program_read"], "paged_out": figures["disk_written"],
                "evicted": figures["pgsteal_file"]}

    def close(self):
        peak = self.limit.peak_bytes()
        killed = self.limit.was_killed_in()
        self.stack.close()
        if killed:
            raise RuntimeError(f"{self.row.name}: the kernel killed it at its memory limit")
        return peak


def objections(row, figures):
    """Why a pass does not count as one of the row's."""
    found = []
    ciuic = figures["ciuic"]
    if figures["paged_in"] == 0:
        found.append("nothing was read back")
    # A few touches may find what is free.
    if figures["evicted"] == 0 and figures["pattern"] != "touch":
        found.append("nothing was evicted")
    if figures["disk_read"] < figures["paged_in"] / 2:
        found.append("the disk was read less than that")
    if figures["miss_us"]["count"] == 0:
        found.append("no touch was a miss")
    if row.is_ciuic:
        if ciuic["faults"] + ciuic["fetches"] + ciuic["pieces_in"] == 0:
            found.append("Ciuic served nothing")
        if figures["pswpin"] + figures["pswpout"] > 0:
            found.append("the kernel swapped")
    elif figures["major_faults"] == 0:
        found.append("the kernel saw no major fault")
    return [f"{row.name}, {figures['pattern']} {figures['access']}: {text}" for text in found]


def passes_of(group, row, sizes):
    """Pairs: passes that bring the memory into its usual state, and the one that is measured."""
    if group == "touch":
        read, write = f"touch read {sizes.touches}", f"touch write {sizes.touches}"
        # What the filling left to be written is written before.
        return [(["chunk read", read], read), ([write], write)]
    if group == "acquire":
        return [(["acquire read"], "acquire read")] if row.is_ciuic else []
    return [([line], line) for line in (f"{group} read", f"{group} write")]


def measure(row, group, options, sizes):
    """Figures of one pass of each kind in the group."""
    passes = passes_of(group, row, sizes)
    if not passes:
        return
    running = Running(row, options, sizes)
    measured = []
    try:
        for before, line in passes:
            for other in before:
                running.bench.do_pass(other)
            measured.append(running.do_pass(line))
    finally:
        peak = running.close()
    if running.report and running.report["device"]["frame_kind"] != row.frame_kind:
        raise RuntimeError(f"{row.name}: the frames are {running.report['device']['frame_kind']}")
    for figures in measured:
        figures["peak_bytes"] = peak
        figures["io"] = running.report["device"]["io"] if running.report else None
        yield figures


def raw_figures(fio, group):
    """What the disk gives without anybody's paging, in the same minute."""
    figures = {"row": "fio", "pattern": group}
    if group == "touch":
        for size in ("4k", "64k"):
            us, _ = fio.random(size, 1, 1000)
            figures[f"us_{size}_depth_1"] = us
        figures["mb_per_s_4k_depth_4"] = fio.random("4k", 4, 4000)[1]
        return figures
    us, figures["mb_per_s_depth_1"] = fio.random("2m", 1, 300)
    figures["us_2m_depth_1"] = us
    figures["mb_per_s_depth_4"] = fio.random("2m", 4, 300)[1]
    figures["mb_per_s"] = max(figures["mb_per_s_depth_1"], figures["mb_per_s_depth_4"])
    return figures


def interleaved(fio, options, sizes, rows, say):
    """Figures of all rounds: in each, every group on every row in turn, and fio before."""
    for round_ in range(options.rounds):
        for group in ("sequential", "chunk", "touch", "acquire"):
            machine.drop_page_cache()
            yield {"round": round_, **raw_figures(fio, group)}
            # Back and forth, so that no row is always the first after the same other one.
            for row in rows if round_ % 2 == 0 else reversed(rows):
                for figures in measure(row, group, options, sizes):
                    say(f"round {round_ + 1}, {row.name}, {figures['pattern']} "
                        f"{figures['access']}: {figures['mb_per_s']:.0f} MB/s, miss "
                        f"{figures['miss_us']['p50']:.0f} us")
                    yield {"round": round_, **figures}

