# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a new pass: its entry in Passes.td, its .cpp and its lit test.

    scripts/new_pass.py FoldPadding normalize --summary "Fold padding into convolutions"

makes `passes/normalize/FoldPadding.cpp`, the flag `--asic-fold-padding` and
`test/passes/normalize/asic-fold-padding.mlir`. The pass does nothing yet and its
test says so, so the tree still builds and passes.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("normalize", "quantize", "partition", "accel", "cpu")
VERBS = (
    "Allocate",
    "Assign",
    "Convert",
    "Fold",
    "Fuse",
    "Insert",
    "Lower",
    "Plan",
    "Schedule",
    "Tile",
    "Verify",
)

TD = """\
def {name}Pass : Pass<"{flag}", "ModuleOp"> {{
  let summary = "{summary}";
  let description = [{{
    What it does, why, what must hold before and what holds after.

    Before:
    ```mlir
    ```
    After:
    ```mlir
    ```
  }}];
}}

"""

CPP = """\
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "passes/Passes.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::asic {{
#define GEN_PASS_DEF_{upper}PASS
#include "passes/Passes.h.inc"

namespace {{

struct {name}Pass : impl::{name}PassBase<{name}Pass> {{
  void runOnOperation() override {{ markAllAnalysesPreserved(); }}
}};

}} // namespace
}} // namespace mlir::asic
"""

TEST = """\
// RUN: asic-opt %s --{flag} | FileCheck %s

// A function that the pass has nothing to do with stays as it is.
// CHECK-LABEL: func @unchanged
// CHECK-NEXT: return
func.func @unchanged() {{
  return
}}
"""


@dataclass(frozen=True)
class NewPass:
    """A pass to be written, and the names derived from its own."""

    name: str
    folder: str
    summary: str

    @property
    def flag(self) -> str:
        """The command-line flag: FoldPadding gives asic-fold-padding."""
        words = re.findall(r"[A-Z][a-z0-9]*", self.name)
        return "-".join(["asic", *(word.lower() for word in words)])

    def fill(self, template: str) -> str:
        """The template with this pass's names in it."""
        return template.format(
            name=self.name,
            upper=self.name.upper(),
            flag=self.flag,
            summary=self.summary,
        )


def check(new: NewPass, root: Path) -> str | None:
    """Why the pass cannot be written; None when it can."""
    if not re.fullmatch(r"(?:[A-Z][a-z0-9]+)+", new.name):
        return f"expected a CamelCase name, got {new.name!r}"
    if new.name.endswith("Pass"):
        return f"expected the name without 'Pass', got {new.name!r}; it is added"
    if not new.name.startswith(VERBS):
        return f"expected a name that starts with one of {', '.join(VERBS)}, got {new.name!r}"
    if f"def {new.name}Pass " in (root / "passes/Passes.td").read_text():
        return f"expected a new name, got {new.name!r}, which Passes.td has"
    return None


def add_td_entry(text: str, new: NewPass) -> str:
    """Passes.td with the entry at the end of its folder's section."""
    headings = list(re.finditer(r"^//===-+===//\n// (\w+).*\n//===-+===//\n", text, re.M))
    for index, heading in enumerate(headings):
        if heading[1] == new.folder:
            if index + 1 < len(headings):
                end = headings[index + 1].start()
            else:
                end = text.index("#endif")
            return text[:end] + new.fill(TD) + text[end:]
    raise ValueError(f"expected a section '{new.folder}' in Passes.td, found none")


def add_source(text: str, new: NewPass) -> str:
    """The folder's CMakeLists.txt with the new source in its library."""
    found = re.search(r"asic_add_mlir_library\(\w+\s+SOURCES\b(?P<files>[^)]*)", text)
    if found is None:
        library = f"Asic{new.folder.capitalize()}"
        return (
            f"{text}asic_add_mlir_library({library}\n"
            f"  SOURCES {new.name}.cpp\n"
            f"  DEPENDS AsicPassesIncGen AsicIncGen\n"
            f"  LINK AsicPassSupport)\n"
        )
    sources = re.match(r"(?:\s+[\w/]+\.cpp)*", found["files"])
    assert sources is not None
    gaps = re.findall(r"\n +", sources[0])
    gap = gaps[-1] if gaps else "\n    "
    end = found.start("files") + sources.end()
    return f"{text[:end]}{gap}{new.name}.cpp{text[end:]}"


def write(new: NewPass, root: Path = ROOT) -> list[Path]:
    """Writes everything; returns the files made or changed."""
    td = root / "passes/Passes.td"
    cmake = root / "passes" / new.folder / "CMakeLists.txt"
    cpp = cmake.with_name(f"{new.name}.cpp")
    test = root / "test/passes" / new.folder / f"{new.flag}.mlir"

    contents = {
        td: add_td_entry(td.read_text(), new),
        cmake: add_source(cmake.read_text(), new),
        cpp: new.fill(CPP),
        test: new.fill(TEST),
    }
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return list(contents)


def main() -> int:
    """Reads the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="CamelCase, beginning with a verb")
    parser.add_argument("folder", choices=FOLDERS)
    parser.add_argument("--summary", required=True, help="one imperative line")
    options = parser.parse_args()

    new = NewPass(options.name, options.folder, options.summary)
    problem = check(new, ROOT)
    if problem:
        print(f"new_pass.py: {problem}", file=sys.stderr)
        return 2
    for path in write(new):
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
