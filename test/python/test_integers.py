# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Integers beside tensors keep all their digits, on every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import asic

INDEX = torch.tensor([[0, 1, 2], [2, 0, 1]])
#: 2^60 + 1 and its like are no doubles.
CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "scatter": lambda x: x.scatter(0, INDEX, 2**60 + 1),
    "index_fill": lambda x: x.index_fill(0, INDEX[0], 2**60 + 1),
    "index_add": lambda x: x.index_add(0, INDEX[0], x[:3], alpha=2**55 + 1),
    "clamp": lambda x: (x * 2**58).clamp(2**57 + 1, 2**60 + 1),
    "remainder": lambda x: (x + 2**60) % (2**59 + 1),
    "floor division": lambda x: (x * 2**58 + 1) // (2**56 + 1),
    "masked_fill": lambda x: x.masked_fill(x > 3, 2**60 + 1),
}


class Model(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


SHIFTS: dict[str, Callable[[Tensor], Tensor]] = {
    "left": lambda x: x << 2,
    "right": lambda x: x >> 2,
    "functions": lambda x: torch.bitwise_left_shift(torch.bitwise_right_shift(x, 1), 3),
    "beyond": lambda x: (x << 8 * x.element_size()) + (x >> 8 * x.element_size()),
}


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("case", SHIFTS)
def test_shifts_by_numbers(case: str, dtype: torch.dtype) -> None:
    model = Model(SHIFTS[case])
    x = torch.tensor([-128, -5, -1, 0, 1, 3, 77, 127]).to(dtype)
    assert torch.equal(asic.compile(model, (x,), target="edge-tx1")(x), model(x))


@pytest.mark.parametrize("case", CASES)
def test_numbers_keep_their_digits(case: str) -> None:
    model, x = Model(CASES[case]), torch.arange(12).reshape(4, 3)
    assert torch.equal(asic.compile(model, (x,), target="edge-tx1")(x), model(x))
