# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Samples of PyTorch's operator database that came out wrong, ended the process or were refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import asic


class Function(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Tensor) -> Any:
        return self.function(*x)


def values(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def integers(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 5, shape, generator=generator).to(dtype)


def pool(dtype: torch.dtype, *options: Any) -> tuple[Callable[..., Any], tuple[Tensor, ...]]:
    x = integers(1, 2, 6, 7, dtype=dtype)
    return lambda x: F.max_pool2d(x, *options, return_indices=True), (x,)


#: function, inputs
CASES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "running extremes of booleans": (
        lambda x: (x.cummax(0), x.cummin(1)),
        (values(3, 4) > 0,),
    ),
    "running extremes of a scalar": (lambda x: (x.cummax(0), x.cummin(0)), (values(),)),
    "extremes of a scalar": (
        lambda x: (x.amin(0), x.amax(), torch.aminmax(x, dim=0, keepdim=True)),
        (values(),),
    ),
    "scattered extremes of booleans alone": (
        lambda x, i, y: [
            x.scatter_reduce(0, i, y, r, include_self=False) for r in ("amin", "amax")
        ],
        (values(6, 5) > 0, integers(5, 5), values(5, 5) > 1),
    ),
    "square of booleans": (torch.square, (values(20) > 0,)),
    "hard tanh of integers": (lambda x: F.hardtanh(x, -0.5, 2.5), (integers(5, 5),)),
    "multilabel margin loss of a scalar": (
        lambda x, y: [F.multilabel_margin_loss(x, y, reduction=r) for r in ("mean", "none")],
        (values(), integers() * 0),
    ),
    "volume pool of integers": (
        lambda x: (F.max_pool3d(x, 3, 2, ceil_mode=True), F.max_pool3d(x[0], 2, 1, 1)),
        (integers(1, 2, 6, 6, 4),),
    ),
    "volume pool of integers, with places": (
        lambda x: F.max_pool3d(x, 3, 2, 1, return_indices=True),
        (integers(1, 2, 6, 6, 4, dtype=torch.int32),),
    ),
    "pool of integers, with places": pool(torch.int64, 3, 2, 1, 1, True),
    "dilated pool of integers": pool(torch.int8, 3, 2, 1, 2),
    "far dilated pool of uint8": pool(torch.uint8, 2, 1, 1, 3),
    "pool of equal integers": (
        lambda x: F.max_pool2d(x - 2**31, 3, 2, 1, return_indices=True),
        (integers(1, 2, 6, 7, dtype=torch.int32) * 0,),
    ),
    **{
        f"{mode} padding by {padding}": (
            lambda x, mode=mode, padding=padding: F.pad(x, padding, mode),
            (values(2, 3, 4, 4),),
        )
        for mode in ("reflect", "replicate")
        for padding in ((-1, 1, -2, 1), (2, -1, 1, 1), (-1, -1, 0, 3))
    },
    "replicate padding of the last": (
        lambda x: F.pad(x, (-4, 5, 3, -4), "replicate"),
        (values(2, 3, 4, 4),),
    ),
}


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("name", CASES)
def test_sample(name: str, target: str) -> None:
    function, inputs = CASES[name]
    compiled = asic.compile(Function(function).eval(), inputs, target=target)
    wanted = pytree.tree_leaves(function(*inputs))
    for have, want in zip(pytree.tree_leaves(compiled(*inputs)), wanted, strict=True):
        # Matrix products are in bf16 on edge-tx1.
        tolerance = 1e-5 if target == "cpu" else 1e-2
        torch.testing.assert_close(have, want, rtol=tolerance, atol=tolerance, equal_nan=True)
