# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From linalg as the partition phase leaves it to the emulator, bit for bit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asic import _core
from test.e2e.linalg_modules import Network, Tensor

BIN = Path(__file__).resolve().parents[2] / "build" / "bin"
TARGETS = ("npu-256", "edge-tx1", "gemmini-default", "fsd-nna", "kea1-like")
Build = Callable[[Network], list[Tensor]]


def run(build: Build, target: str, seed: int = 1) -> int:
    """Compiles, runs and compares; returns the cycles."""
    network = Network(seed)
    results = build(network)
    lowered = subprocess.run(
        [BIN / "asic-opt", "-", f"--asic-pipeline=target={target} from=partition until=isa"],
        input=network.module(*results).encode(),
        capture_output=True,
        check=False,
    )
    assert lowered.returncode == 0, lowered.stderr.decode()[:4000]
    encoded = subprocess.run(
        [BIN / "asic-translate", "--mlir-to-program", "-"],
        input=lowered.stdout,
        capture_output=True,
        check=False,
    )
    assert encoded.returncode == 0, encoded.stderr.decode()[:4000]
    machine = _core.Machine.load(encoded.stdout)
    outcome = machine.run(network.inputs, mode="timed", check=True)
    assert outcome["fault"] is None, outcome["fault"]
    for index, result in enumerate(results):
        np.testing.assert_array_equal(outcome["outputs"][f"y{index}"], result.array)
    return int(outcome["stats"]["cycles"])


def strided_convolution(net: Network) -> list[Tensor]:
    return [
        net.requantize(net.convolution(net.argument(1, 32, 32, 16), 48, 3, stride=2, pad=1), -5)
    ]


def tall_kernel(net: Network) -> list[Tensor]:
    return [net.requantize(net.convolution(net.argument(1, 40, 40, 3), 24, 7, stride=2, pad=3), 2)]


def dilated_convolution(net: Network) -> list[Tensor]:
    return [net.requantize(net.convolution(net.argument(2, 17, 13, 5), 9, 3, dilation=2, pad=2), 0)]


def bare_convolution(net: Network) -> list[Tensor]:
    return [net.convolution(net.argument(1, 9, 9, 8), 16, 3, bias=False)]


def grouped_convolution(net: Network) -> list[Tensor]:
    return [net.requantize(net.grouped(net.argument(1, 12, 12, 4, 8), 4, 16, 3, pad=1), 1)]


def depthwise_convolution(net: Network) -> list[Tensor]:
    return [net.requantize(net.depthwise(net.argument(1, 28, 28, 40), 3, stride=2, pad=1), 4)]


def linear(net: Network) -> list[Tensor]:
    return [net.requantize(net.matmul(net.argument(5, 300), 77), 0)]


def large_linear(net: Network) -> list[Tensor]:
    return [net.requantize(net.matmul(net.argument(1, 2048), 1000), 0)]


def batched_matmul(net: Network) -> list[Tensor]:
    return [net.requantize(net.batched(net.argument(1, 4, 24, 32), net.argument(1, 4, 32, 40)), 0)]


def maximum_pooling(net: Network) -> list[Tensor]:
    return [net.maximum_pool(net.argument(1, 30, 30, 24), 3, 2, 1)]


def mean(net: Network) -> list[Tensor]:
    return [net.requantize(net.mean_sums(net.argument(1, 7, 7, 64)), 0, scale=0.02)]


def transposition(net: Network) -> list[Tensor]:
    return [net.transpose(net.argument(1, 3, 20, 22), (0, 2, 3, 1))]


def concatenation(net: Network) -> list[Tensor]:
    x, y = net.argument(1, 8, 8, 5), net.argument(1, 8, 8, 11)
    return [net.concatenate([x, y, x], 3)]


def residual_block(net: Network) -> list[Tensor]:
    x = net.argument(1, 28, 28, 32)
    first = net.requantize(net.convolution(x, 64, 3, stride=2, pad=1), -5)
    second = net.requantize(net.convolution(first, 64, 3, pad=1), 0)
    short = net.requantize(net.convolution(x, 64, 1, stride=2), 0)
    return [net.saturating_sum(second, short)]


def inverted_residual(net: Network) -> list[Tensor]:
    x = net.argument(1, 14, 14, 24)
    wide = net.requantize(net.convolution(x, 144, 1), 4)
    deep = net.requantize(net.depthwise(wide, 3, pad=1), -5)
    return [net.saturating_sum(net.requantize(net.convolution(deep, 24, 1), 0), x)]


def rows_below_their_maximum(net: Network) -> list[Tensor]:
    x = net.argument(300, 70)
    doubled = net.saturating_sum(x, x)
    low, init, empty = net.fresh(), net.fresh(), net.empty((300,), "i8")
    net.add(f"{low} = arith.constant -128 : i8")
    net.add(
        f"{init} = linalg.fill ins({low} : i8) outs({empty} : tensor<300xi8>) -> tensor<300xi8>"
    )
    largest = net.generic(
        ["i, j", "i"],
        "i, j",
        1,
        [doubled],
        init,
        doubled.array.max(1),
        ["%s = arith.maxsi %o, %a : i8", "linalg.yield %s : i8"],
    )
    result = doubled.array.astype(np.int32) - largest.array.astype(np.int32)[:, None]
    return [
        net.generic(
            ["i, j", "i", "i, j"],
            "i, j",
            0,
            [doubled, largest],
            net.empty(result.shape, "i32"),
            result,
            [
                "%ae = arith.extsi %a : i8 to i32",
                "%be = arith.extsi %b : i8 to i32",
                "%s = arith.subi %ae, %be : i32",
                "linalg.yield %s : i32",
            ],
        )
    ]


def classifier(net: Network) -> list[Tensor]:
    x = net.argument(1, 32, 32, 3)
    y = net.requantize(net.convolution(x, 16, 3, pad=1), -128)
    y = net.maximum_pool(y, 2, 2, 0)
    y = net.requantize(net.convolution(y, 32, 3, pad=1, zero=-128), -128)
    y = net.requantize(net.mean_sums(y), 2, scale=0.004)
    return [net.requantize(net.matmul(y, 10), 0)]


def result_is_a_reshaped_argument(net: Network) -> list[Tensor]:
    return [net.reshape(net.argument(1, 4, 6, 2), 48)]


def reshape_between_layers(net: Network) -> list[Tensor]:
    y = net.requantize(net.convolution(net.argument(1, 8, 8, 8), 4, 3), 2)
    return [net.requantize(net.matmul(net.reshape(y, 1, 144), 10), 0)]


CASES = [
    strided_convolution,
    tall_kernel,
    dilated_convolution,
    bare_convolution,
    grouped_convolution,
    depthwise_convolution,
    linear,
    large_linear,
    batched_matmul,
    maximum_pooling,
    mean,
    transposition,
    concatenation,
    residual_block,
    inverted_residual,
    rows_below_their_maximum,
    classifier,
    result_is_a_reshaped_argument,
    reshape_between_layers,
]


@pytest.mark.parametrize("build", CASES, ids=lambda case: case.__name__)
def test_every_layer_on_the_small_array(build: Build) -> None:
    run(build, "npu-256")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "build", [residual_block, inverted_residual, classifier], ids=lambda case: case.__name__
)
def test_networks_on_every_preset(build: Build, target: str) -> None:
    run(build, target)
