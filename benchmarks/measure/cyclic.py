# SPDX-License-Identifier: Apache-2.0
"""The cyclic sweep: a set a quarter larger than the memory, gone through over and over.

The best that any eviction can do is known (Belady), and the best that any paging can do is to
bring those bytes at the disk's own rate, beside which the program costs nothing. Not here: the
page (cyclic_report.py); who keeps the memory and within which limit (paging.py).
"""
import dataclasses

from . import machine
from .machine import MIB
from .paging import FIO_PAGES, POLLS, ROWS, Row, Running, Sizes, objections

CHUNK_BYTES = 2 * MIB
WARM_PERIODS = 2  # beside the filling; what is said of a sweep is said from the third on
KERNEL_PERIODS = 2  # measured, of rows that take a hundred times as long
PATTERNS = ("sequential", "order")
SWEEP_ROWS = ROWS + (
    Row("embedded, declared", "embedded", "2 MiB anonymous", "the frames, O_DIRECT, huge pages",
        POLLS, declares=True),
)
FIO_READS = 300
# Of what Belady misses: fewer fetches than that, and somebody else kept the memory.
FETCHED_AT_LEAST = 0.9


@dataclasses.dataclass(frozen=True)
class SweepSizes(Sizes):
    """`limit_mib` holds the memory that is spoken of and what is neither frame nor page cache:
    page tables, the programs' code and their stacks. The kernel's rows may use all of it."""
    memory_mib: int

    @staticmethod
    def of(memory_mib):
        return SweepSizes(limit_mib=memory_mib + 16 + memory_mib // 64,
                          region_mib=memory_mib * 5 // 4 // 2 * 2, touches=0,
                          memory_mib=memory_mib)

    @property
    def budget_mib(self):
        return self.memory_mib

    @property
    def huge_pages(self):
        return self.budget_mib // 2 + FIO_PAGES


def belady_misses(chunks, frames):
    """Of one period of a cycle, in the long run: of the N - 1 others between two uses of a chunk
    C - 1 can be kept."""
    return chunks * (chunks - frames) / (chunks - 1)


def ideal_misses(sizes):
    return belady_misses(sizes.region_mib // 2, sizes.memory_mib // 2)


def raw_mb_per_s(fio, pattern):
    """The disk's own rate for the same reads, at the better of two depths."""
    how = "read" if pattern == "sequential" else "randread"
    return max(fio.run(how, "--bs=2m", f"--iodepth={depth}", f"--number_ios={FIO_READS}")
               ["bw_bytes"] / 1e6 for depth in (4, 8))


def compute_us(options, raw):
    """Per chunk: so many times what the disk takes for one."""
    return max(1, round(options.compute * CHUNK_BYTES / raw))


def sweeps(row, pattern, raw, options, sizes):
    """One row's periods: to warm up, measured, and, of Ciuic's, with computing."""
    command = "declared" if row.declares else pattern
    running = Running(row, options, sizes)
    found = []
    try:
        periods = options.periods if row.is_ciuic else min(KERNEL_PERIODS, options.periods)
        for period in range(WARM_PERIODS + periods):
            figures = running.do_pass(f"{command} read")
            found.append({**figures, "pattern": pattern, "period": period,
                          "measured": period >= WARM_PERIODS})
        for _ in range(options.compute_periods if row.is_ciuic else 0):
            us = compute_us(options, raw)
            figures = running.do_pass(f"{command} read {us}")
            found.append({**figures, "pattern": pattern, "computed_us": us})
    finally:
        peak = running.close()
    if running.report and running.report["device"]["frame_kind"] != row.frame_kind:
        raise RuntimeError(f"{row.name}: the frames are {running.report['device']['frame_kind']}")
    for figures in found:
        figures["peak_bytes"] = peak
        figures["io"] = running.report["device"]["io"] if running.report else None
    return found


def interleaved(fio, options, sizes, rows):
    """Records of all rounds: each pattern on each row in turn, fio before and after each."""
    for round_ in range(options.rounds):
        for pattern in PATTERNS:
            machine.drop_page_cache()
            for row in rows if round_ % 2 == 0 else reversed(rows):
                if row.declares and pattern != "order":
                    continue
                before = raw_mb_per_s(fio, pattern)
                found = sweeps(row, pattern, before, options, sizes)
                raw = max(before, raw_mb_per_s(fio, pattern))
                for figures in found:
                    yield {"round": round_, "raw_mb_per_s": raw,
                           "ideal_seconds": ideal_misses(sizes) * CHUNK_BYTES / raw / 1e6,
                           **figures}


def doubts(records, sizes):
    """Why the sweeps do not count: of one row and pattern in one round."""
    found = []
    rows = {row.name: row for row in SWEEP_ROWS}
    by_sweep = {}
    for record in records:
        by_sweep.setdefault((record["row"], record["pattern"], record["round"]), []).append(record)
    for (name, pattern, _), sweep in by_sweep.items():
        periods = [r for r in sweep if r.get("measured")]
        found += [text for r in periods for text in objections(rows[name], r)]
        if not rows[name].is_ciuic:
            continue
        totals = {key: sum(r["ciuic"][key] for r in periods) for key in periods[0]["ciuic"]}
        least = FETCHED_AT_LEAST * len(periods) * ideal_misses(sizes)
        if totals["fetches"] < least:
            found.append(f"{name}, {pattern}: {totals['fetches']} fetches where Belady makes "
                         f"{least / FETCHED_AT_LEAST:.0f}")
        if totals["prefetches_used"] == 0:
            found.append(f"{name}, {pattern}: nothing was prefetched")
        # Neighbours in address order are a stream, too.
        if pattern == "order" and totals["prefetches_in_order"] * 2 < totals["prefetches"]:
            found.append(f"{name}, {pattern}: {totals['prefetches_in_order']} of "
                         f"{totals['prefetches']} prefetches were in the learnt order")
    return found
