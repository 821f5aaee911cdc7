# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The user guide's blocks run in order and print what it shows."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "user-guide.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def run_shell(code: str) -> str:
    """What commands print; the first one that fails ends them."""
    tools = f"{ROOT / 'build/bin'}:{Path(sys.executable).parent}"
    run = subprocess.run(
        ["bash", "-ec", code],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout
    return run.stdout


def run_python(code: str, scope: dict[str, Any]) -> str:
    """What statements print."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, str(PAGE), "exec"), scope)
    return said.getvalue()


def check(shown: str, said: str) -> None:
    """The shown lines are what was printed, `…` stands for any number of lines."""
    said = said.replace(f"{Path.cwd()}/", "")
    lines = [f"{line.rstrip()}\n" for line in said.splitlines() if line.strip()]
    pattern = [r"(?:.*\n)*" if x == "…" else f"{re.escape(x)}\n" for x in shown.splitlines()]
    assert re.fullmatch("".join(pattern), "".join(lines)), said


@pytest.mark.slow
def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    scope: dict[str, Any] = {}
    said = ""
    for language, code in BLOCKS:
        file = re.match(r"# (\S+\.(?:py|yaml))\n", code)
        if file:
            Path(file[1]).write_text(code)
        elif language == "python":
            if importlib.util.find_spec("onnxscript") is None:
                code = re.sub(r".*net\.onnx.*\n", "", code)
            said = run_python(code, scope)
        elif language == "sh":
            said = run_shell(code)
        else:
            assert language == "text", f"a block of {language}"
            check(code, said)
    sys.modules.pop("net", None)


def test_the_page_is_short() -> None:
    assert len(PAGE.read_text().splitlines()) <= 150
