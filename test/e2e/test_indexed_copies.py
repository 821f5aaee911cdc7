# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Indexed copies from the isa dialect to the emulator: bytes, and the predicted time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from asic import _core

BIN = Path(__file__).resolve().parents[2] / "build" / "bin"
#: Row `i` of an 8 x 16 table in DRAM becomes row 7 - `i` of an output full of -1.
MODULE = """
isa.program @rows dram 1088 {
  isa.io input "i" [1] "int32" as i32 at 0 strides [1]
  isa.io input "table" [8, 16] "int32" as i32 at 64 strides [16, 1]
  isa.io output "y" [8, 16] "int32" as i32 at 576 strides [16, 1]
  isa.copy dma0 posts [0:1] {src_space = dram, dst_space = sram, dst_addr = 16, run_bytes = 4,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1}
  isa.fill dma1 {dst_space = dram, dst_addr = 576, elem_bytes = 1, value = 255, run = 512,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1}
  isa.copy dma1 waits [0:1] {src_space = dram, dst_space = sram, src_addr = 64, dst_addr = 64,
    run_bytes = 64, n0 = 1, n1 = 1, n2 = 1, n3 = 1, index_addr = 16, index_n = 8, index_src_s = 64}
  isa.copy dma1 {src_space = sram, dst_space = dram, src_addr = 64, dst_addr = 1024,
    run_bytes = 64, n0 = 1, n1 = 1, n2 = 1, n3 = 1, index_addr = 16, index_n = 8, index_dst_s = -64}
  isa.halt ctrl {}
}
"""


#: Row `i[k]` of the table becomes row 3 - `k` of what is gathered, which goes to row `j[k]` of the output.
SEVERAL = """
isa.program @rows dram 1152 {
  isa.io input "ij" [8] "int32" as i32 at 0 strides [1]
  isa.io input "table" [8, 16] "int32" as i32 at 64 strides [16, 1]
  isa.io output "y" [8, 16] "int32" as i32 at 576 strides [16, 1]
  isa.copy dma0 posts [0:1] {src_space = dram, dst_space = sram, dst_addr = 16, run_bytes = 32,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1}
  isa.fill dma1 {dst_space = dram, dst_addr = 576, elem_bytes = 1, value = 255, run = 512,
    n0 = 1, n1 = 1, n2 = 1, n3 = 1}
  isa.copy dma1 waits [0:1] {src_space = dram, dst_space = sram, src_addr = 64, dst_addr = 256,
    run_bytes = 64, n0 = 1, n1 = 1, n2 = 1, n3 = 4, dst_s3 = -64, index_addr = 16, index_n = 8,
    index_src_s = 64, index_s = 4}
  isa.copy dma1 {src_space = sram, dst_space = dram, src_addr = 64, dst_addr = 576,
    run_bytes = 64, n0 = 1, n1 = 1, n2 = 1, n3 = 4, src_s3 = 64, index_addr = 32, index_n = 8,
    index_dst_s = 64, index_s = 4}
  isa.halt ctrl {}
}
"""


def encode(target: str, module: str = MODULE) -> bytes:
    """Container bytes of the module."""
    commands = (
        [BIN / "asic-opt", "-", f"--asic-attach-target=target={target}"],
        [BIN / "asic-translate", "--mlir-to-program", "-"],
    )
    data = module.encode()
    for command in commands:
        run = subprocess.run(command, input=data, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
        data = run.stdout
    return data


@pytest.mark.parametrize("target", ["npu-256", "edge-tx1"])
def test_rows_and_predicted_cycles(target: str) -> None:
    machine = _core.Machine.load(encode(target))
    table = np.arange(128, dtype=np.int32).reshape(8, 16)
    for i in range(8):
        expected = np.full((8, 16), -1, np.int32)
        expected[7 - i] = table[i]
        inputs = {"i": np.array([i], np.int32), "table": table}
        for mode in ("functional", "timed", "async"):
            result = machine.run(inputs, mode=mode, check=True)
            assert result["fault"] is None, result["fault"]["text"]
            np.testing.assert_array_equal(result["outputs"]["y"], expected)
            if mode == "timed":
                predicted = machine.describe()["meta"]["predicted_cycles"]
                assert result["stats"]["cycles"] == predicted


@pytest.mark.parametrize("target", ["npu-256", "edge-tx1"])
def test_several_rows_and_predicted_cycles(target: str) -> None:
    """Rows with an index each; of those with one place the last stays, whenever they become visible."""
    machine = _core.Machine.load(encode(target, SEVERAL))
    table = np.arange(128, dtype=np.int32).reshape(8, 16)
    for i, j in (
        ([0, 7, 3, 3], [1, 0, 6, 5]),
        ([1, 2, 4, 6], [5, 2, 5, 5]),
        ([7] * 4, [8, 0, -1, 0]),
    ):
        gathered, expected = table[i[::-1]], np.full((8, 16), -1, np.int32)
        for row, place in zip(gathered, j, strict=True):
            if 0 <= place < 8:
                expected[place] = row
        inputs = {"ij": np.array(i + j, np.int32), "table": table}
        for mode in ("functional", "timed", "async"):
            result = machine.run(inputs, mode=mode, check=True)
            assert result["fault"] is None, result["fault"]["text"]
            np.testing.assert_array_equal(result["outputs"]["y"], expected)
            if mode == "timed":
                predicted = machine.describe()["meta"]["predicted_cycles"]
                assert result["stats"]["cycles"] == predicted
