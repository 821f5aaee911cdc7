# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An operator's line is the one that a person would edit."""

from __future__ import annotations

import inspect
import sysconfig
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from asic.errors import CompileError
from asic.frontend import import_model
from asic.frontend.locations import Frame, user_frame

MODEL = Frame("/home/me/net.py", 10, "forward")
HELPER = Frame("/home/me/helpers.py", 3, "scale")
LIBRARY = "/env/lib/python3.11/site-packages"
LAYER = Frame(f"{LIBRARY}/transformers/models/bert.py", 20, "forward")
ATTENTION = Frame(f"{LIBRARY}/transformers/attention.py", 30, "sdpa")
REARRANGE = Frame(f"{LIBRARY}/einops/einops.py", 40, "rearrange")
TORCH = Frame(torch.__file__, 50, "forward")
STANDARD = Frame(f"{sysconfig.get_paths()['stdlib']}/contextlib.py", 60, "inner")


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([TORCH, MODEL, TORCH], MODEL),
        ([MODEL, HELPER, STANDARD], HELPER),
        ([MODEL, HELPER, REARRANGE], HELPER),
        ([MODEL, TORCH, LAYER, TORCH], LAYER),
        ([MODEL, LAYER, ATTENTION, REARRANGE], ATTENTION),
        ([LAYER, MODEL, TORCH], MODEL),
        ([HELPER, REARRANGE], HELPER),
        ([REARRANGE, REARRANGE._replace(line=41)], REARRANGE._replace(line=41)),
        ([TORCH, STANDARD], None),
        ([], None),
    ],
)
def test_the_line_to_edit(calls: list[Frame], expected: Frame | None) -> None:
    assert user_frame(calls) == expected


def _ranks(x: Tensor) -> Tensor:
    return x.argsort(-1).float()


class Layer(nn.Module):
    """An operator in a method, one in a function and one in a function inside."""

    def _cube(self, x: Tensor) -> Tensor:
        return x.pow(3)

    def forward(self, x: Tensor) -> Tensor:
        def sine(x: Tensor) -> Tensor:
            return torch.sin(x)

        return self._cube(x) + _ranks(x) + sine(x)


class Model(nn.Module):
    """A layer in a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Layer()

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))


def _line(function: Callable[..., Any], text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if text in line)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (Layer._cube, "x.pow(3)"),
        (_ranks, "x.argsort(-1)"),
        (Layer.forward, "torch.sin(x)"),
        (Model.forward, "torch.tanh"),
    ],
)
def test_an_operator_has_the_line_of_the_function_that_calls_it(
    function: Callable[..., Any], text: str
) -> None:
    imported = import_model(Model().eval(), (torch.ones(2, 4),))
    assert f'"{__file__}":{_line(function, text)}:0' in imported.mlir


def _singular(x: Tensor) -> Tensor:
    return torch.linalg.svdvals(x)


class Refused(nn.Module):
    """An operator without a form, in a function."""

    def forward(self, x: Tensor) -> Tensor:
        return _singular(x)


class Branch(nn.Module):
    """A branch on data, in a function."""

    def forward(self, x: Tensor) -> Tensor:
        return _signed(x)


def _signed(x: Tensor) -> Tensor:
    return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "function", "text"),
    [(Refused(), _singular, "svdvals"), (Branch(), _signed, "x.sum()")],
)
def test_an_error_has_that_line(model: nn.Module, function: Callable[..., Any], text: str) -> None:
    with pytest.raises(CompileError) as caught:
        import_model(model.eval(), (torch.ones(4, 4),))
    assert f"{__file__}:{_line(function, text)}" in str(caught.value)
