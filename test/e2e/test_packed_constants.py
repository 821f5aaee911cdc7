# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks whose weights dram holds two to a byte, from linalg to the emulator, bit for bit."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from asic import _core
from test.e2e import test_linalg as networks
from test.e2e.linalg_modules import Network
from test.e2e.test_linalg import BIN, Build

BUILDS = (
    networks.strided_convolution,
    networks.tall_kernel,
    networks.dilated_convolution,
    networks.bare_convolution,
    networks.grouped_convolution,
    networks.depthwise_convolution,
    networks.linear,
    networks.large_linear,
    networks.residual_block,
    networks.inverted_residual,
)


def run(build: Build, codes: tuple[int, int], target: str) -> tuple[str, int]:
    """Compiles, runs in every mode and compares; returns assembly and DRAM bytes of constants."""
    network = Network(3, codes)
    results = build(network)
    passes = (f"--asic-attach-target=target={target}", "--asic-pack-constants")
    lowered = subprocess.run(
        [BIN / "asic-opt", "-", *passes, "--asic-pipeline=from=partition until=isa"],
        input=network.module(*results).encode(),
        capture_output=True,
        check=False,
    )
    assert lowered.returncode == 0, lowered.stderr.decode()[:4000]
    encoded = subprocess.run(
        [BIN / "asic-translate", "--mlir-to-program", "-"],
        input=lowered.stdout,
        capture_output=True,
        check=True,
    ).stdout
    machine = _core.Machine.load(encoded)
    for mode in ("functional", "timed", "async"):
        outcome = machine.run(network.inputs, mode=mode, check=True)
        assert outcome["fault"] is None, outcome["fault"]
        for index, result in enumerate(results):
            np.testing.assert_array_equal(outcome["outputs"][f"y{index}"], result.array)
    assembly = subprocess.run(
        [BIN / "asic-translate", "--disassemble", "-"],
        input=encoded,
        capture_output=True,
        check=True,
    )
    return assembly.stdout.decode(), len(encoded)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_codes_of_four_bits(build: Build) -> None:
    signed, packed_bytes = run(build, (-8, 7), "edge-tx1")
    assert "packed_type=i4" in signed
    unsigned, _ = run(build, (0, 15), "edge-tx1")
    assert "packed_type=u4" in unsigned
    plain, plain_bytes = run(build, (-9, 7), "edge-tx1")
    assert "packed_type" not in plain
    assert packed_bytes < plain_bytes


def test_a_target_that_widens_nothing() -> None:
    assembly, _ = run(networks.linear, (-8, 7), "npu-256")
    assert "packed_type" not in assembly
