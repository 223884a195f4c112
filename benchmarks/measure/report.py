# SPDX-License-Identifier: Apache-2.0
"""The figures as Markdown: minimum, median and maximum, and the ratios within each round.

Not here: how they were measured. Records are those of paging.py and fitting.py.
"""
import statistics

from .paging import ROWS, SWAP

PASSES = (("sequential", "read"), ("sequential", "write"), ("chunk", "read"), ("chunk", "write"))
TIMES_SWAP = 8.0
TOUCH_OF_SWAP = {"embedded": 1.8, "daemon": 2.0}
CHUNK_OF_RAW = {"embedded": 1.3, "daemon": 1.5}
FITS = 1.01


def spread(values, digits=0):
    if not values:
        return "-"
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f} - {max(values):.{digits}f})"
    return text


def table(header, rows):
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


class Figures:
    """Records, looked up by row and pass; a pass gives one value per round."""

    def __init__(self, records):
        self.facts = next((r for r in records if r.get("facts")), {})
        self.skipped = [r for r in records if "skipped" in r]
        self.records = [r for r in records if "pattern" in r]
        self.missed = []

    def of(self, row, pattern, access, value):
        """{round: value}"""
        found = {}
        for record in self.records:
            if (record["row"], record["pattern"]) != (row, pattern) or "round" not in record:
                continue
            if access and record.get("access") != access:
                continue
            figure = value(record)
            if figure is not None:
                found[record["round"]] = figure
        return found

    def ratios(self, over, under):
        return [over[r] / under[r] for r in over if under.get(r)]

    def judge(self, name, ratio, goal, least):
        if ratio and (ratio < goal if least else ratio > goal):
            self.missed.append(f"{name}: {ratio:.2f}, goal {goal}")

    def rows(self):
        return [row for row in ROWS if any(r["row"] == row.name for r in self.records)]


def rates(figures):
    """Bytes that the program went through, per second, and how often that of swap."""
    yield "| MB/s, set twice the limit | " + " | ".join(
        f"{'chunk-random' if p == 'chunk' else p} {a}" for p, a in PASSES) + " |"
    yield "|---|" + "---|" * len(PASSES)
    for row in figures.rows():
        cells = []
        for pattern, access in PASSES:
            mine = figures.of(row.name, pattern, access, lambda r: r["mb_per_s"])
            swap = figures.of(SWAP.name, pattern, access, lambda r: r["mb_per_s"])
            times = figures.ratios(mine, swap)
            cell = spread(list(mine.values()))
            if row != SWAP and times:
                cell += f", **{spread(times, 1)} x**"
            if row.is_ciuic and times:
                figures.judge(f"{row.name}, {pattern} {access}, times swap",
                              statistics.median(times), TIMES_SWAP, least=True)
            cells.append(cell)
        yield f"| {row.name} | " + " | ".join(cells) + " |"
    raw = figures.of("fio", "chunk", None, lambda r: r["mb_per_s"])
    yield f"| fio, raw reads of 2 MiB | {spread(list(raw.values()))} | | | |"
    yield ""


def costs(figures):
    def cell(row, pattern, access, name, digits):
        return spread(list(figures.of(row.name, pattern, access, lambda r: r[name]).values()),
                      digits)

    header = ["", "CPU us per MiB paged, chunk-random read", "write",
              "written per byte evicted, read", "write"]
    yield from table(header, (
        [row.name, cell(row, "chunk", "read", "cpu_us_per_mib", 0),
         cell(row, "chunk", "write", "cpu_us_per_mib", 0),
         cell(row, "chunk", "read", "written_per_evicted", 2),
         cell(row, "chunk", "write", "written_per_evicted", 2)] for row in figures.rows()))


