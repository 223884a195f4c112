#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: every rule of tidy fires on a bad sample and is silent on the good one beside it.
Method: samples are given as text; the run as a whole works on a small tree of files."""
import contextlib
import io
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import pure_symbols  # noqa: E402
import tidy  # noqa: E402

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
README = """
```layers
include:
base:
limits: base
residency: base
device: base
device/host: base device
io: base
io/uring: base
io/open.cpp: io/uring
client: base include io
client/compose.cpp: device/host io/uring
daemon: base
```
"""


def complaints(rule, path, text, *more):
    return [text for _, text in rule(tidy.Source(path, text), *more)]


class FileRules(unittest.TestCase):
    def fires(self, rule, path, text):
        self.assertTrue(complaints(rule, path, text), text)

    def silent(self, rule, path, text):
        self.assertEqual(complaints(rule, path, text), [], text)

    def test_columns(self):
        self.fires(tidy.check_columns, "lib/a.cpp", "x" * 101)
        self.silent(tidy.check_columns, "lib/a.cpp", "\u00e9" * 100)  # characters, not bytes
        self.silent(tidy.check_columns, "README.md", "x" * 200)

    def test_file_length(self):
        self.fires(tidy.check_file_length, "lib/a.cpp", "int x;\n" * 601)
        self.silent(tidy.check_file_length, "lib/a.cpp", "int x;\n" * 600)

    def test_license(self):
        self.fires(tidy.check_license, "lib/a.cpp", "// a module\n")
        self.silent(tidy.check_license, "lib/a.cpp", SPDX)
        self.silent(tidy.check_license, "check", "#!/usr/bin/env bash\n# " + SPDX[3:])

    def test_pragma_once(self):
        self.fires(tidy.check_pragma_once, "lib/a.hpp", SPDX + "// #pragma once\n")
        self.silent(tidy.check_pragma_once, "lib/a.hpp", SPDX + "#pragma once\n")
        self.silent(tidy.check_pragma_once, "lib/a.cpp", SPDX)
        guard = SPDX + "#ifndef CIUIC_A_H\n#define CIUIC_A_H\n#endif\n"
        self.silent(tidy.check_pragma_once, "lib/include/ciuic/a.h", guard)
        self.fires(tidy.check_pragma_once, "lib/a.hpp", guard)

    def test_words_anywhere(self):
        self.fires(tidy.check_words, "docs/a.md", "TODO: later")
        self.silent(tidy.check_words, "docs/a.md", "TODO(#12): later")
        self.fires(tidy.check_words, "lib/a.cpp", "// FIXME")
        self.fires(tidy.check_words, "lib/a.cpp", "// XXX")
        self.silent(tidy.check_words, "lib/a.cpp", 'char name[] = "fileXXXXXX";')

    def test_words_in_lib(self):
        self.fires(tidy.check_words, "lib/a.cpp", "std::cerr << x;")
        self.silent(tidy.check_words, "cli/a.cpp", "std::cerr << x;")
        self.silent(tidy.check_words, "lib/a.cpp", "// not std::cerr")
        self.fires(tidy.check_words, "lib/a.cpp", "    assert(x);")
        self.silent(tidy.check_words, "lib/a.cpp", "static_assert(x); CIUIC_CHECK(x);")

    def test_sleeps_in_tests(self):
        for line in ("std::this_thread::sleep_for(1ms);", "usleep(5);", "nanosleep(&t, 0);"):
            self.fires(tidy.check_words, "tests/unit/a_test.cpp", line)
            self.silent(tidy.check_words, "daemon/a.cpp", line)
        self.fires(tidy.check_words, "tests/system/a_test.py", "time.sleep(1)")
        self.fires(tidy.check_words, "tests/system/a_test.sh", "  sleep 1")
        self.silent(tidy.check_words, "tests/unit/a_test.cpp", "device.sleeps(3);  // sleep(3)")

    def test_machine_paths(self):
        for path in ("/" + "work/x", "/" + "root/x", "/" + "home/me/x"):
            self.fires(tidy.check_machine_paths, "docs/a.md", f"see {path}")
        self.silent(tidy.check_machine_paths, "docs/a.md", "see lib/work/x and /etc/ciuic")

    def test_purity(self):
        pure = "lib/policy/a.cpp"
        for line in ("#include <mutex>", "#include <vector>", "auto* p = new int;",
                     "p = malloc(4);"):
            self.fires(tidy.check_purity, pure, line)
            self.silent(tidy.check_purity, "lib/engine/a.cpp", line)
        for line in ("#include <span>", "A(const A&) = delete;", "// a new idea", "table.free(x);"):
            self.silent(tidy.check_purity, pure, line)


class FunctionLength(unittest.TestCase):
    def lengths(self, text, path="lib/a.cpp"):
        rules = (tidy.check_cpp_functions, tidy.check_python_functions)
        return [found for rule in rules for found in complaints(rule, path, text)]

    def test_long_functions(self):
        for head in ("void f(int a) {", "    int f() const {",
                     "Result<int> A::f(int a,\n                 int b) {",
                     "template <typename T> T f(T x) {", "A::A(int a)\n    : a_(a) {",
                     "TEST_F(Suite, Case) {"):
            indent = " " * (len(head) - len(head.lstrip()))
            signature_lines = head.count("\n") + 1
            fits = head + "\n" + f"{indent}    g();\n" * (69 - signature_lines) + indent + "}\n"
            self.assertEqual(self.lengths(fits), [], head)
            long = fits.replace("g();", "g();\n" + indent + "    if (x) {\n" + indent + "    }", 1)
            self.assertEqual(len(self.lengths(long)), 1, head)

    def test_what_is_no_function(self):
        body = "    int x;\n" * 100
        for head in ("namespace ciuic {", "class A : public B<int (*)()> {", "enum class E {",
                     "inline constexpr Row rows[] = {", 'extern "C" {', "struct alignas(64) R {"):
            self.assertEqual(self.lengths(head + "\n" + body + "}\n"), [], head)

    def test_functions_after_each_other_are_apart(self):
        one = "void f() {\n" + "    g();\n" * 50 + "}\n\n"
        self.assertEqual(self.lengths(one * 5), [])

    def test_braces_in_text_do_not_count(self):
        text = 'void f() {\n    g("}{");\n    h(\'{\');  // {\n    /* {\n{ */\n}\n'
        self.assertEqual(self.lengths(text + "int x;\n" * 90), [])

    def test_python(self):
        self.assertEqual(self.lengths("def f():\n" + "    g()\n" * 69, "a.py"), [])
        self.assertEqual(len(self.lengths("def f():\n" + "    g()\n" * 70, "a.py")), 1)


class Layering(unittest.TestCase):
    def found(self, path, include):
        return complaints(tidy.check_layers, path, f'#include "{include}"\n', tidy.Layers(README))

    def test_wrong_includes(self):
        for path, include in (("lib/base/a.cpp", "residency/b.hpp"),
                              ("lib/residency/a.hpp", "device/b.hpp"),
                              ("lib/device/a.hpp", "device/host/b.hpp"),
                              ("lib/client/api.cpp", "io/uring.hpp"),
                              ("lib/io/io.hpp", "ciuic/vmm.h"),
                              ("daemon/a.cpp", "io/io.hpp"),
                              ("lib/base/a.cpp", "neighbour.hpp"),
                              ("lib/new_room/a.cpp", "base/b.hpp")):
            self.assertEqual(len(self.found(path, include)), 1, (path, include))

    def test_right_includes(self):
        for path, include in (("lib/base/a.cpp", "base/b.hpp"),
                              ("lib/io/io.hpp", "limits.hpp"),
                              ("lib/limits.hpp", "base/units.hpp"),
                              ("lib/device/host/a.cpp", "device/device.hpp"),
                              ("lib/io/uring.cpp", "io/io.hpp"),
                              ("lib/client/compose.cpp", "io/uring.hpp"),
                              ("lib/io/open.cpp", "io/uring.hpp"),
                              ("lib/client/api.cpp", "io/open.hpp"),
                              ("lib/client/compose.cpp", "client/session.hpp"),
                              ("lib/client/api.cpp", "client/compose.hpp"),
                              ("lib/client/api.cpp", "ciuic/vmm.h"),
                              ("lib/include/ciuic/vmm.hpp", "ciuic/vmm.h"),
                              ("daemon/a.cpp", "daemon/b.hpp"),
                              ("tests/unit/io/a_test.cpp", "engine/engine.hpp")):
            self.assertEqual(self.found(path, include), [], (path, include))

    def test_a_comment_is_no_include(self):
        text = '// #include "device/b.hpp"\n'
        found = complaints(tidy.check_layers, "lib/base/a.cpp", text, tidy.Layers(README))
        self.assertEqual(found, [])

    def test_a_row_with_an_unknown_layer_is_refused(self):
        with self.assertRaises(ValueError):
            tidy.Layers("```layers\nio: bsae\n```\n")


class Mirror(unittest.TestCase):
    def found(self, paths, untested=""):
        return list(tidy.check_mirror(set(paths), untested))

    def test_mirror(self):
        source, test = "lib/io/uring.cpp", "tests/unit/io/uring_test.cpp"
        self.assertEqual(len(self.found([source])), 1)
        self.assertEqual(self.found([source, test]), [])
        self.assertEqual(self.found(["daemon/main.cpp", "lib/io/io.hpp"]), [])

    def test_exceptions(self):
        source, test = "lib/io/uring.cpp", "tests/unit/io/uring_test.cpp"
        self.assertEqual(self.found([source], f"# why\n{source}: seen by the contract"), [])
        self.assertEqual(len(self.found([source], f"{source}:")), 1)
        self.assertEqual(len(self.found([source, test], f"{source}: stale")), 1)
        self.assertEqual(len(self.found([], f"{source}: gone")), 1)


class WholeRun(unittest.TestCase):
    def run_tidy(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"lib/README.md": README, **files}.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            subprocess.run(["git", "init", "-q", folder], check=True)
            argv, sys.argv = sys.argv, ["tidy", folder]
            output = io.StringIO()
            try:
                with contextlib.redirect_stdout(output):
                    return tidy.main(), output.getvalue()
            finally:
                sys.argv = argv

    def test_clean_and_not(self):
        good = {"lib/base/a.hpp": SPDX + "#pragma once\n"}
        self.assertEqual(self.run_tidy(good)[0], 0)
        status, output = self.run_tidy({**good, "lib/base/a.cpp": SPDX})
        self.assertEqual(status, 1)
        self.assertIn("lib/base/a.cpp:1: no tests/unit/base/a_test.cpp", output)


class PureSymbols(unittest.TestCase):
    def strangers(self, code):
        with tempfile.TemporaryDirectory() as folder:
            source, archive = Path(folder) / "a.cpp", Path(folder) / "a.a"
            source.write_text(code)
            subprocess.run(["g++", "-std=c++20", "-O2", "-c", source, "-o", archive], check=True)
            return pure_symbols.strangers([str(archive)], ["memmove", "std::terminate()"])

    def test_pure_code_has_no_strangers(self):
        self.assertEqual(self.strangers(
            "#include <cstring>\nint f(int);\nint g(int x) { return f(x); }\n"
            "int f(int x) { return x; }\n"
            "void h(char* a, const char* b, int n) { std::memmove(a, b, n); }\n"), [])

    def test_allocations_locks_and_clocks_show(self):
        found = self.strangers(
            "#include <chrono>\n#include <mutex>\nstd::mutex m;\n"
            "int* f() { std::lock_guard lock(m); return new int(3); }\n"
            "auto g() { return std::chrono::steady_clock::now(); }\n")
        self.assertIn("std::chrono::_V2::steady_clock::now()", found)
        self.assertIn("operator new(unsigned long)", found)
        self.assertTrue(any("pthread_mutex_lock" in symbol for symbol in found), found)


if __name__ == "__main__":
    unittest.main()
