# SPDX-License-Identifier: Apache-2.0
"""Goal: the demo is green with Ciuic, red without it, and leaves nothing behind.
Method: its small form with what has been built, with the library, as a user of the system's daemon,
and with a library that hooks nothing."""
import glob
import os
import subprocess
import unittest
from pathlib import Path

import harness
from harness import BUILD, NOOP_PRELOAD, RunTest

SOURCE = Path(os.environ.get("CIUIC_SOURCE_DIR", Path(__file__).parents[2]))


@unittest.skipUnless(glob.glob("/usr/src/linux-source-*.tar.xz"),
                     "the demo's input is not installed (tools/install-deps --demo)")
class DemoTest(RunTest):
    def demo(self, *options, **environment):
        # On a disk: the demo refuses to swap to memory.
        directory = os.environ.get("CIUIC_DEMO_DIR", "/var/tmp")
        done = subprocess.run([SOURCE / "demo", "--no-install", "--small", *options,
                               "--build", BUILD],
                              env={**self.environment, "CIUIC_DEMO_DIR": directory, **environment},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(glob.glob(f"{directory}/ciuic-demo.*"), [])
        self.assertEqual(glob.glob("/sys/fs/cgroup/**/ciuic-demo.*", recursive=True), [])
        return done

    def test_green(self):
        done = self.demo()
        self.assert_ok(done)
        self.assertEqual(done.stdout.count("the result is the same to the byte"), 2)
        self.assertIn("\ngreen: ", done.stdout)

    @unittest.skipUnless(os.geteuid() == 0, "only root can be the system and a user of it")
    def test_green_as_a_user_of_the_systems_daemon(self):
        done = self.demo("--system")
        self.assert_ok(done)
        self.assertEqual(done.stdout.count("the result is the same to the byte"), 2)
        self.assertIn("\ngreen: ", done.stdout)

    def test_red_without_ciuic(self):
        done = self.demo(CIUIC_PRELOAD=str(NOOP_PRELOAD))
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("RED: ", done.stderr)
        self.assertNotIn("green: ", done.stdout)


if __name__ == "__main__":
    harness.main()
