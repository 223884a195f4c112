#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Style as a test: layers, sizes, names and words that review should not have to look at.

Each rule is a function from a file to complaints. The C++ rules lean on clang-format: a body's
closing brace stands at the indentation of the line that opened it. Not here: formatting
(clang-format), meaning (clang-tidy), symbols of the pure layers (pure_symbols.py).
"""
import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LAYERS_FILE = "lib/README.md"
UNTESTED_FILE = "tools/tidy/untested.txt"

CPP = {".cpp", ".hpp", ".h", ".c", ".cc", ".cu"}
HEADERS = {".hpp", ".h"}
PURE = ("lib/residency/", "lib/policy/", "lib/machine/")
PURE_BANNED_INCLUDES = {
    "mutex", "shared_mutex", "condition_variable", "thread", "future", "atomic", "chrono", "ctime",
    "random", "memory", "vector", "string", "map", "set", "unordered_map", "unordered_set", "deque",
    "list", "queue", "functional", "iostream", "fstream", "sstream", "cstdio", "cstdlib", "new",
    "unistd.h", "pthread.h", "time.h", "stdlib.h", "stdio.h",
}
PURE_BANNED_CODE = re.compile(
    r"\bnew\b|(?<!= )\bdelete\b|\b(?:malloc|calloc|realloc)\s*\(|__atomic_|__sync_")
SLEEP = re.compile(
    r"\bsleep_(?:for|until)\b|\b(?:u|nano)?sleep\s*\(|\btime\.sleep\b|^\s*sleep\s+[\d$]")
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:work|root|home/\w+)/")


class Word(NamedTuple):
    pattern: re.Pattern
    where: tuple  # path prefixes; empty: everywhere
    advice: str
    in_comments: bool = False


WORDS = (
    Word(re.compile(r"\bTODO\b(?!\(#\d+\))"), (), "add its issue: TODO(#12)", True),
    Word(re.compile(r"\b(?:FIXME|XXX)\b"), (), "finish it or file an issue", True),
    Word(re.compile(r"\bstd::(?:cerr|cout|clog)\b"), ("lib/",), "lib/ never prints"),
    Word(re.compile(r"(?<![\w.])assert\s*\("), ("lib/",), "CIUIC_CHECK is on in every build"),
    Word(SLEEP, ("tests/",), "wait for the event, not for time"),
)


class Source:
    """One file: its path from the root, its lines, and its lines without comments and strings."""

    def __init__(self, path: str, text: str):
        self.path = path
        self.suffix = Path(path).suffix
        self.text = text
        self.lines = text.splitlines()
        self.is_cpp = self.suffix in CPP
        self.is_python = self.suffix == ".py" or text.startswith("#!/usr/bin/env python3")
        self.is_shell = self.suffix == ".sh" or text.startswith("#!/usr/bin/env bash")
        self.is_cmake = self.suffix == ".cmake" or Path(path).name == "CMakeLists.txt"
        self.is_code = self.is_cpp or self.is_python or self.is_shell or self.is_cmake
        if self.is_cpp:
            self.code = strip_cpp(text).splitlines()
        elif self.is_python or self.is_shell or self.is_cmake:
            self.code = [re.sub(r"(^|\s)#.*", "", line) for line in self.lines]
        else:
            self.code = self.lines


CPP_TOKEN = re.compile(
    r'R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)"'  # raw string
    r"|//[^\n]*|/\*.*?\*/"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",  # a character, not a digit separator
    re.DOTALL)


def strip_cpp(text: str) -> str:
    """Blanks comments, strings and characters; keeps every line where it was."""
    def blank(match: re.Match) -> str:
        token = match.group(0)
        before = text[:match.start()].rpartition("\n")[2]
        if token.startswith('"') and before.lstrip().startswith("#include"):
            return token
        newlines = "\n" * token.count("\n")
        return newlines if token.startswith("/") else '""' + newlines
    return CPP_TOKEN.sub(blank, text)


# Rules over one file: each yields (line, complaint).

def check_columns(source: Source) -> Iterator:
    if not source.is_code:
        return
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns; {COLUMNS_MAX} at most"


def check_file_length(source: Source) -> Iterator:
    if source.is_code and len(source.lines) > FILE_LINES_MAX:
        yield len(source.lines), f"{len(source.lines)} lines; {FILE_LINES_MAX} at most: split it"


def check_license(source: Source) -> Iterator:
    if source.is_code and "SPDX-License-Identifier: Apache-2.0" not in "\n".join(source.lines[:2]):
        yield 1, "the first line (after #!) is `SPDX-License-Identifier: Apache-2.0`"


def check_pragma_once(source: Source) -> Iterator:
    guarded = source.path.startswith("lib/include/") and re.search(
        r"^#ifndef (CIUIC_\w+_H)\n#define \1$", source.text, re.MULTILINE)  # strangers' compilers
    if source.suffix in HEADERS and "#pragma once" not in source.code and not guarded:
        yield 1, "a header has `#pragma once`"


def check_words(source: Source) -> Iterator:
    if source.path.startswith("tools/tidy/"):
        return  # this folder has to spell them
    for word in WORDS:
        if word.where and not source.path.startswith(word.where):
            continue
        for number, line in enumerate(source.lines if word.in_comments else source.code, 1):
            if word.pattern.search(line):
                yield number, f"`{word.pattern.search(line).group(0).strip()}`: {word.advice}"


def check_machine_paths(source: Source) -> Iterator:
    if source.path.startswith("tools/tidy/"):
        return
    for number, line in enumerate(source.lines, 1):
        if MACHINE_PATH.search(line):
            yield number, f"`{MACHINE_PATH.search(line).group(0)}` is a path of one machine"


INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def check_purity(source: Source) -> Iterator:
    if not (source.is_cpp and source.path.startswith(PURE)):
        return
    for number, line in enumerate(source.code, 1):
        include = INCLUDE.match(line)
        if include:
            if include.group(2) in PURE_BANNED_INCLUDES:
                yield number, f"<{include.group(2)}> in a pure layer (no clock, lock, I/O, heap)"
        elif PURE_BANNED_CODE.search(line):
            yield number, f"`{PURE_BANNED_CODE.search(line).group(0).strip()}` in a pure layer"


# Function length.

NOT_A_FUNCTION = re.compile(
    r"^\s*(?:\}|#|(?:inline\s+)?namespace\b|extern\s+\"|"
    r"(?:typedef\s+)?(?:class|struct|union|enum)\b|"
    r"(?:if|for|while|switch|do|else|try|catch|case|default|return)\b)")


def signature_start(code: list, opening: int) -> int:
    """The first line of the statement whose `{` ends line `opening`."""
    start = opening
    while start > 0:
        above = code[start - 1].strip()
        if not above or above.endswith((";", "{", "}", ":")) or above.startswith("#"):
            break
        start -= 1
    return start


def opens_function(statement: str) -> bool:
    statement = re.sub(r"^\s*template\s*<[^{}]*?>\s*(?=\w)", "", statement)
    before_body = statement.rstrip()[:-1].rstrip()
    return ("(" in statement and not NOT_A_FUNCTION.match(statement)
            and not before_body.endswith(("=", ",", "(", "return")))


def check_cpp_functions(source: Source) -> Iterator:
    if not source.is_cpp:
        return
    line = 0
    while line < len(source.code):
        text = source.code[line].rstrip()
        if text.endswith("{"):
            start = signature_start(source.code, line)
            if opens_function("\n".join(source.code[start:line + 1])):
                indent = len(source.code[start]) - len(source.code[start].lstrip())
                end = closing_line(source.code, line + 1, indent)
                length = end - start + 1
                if length > FUNCTION_LINES_MAX:
                    yield start + 1, f"function of {length} lines; at most {FUNCTION_LINES_MAX}"
                line = end
        line += 1


def closing_line(code: list, first: int, indent: int) -> int:
    for line in range(first, len(code)):
        if code[line].startswith(" " * indent + "}"):
            return line
    return len(code) - 1


def check_python_functions(source: Source) -> Iterator:
    if not source.is_python:
        return
    try:
        tree = ast.parse(source.text)
    except SyntaxError as error:
        yield error.lineno or 1, f"not Python: {error.msg}"
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield node.lineno, f"function of {length} lines; {FUNCTION_LINES_MAX} at most"


FILE_RULES = (check_columns, check_file_length, check_license, check_pragma_once, check_words,
              check_machine_paths, check_purity, check_cpp_functions, check_python_functions)


# Layers.

class Layers:
    """The `layers` block of lib/README.md."""

    def __init__(self, readme: str):
        block = re.search(r"^```layers\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
        if not block:
            raise ValueError(f"{LAYERS_FILE}: no ```layers block")
        rows = (line.split(":", 1) for line in block.group(1).splitlines() if line.strip())
        self.may_include = {name.strip(): set(listed.split()) for name, listed in rows}
        unknown = set().union(*self.may_include.values()) - set(self.may_include)
        if unknown:
            raise ValueError(f"{LAYERS_FILE}: unknown layers in rows: {' '.join(sorted(unknown))}")

    def rows_of(self, path: str) -> list:
        """The rows that speak of a path (written without its `lib/`), the nearest first."""
        above = [path, re.sub(r"\.\w+$", "", path)]
        while "/" in above[-1]:
            above.append(above[-1].rpartition("/")[0])
        return [name for name in above if name in self.may_include]

    def allowed_to(self, path: str) -> set:
        rows = self.rows_of(path)
        return {"limits"}.union(rows, *(self.may_include[row] for row in rows))


def check_layers(source: Source, layers: Layers) -> Iterator:
    path = source.path.removeprefix("lib/")
    rows = layers.rows_of(path) if source.is_cpp else []
    if not rows:
        if source.is_cpp and source.path.startswith("lib/"):
            yield 1, f"in no layer of {LAYERS_FILE}"
        return
    allowed = layers.allowed_to(path)
    for number, line in enumerate(source.code, 1):
        include = INCLUDE.match(line)
        if not include or include.group(1) is None:
            continue
        target = include.group(1)
        target_rows = ["include"] if target.startswith("ciuic/") else layers.rows_of(target)
        if not target_rows:
            yield number, f'"{target}" is in no layer; includes start at lib/ or the root'
        elif target_rows[0] not in allowed:
            yield number, f"{rows[0]} may not include {target_rows[0]} ({LAYERS_FILE})"


# The mirror of lib/ in tests/unit/.

def check_mirror(paths: set, untested: str) -> Iterator:
    """Yields (path, line, complaint) for sources without a test and for stale exceptions."""
    excused = {}
    for number, line in enumerate(untested.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            path, _, reason = line.partition(":")
            excused[path.strip()] = number
            if not reason.strip():
                yield UNTESTED_FILE, number, "an exception has a reason: `path: reason`"
    for path in sorted(paths):
        if not (path.startswith("lib/") and path.endswith(".cpp")):
            continue
        test = path.replace("lib/", "tests/unit/", 1).removesuffix(".cpp") + "_test.cpp"
        if test in paths and path in excused:
            yield UNTESTED_FILE, excused[path], f"{path} has a test now: drop the exception"
        elif test not in paths and path not in excused:
            yield path, 1, f"no {test}, and no reason in {UNTESTED_FILE}"
    for path in sorted(set(excused) - paths):
        yield UNTESTED_FILE, excused[path], f"{path} does not exist"


# The run.

def repository_files(root: Path) -> list:
    """Files git knows or would add; without a repository, all files outside build/."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if listing.returncode == 0:
        names = listing.stdout.decode().split("\0")
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return sorted({name for name in names if name and (root / name).is_file()})


def read_sources(root: Path, names: list) -> Iterator:
    for name in names:
        try:
            yield Source(name, (root / name).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue  # a binary file: no rule speaks of those


def complaints(root: Path) -> Iterator:
    names = repository_files(root)
    layers = Layers((root / LAYERS_FILE).read_text(encoding="utf-8"))
    for source in read_sources(root, names):
        for rule in FILE_RULES:
            for line, text in rule(source):
                yield source.path, line, text
        for line, text in check_layers(source, layers):
            yield source.path, line, text
    untested = root / UNTESTED_FILE
    yield from check_mirror(set(names), untested.read_text() if untested.exists() else "")


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2])
    try:
        found = [f"{path}:{line}: {text}" for path, line, text in complaints(root)]
    except (OSError, ValueError) as error:
        print(f"tidy: {error}", file=sys.stderr)
        return 2
    print("\n".join(found + [f"tidy: {len(found)} complaints"] if found else ["tidy: clean"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
