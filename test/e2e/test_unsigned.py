# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""uint8 over its whole range: images are divided by 255, masks and tables are compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import asic

X = torch.tensor([[0, 1, 2, 127, 128, 130, 200, 255]], dtype=torch.uint8)
CONSTANTS = torch.tensor([100, 150, 200, 250, 5, 6, 7, 128], dtype=torch.uint8)
MANY = torch.arange(0, 256, 8, dtype=torch.uint8)
Y = torch.tensor([[3, 200, 255, 128, 7, 131, 2, 254]], dtype=torch.uint8)
WIDE = torch.tensor([[-3, 200, 255, -128, 7, 131, 300, 254]], dtype=torch.int32)
NARROW = torch.tensor([[-3, 100, 5, -128, 7, 11, 3, -25]], dtype=torch.int8)
FLOAT = torch.linspace(-300, 300, 8).reshape(1, 8)

CASES: dict[str, Callable[..., Tensor]] = {
    "image": lambda x, y, i, n, f: (x / 255 - 0.5) / 0.25,
    "divide": lambda x, y, i, n, f: x / y,
    "add": lambda x, y, i, n, f: x + y,
    "add a float": lambda x, y, i, n, f: x + 1.5,
    "add floats": lambda x, y, i, n, f: x * f,
    "add int8": lambda x, y, i, n, f: x + n,
    "subtract": lambda x, y, i, n, f: 255 - x - y,
    "multiply": lambda x, y, i, n, f: x * y * 200,
    "power": lambda x, y, i, n, f: x**2,
    "negative": lambda x, y, i, n, f: -x,
    "bits": lambda x, y, i, n, f: ~x & y | 3,
    "shift": lambda x, y, i, n, f: torch.bitwise_right_shift(x, torch.ones_like(x)),
    "abs": lambda x, y, i, n, f: x.abs(),
    "sum": lambda x, y, i, n, f: x.sum(),
    "largest": lambda x, y, i, n, f: x.max() - x.min(),
    "largest along": lambda x, y, i, n, f: x.max(1)[0],
    "any": lambda x, y, i, n, f: x.any(1),
    "cumsum": lambda x, y, i, n, f: x.cumsum(1),
    "sort": lambda x, y, i, n, f: x.sort()[0],
    "argmax": lambda x, y, i, n, f: x.argmax(1),
    "at least": lambda x, y, i, n, f: x >= 130,
    "at least a float": lambda x, y, i, n, f: x >= 130.5,
    "greater": lambda x, y, i, n, f: x > y,
    "greater than int32": lambda x, y, i, n, f: x > i,
    "maximum": lambda x, y, i, n, f: torch.maximum(x, y),
    "maximum with int32": lambda x, y, i, n, f: torch.maximum(x, i),
    "clamp": lambda x, y, i, n, f: x.clamp(3, 220),
    "clamp to floats": lambda x, y, i, n, f: x.clamp(3.5, 200.5),
    "floor divide": lambda x, y, i, n, f: x // y,
    "remainder": lambda x, y, i, n, f: x % (i.abs() + 1),
    "cat": lambda x, y, i, n, f: torch.cat([x, i]),
    "where": lambda x, y, i, n, f: torch.where(x > 100, x, f),
    "to int32": lambda x, y, i, n, f: x.int() * 2,
    "to float": lambda x, y, i, n, f: x.float().sqrt(),
    "fill": lambda x, y, i, n, f: torch.full_like(x, 200) + x.masked_fill(y > 100, 201),
    "maximum with a fill": lambda x, y, i, n, f: x.maximum(torch.full_like(x, 140)),
    "maximum with constants": lambda x, y, i, n, f: x.maximum(CONSTANTS),
    "constants alone": lambda x, y, i, n, f: CONSTANTS + 1,
    "large constants": lambda x, y, i, n, f: (x[:, :1] > MANY) * MANY,
    "bits as int8": lambda x, y, i, n, f: x.view(torch.int8) // 2,
    "bits of int8": lambda x, y, i, n, f: n.view(torch.uint8) // 2,
    "bits of floats": lambda x, y, i, n, f: f.view(torch.int32) >> 23,
    "pad": lambda x, y, i, n, f: F.pad(x, (1, 1), value=255),
}


@pytest.mark.parametrize("name", CASES)
def test_uint8(name: str) -> None:
    class Case(torch.nn.Module):
        def forward(self, *args: Tensor) -> Tensor:
            return CASES[name](*args)

    args = (X, Y, WIDE, NARROW, FLOAT)
    expected = Case()(*args)
    for target in ("cpu", "edge-tx1"):
        actual = asic.compile(Case(), args, target=target)(*args)
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_names_and_shapes_of_outputs_stay() -> None:
    class Two(torch.nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"more": x + 1, "less": x - 1, "same": x}

    compiled = asic.compile(Two(), (X,), target="cpu")
    assert compiled.output_names == ("more", "less", "same")
    for name, value in compiled(X).items():
        assert torch.equal(value, Two()(X)[name])
