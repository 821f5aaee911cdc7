# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs that are outputs, conversions alone, tensors that nobody computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import asic
from asic.frontend.importer import mark_normalized


def q(x: Tensor) -> Tensor:
    return torch.ops.quantized_decomposed.quantize_per_tensor.default(
        x, 0.05, 3, -128, 127, torch.int8
    )


def dq(x: Tensor) -> Tensor:
    return torch.ops.quantized_decomposed.dequantize_per_tensor.default(
        x, 0.05, 3, -128, 127, torch.int8
    )


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


CASES: dict[str, Callable[[Tensor], Any]] = {
    "quantize": q,
    "quantize and back": lambda x: dq(q(x)),
    "identity": lambda x: x,
    "transpose": lambda x: x.transpose(1, 2),
    "transpose and quantize": lambda x: q(x.transpose(1, 2)),
    "reshape and quantize": lambda x: q(x.reshape(6, 4)),
    "codes and numbers": lambda x: (q(x), dq(q(x)) + dq(q(x))),
    "one value twice": lambda x: (x + x,) * 2,
    "input beside output": lambda x: (x + x, x),
    "constant output": lambda x: (torch.ones(3), x + 1),
    "dequantize and reshape": lambda x: dq(q(x)).reshape(-1),
    "transposed on both sides": lambda x: dq(q(x.transpose(1, 2))).transpose(0, 1),
    "bfloat16 output": lambda x: x.to(torch.bfloat16),
    "scalar output": lambda x: x.sum(),
    "roll": lambda x: x.roll((1, 3), (1, 2)),
    "roll of everything": lambda x: x.roll(5),
}


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
@pytest.mark.parametrize("name", CASES)
def test_border(name: str, target: str) -> None:
    model = Function(CASES[name]).eval()
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1)) * 4
    program = mark_normalized(torch.export.export(model, (x,), strict=False))
    got = pytree.tree_leaves(asic.compile(program, target=target)(x))
    for have, want in zip(got, pytree.tree_leaves(model(x)), strict=True):
        if want.dtype == torch.float32:
            torch.testing.assert_close(have, want, rtol=1e-5, atol=1e-5)
        else:
            assert torch.equal(have, want)
