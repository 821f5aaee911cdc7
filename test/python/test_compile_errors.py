# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad input to `asic.compile` and to what it returns: one clear error each."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import asic

TWICE = """
func.func @main(%x: tensor<4xf32> {asic.name = "x"}) -> (tensor<4xf32> {asic.name = "y"}) {
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""


@pytest.fixture(scope="module")
def twice() -> asic.Compiled:
    return asic.compile(TWICE, target="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fallback": "maybe"}, "fallback='host'"),
        ({"target": "cuda:sm_90a"}, "no CUDA back end"),
        ({"quantize": "int8"}, "quantise before export"),
    ],
)
def test_options(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(TWICE, **{"target": "cpu", **arguments})


def test_compile_options_are_checked() -> None:
    with pytest.raises(asic.CompileError, match="expected until to be one of import, "):
        asic.CompileOptions(until="lunch")
    with pytest.raises(asic.CompileError, match="verify"):
        asic.CompileOptions(verify="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("quantize", ["int7", 8])
def test_unknown_quantisation(quantize: Any) -> None:
    with pytest.raises(asic.CompileError, match="expected quantize=None, 'int8'"):
        asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), quantize=quantize)


def test_missing_calibration() -> None:
    with pytest.raises(asic.CompileError, match="calibration"):
        asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), quantize="int8")


def test_calibration_without_quantize() -> None:
    with pytest.raises(asic.CompileError, match="pass both or neither"):
        asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), calibration=[])


def test_unknown_target() -> None:
    with pytest.raises(asic.TargetError, match="nothing"):
        asic.compile(TWICE, target="nothing")


def test_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.mlir"
    path.write_text("func.func @main() {\n  what\n}\n")
    with pytest.raises(asic.CompileError, match=r"broken\.mlir:2") as caught:
        asic.compile(path, target="cpu")
    assert caught.value.phase == "import"


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(asic.CompileError, match="cannot read"):
        asic.compile(tmp_path / "absent.mlir", target="cpu")
    with pytest.raises(asic.CompileError, match=r"expected a \.pt2 or \.mlir file"):
        asic.compile("model.onnx", target="cpu")


def test_failure_has_a_reproducer(tmp_path: Path) -> None:
    text = """
    func.func private @asic.aten.mystery.0(tensor<4xf32>) -> tensor<4xf32>
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @asic.aten.mystery.0(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    """
    with pytest.raises(asic.CompileError, match="mystery") as caught:
        asic.compile(text, target="cpu", options=asic.CompileOptions(reproducers=str(tmp_path)))
    assert caught.value.diagnostics
    assert caught.value.reproducer is not None
    assert "mlir_reproducer" in Path(caught.value.reproducer).read_text()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((np.zeros(5, np.float32),), "expected shape"),
        ((np.zeros(4, np.float64),), "expected float32"),
        ((), "positional inputs"),
        ((np.zeros(4, np.float32),) * 2, "positional inputs"),
    ],
)
def test_inputs_at_run_time(twice: asic.Compiled, inputs: tuple[Any, ...], message: str) -> None:
    with pytest.raises(asic.ProgramError, match=message):
        twice(*inputs)


def test_stopped_compilation_cannot_be_called() -> None:
    compiled = asic.compile(TWICE, target="cpu", options=asic.CompileOptions(until="normalize"))
    assert "func.func @main" in compiled.stages["normalize"]
    with pytest.raises(asic.ProgramError, match="stopped early"):
        compiled(np.zeros(4, np.float32))


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_truncated_file(twice: asic.Compiled, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "m.asic"
    twice.save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(asic.ProgramError, match=r"m\.asic"):
        asic.load(path)


def test_flipped_bits_never_crash(twice: asic.Compiled, tmp_path: Path) -> None:
    path = tmp_path / "m.asic"
    twice.save(path)
    data = bytearray(path.read_bytes())
    x = np.ones(4, np.float32)
    for position in range(0, len(data), 37):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with contextlib.suppress(asic.AsicError):
            asic.load(path)(x)


def test_newer_version(twice: asic.Compiled, tmp_path: Path, monkeypatch: Any) -> None:
    from asic import storage

    monkeypatch.setattr(storage, "VERSION", 99)
    twice.save(tmp_path / "m.asic")
    monkeypatch.undo()
    with pytest.raises(asic.ProgramError, match="got version 99; update"):
        asic.load(tmp_path / "m.asic")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(asic.ProgramError, match="cannot read"):
        asic.load(tmp_path / "absent.asic")


def test_failed_save_leaves_the_old_file(
    twice: asic.Compiled, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "m.asic"
    twice.save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(asic.ProgramError, match="No space left"):
        twice.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.asic"]
