# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors without elements inside a model, and shifts by a number, against eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

import asic


class Apply(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.function(x), x + 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[..., 4:].reshape(6, 0),
        lambda x: x[..., 4:].view(2, 0, 3).sum(1),
        lambda x: x[..., 4:].mean(-1),
        lambda x: x[..., 4:] @ x[..., :0].mT,
        lambda x: torch.cat([x[..., 4:], x], -1).relu(),
        lambda x: nn.functional.pad(x[..., 4:], (1, 1)),
        lambda x: x[:0].amax(1).half(),
    ],
    ids=["view", "sum", "mean", "product", "cat", "pad", "extremum"],
)
def test_tensors_without_elements(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.randn(2, 3, 4)
    wanted = function(x)
    got = asic.compile(Apply(function).eval(), (x,), target="edge-tx1")(x)[0]
    assert got.dtype == wanted.dtype
    torch.testing.assert_close(got, wanted, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("count", [0, 3, 31, 64, -1])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.int8])
def test_shifts_by_a_number(dtype: torch.dtype, count: int) -> None:
    x = torch.arange(-40, 40).to(dtype)
    for shift in (torch.bitwise_left_shift, torch.bitwise_right_shift):
        model = Apply(lambda x, shift=shift: shift(x, count)).eval()
        got = asic.compile(model, (x,), target="cpu")(x)[0]
        assert got.dtype == dtype
        assert torch.equal(got, shift(x, count)), shift
