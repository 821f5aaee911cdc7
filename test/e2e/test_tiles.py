# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From tile operations to the emulator: schedule, isa and program on hand-written modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from asic import _core
from test.e2e.tile_modules import TileModule, convolution, reduction

BIN = Path(__file__).resolve().parents[2] / "build" / "bin"
TARGETS = ("npu-256", "edge-tx1", "gemmini-default", "fsd-nna", "kea1-like")


def encode(module: TileModule, target: str) -> bytes:
    """Container bytes of the module's only function."""
    lowered = subprocess.run(
        [BIN / "asic-opt", "-", f"--asic-pipeline=target={target} from=asic until=isa"],
        input=module.text.encode(),
        capture_output=True,
        check=False,
    )
    assert lowered.returncode == 0, lowered.stderr.decode()
    encoded = subprocess.run(
        [BIN / "asic-translate", "--mlir-to-program", "-"],
        input=lowered.stdout,
        capture_output=True,
        check=False,
    )
    assert encoded.returncode == 0, encoded.stderr.decode()
    return encoded.stdout


def check(module: TileModule, target: str) -> None:
    """Every way to run the program gives the expected bytes without a fault."""
    machine = _core.Machine.load(encode(module, target))
    for options in (
        {"mode": "functional", "check": True},
        {"mode": "timed", "check": True},
        *({"mode": "async", "seed": seed} for seed in range(4)),
    ):
        result = machine.run(module.inputs, **options)
        assert result["fault"] is None, (options, result["fault"])
        for name, expected in module.expected.items():
            np.testing.assert_array_equal(result["outputs"][name], expected, err_msg=str(options))
    timed = machine.run(module.inputs, mode="timed")["stats"]
    assert timed["cycles"] == machine.describe()["meta"]["predicted_cycles"]


@pytest.mark.parametrize("target", TARGETS)
def test_convolution_on_every_preset(target: str) -> None:
    check(convolution(1, filter_tiles=2), target)


@pytest.mark.parametrize(
    "shape",
    [
        {"size": 5, "channels": 3, "filters": 5, "kernel": 1, "pad": 0, "row_tiles": 1},
        {"size": 9, "channels": 3, "filters": 7, "kernel": 3, "stride": 2, "row_tiles": 3},
        {
            "size": 11,
            "channels": 2,
            "filters": 4,
            "kernel": 5,
            "stride": 2,
            "pad": 2,
            "row_tiles": 4,
        },
        {"size": 8, "channels": 16, "filters": 32, "row_tiles": 8, "filter_tiles": 4},
        {
            "size": 8,
            "channels": 16,
            "filters": 32,
            "row_tiles": 4,
            "filter_tiles": 2,
            "resident": True,
        },
        {"size": 7, "channels": 1, "filters": 1, "kernel": 7, "pad": 3, "row_tiles": 2},
    ],
)
def test_convolution_shapes(shape: dict[str, int]) -> None:
    check(convolution(2, **shape), "npu-256")


@pytest.mark.parametrize("target", TARGETS)
def test_reductions(target: str) -> None:
    check(reduction(3), target)


def test_the_same_input_gives_the_same_bytes() -> None:
    module = convolution(4)
    assert encode(module, "npu-256") == encode(module, "npu-256")
