# SPDX-License-Identifier: Apache-2.0
"""Goal: a program with managed memory forks, executes, is interrupted and ends as without it; its
forked children read its memory and cannot harm it.
Method: an ordinary program that does so and checks every byte, run plainly (else a failure says
nothing about Ciuic) and with a third of the memory that it uses; Python's own ways to make
workers."""
import os
import signal
import subprocess
import sys
import time
import unittest

import harness
from harness import MIB, RunTest, program

PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable

# A loader of training data, as deep learning has them: workers that are forked when everything has
# been read, take numbers of samples, and send back what they have made of them.
LOADER = """
import hashlib, multiprocessing, random
{import_array}
ROWS, ROW = 96, 1 << 20
data = {make}
def load(row):
    return row, hashlib.sha256(memoryview(data).cast('B')[row * ROW:(row + 1) * ROW]).hexdigest()
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    order = list(range(ROWS)) * 2
    random.Random(7).shuffle(order)
    expected = dict(map(load, range(ROWS)))
    assert len(set(expected.values())) == ROWS
    with context.Pool(3) as pool:
        for row, digest in pool.imap_unordered(load, order, chunksize=4):
            assert digest == expected[row], row
    assert dict(map(load, range(ROWS))) == expected
    print("ok")
"""
BYTEARRAY = "bytearray(b''.join(row.to_bytes(8, 'little') * (ROW // 8) for row in range(ROWS)))"
NUMPY = "numpy.repeat(numpy.arange(ROWS, dtype='uint64'), ROW // 8)"

SUBPROCESS = """
import os, subprocess, sys
data = bytearray(os.urandom(1 << 20)) * 96
before = data[::4097]
for options in ({}, {"close_fds": False}, {"preexec_fn": lambda: None},
                {"start_new_session": True}):
    done = subprocess.run(["sha256sum"], input=data, stdout=subprocess.PIPE, check=True, **options)
    text = done.stdout.split()[0].decode()
    import hashlib
    assert text == hashlib.sha256(data).hexdigest(), options
assert os.system("exit 3") == 3 << 8
assert data[::4097] == before
print("ok")
"""


