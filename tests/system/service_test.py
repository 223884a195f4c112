# SPDX-License-Identifier: Apache-2.0
"""Goal: what an administrator installs is right, and the parts of it that have to agree do.
Method: systemd's own check of the unit, with the built daemon in its place; the settings of
docs/system-daemon.md through the daemon's check; the udev rule beside what `ciuic doctor` advises;
a daemon as the unit has it: another user, no capability, memfd."""
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import harness
from harness import BUILD, MIB, SWAPD, RunTest, program

SOURCE = Path(os.environ.get("CIUIC_SOURCE_DIR", Path(__file__).parents[2]))
SYSTEMD = SOURCE / "daemon/systemd"
SOME_USER = 61234  # of no other process


class ServiceTest(RunTest):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_unit_is_right(self):
        unit = self.scratch / "ciuic-swapd.service"
        text = (SYSTEMD / "ciuic-swapd.service").read_text()
        self.assertIn("ExecStart=/usr/bin/ciuic-swapd ", text)
        unit.write_text(text.replace("/usr/bin/ciuic-swapd", str(SWAPD)))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True, check=False)
        # It speaks of other units of the machine, too.
        own = [line for line in done.stderr.splitlines() if "ciuic" in line]
        self.assertEqual((done.returncode, own), (0, []))

    def test_settings_of_the_page_are_right(self):
        page = (SOURCE / "docs/system-daemon.md").read_text()
        settings = re.search(r"^```\n(\[daemon\].*?)^```", page, re.DOTALL | re.MULTILINE).group(1)
        file = self.scratch / "ciuic.toml"
        file.write_text(settings.replace("[device]\n", '[device]\nbudget = "64MiB"\n'))
        done = subprocess.run([SWAPD, "--check-config", file], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ok\n", ""))

    def test_rule_is_the_one_that_doctor_advises(self):
        rule = (SYSTEMD / "60-ciuic.rules").read_text().splitlines()[-1]
        advice = (SOURCE / "tests/unit/cli/doctor/golden/user.txt").read_text()
        self.assertIn(f"echo '{rule}' | sudo tee /etc/udev/rules.d/60-ciuic.rules", advice)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_daemon_without_capabilities_serves(self):
        # Its clients may open /dev/userfaultfd themselves: without the udev rule it may not.
        self.scratch.chmod(0o755)
        store = self.scratch / "store"
        store.mkdir()
        os.chown(store, SOME_USER, SOME_USER)
        daemon = shutil.copy(BUILD / "bin/ciuic-swapd", self.scratch)
        self.start_daemon("--budget", "64MiB", "--store-size", "512MiB", program=daemon,
                          directory=store, user=SOME_USER, group=SOME_USER, extra_groups=[])
        done = self.ciuic_run(program("pattern"), 256, 2, budget=None, options=["--strict"])
        self.stop_daemon()
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")
        shutil.copy(store / "report.json", self.scratch)
        self.assert_paged(self.assert_served(256 * MIB))
        self.assertEqual(self.report()["device"]["frame_kind"], "memfd-4k")


if __name__ == "__main__":
    harness.main()
