# SPDX-License-Identifier: Apache-2.0
"""Real text that does not repeat: the Linux source, each line with its path and line number.

Lines look as `grep -rn ''` prints them. Files come in an order that has nothing to do with their
names, so that sorting has work to do; lines of one file stay together. Sorting lines in a wholly
random order would touch memory at random, one line per 2 MiB: no pager makes that fast.
"""
import glob
import hashlib
import os
import subprocess
import sys

ARCHIVES = "/usr/src/linux-source-*.tar.*"


def unpack(folder):
    archives = sorted(glob.glob(ARCHIVES))
    if not archives:
        sys.exit(f"demo: no {ARCHIVES}: run ./demo without --no-install, or install linux-source")
    source = folder / "source"
    source.mkdir()
    subprocess.run(["tar", "--extract", "--file", archives[-1], "--directory", str(source),
                    "--strip-components=1", "--no-same-owner"], check=True)
    return source


def files_in_odd_order(source):
    paths = [os.path.relpath(os.path.join(where, name), source)
             for where, _, names in os.walk(source) for name in names]
    return sorted(paths, key=lambda path: hashlib.sha1(path.encode()).digest())


def numbered(path, data):
    prefix = path.encode() + b":"
    for number, line in enumerate(data.splitlines(), 1):
        yield b"%s%d:%s\n" % (prefix, number, line)


def make_text(folder, size_bytes):
    """Writes a text of at least `size_bytes` and returns its path."""
    source = unpack(folder)
    text = folder / "text"
    written = 0
    with open(text, "wb", buffering=1 << 20) as out:
        for path in files_in_odd_order(source):
            full = source / path
            if full.is_symlink() or written >= size_bytes:
                continue
            data = full.read_bytes()
            if b"\0" in data:
                continue
            lines = b"".join(numbered(path, data))
            out.write(lines)
            written += len(lines)
    subprocess.run(["rm", "-rf", str(source)], check=True)
    if written < size_bytes:
        sys.exit(f"demo: the source has only {written} bytes of text")
    return text
