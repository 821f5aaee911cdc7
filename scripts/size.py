# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints lines per folder, the longest files and the longest functions.

A file or function marked with "*" is longer than what CONTRIBUTING.md calls a
reason to look again.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = {".cpp", ".h", ".td", ".def", ".py", ".mlir", ".sh", ".md", ".yaml"}
FILE_LIMIT = {".cpp": 700, ".h": 300, ".td": 600, ".py": 300, ".mlir": 150}
FUNCTION_LIMIT = 60

# A C++ function in the house format: a line that starts in column 0 or 2 and
# ends in ") {" or ") const {", closed by a brace in the same column.
CPP_FUNCTION = re.compile(r"^(?P<indent> {0,4})(?P<head>[^ /#}].*)?\)[\w ]*\{$")
CPP_STATEMENT = re.compile(r"^\s*(if|for|while|switch|else|do|return)\b")


def tracked() -> list[Path]:
    """Every code file that git tracks."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    paths = [ROOT / name for name in names if name]
    return [p for p in paths if p.suffix in CODE and p.is_file()]


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    """The name and length in lines of every Python function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def cpp_functions(text: str) -> Iterator[tuple[str, int]]:
    """The first line's text and length of every C++ function."""
    lines = text.split("\n")
    for start, line in enumerate(lines):
        found = CPP_FUNCTION.match(line)
        if not found or CPP_STATEMENT.match(line):
            continue
        closing = found["indent"] + "}"
        for end in range(start + 1, len(lines)):
            if lines[end].startswith(closing):
                head = line.strip().split("(")[0].split(" ")[-1]
                yield head or line.strip(), end - start + 1
                break


def functions(path: Path, text: str) -> Iterator[tuple[str, int]]:
    """The functions of a file, by its language."""
    if path.suffix == ".py":
        yield from python_functions(text)
    elif path.suffix in (".cpp", ".h"):
        yield from cpp_functions(text)


def main() -> None:
    """Prints the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", type=int, default=12, help="rows per table")
    top = parser.parse_args().top

    folders: Counter[str] = Counter()
    files: list[tuple[int, str, bool]] = []
    bodies: list[tuple[int, str, bool]] = []
    for path in tracked():
        text = path.read_text()
        name, lines = str(path.relative_to(ROOT)), text.count("\n")
        folders["/".join(name.split("/")[:-1][:2]) or "."] += lines
        files.append((lines, name, lines > FILE_LIMIT.get(path.suffix, 10**9)))
        for function, length in functions(path, text):
            long = length > FUNCTION_LIMIT
            bodies.append((length, f"{name}: {function}", long))

    print(f"{'lines':>7}  folder")
    for folder, lines in sorted(folders.items()):
        print(f"{lines:>7}  {folder}")
    print(f"{sum(folders.values()):>7}  all")
    for title, rows in (("file", files), ("function", bodies)):
        print(f"\n{'lines':>7}  longest {title}s")
        for lines, name, long in sorted(rows, reverse=True)[:top]:
            print(f"{lines:>7}{'*' if long else ' '} {name}")


if __name__ == "__main__":
    main()