def touches(figures):
    """Misses of single pages."""
    header = ["4 KiB at random, us of a miss", "read p50", "of swap's", "p90", "p99", "write p50",
              "of swap's"]
    rows = []
    for row in figures.rows():
        def of(access, name, row=row):
            return figures.of(row.name, "touch", access, lambda r: r["miss_us"][name])

        cells = [row.name]
        for access in ("read", "write"):
            mine = of(access, "p50")
            swap = figures.of(SWAP.name, "touch", access, lambda r: r["miss_us"]["p50"])
            ratios = figures.ratios(mine, swap)
            cells += [spread(list(mine.values())),
                      "" if row == SWAP else f"**{spread(ratios, 2)}**"]
            if access == "read":
                cells += [spread(list(of(access, name).values())) for name in ("p90", "p99")]
                if row.is_ciuic and ratios:
                    figures.judge(f"{row.name}, 4 KiB miss of swap's", statistics.median(ratios),
                                  TOUCH_OF_SWAP[row.backing], least=False)
        rows.append(cells)
    for size in ("4k", "64k"):
        raw = figures.of("fio", "touch", None, lambda r, s=size: r[f"us_{s}_depth_1"])
        rows.append([f"fio, raw read of {size[:-1]} KiB", spread(list(raw.values())),
                     "", "", "", "", ""])
    yield from table(header, rows)


def chunk_misses(figures):
    """Misses of whole chunks, beside a raw read of as much."""
    header = ["2 MiB, us of a miss, p50", "acquired", "of raw", "touched page by page", "of raw"]
    rows = []
    for row in figures.rows():
        cells = [row.name]
        for pattern in ("acquire", "chunk"):
            mine = figures.of(row.name, pattern, "read", lambda r: r["miss_us"]["p50"])
            raw = figures.of("fio", pattern, None, lambda r: r["us_2m_depth_1"])
            ratios = figures.ratios(mine, raw)
            cells += [spread(list(mine.values())), f"**{spread(ratios, 2)}**" if ratios else ""]
            if pattern == "acquire" and ratios:
                figures.judge(f"{row.name}, 2 MiB miss of raw", statistics.median(ratios),
                              CHUNK_OF_RAW[row.backing], least=False)
        rows.append(cells)
    raw = figures.of("fio", "acquire", None, lambda r: r["us_2m_depth_1"])
    rows.append(["fio, raw read of 2 MiB", spread(list(raw.values())), "", "", ""])
    yield from table(header, rows)


def fits(figures):
    """Time over that of the plain run beside it."""
    pairs = [r for r in figures.records if r["pattern"] == "fits"]
    jobs = list(dict.fromkeys(r["job"] for r in pairs))
    rows = []
    for row in figures.rows():
        cells = [row.name]
        for job in jobs:
            ratios = [r["seconds"] / r["plain_seconds"] for r in pairs
                      if (r["row"], r["job"]) == (row.name, job)]
            cells.append(f"**{spread(ratios, 3)}**" if ratios else "")
            if ratios:
                figures.judge(f"{row.name}, {job} that fits", statistics.median(ratios), FITS,
                              least=False)
        started = [r["seconds"] * 1e3 for r in figures.records
                   if (r["row"], r["pattern"]) == (row.name, "start")]
        if any(cells[1:]):
            rows.append([*cells, spread(started) if started else ""])
    if rows:
        yield from table(["everything fits, time of plain", *jobs, "ms to start a daemon"], rows)


def markdown(records):
    """The lines of the page, and what missed its goal."""
    figures = Figures(records)
    facts = figures.facts
    lines = []
    if facts:
        lines += [f"{facts['cpus']} CPUs ({facts['cpu']}), Linux {facts['kernel']}, "
                  f"{facts['filesystem']} on {facts['disk']}, idle: {facts['idle']}; limit "
                  f"{facts['limit_mib']} MiB for program and daemon together, budget "
                  f"{facts['budget_mib']} MiB, set {facts['region_mib']} MiB; "
                  f"{facts['rounds']} rounds, rows in turns, every page verified; median (min - "
                  f"max), ratios within a round; swap with page-cluster {facts['page_cluster']}; "
                  f"load {facts['load']:.1f} at the start.", ""]
    kinds = dict.fromkeys(r["io"] for r in figures.records if r.get("io"))
    lines += table(["", "pages", "buffers of the I/O", "who waits, and how"],
                   ([row.name, row.pages, row.buffers + (
                       f", {', '.join(kinds)}" if row.is_ciuic and kinds else ""), row.wake]
                    for row in figures.rows()))
    for part in (rates, costs, touches, chunk_misses, fits):
        lines += part(figures)
    lines += [f"Not measured: {r['row']}: {r['skipped']}." for r in figures.skipped]
    return lines, figures.missed
