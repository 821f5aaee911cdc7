# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad usage of `asic-compile` and bad calibration files: a message and exit code 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asic import cli

MODEL = """
import torch

def make():
    return torch.nn.Linear(4, 2).eval(), (torch.ones(1, 4),)
"""


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text(MODEL)
    return f"{path}:make"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one good sample."""
    folder = tmp_path / "data"
    folder.mkdir()
    np.savez(folder / "0.npz", x=np.ones((1, 4), np.float32))
    return folder


def refusal(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """What a refused command writes."""
    assert cli.main([str(argument) for argument in argv]) == 2
    return capsys.readouterr().err


def test_a_file_without_a_function(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = model.removesuffix(":make")
    said = refusal(capsys, path, "-o", "m.asic")
    assert f"expected a function in {path}, got none; write {path}:FUNCTION" in said


def test_calibration_goes_with_int8(
    model: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(capsys, model, "--quantize", "int8", "-o", "m.asic")
    assert "expected --calibration DIR with --quantize int8, got none" in said
    said = refusal(capsys, model, "--calibration", data, "-o", "m.asic")
    assert "expected --quantize int8 with --calibration, got no --quantize" in said


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("1.npz", lambda good: good[: len(good) // 2]),
        ("1.npz", lambda good: good.replace(b"NUMPY", b"OTHER")),
        ("1.npy", lambda _: b""),
        ("1.npy", lambda _: b"no array"),
    ],
    ids=["truncated npz", "damaged npz", "empty npy", "foreign npy"],
)
def test_calibration_files(
    model: str, data: Path, name: str, damage, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / name).write_bytes(damage((data / "0.npz").read_bytes()))
    options = ("--quantize", "int8", "--calibration", data, "-o", "m.asic")
    said = refusal(capsys, model, *options)
    assert f"expected arrays that numpy has saved in {data / name}, got" in said
    assert "save it again" in said


def test_good_calibration_files(model: str, data: Path, tmp_path: Path) -> None:
    np.save(data / "1.npy", np.zeros((1, 4), np.float32))
    options = ["--quantize", "int8", "--calibration", str(data), "-o", str(tmp_path / "m.asic")]
    assert cli.main([model, *options]) == 0
