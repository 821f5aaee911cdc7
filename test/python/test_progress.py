# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Phases on stderr: shown when asked for, silent when stderr is no terminal."""

from __future__ import annotations

import re
import time

import pytest

import asic
from asic import progress

TEXT = """
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %e = tensor.empty() : tensor<64xf32>
  %y = linalg.add ins(%x, %x : tensor<64xf32>, tensor<64xf32>) outs(%e : tensor<64xf32>)
    -> tensor<64xf32>
  return %y : tensor<64xf32>
}"""


def test_phases_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def recording(wanted: bool | None) -> object:
        class Context:
            def __enter__(self) -> progress.Step:
                return names.append

            def __exit__(self, *problem: object) -> None:
                pass

        assert wanted is None
        return Context()

    monkeypatch.setattr(progress, "shown", recording)
    compiled = asic.compile(TEXT)
    assert names[0] == "import"
    assert names[-1] == "program"
    assert names == [phase for phase in compiled.stages if phase in names]


def test_silent_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    asic.compile(TEXT)
    assert capfd.readouterr().err == ""


def test_slow_phases_stay_on_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    with progress.shown(True) as step:
        step("fast")
        step("slow")
        time.sleep(1.05)
    written = capfd.readouterr().err
    assert re.search(r"slow: 1\.\d s", written)
    assert "fast: " not in written
