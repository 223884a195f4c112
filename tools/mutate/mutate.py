#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Removes each guard of the transition table and of the engine's ordering in turn, and asks the
simulator and the unit tests whether they notice.

usage: tools/mutate/mutate.py [--seeds N] [--only TEXT] [--list] [--jobs N]

A mutant is caught when it does not compile, a unit test fails, or a simulated seed fails. Exit
status 0: every mutant is caught or explained in mutants.py; 1: a survivor is neither.
Works on a copy of the sources in a temporary directory; about 20 s per mutant on two cores.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mutants import EXPLAINED, MUTANTS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = "lib/residency/chunk_state.hpp"
UNIT_TESTS = ["unit_residency", "unit_engine"]
SIMULATOR = "ciuic-sim"
FEW_SEEDS = 60


def table_mutants():
    """One mutant per row of the transition table: the row is gone."""
    text = (ROOT / TABLE).read_text()
    rows = re.findall(r"^ *\{\w+, +E::\w+, .*\},$", text, flags=re.M)
    return [(TABLE, row, "", "no row " + " ".join(row.split()[:2]).strip("{,")) for row in rows]


def all_mutants():
    mutants = table_mutants() + MUTANTS
    for file, old, _, what in mutants:
        count = (ROOT / file).read_text().count(old)
        if count != 1:
            sys.exit(f"{file}: the text of mutant '{what}' occurs {count} times: mend mutants.py")
    return mutants


def run(command, timeout_s, **options):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s,
                              **options).returncode
    except subprocess.TimeoutExpired:
        return "timeout"


class Bench:
    """A copy of the sources and its build folder."""

    def __init__(self, folder, jobs):
        self.source = pathlib.Path(folder) / "source"
        self.build = pathlib.Path(folder) / "build"
        self.jobs = jobs
        shutil.copytree(ROOT, self.source, ignore=shutil.ignore_patterns("build", ".git", "out"))
        flags = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS=-O1 -g0", "-DCIUIC_WERROR=OFF"]
        status = run(["cmake", "-G", "Ninja", "-S", self.source, "-B", self.build, *flags], 300)
        if status != 0 or self.compile(*UNIT_TESTS, SIMULATOR) != 0:
            sys.exit("the unchanged sources do not build")

    def compile(self, *targets):
        return run(["ninja", "-C", self.build, "-j", str(self.jobs), *targets], 1200)

    def caught_by(self, seeds):
        """The name of what noticed, or None."""
        # The simulator builds in half the time of the unit tests, and most mutants get no further.
        if self.compile(SIMULATOR) != 0:
            return "compiler"
        # A broken engine fails most seeds, and each takes its time: a few come first.
        for last in (min(seeds, FEW_SEEDS), seeds):
            if run([self.build / "bin" / SIMULATOR, "--seeds", f"0..{last}",
                    "--jobs", str(self.jobs)], 600) != 0:
                return "simulator"
        for test in UNIT_TESTS:
            if self.compile(test) != 0:
                return "compiler"
            if run([self.build / "bin" / test], 120) != 0:
                return test
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--only", default="", help="mutants whose description has this text")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    mutants = [mutant for mutant in all_mutants() if options.only in mutant[3]]
    if options.list:
        print("\n".join(f"{file}: {what}" for file, _, _, what in mutants))
        return 0
    survivors = []
    with tempfile.TemporaryDirectory(prefix="ciuic-mutate-") as folder:
        bench = Bench(folder, options.jobs)
        noticed = bench.caught_by(options.seeds)
        if noticed:
            sys.exit(f"the unchanged sources fail ({noticed})")
        for file, old, new, what in mutants:
            path = bench.source / file
            original = path.read_text()
            path.write_text(original.replace(old, new))
            noticed = bench.caught_by(options.seeds)
            path.write_text(original)
            reason = EXPLAINED.get(what)
            print(f"{noticed or ('explained' if reason else 'SURVIVED'):16} {file}: {what}"
                  + (f" ({reason})" if not noticed and reason else ""), flush=True)
            if not noticed and not reason:
                survivors.append(what)
    print(f"{len(mutants) - len(survivors)} passed, {len(survivors)} failed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
