# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tensors without elements inside models and at their borders: PyTorch's answer, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import asic

CASES: dict[str, Callable[[Tensor], Any]] = {
    "sum": lambda x: x[:, :0].sum(1) + x.sum(1),
    "product": lambda x: x[:, :0].prod(1),
    "mean": lambda x: x[:, :0].mean(1),
    "any": lambda x: (x[:, :0] > 0).any(1),
    "matmul": lambda x: x[:, :0] @ torch.ones(0, 3),
    "matmul of no rows": lambda x: (x[:0] @ torch.ones(8, 3)).sum(0),
    "linear": lambda x: F.linear(x[:, :0], torch.ones(3, 0), torch.ones(3)),
    "convolution": lambda x: F.conv1d(x.reshape(1, 4, 8)[:0], torch.ones(3, 4, 3), torch.ones(3)),
    "pooling": lambda x: F.max_pool1d(x[None][:0], 2).sum(0),
    "concatenation": lambda x: torch.cat([x[:, :0], x * 3, x[:, :0]], 1),
    "concatenation of nothing": lambda x: torch.cat([x[:, :0], x[:, :0]], 1).sum(1),
    "old concatenation": lambda x: torch.cat([torch.zeros(0), x], 0) + 1,
    "pad": lambda x: F.pad(x[:, :0], (1, 2), value=3.0) + x[:, :3],
    "softmax": lambda x: torch.softmax(x[:, :0], 1),
    "layer norm": lambda x: F.layer_norm(x[:0], (8,)).sum(0),
    "reshape": lambda x: x[:0].reshape(0, 2, 4).sum(0),
    "sort": lambda x: x[:, :0].sort(1)[0],
    "look-up": lambda x: F.embedding(torch.zeros(0, dtype=torch.long), x).sum(0),
    "scatter": lambda x: x.scatter(1, torch.zeros(4, 0, dtype=torch.long), 1.0) + 1,
    "attention": lambda x: F.scaled_dot_product_attention(x[None, :0], x[None], x[None]),
    "product and result": lambda x: (x[:0] * 2, x * 2),
    "slice": lambda x: x[:0],
}


class Model(torch.nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def check(function: Callable[[Tensor], Any], x: Tensor, tolerance: float, **options: Any) -> None:
    model = Model(function).eval()
    expected, got = model(x), asic.compile(model, (x,), **options)(x)
    expected, got = ((r,) if isinstance(r, Tensor) else r for r in (expected, got))
    for wanted, found in zip(expected, got, strict=True):
        assert found.dtype == wanted.dtype
        torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance, equal_nan=True)


@pytest.mark.parametrize("case", CASES)
def test_models_compute_with_nothing(case: str) -> None:
    torch.manual_seed(0)
    check(CASES[case], torch.randn(4, 8), 1e-5, target="edge-tx1")


@pytest.mark.parametrize("case", ["sum", "matmul", "concatenation", "pad", "reshape", "slice"])
def test_this_computer_computes_with_nothing(case: str) -> None:
    torch.manual_seed(0)
    check(CASES[case], torch.randn(4, 8), 1e-5, target="cpu")


@pytest.mark.parametrize("case", ["sum", "matmul", "linear", "convolution", "concatenation"])
def test_integer_models_compute_with_nothing(case: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8)
    check(CASES[case], x, 0.3, target="edge-tx1", quantize="int8", calibration=[(x,)])


def test_empty_inputs_are_refused() -> None:
    with pytest.raises(asic.CompileError, match=r"expected inputs with elements, got.*'x'; pass"):
        asic.compile(Model(lambda x: x.sum(1)), (torch.zeros(3, 0),), target="edge-tx1")


def test_an_empty_result_is_refused_where_the_host_is() -> None:
    x = torch.randn(4, 8)
    with pytest.raises(asic.CompileError, match=r"test_empty\.py:\d+.*got tensor<0x8xf32>"):
        asic.compile(Model(lambda x: (x[:0], x + 1)), (x,), target="edge-tx1", fallback="error")
