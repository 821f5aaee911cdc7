# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks that a wheel brings all it needs.

Every shared object in it may ask for the C and C++ run-time libraries and
nothing else.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SYSTEM = {
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libpthread.so.0",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libz.so.1",
    "ld-linux-x86-64.so.2",
}


def needed(library: Path) -> list[str]:
    """The shared libraries that a shared object names."""
    text = subprocess.run(
        ["llvm-readelf-22", "--needed-libs", str(library)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return re.findall(r"^\s+(\S+\.so\S*)$", text, re.MULTILINE)


def problems(wheel: Path) -> list[str]:
    """What is wrong with the wheel, one sentence each."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        root = Path(folder)
        libraries = list(root.rglob("*.so"))
        if not libraries:
            found.append("no extension module inside")
        for library in libraries:
            for name in sorted(set(needed(library)) - SYSTEM):
                found.append(f"{library.name} needs {name}; link it statically")
        if not list(root.rglob("py.typed")):
            found.append("no py.typed inside")
    return found


def main() -> int:
    """Checks the wheels named on the command line."""
    failed = False
    for name in sys.argv[1:]:
        wheel = Path(name)
        wrong = problems(wheel)
        size = wheel.stat().st_size / 1e6
        print(f"{wheel.name}: {size:.0f} MB, {'not ' if wrong else ''}self-contained")
        for problem in wrong:
            print(f"  {problem}", file=sys.stderr)
        failed |= bool(wrong)
    return int(failed or len(sys.argv) < 2)


if __name__ == "__main__":
    sys.exit(main())
