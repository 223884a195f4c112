# SPDX-License-Identifier: Apache-2.0
"""Goal: libciuic_vmm.so exports what vmm.h declares, and nothing else.
Method: three lists of names are compared: those marked CIUIC_API in vmm.h, those in ciuic.map, and
the dynamic symbols that the built library defines."""
import os
import pathlib
import re
import subprocess
import sys

source = pathlib.Path(os.environ["CIUIC_SOURCE_DIR"])
library = pathlib.Path(os.environ["CIUIC_BUILD_DIR"]) / "lib" / "libciuic_vmm.so"


def declared_names():
    header = (source / "lib/include/ciuic/vmm.h").read_text()
    return set(re.findall(r"^CIUIC_API [^;(]*?(\w+)\(", header, re.MULTILINE))


def mapped_names():
    text = re.sub(r"/\*.*?\*/", "", (source / "lib/ciuic.map").read_text(), flags=re.DOTALL)
    return set(re.findall(r"\b(ciuic_\w+);", text))


def exported_names():
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    symbols = [line.split() for line in listing.splitlines()]
    # The version node itself is an absolute symbol.
    return {fields[-1].split("@")[0] for fields in symbols if fields[-2] != "A"}


lists = {"vmm.h": declared_names(), "ciuic.map": mapped_names(), library.name: exported_names()}
wrong = len(lists["vmm.h"]) == 0
for name, names in lists.items():
    for missing in sorted(set().union(*lists.values()) - names):
        print(f"{missing}: not in {name}")
        wrong = True
sys.exit(1 if wrong else 0)
