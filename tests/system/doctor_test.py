# SPDX-License-Identifier: Apache-2.0
"""Goal: `ciuic doctor` tells what is so on a real machine: well-formed, with the rung that programs
get, and with a code and a remedy that say where paging cannot work.
Method: as whoever runs the test, beside a daemon, and as nobody with a store in memory."""
import json
import os
import shutil
import subprocess
import unittest

import harness
from harness import CIUIC, RunTest

NOBODY = 65534


class DoctorTest(RunTest):
    def doctor(self, *options, program=CIUIC, **others):
        return subprocess.run([program, "doctor", *map(str, options)], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False, **others)

    def findings(self, *options, **others):
        done = self.doctor("--json", *options, **others)
        self.assertEqual(done.stderr, "")
        report = json.loads(done.stdout)
        self.assertEqual(report["schema"], "ciuic-doctor-1")
        findings = {finding["id"]: finding for finding in report["findings"]}
        self.assertEqual(len(findings), len(report["findings"]))
        fails = [name for name, finding in findings.items() if finding["state"] == "fail"]
        self.assertEqual(report["ok"], not fails)
        self.assertEqual(done.returncode, 1 if fails else 0, fails)
        for finding in findings.values():
            self.assertIn(finding["state"], ("ok", "warn", "fail"))
            self.assertEqual(finding["remedies"] == [], finding["state"] == "ok", finding)
        return report, findings

    def test_well_formed_with_the_rung_that_is_taken(self):
        # Where these tests run at all, programs are paged: a rung is there, and the right to it.
        report, findings = self.findings("--budget", "64MiB", "--store", self.scratch)
        self.assertTrue(report["rung"]["shared"])
        self.assertEqual(findings["kernel.shared"]["state"], "ok")
        self.assertEqual(findings["rights.userfaultfd"]["state"], "ok")
        self.assertEqual(report["kernel_release"], os.uname().release)
        self.assertEqual(report["budget_bytes"], 64 << 20)
        with open("/proc/meminfo", encoding="ascii") as file:
            self.assertEqual(file.readline().split()[1], str(report["memory"]["total_bytes"] >> 10))

    def test_disk_is_measured_and_left_as_it_was(self):
        report, findings = self.findings("--store", "/var/tmp")
        if findings["store.rate"]["what"].endswith("not measured"):
            self.skipTest("no direct I/O in /var/tmp")
        for key in ("write_mb_per_s", "read_mb_per_s", "read_64kib_us"):
            self.assertGreater(report["store"][key], 0)
        self.findings("--store", self.scratch)
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_text_has_the_same_findings(self):
        _, findings = self.findings("--store", self.scratch)
        lines = self.doctor("--store", self.scratch).stdout.splitlines()
        named = [line.split()[1] for line in lines if line.startswith(("ok ", "warn ", "fail "))]
        self.assertEqual(named, list(findings))

    def test_daemon_is_found_and_gives_a_session(self):
        _, findings = self.findings("--socket", self.scratch / "none.sock")
        self.assertIn("no daemon at", findings["rights.daemon"]["what"])
        self.start_daemon("--budget", "32MiB", "--store-size", "64MiB")
        _, findings = self.findings()  # by CIUIC_SOCKET
        self.assertIn("works", findings["rights.daemon"]["what"])
        self.stop_daemon()
        self.assertEqual(self.report()["sessions"][0]["name"], "ciuic doctor")

    def test_senseless_options_are_refused(self):
        for options in (("--budget", "6GB"), ("--budget", "1MiB"), ("--no-such",)):
            done = self.doctor(*options)
            self.assertEqual((done.returncode, done.stdout), (125, ""))
            self.assertNotEqual(done.stderr, "")

    @unittest.skipUnless(os.geteuid() == 0, "only root can be somebody else")
    def test_user_without_rights_is_told_what_to_do(self):
        self.scratch.chmod(0o755)
        program = shutil.copy(CIUIC, self.scratch)
        nobody = {"program": program, "user": NOBODY, "group": NOBODY, "extra_groups": [],
                  "cwd": "/"}
        report, findings = self.findings("--store", "/dev/shm", "--budget", "64MiB", **nobody)
        self.assertFalse(report["ok"])
        self.assertEqual(findings["store.file_system"]["state"], "fail")
        self.assertTrue(report["rung"]["shared"], "the kernel has one, whoever asks")
        _, findings = self.findings("--store", self.scratch, **nobody)
        self.assertEqual(findings["store.place"]["state"], "fail")
        self.start_daemon("--budget", "32MiB", "--store-size", "64MiB")
        _, findings = self.findings(**nobody)
        self.assertIn("closed to user", findings["rights.daemon"]["what"])
        if findings["rights.userfaultfd"]["state"] != "ok":  # not open to everybody here
            self.assertIn("--socket-mode", findings["rights.userfaultfd"]["remedies"][0])
            self.socket.chmod(0o666)
            _, findings = self.findings(**nobody)
            self.assertEqual(findings["rights.userfaultfd"]["state"], "ok")
            self.assertIn("hands it over", findings["rights.userfaultfd"]["what"])


if __name__ == "__main__":
    harness.main()
