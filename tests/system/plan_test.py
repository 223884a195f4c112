#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: `ciuic plan` answers from any directory, and refuses in one line.
Method: the built program, in an empty directory."""
import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import CIUIC

REFUSED = 125


class PlanTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)

    def plan(self, *options):
        return subprocess.run([CIUIC, "plan", *options], cwd=self.scratch, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    def refusal(self, *options):
        done = self.plan(*options)
        self.assertEqual((done.returncode, done.stdout), (REFUSED, ""), done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        return lines[0]

    def test_answers(self):
        question = ("--model", "llama-7b", "--budget", "6GiB", "--card", "rtx-4090")
        text = self.plan(*question)
        self.assertEqual((text.returncode, text.stderr), (0, ""))
        self.assertIn("impossible without loss", text.stdout)
        answer = json.loads(self.plan(*question, "--json").stdout)
        self.assertEqual(answer["schema"], "ciuic-plan-1")
        self.assertEqual(answer["budget_bytes"], 6 << 30)
        self.assertLess(answer["streamed"]["of_native"], 0.06)

    def test_names_what_there_is(self):
        listing = self.plan("--list").stdout
        for name in ("llama-7b", "rtx-3060", "h100-sxm", "desktop-ddr4-16g"):
            self.assertIn(f"\n  {name} ", listing)
        tables = self.plan("--founding")
        self.assertEqual(tables.stdout.count("| llama-7b in 6 GB | decode 1,"), 9)
        self.assertEqual(self.plan("--founding", "--card", "rtx-3090").stdout.count("**"), 2)

    def test_refuses_in_one_line(self):
        whole = ["--model", "llama-7b", "--budget", "6GiB", "--card", "rtx-4090"]
        self.assertIn("needs --model", self.refusal("--model", "llama-7b"))
        for option, value, words in (
                ("--model", "gpt-5", "there are deepseek-moe-16b, "),
                ("--card", "voodoo", "there are a100-40g, "),
                ("--budget", "6GB", "write KiB"),
                ("--budget", "0", "nothing to plan with"),
                ("--budget", "64GiB", "more than the card has")):
            options = list(whole)
            options[options.index(option) + 1] = value
            self.assertIn(words, self.refusal(*options))
        for extra in (["--host", "toaster"], ["--batch", "0"], ["--context", "99999999"],
                      ["--wanted", "101"], ["--wanted", "nan"], ["--work", "denoise"]):
            self.refusal(*whole, *extra)
        self.assertIn("no card is called", self.refusal("--founding", "--card", "voodoo"))

    def test_names_the_line_of_a_bad_file(self):
        (self.scratch / "bad.toml").write_text('title = "x"\nusual_host = "server"\n[memory]\n'
                                               'size_gib = 8\nbandwidth_gb_per_s = 0\n'
                                               'source = "a data sheet"\n')
        line = self.refusal("--model", "llama-7b", "--budget", "6GiB", "--card", "./bad.toml")
        self.assertTrue(line.startswith("ciuic: ./bad.toml:5: [memory] bandwidth_gb_per_s: 0 is"),
                        line)


if __name__ == "__main__":
    unittest.main()
