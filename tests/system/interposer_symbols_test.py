# SPDX-License-Identifier: Apache-2.0
"""Goal: what the preloaded library exports is what symbols.def lists, and each is its own.
Method: the library's dynamic symbols, compared with the list."""
import os
import re
import subprocess
import unittest
from pathlib import Path

from harness import BUILD

SOURCE = Path(os.environ.get("CIUIC_SOURCE_DIR", Path(__file__).parents[2]))


def dynamic_symbols(*options):
    listing = subprocess.run(["nm", "-D", *options, BUILD / "lib/libciuic_run.so"], check=True,
                             capture_output=True, text=True).stdout
    return {line.split()[-1].partition("@")[0] for line in listing.splitlines()}


class InterposerSymbolsTest(unittest.TestCase):
    def test_exports_are_the_list(self):
        listed = re.findall(r"^CIUIC_HOOK\((\w+)\)$",
                            (SOURCE / "interposer/symbols.def").read_text(), re.MULTILINE)
        self.assertGreater(len(listed), 10)
        self.assertEqual(dynamic_symbols("--defined-only"), set(listed))

    def test_needs_no_cxx_runtime(self):
        needed = subprocess.run(["readelf", "-d", BUILD / "lib/libciuic_run.so"], check=True,
                                capture_output=True, text=True).stdout
        self.assertNotRegex(needed, r"NEEDED.*(stdc\+\+|libgcc|c\+\+)")


if __name__ == "__main__":
    unittest.main(verbosity=2)
