# SPDX-License-Identifier: Apache-2.0
"""Goal: a recorded trace has what a program used, in its order; a run that was asked to be recorded
and was not does not look like one that was.
Method: a program whose order is known, and what `ciuic trace` says of its trace."""
import json
import random
import re
import subprocess
from pathlib import Path

import harness
from harness import CIUIC, SWAPD, RunTest, program

TRACES = Path(__file__).resolve().parents[1] / "traces"

KIB = 1024
CHUNK = 64 * KIB
CHUNKS = 96
# So many other chunks are used between two uses of one: more than the window has.
APART = 12


def far_apart(uses: int, seed: int) -> list[str]:
    """Parts in random order, none of them used again while it may be in the window."""
    chance = random.Random(seed)
    order = []
    for _ in range(uses):
        order.append(chance.choice([part for part in range(CHUNKS) if part not in order[-APART:]]))
    return [f"{part}{chance.choice(['', 'w'])}" for part in order]


class TraceRecordTest(RunTest):
    def setUp(self):
        super().setUp()
        self.trace = self.scratch / "a.trace"

    def record(self, *command, options=(), trace=None):
        return subprocess.run(
            [CIUIC, "trace", "record", "-o", trace or self.trace, "--chunk", str(CHUNK), "--total",
             "64MiB", *options, "--", *map(str, command)], env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=240, text=True, check=False)

    def record_order(self, order, options=()):
        done = self.record(program("known_order"), CHUNKS * CHUNK, CHUNK, *order, options=options)
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")
        return done

    def chunks(self) -> list[int]:
        """Used, in order, by their number in the only region; libCacheSim counts from 1."""
        as_text = self.scratch / "a.txt"
        subprocess.run([CIUIC, "trace", "convert", self.trace, as_text], check=True)
        return [int(line) - 1 for line in as_text.read_text().split()]

    def info(self) -> dict:
        done = subprocess.run([CIUIC, "trace", "info", "--json", self.trace], check=True,
                              capture_output=True, text=True)
        return json.loads(done.stdout)

    def test_order_is_the_programs(self):
        order = far_apart(1500, seed=4)
        said = self.record_order(order).stderr
        self.assertEqual(said, f"ciuic-swapd: recorded 1500 uses, 0 lost, in {self.trace}\n")
        self.assertEqual(self.chunks(), [int(use.rstrip("w")) for use in order])
        info = self.info()
        self.assertEqual(info["chunk_bytes"], CHUNK)
        self.assertEqual(info["writes"], sum(use.endswith("w") for use in order))
        self.assertEqual([region["chunks"] for region in info["regions"]], [CHUNKS])
        self.assertEqual((info["threads"], info["phases"]), (1, {}))
        self.assertGreater(info["span_ns"], 0)

    def test_sweeps_are_seen_whole(self):
        sweeps = 4 * list(range(CHUNKS))
        self.record_order(sweeps)
        self.assertEqual(self.chunks(), sweeps)

    def test_uses_in_the_window_are_not_seen(self):
        self.record_order(["0", "1", "0", "1w", "1", "0", *map(str, range(20, 40)), "0"])
        self.assertEqual(self.chunks(), [0, 1, *range(20, 40), 0])
        self.record_order(["0", *map(str, range(20, 40)), "0"], options=["--window", "6MiB"])
        self.assertEqual(self.chunks(), [0, *range(20, 40)])

    def test_report_and_exit_status_are_the_commands(self):
        self.assertEqual(self.record("sh", "-c", "exit 7").returncode, 7)
        self.assertEqual(self.info()["uses"], 0)
        self.assertEqual(self.record("sh", "-c", "kill -TERM $$").returncode, -15)
        self.assertEqual(self.record("no-such-command").returncode, 127)

    def test_a_trace_that_cannot_be_written(self):
        done = self.record("touch", self.scratch / "ran", trace="/nonexistent/a.trace")
        self.assertEqual(done.returncode, 125)
        self.assertRegex(done.stderr, r"(?m)^ciuic-swapd: record /nonexistent/a.trace: .*No such "
                                      r"file.*; give --record a path that can be written$")
        self.assertFalse((self.scratch / "ran").exists())

    def test_a_daemon_that_records_nothing(self):
        """What the order's test would look like without the recorder: it is told apart."""
        daemon = self.scratch / "swapd"
        daemon.write_text("#!/bin/bash\nwords=()\nwhile (($#)); do\n"
                          "  if [[ $1 == --record ]]; then shift; else words+=(\"$1\"); fi; shift\n"
                          f"done\nexec {SWAPD} \"${{words[@]}}\"\n")
        daemon.chmod(0o755)
        self.environment["CIUIC_SWAPD"] = str(daemon)
        done = self.record(program("known_order"), CHUNKS * CHUNK, CHUNK, "1", "2")
        self.assertEqual((done.returncode, done.stdout), (125, "ok\n"))
        self.assertIn("there is no trace", done.stderr)

    def test_a_daemon_of_many_clients_says_what_it_recorded(self):
        self.start_daemon("--budget", "512KiB", "--chunk", str(CHUNK), "--store-size", "64MiB",
                          "--policy", "plain", "--record", self.trace, stderr=subprocess.PIPE)
        orders = [far_apart(300, seed) for seed in (1, 2)]
        clients = [subprocess.Popen([CIUIC, "run", "--strict", "--", program("known_order"),
                                     str(CHUNKS * CHUNK), str(CHUNK), *order],
                                    env=self.environment, stdout=subprocess.DEVNULL)
                   for order in orders]
        for client in clients:
            self.assertEqual(client.wait(240), 0)
        self.stop_daemon()
        self.daemon.stderr.close()
        recorded = self.report()["record"]
        self.assertEqual((recorded["uses_lost"], recorded["failed"]), (0, False))
        info = self.info()
        self.assertEqual(info["uses"], recorded["uses"])
        self.assertEqual(info["threads"], 2)
        # Two programs that take turns take each other's chunks away, too: nothing is missing, and
        # what is there more is a chunk that was wanted twice for one use.
        self.assertGreaterEqual(info["uses"], 600)
        per_region = sorted(region["distinct_chunks"] for region in info["regions"])
        self.assertEqual(per_region,
                         sorted(len({use.rstrip("w") for use in order}) for order in orders))


class CommittedTracesTest(RunTest):
    """Goal: the traces in tests/traces can be read, and are those that their README describes."""

    def test_readme_says_what_info_says(self):
        rows = re.findall(r"^\| `(\S+)` .* \| (\d+) \| (\d+) \| (\d+) \| .* \| .* \|$",
                          (TRACES / "README.md").read_text(), re.M)
        self.assertEqual(sorted(row[0] for row in rows),
                         sorted(trace.name for trace in TRACES.glob("*.trace")))
        self.assertGreaterEqual(len(rows), 5)
        for name, uses, writes, chunks in rows:
            done = subprocess.run([CIUIC, "trace", "info", "--json", TRACES / name], check=True,
                                  capture_output=True)
            info = json.loads(done.stdout)
            self.assertEqual([info["uses"], info["writes"], info["distinct_chunks"]],
                             [int(uses), int(writes), int(chunks)], name)


if __name__ == "__main__":
    harness.main()
