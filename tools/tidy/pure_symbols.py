#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Purity by symbols: what the objects of a pure layer refer to outside themselves.

usage: pure_symbols.py ARCHIVE...

A clock, a lock, I/O or an allocation would show here as an undefined symbol that
pure_symbols.txt does not list. Inline atomics do not show; tidy.py bans those.
"""
import fnmatch
import subprocess
import sys
from pathlib import Path


def nm(option: str, archive: str) -> set:
    listing = subprocess.run(["nm", "--demangle", option, archive], check=True,
                             capture_output=True, text=True).stdout
    # "                 U memmove" or "0000000000000000 T ciuic::f(int)"; names hold spaces.
    fields = (line[17:].split(" ", 1) for line in listing.splitlines() if len(line) > 17)
    return {field[1].strip() for field in fields if len(field) == 2}


def allowed_patterns(path: Path) -> list:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def strangers(archives: list, patterns: list) -> list:
    defined = set().union(*(nm("--defined-only", archive) for archive in archives))
    undefined = set().union(*(nm("--undefined-only", archive) for archive in archives))
    return sorted(symbol for symbol in undefined - defined
                  if not any(fnmatch.fnmatchcase(symbol, pattern) for pattern in patterns))


def main() -> int:
    found = strangers(sys.argv[1:], allowed_patterns(Path(__file__).with_suffix(".txt")))
    for symbol in found:
        print(f"not pure: {symbol}")
    print(f"{len(found)} symbols outside the allowlist in {' '.join(sys.argv[1:])}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
