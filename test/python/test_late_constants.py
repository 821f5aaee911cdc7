# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Constants that only the last decomposition makes: torch-mlir must not compute with them.

Its folders read the bits of floats as integers, and the other way round, where a tensor and a number
are of two kinds; some end the process.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import asic
from asic.frontend.importer import mark_normalized
from asic.frontend.state import functional as functional_form

CONSTANTS = {
    "float": torch.tensor([1.0, -1.0, 2.5, 0.0]),
    "float16": torch.ones(4, dtype=torch.float16),
    "ones": torch.ones(4),
    "int64": torch.tensor([1, -1, 3, 0]),
    "int8": torch.tensor([1, -1, 3, 0], dtype=torch.int8),
    "bool": torch.tensor([True, False, True, False]),
}
OPERATORS = [getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "add", "mul")]


class Constant(nn.Module):
    """`functions` of a buffer."""

    def __init__(self, functions: list[Callable[[Tensor], Tensor]], value: Tensor) -> None:
        super().__init__()
        self.functions = functions
        self.register_buffer("value", value)

    def forward(self, x: Tensor) -> list[Tensor]:
        return [x + 1, *(function(self.value) for function in self.functions)]


def check(functions: list[Callable[[Tensor], Tensor]], value: Tensor) -> None:
    model, x = Constant(functions, value), torch.zeros(1)
    # As if everything constant had been computed already.
    program = mark_normalized(functional_form(torch.export.export(model, (x,))))
    for got, want in zip(asic.compile(program, target="cpu")(x), model(x), strict=True):
        assert got.dtype == want.dtype
        assert torch.equal(got, want)


@pytest.mark.parametrize("number", [1, -1, 0.5, True])
@pytest.mark.parametrize("constant", CONSTANTS)
def test_constant_and_number(constant: str, number: Any) -> None:
    functions = [lambda c, f=f: f(c, number) for f in OPERATORS]
    check(functions, CONSTANTS[constant])


@pytest.mark.parametrize("constant", ["float", "float16", "ones"])
def test_what_torch_mlir_decomposes_itself(constant: str) -> None:
    check([torch.sign, torch.abs, lambda c: torch.where(c > 0, c, -c)], CONSTANTS[constant])


class Similarity(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.tensor([1.0, -1.0, 1.0, 1.0])
        return functional.cosine_embedding_loss(x, x.roll(1, 0), y)


class Labels(nn.Module):
    def forward(self, x: Tensor, target: Tensor) -> list[Tensor]:
        loss = functional.multilabel_margin_loss
        return [loss(x, target, reduction=kind) for kind in ("none", "mean", "sum")]


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_losses(target: str) -> None:
    x = torch.randn(4, 5)
    compiled = asic.compile(Similarity(), (x,), target=target)
    torch.testing.assert_close(compiled(x), Similarity()(x))
    labels = torch.tensor(
        [[0, 3, -1, 1, 1], [-1, 0, 0, 0, 0], [4, 3, 2, 1, 0], [2, -1, -1, -1, -1]]
    )
    got = asic.compile(Labels(), (x, labels), target=target)(x, labels)
    for mine, theirs in zip(got, Labels()(x, labels), strict=True):
        torch.testing.assert_close(mine, theirs)
