# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Puts every tool on the path of `.venv`, and the Python ones into `build/bin`.

C++ tools are linked (a link may be made before the tool is built); for each
console script of `pyproject.toml` a small launcher is written that runs the
tree's own package with the tree's own interpreter.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CPP_TOOLS = (
    "asic-opt",
    "asic-translate",
    "asic-run",
    "asic-lsp-server",
    "asic-reduce",
)

LAUNCHER = """\
#!{python}
import sys

# Processes that a tool spawns run this file too, under another name.
if __name__ == "__main__":
    sys.path[:0] = [{package!r}]
    from {module} import {function}

    sys.exit({function}())
"""


def write_launcher(path: Path, entry: str) -> None:
    """Writes an executable that calls `entry` ("package.module:function")."""
    module, function = entry.split(":")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        LAUNCHER.format(
            python=ROOT / ".venv/bin/python",
            package=str(ROOT / "python"),
            module=module,
            function=function,
        )
    )
    path.chmod(0o755)


def link(path: Path, target: Path) -> None:
    """Makes `path` a link to `target`, replacing what was there."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def main() -> None:
    """Writes the launchers; links all tools when `.venv` is this tree's own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, entry in project["scripts"].items():
        write_launcher(ROOT / "build/bin" / name, entry)
    if (ROOT / ".venv").is_symlink():
        return
    for name in (*CPP_TOOLS, *project["scripts"]):
        link(ROOT / ".venv/bin" / name, ROOT / "build/bin" / name)


if __name__ == "__main__":
    main()
