# SPDX-License-Identifier: Apache-2.0
"""What the comparisons with swap do before they measure: may they, is it their turn."""
import fcntl
import os
import shutil
import sys


def why_not_here(build):
    if os.geteuid() != 0:
        return "limits, swap and huge pages need root"
    for tool in ("fio", "mkswap", "swapon"):
        if not shutil.which(tool):
            return f"{tool} is not installed"
    if not (build / "bin/pattern_bench").exists():
        return f"nothing is built in {build}"
    return ""


def take_turn():
    """Swap and huge pages are one's own until the end. None: somebody else has them."""
    lock = open("/run/lock/ciuic-bench", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def say(text):
    print(text, file=sys.stderr, flush=True)
