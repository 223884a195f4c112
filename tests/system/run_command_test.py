# SPDX-License-Identifier: Apache-2.0
"""Goal: under `ciuic run` a command behaves as without it: streams, exit codes, signals, terminal.
What cannot be managed is said in one line, and refused with --strict.
Method: small commands, and what is left of them afterwards."""
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import harness
from harness import CIUIC, RunTest, program

PRINTS_MEMORY = "import sys; sys.stdout.write('%d' % len(bytearray(30 << 20)))"


class RunCommandTest(RunTest):
    def assert_nothing_left(self):
        """No directory of a daemon, no process that names this test's directory."""
        self.assertEqual(list(self.scratch.glob("ciuic-run.*")), [])
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(str(self.scratch), entry.read_text())
            except OSError:
                continue  # it ended meanwhile

    def start(self, *command, **others):
        return subprocess.Popen(self.arguments(*command), env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **others)

    def test_exit_codes_pass_through(self):
        for code in (0, 1, 7, 125, 255):
            done = self.ciuic_run("sh", "-c", f"exit {code}")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (code, "", ""))
        self.assert_nothing_left()

    def test_death_by_signal_passes_through(self):
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1):
            done = self.ciuic_run("sh", "-c", f"kill -{number.value} $$")
            self.assertEqual(done.returncode, -number.value)
        self.assert_nothing_left()

    def test_streams_are_the_commands_own(self):
        data = os.urandom(300_000)
        done = self.ciuic_run("sh", "-c", "cat; echo to-stderr >&2", text=False, stdin=None,
                              input=data)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, data, b"to-stderr\n"))

    def test_environment_and_arguments(self):
        done = self.ciuic_run("sh", "-c", 'printf "%s|" "$@" "$LD_PRELOAD"', "name", "a b", "-x",
                              "")
        self.assertEqual(done.stdout, f"a b|-x||{harness.PRELOAD}|")

    def test_commands_that_cannot_be_run(self):
        script = self.scratch / "no-first-line"
        script.write_text("exit 6\n")
        for command, code in (("no-such-command", 127), ("/no/such/file", 127),
                              (self.scratch, 126), (script, 126)):
            done = self.ciuic_run(command)
            self.assertEqual(done.returncode, code)
            self.assertRegex(done.stderr, r"^ciuic: .*: .*; nothing was run\n$")
        self.assertFalse((self.scratch / "report.json").exists())
        script.chmod(0o755)
        self.assertEqual(self.ciuic_run(script).returncode, 6)  # the shell's, by custom

    def test_signals_are_passed_on(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
            with self.subTest(signal=number):
                name = number.name[3:]
                running = self.start("sh", "-c", f'trap "echo got; exit 9" {name}; echo ready; '
                                                 "while :; do read line; done",
                                     stdin=subprocess.PIPE)
                self.assertEqual(running.stdout.readline(), "ready\n")
                running.send_signal(number)
                running.stdin.write("\n" * 10)  # a shell looks at its traps between commands
                output, errors = running.communicate(timeout=60)
                self.assertEqual((output, errors, running.returncode), ("got\n", "", 9))
        self.assert_nothing_left()

    def test_unhandled_signal_ends_both(self):
        running = self.start("sh", "-c", "echo ready; read line", stdin=subprocess.PIPE)
        self.assertEqual(running.stdout.readline(), "ready\n")
        running.terminate()
        self.assertEqual(running.wait(60), -signal.SIGTERM)
        running.communicate()
        self.assert_nothing_left()

    def test_interrupt_from_the_terminal_arrives_once_and_spares_the_daemon(self):
        counts = ("import signal, sys\n"
                  "count = [0]\n"
                  "def on_interrupt(*_):\n"
                  "    count[0] += 1\n"
                  "    print('interrupted', flush=True)\n"
                  "signal.signal(signal.SIGINT, on_interrupt)\n"
                  "data = bytearray(b'x') * (100 << 20)\n"
                  "print('ready', flush=True)\n"
                  "input()\n"
                  "print('count', count[0], data == bytearray(b'x') * (100 << 20), flush=True)\n")
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(CIUIC, self.arguments("python3", "-c", counts), self.environment)
        output = self.read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        output += self.read_until(terminal, b"interrupted")
        os.write(terminal, b"\n")
        output += self.read_until(terminal, b"\n", after=b"count")
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0, output)
        self.assertIn(b"count 1 True", output)
        self.assert_served(200 << 20)

    def read_until(self, terminal, wanted, after=b""):
        seen = b""
        while wanted not in seen.partition(after)[2] if after else wanted not in seen:
            seen += os.read(terminal, 4096)
        return seen

    def test_children_left_behind_keep_their_memory(self):
        # The command ends at once; its child works on for as long as it is told to.
        child = ("import sys\n"
                 "data = bytearray(b'y') * (100 << 20)\n"
                 "open(sys.argv[1], 'w').close()\n"
                 "sys.stdin.readline()\n"
                 "print(data == bytearray(b'y') * (100 << 20), flush=True)\n")
        fifo = self.scratch / "fifo"
        os.mkfifo(fifo)
        gate, gate_end = os.pipe()
        running = subprocess.Popen(
            self.arguments("sh", "-c", 'exec 3<&0; python3 -c "$1" "$2" <&3 3<&- & '
                           'read line <"$2"; echo ready; exit 4', "sh", child, fifo),
            env=self.environment, stdin=gate, stdout=subprocess.PIPE, text=True)
        os.close(gate)
        self.assertEqual(running.stdout.readline(), "ready\n")
        self.assertIsNone(running.poll())
        os.write(gate_end, b"go\n")
        os.close(gate_end)
        self.assertEqual(running.stdout.readline(), "True\n")
        self.assertEqual(running.wait(60), 4)
        running.stdout.close()
        self.assert_served(200 << 20)
        self.assert_nothing_left()

    def test_what_cannot_be_managed_runs_plainly_unless_strict(self):
        cases = [(program("static"), "statically linked")]
        if os.geteuid() == 0:
            private = self.scratch / "set-uid"
            private.write_bytes(Path("/bin/true").read_bytes())
            os.chown(private, 65534, 65534)
            private.chmod(0o4755)
            cases.append((private, "other rights"))
        script = self.scratch / "script"
        script.write_text(f"#!{program('static')}\n")
        script.chmod(0o755)
        cases.append((script, "statically linked"))
        for command, reason in cases:
            with self.subTest(command=command):
                done = self.ciuic_run(command)
                self.assertEqual(done.returncode, 0)
                self.assertRegex(done.stderr, f"^ciuic: .* not managed: .*{reason}.*\n$")
                done = self.ciuic_run(command, options=["--strict"])
                self.assertEqual((done.returncode, done.stdout), (125, ""))
                self.assertRegex(done.stderr, f"^ciuic: .*{reason}.*\n$")

    def test_without_a_daemon(self):
        self.environment["CIUIC_SOCKET"] = str(self.scratch / "nobody.sock")
        done = self.ciuic_run("echo", "hello", budget=None)
        self.assertEqual((done.returncode, done.stdout), (0, "hello\n"))
        self.assertRegex(done.stderr, r"^ciuic: .*no daemon.*--budget.*\n$")
        done = self.ciuic_run("echo", "hello", budget=None, options=["--strict"])
        self.assertEqual((done.returncode, done.stdout), (125, ""))

    def test_library_alone_says_why_and_falls_through_or_ends(self):
        self.environment |= {"LD_PRELOAD": str(harness.PRELOAD),
                             "CIUIC_SOCKET": str(self.scratch / "nobody.sock")}
        command = ["python3", "-c", PRINTS_MEMORY]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (0, str(30 << 20)))
        self.assertRegex(done.stderr, r"^ciuic: .*not managed: .*\n$")
        self.environment["CIUIC_STRICT"] = "1"
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (125, ""))

    def test_wrong_options_are_refused_before_anything_runs(self):
        cases = [("--device", "cuda"), ("--threshold", "7kB"), ("--threshold", "1KiB"),
                 ("--total", "1MiB"), ("--chunk", "3MiB"), ("--frames", "wax"), ("--no-such",),
                 ("--socket", "/nobody.sock"), ("--swap-dir", "/no/such/directory")]
        for options in cases:
            with self.subTest(options=options):
                done = self.ciuic_run("echo", "hello", options=[*options, "--strict"])
                self.assertEqual((done.returncode, done.stdout), (125, ""))
                self.assertNotEqual(done.stderr, "")
        self.assert_nothing_left()

    def test_daemon_that_dies_under_the_command_is_named(self):
        # Resident or lost, never wrong: the command may end by SIGBUS, but not read other bytes.
        holds = ("import os, signal, sys\n"
                 "data = bytearray(b'z') * (100 << 20)\n"
                 "print('ready', flush=True)\n"
                 "sys.stdin.readline()\n"
                 "sys.exit(any(data[at] != 122 for at in range(0, 100 << 20, 4096)))\n")
        running = self.start("python3", "-c", holds, stdin=subprocess.PIPE)
        self.assertEqual(running.stdout.readline(), "ready\n")
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
        daemon, = [pid for pid in map(int, children)
                   if Path(f"/proc/{pid}/comm").read_text() == "ciuic-swapd\n"]
        os.kill(daemon, signal.SIGKILL)
        _, errors = running.communicate("go\n", timeout=60)
        self.assertEqual(running.returncode, -signal.SIGBUS, errors)
        self.assertIn("daemon", errors)

    def test_summary_and_report(self):
        done = self.ciuic_run("python3", "-c", PRINTS_MEMORY, options=["--summary"])
        self.assertEqual((done.returncode, done.stdout), (0, str(30 << 20)))
        for word in ("managed", "resident", "moved", "stalled"):
            self.assertRegex(done.stderr, f"(?m)^ciuic: {word} ")
        self.assert_served(30 << 20)
        self.assertEqual(self.report()["schema"], "ciuic-report-1")


if __name__ == "__main__":
    harness.main()
