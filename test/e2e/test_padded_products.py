# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of padded tensors: the array skips the padding of one factor, the other is stored."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import asic


def gram(v: Tensor) -> Tensor:
    return v @ v.mT


#: Function, and the shapes of its operands.
CASES: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "one tensor twice, of one element": (lambda x: gram(F.pad(x, (1, 0))), [(1, 1)]),
    "one tensor twice": (lambda x: gram(F.pad(x, (1, 2, 0, 3))), [(5, 7)]),
    "one tensor twice, first transposed": (lambda x: gram(F.pad(x, (1, 2, 0, 3)).mT), [(5, 7)]),
    "one tensor twice, in batches": (lambda x: gram(F.pad(x, (1, 2, 0, 3, 1, 1))), [(2, 5, 7)]),
    "one tensor twice, in tiles": (lambda x: gram(F.pad(x, (3, 5, 1, 2))), [(150, 200)]),
    "one tensor twice, of a slice": (
        lambda x: gram(F.pad((x + x)[1:30, 2:60], (1, 2, 0, 3))),
        [(40, 70)],
    ),
    "one tensor twice and a sum": (
        lambda x: (lambda v: gram(v) + v.sum(-1))(F.pad(x, (1, 2))),
        [(5, 7)],
    ),
    "image and kernel": (
        lambda x: (lambda v: F.conv2d(v, v))(F.pad(x, (1, 0, 2, 1))),
        [(3, 3, 4, 4)],
    ),
    "first factor along k": (lambda x, y: F.pad(x, (2, 1)) @ y, [(5, 7), (10, 6)]),
    "second factor along k": (lambda x, y: y @ F.pad(x, (0, 0, 2, 1)), [(5, 7), (6, 8)]),
    "second factor along n": (lambda x, y: y @ F.pad(x, (2, 1)), [(5, 7), (6, 5)]),
    "both": (lambda x, y: F.pad(x, (0, 2)) @ F.pad(y, (1, 0, 2, 0)), [(5, 7), (7, 6)]),
    "channels of an image": (
        lambda x, y: F.conv2d(F.pad(x, (0, 0, 0, 0, 1, 2)), y),
        [(1, 5, 6, 7), (4, 8, 3, 3)],
    ),
    "three reductions": (
        lambda x, y: torch.einsum("abcd,ebcd->ae", F.pad(x, (1, 0, 1, 0, 0, 1)), y),
        [(3, 2, 4, 5), (4, 3, 5, 6)],
    ),
}


class Model(torch.nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Tensor:
        return self.function(*args)


@pytest.mark.parametrize("name", CASES)
def test_padded_products(name: str) -> None:
    """Small integers: the sums are exact before the one rounding to bfloat16."""
    function, shapes = CASES[name]
    model, generator = Model(function), torch.Generator().manual_seed(3)
    args = tuple(torch.randint(-4, 5, s, generator=generator).bfloat16() for s in shapes)
    compiled = asic.compile(model, args, target="edge-tx1", fallback="error")
    assert torch.equal(compiled(*args), model(*args))
