# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command-line emulator: files, exit status, messages."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from machine_tools import container, tensor
from reference_machine import inst

from asic import _core

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ASIC_BUILD_DIR", ROOT / "build"))
TOOL = BUILD / "bin" / "asic-run"
if not TOOL.exists():  # a build beside the extension that was imported
    TOOL = Path(_core.__file__).resolve().parents[2] / "bin" / "asic-run"


def asic_run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOL, *map(str, arguments)], text=True, capture_output=True, check=False)


@pytest.fixture
def program(tmp_path) -> Path:
    """Copies input x (2 x 4 int16) through SRAM to output y."""
    move = {"run_bytes": 16}
    stream = [
        inst("copy", src_space="dram", dst_space="sram", post=[(0, 1)], **move),
        inst("copy", wait=[(0, 1)], src_space="sram", dst_space="dram", dst_addr=64, **move),
        inst("halt"),
    ]
    x = tensor("x", 0, 8, "int16", "i16") | {"shape": [2, 4], "strides": [4, 1]}
    path = tmp_path / "p.asic"
    path.write_bytes(
        container(stream, inputs=[x], outputs=[x | {"name": "y", "address": 64}], dram=128)
    )
    return path


X = np.arange(8, dtype=np.int16).reshape(2, 4)


def test_success(program, tmp_path):
    np.save(tmp_path / "x.npy", X)
    out, trace, report = (tmp_path / n for n in ("y.npz", "t.json", "r.json"))
    run = asic_run(
        program,
        "--input",
        f"x={tmp_path / 'x.npy'}",
        "--output",
        out,
        "--timing",
        "--check",
        "--trace",
        trace,
        "--report",
        report,
    )
    assert run.returncode == 0, run.stderr
    assert np.array_equal(np.load(out)["y"], X)
    statistics = json.loads(report.read_text())
    assert f"{statistics['cycles']} cycles" in run.stdout
    for engine in statistics["engines"].values():
        assert engine["busy"] + engine["stall"] + engine["idle"] == statistics["cycles"]
    events = json.loads(trace.read_text())["traceEvents"]
    assert sum(event["ph"] == "X" for event in events) == 3


@pytest.mark.parametrize("seed", [1, 2])
def test_asynchronous_run(program, tmp_path, seed):
    np.savez(tmp_path / "x.npz", x=X)
    out = tmp_path / "y.npz"
    run = asic_run(program, "--input", f"x={tmp_path / 'x.npz'}", "--output", out, "--async", seed)
    assert run.returncode == 0, run.stderr
    assert np.array_equal(np.load(out)["y"], X)


def test_fortran_order(program, tmp_path):
    np.save(tmp_path / "x.npy", np.asfortranarray(X))
    out = tmp_path / "y.npz"
    run = asic_run(program, "--input", f"x={tmp_path / 'x.npy'}", "--output", out)
    assert run.returncode == 0, run.stderr
    assert np.array_equal(np.load(out)["y"], X)


def test_describe(program):
    run = asic_run(program, "--describe")
    assert run.returncode == 0
    assert "x: int16[2, 4]" in run.stdout
    assert "copy.dma0" in asic_run(program, "--disassemble").stdout


def test_bad_usage_and_files(program, tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "f.npy", X.astype(np.float32))
    np.save(tmp_path / "o.npy", np.array([None]))
    np.savez_compressed(tmp_path / "c.npz", x=X)
    good = f"x={tmp_path / 'x.npy'}"
    for arguments, part in [
        ([], "PROGRAM"),
        ([tmp_path / "none.asic"], "cannot read"),
        ([tmp_path / "x.npy"], "not a program"),
        ([program], "'x'"),
        ([program, "--input", "x"], "NAME=FILE"),
        ([program, "--input", f"x={tmp_path / 'none.npy'}"], "cannot read"),
        ([program, "--input", f"x={tmp_path / 'f.npy'}"], "dtype int16"),
        ([program, "--input", f"x={tmp_path / 'o.npy'}"], "numeric dtype"),
        ([program, "--input", f"x={tmp_path / 'c.npz'}"], "stored"),
        ([program, "--input", f"x={program}"], ".npy file"),
        ([program, "--input", good, "--input", good], "once"),
        ([program, "--input", good, "--output", tmp_path / "no" / "y.npz"], "cannot write"),
        ([program, "--nonsense"], "nonsense"),
    ]:
        run = asic_run(*arguments)
        assert run.returncode == 2, (arguments, run.stderr)
        assert part in run.stderr, (arguments, run.stderr)
    cut = tmp_path / "cut.npy"
    cut.write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    run = asic_run(program, "--input", f"x={cut}")
    assert run.returncode == 2
    assert "expected 16 bytes of data, got 15" in run.stderr


def test_fault(tmp_path):
    path = tmp_path / "p.asic"
    stream = [inst("copy", src_space="sram", dst_space="dram", run_bytes=2**20), inst("halt")]
    path.write_bytes(container(stream))
    run = asic_run(path)
    assert run.returncode == 3
    assert "E04 OutOfBounds at pc 0" in run.stderr
    assert "copy.dma0" in run.stderr


def test_index_is_disassembled(tmp_path):
    path = tmp_path / "p.asic"
    stream = [
        inst("fill", dst_space="sram", elem_bytes=4, run=1, value=5),
        inst("copy", dst_space="sram", dst_addr=64, run_bytes=8, index_n=5, index_src_s=8),
        inst("halt"),
    ]
    path.write_bytes(container(stream))
    assert "index_n=5 index_src_s=8" in asic_run(path, "--disassemble").stdout
    assert asic_run(path).returncode == 0