class RunProcessTest(RunTest):
    def run_managed(self, *command, options=(), least_bytes=90 * MIB):
        done = self.ciuic_run(*command, budget="32MiB", options=["--strict", *options])
        if os.path.exists(self.scratch / "report.json") and done.returncode == 0:
            total = self.assert_served(least_bytes)
            self.assert_paged(total)
            self.assert_given_back(total)
        return done

    def check(self, what, plain=True, errors="", readers=0):
        if plain:
            subprocess.run([program("process"), what, "96"], check=True, timeout=100,
                           stdout=subprocess.DEVNULL)
        done = self.run_managed(program("process"), what, 96)
        self.assert_ok(done)
        self.assertTrue(done.stdout.endswith("ok\n"), done.stdout)
        self.assertRegex(done.stderr, f"^{errors}$")
        clients = self.report()["clients"]
        self.assertEqual((clients["readers"], clients["violations"]), (readers, 0))
        self.assertEqual(clients["readers_refused"], 0)

    # Forked children

    def test_forked_children_and_theirs_read(self):
        self.check("fork_readers", readers=5)

    def test_threads_of_a_forked_child_read(self):
        self.check("fork_reader_threads", readers=1)

    def test_forked_child_reads_what_is_there_now(self):
        self.check("fork_sees_now", plain=False, readers=1)

    def test_forked_child_cannot_write(self):
        said = "ciuic: this process has written to memory of the process that forked it.*\n"
        self.check("fork_write", plain=False, errors=said * 2, readers=3)

    def test_forked_child_of_a_parent_that_has_ended(self):
        self.check("fork_orphan", plain=False, errors="(ciuic: this process has written.*\n)?",
                   readers=1)

    def test_forked_child_that_closes_every_descriptor(self):
        self.check("fork_closes_all", readers=1)

    def test_daemon_that_dies_under_a_forked_child(self):
        # The parent waits for its child without touching anything; the child loops over all of it.
        script = ("import os, signal\n"
                  "data = bytearray(b'q') * (96 << 20)\n"
                  "child = os.fork()\n"
                  "if child == 0:\n"
                  "    print('ready', flush=True)\n"
                  "    while data.count(b'q') == 96 << 20: pass\n"
                  "    os._exit(1)\n"
                  "_, status = os.waitpid(child, 0)\n"
                  "print(os.WIFSIGNALED(status) and os.WTERMSIG(status), flush=True)\n"
                  "os._exit(0)\n")
        running = subprocess.Popen(self.arguments(PYTHON, "-c", script, budget="32MiB"),
                                   env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertEqual(running.stdout.readline(), "ready\n")
        with open(f"/proc/{running.pid}/task/{running.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        for child in children:
            with open(f"/proc/{child}/comm", encoding="ascii") as file:
                if file.read() == "ciuic-swapd\n":
                    os.kill(int(child), signal.SIGKILL)
        output, errors = running.communicate(timeout=60)
        self.assertEqual(output, f"{signal.SIGSEGV.value}\n", errors)

    def test_pool_of_workers_reads_a_bytearray(self):
        done = self.run_managed(PYTHON, "-c", LOADER.format(import_array="", make=BYTEARRAY))
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")
        self.assertGreaterEqual(self.report()["clients"]["readers"], 3)

    def test_pool_of_workers_reads_a_numpy_array(self):
        if subprocess.run([PYTHON, "-c", "import numpy"], check=False,
                          stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("there is no NumPy")
        done = self.run_managed(PYTHON, "-c",
                                LOADER.format(import_array="import numpy", make=NUMPY))
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")
        self.assertGreaterEqual(self.report()["clients"]["readers"], 3)

    # Other children

    def test_spawned_and_executed_children(self):
        self.check("other_children", readers=1)  # of the one that is forked before it executes

    def test_program_that_becomes_another(self):
        self.check("exec")

    def test_subprocesses_of_python(self):
        done = self.run_managed(PYTHON, "-c", SUBPROCESS)
        self.assert_ok(done)
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))

    # Threads, signals, ends

    def test_threads_before_and_after_the_first_allocation(self):
        self.check("threads")

    def test_signal_handlers_touch_what_is_not_there(self):
        self.check("signal_handlers")

    def test_ends_from_anywhere(self):
        for how, code in (("exit_in_handler", 5), ("_exit_in_handler", 6), ("exit_in_thread", 8),
                          ("abort", -signal.SIGABRT), ("return", 0)):
            with self.subTest(how=how):
                done = self.ciuic_run(program("process"), how, 96, budget="32MiB",
                                      options=["--strict"])
                self.assertEqual(done.returncode, code, done.stderr)
                total = self.assert_served(90 * MIB)
                self.assertGreater(total["evictions"], 0)
                self.assert_given_back(total)

    def test_exceptions(self):
        subprocess.run([program("exceptions"), "96"], check=True, stdout=subprocess.DEVNULL)
        done = self.run_managed(program("exceptions"), 96, options=["--total", "256MiB"])
        self.assert_ok(done)
        self.assertEqual(done.stdout, "ok\n")

    def test_stopped_and_continued_under_load(self):
        running = subprocess.Popen(
            self.arguments(program("process"), "until_told", 96, budget="32MiB",
                           options=["--strict"]),
            env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.assertEqual(running.stdout.readline(), "ready\n")
        worker = self.only_child_named(running.pid, "program_process")
        for _ in range(20):
            os.kill(worker, signal.SIGSTOP)
            self.wait_for_state(worker, "T")
            os.kill(worker, signal.SIGCONT)
            self.wait_for_state(worker, "RSD")
        output, errors = running.communicate("x", timeout=200)
        self.assertEqual((running.returncode, output, errors), (0, "ok\n", ""))
        self.assert_paged(self.assert_served(90 * MIB))

    def only_child_named(self, parent, name):
        with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as file:
            children = file.read().split()
        found = []
        for child in children:
            with open(f"/proc/{child}/comm", encoding="ascii") as file:
                if file.read().strip() == name[:15]:
                    found.append(int(child))
        self.assertEqual(len(found), 1)
        return found[0]

    def wait_for_state(self, pid, wanted):
        deadline = time.monotonic() + 60
        while True:
            self.assertLess(time.monotonic(), deadline)
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                if file.read().rpartition(") ")[2][0] in wanted:
                    return
            os.sched_yield()

    # Growth

    def test_growing_takes_no_second_copy(self):
        # 60 MiB step by step to 160 of a promise of 200: two copies have no room in it.
        done = self.run_managed(program("heap"), "growth", options=["--total", "200MiB"],
                                least_bytes=150 * MIB)
        self.assert_ok(done)
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))
        self.assertLessEqual(self.report()["total"]["chunks_promised_peak"], 81)


if __name__ == "__main__":
    harness.main()
