# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Configuration of the lit suites: `lit test` from a built tree.

ASIC_BUILD_DIR names another build folder than `build/`.
"""

import os
import re
from pathlib import Path

import lit.formats

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("ASIC_BUILD_DIR", ROOT / "build")).resolve()


def llvm_bin() -> Path:
    """The folder of FileCheck and friends: that of the LLVM we build against."""
    cache = BUILD / "CMakeCache.txt"
    if not cache.exists():
        lit_config.fatal(f"expected a configured build in {BUILD}; run 'make build'")
    found = re.search(r"^LLVM_DIR:PATH=(.*)$", cache.read_text(), re.MULTILINE)
    if not found:
        lit_config.fatal(f"no LLVM_DIR in {cache}; run 'make distclean build'")
    return Path(found.group(1)).resolve().parents[2] / "bin"


config.name = "asic"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "data", "CMakeLists.txt"]
config.test_source_root = str(ROOT / "test")
config.test_exec_root = str(BUILD / "test")

path = [BUILD / "bin", llvm_bin(), ROOT / ".venv" / "bin"]
config.environment["PATH"] = os.pathsep.join([*map(str, path), os.environ["PATH"]])
config.environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "python"), str(ROOT)])
config.environment["ASIC_TARGETS_DIR"] = str(ROOT / "targets")

config.substitutions += [
    ("%targets", str(ROOT / "targets")),
    ("%python", str(ROOT / ".venv" / "bin" / "python")),
    ("%root", str(ROOT)),
]

for tool in ("asic-opt", "asic-translate", "asic-run", "asic-compile"):
    if (BUILD / "bin" / tool).exists():
        config.available_features.add(tool)
