# SPDX-License-Identifier: Apache-2.0
"""The cyclic sweeps as Markdown. Not here: how they were measured (cyclic.py)."""
import statistics

from .machine import MIB
from .cyclic import SWEEP_ROWS
from .paging import ROWS, SWAP
from .report import spread, table

NAMES = {"sequential": "in address order", "order": "in one random order"}
FILE = "mmap of a file"
OF_IDEAL, TIMES_FILE = 0.80, 4.5
ACCURACY, COVERAGE, STALL = 0.98, 0.95, 0.03


class Sweeps:
    """Records, by row and pattern; a round gives one value."""

    def __init__(self, records):
        self.facts = next((r for r in records if r.get("facts")), {})
        self.records = [r for r in records if "pattern" in r]
        self.skipped = [r for r in records if "skipped" in r]
        self.missed = []

    def rounds(self, row, pattern, flag):
        found = {}
        for record in self.records:
            if (record["row"], record["pattern"]) == (row.name, pattern) and record.get(flag):
                found.setdefault(record["round"], []).append(record)
        return found

    def seconds(self, row, pattern):
        """{round: median of its periods}"""
        return {round_: statistics.median(r["seconds"] for r in periods)
                for round_, periods in self.rounds(row, pattern, "measured").items()}

    def judge(self, name, values, goal, least):
        if not values:
            return
        value = statistics.median(values)
        if value < goal if least else value > goal:
            self.missed.append(f"{name}: {value:.3f}, goal {goal}")

    def rows(self):
        return [row for row in SWEEP_ROWS if any(r["row"] == row.name for r in self.records)]


def times(mine, other):
    return [other[r] / mine[r] for r in mine if r in other]


def total(periods, key):
    return sum(r["ciuic"][key] for r in periods)


def shares(sweeps, row, pattern, over, under):
    rounds = sweeps.rounds(row, pattern, "measured").values()
    return [total(r, over) / total(r, under) for r in rounds if total(r, under)]


def stalls(sweeps, row, pattern):
    """Of the time with computing: what the engine counted, and all that was not computing."""
    rounds = sweeps.rounds(row, pattern, "computed_us").values()
    counted = [total(r, "stall_ns") / 1e9 / sum(p["seconds"] for p in r) for r in rounds]
    lost = [1 - sum(p["computed_us"] * 1e-6 * p["bytes"] / (2 * MIB) for p in r) /
            sum(p["seconds"] for p in r) for r in rounds]
    return counted, lost


def sweep_cells(sweeps, row, pattern):
    rounds = sweeps.rounds(row, pattern, "measured")
    mine = sweeps.seconds(row, pattern)
    ideal = [next(iter(rounds[r]))["ideal_seconds"] / mine[r] for r in mine]
    of_file = times(mine, sweeps.seconds(ROWS[1], pattern)) if row.name != FILE else []
    of_swap = times(mine, sweeps.seconds(SWAP, pattern)) if row != SWAP else []
    read = [statistics.median(p["paged_in"] for p in r) / MIB for r in rounds.values()]
    if row.is_ciuic:
        name = f"{row.name}, {NAMES[pattern]}"
        sweeps.judge(f"{name}, of the ideal", ideal, OF_IDEAL, least=True)
        sweeps.judge(f"{name}, times mmap", of_file, TIMES_FILE, least=True)
    return [row.name, spread(list(mine.values()), 3), spread(read), f"**{spread(ideal, 2)}**",
            spread(of_file, 1), spread(of_swap, 1)]


def prefetch_cells(sweeps, row, pattern):
    accuracy = shares(sweeps, row, pattern, "prefetches_used", "prefetches")
    coverage = shares(sweeps, row, pattern, "prefetches_used", "fetches")
    stall, lost = stalls(sweeps, row, pattern)
    name = f"{row.name}, {NAMES[pattern]}"
    sweeps.judge(f"{name}, accuracy", accuracy, ACCURACY, least=True)
    sweeps.judge(f"{name}, coverage", coverage, COVERAGE, least=True)
    sweeps.judge(f"{name}, stall", stall, STALL, least=False)
    return [row.name, spread(accuracy, 3), spread(coverage, 3),
            spread([100 * s for s in stall], 1), spread([100 * s for s in lost], 1)]


def markdown(records):
    """The lines of the page, and what missed its goal."""
    sweeps = Sweeps(records)
    facts = sweeps.facts
    lines = []
    if facts:
        lines += [f"{facts['cpus']} CPUs ({facts['cpu']}), Linux {facts['kernel']}, "
                  f"{facts['filesystem']} on {facts['disk']}; memory {facts['memory_wanted_mib']} "
                  f"MiB, set {facts['region_mib']} MiB, limit for program and daemon together "
                  f"{facts['limit_mib']} MiB; {facts['rounds']} rounds of {facts['periods']} "
                  f"periods after {facts['warm_periods']}, rows in turns, every page verified; "
                  f"median (min - max), ratios within a round; load {facts['load']:.1f} at the "
                  f"start. Belady misses {facts['ideal_mib']:.0f} MiB in a period.", ""]
    raw = [r["raw_mb_per_s"] for r in sweeps.records if r.get("period") == 0]
    for pattern, name in NAMES.items():
        rows = [row for row in sweeps.rows() if sweeps.rounds(row, pattern, "measured")]
        lines += table([f"a period, {name}", "s", "MiB read", "of the ideal", "times mmap",
                        "times swap"], [sweep_cells(sweeps, row, pattern) for row in rows])
        lines += table([f"prefetch, {name}", "used of started", "of all fetches",
                        "% stalled when computing", "% not computing"],
                       [prefetch_cells(sweeps, row, pattern) for row in rows if row.is_ciuic])
    if raw:
        lines.append(f"fio, raw reads of 2 MiB beside each: {spread(raw)} MB/s.")
    lines += [f"Not measured: {r['row']}: {r['skipped']}." for r in sweeps.skipped]
    return lines, sweeps.missed
