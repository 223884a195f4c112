# SPDX-License-Identifier: Apache-2.0
"""Runs a command and notes how long it took and the peak memory of its largest process.

usage: measure.py FILE COMMAND...     writes "SECONDS MIB" to FILE; ends as the command does
"""
import os
import resource
import subprocess
import sys
import time


def main() -> int:
    began = time.monotonic()
    status = subprocess.run(sys.argv[2:], check=False).returncode
    seconds = time.monotonic() - began
    peak_kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with open(sys.argv[1], "w", encoding="ascii") as file:
        print(f"{seconds:.1f} {-(-peak_kib // 1024)}", file=file)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
