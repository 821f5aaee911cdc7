# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Buffers that masked programs write: the same bits as without padding, call after call.

The oracle is the module itself. What stands in the padding of an input is garbage here, where the
runtime puts zeros.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from asic.errors import CompileError
from asic.frontend.dynamic import dimensions, flat_module
from asic.frontend.export import capture
from asic.frontend.padding import insert_masks
from asic.frontend.state import functional

LENGTH, MOST = 24, 16


class Writer(nn.Module):
    """Writes rows (2, steps, 3) at places (steps,) of its buffers with a function."""

    def __init__(self, write: Callable[..., Any]) -> None:
        super().__init__()
        self.write = write
        values = torch.randn(2, LENGTH, 3, generator=torch.Generator().manual_seed(3))
        # Minus zero is another number than zero, bit for bit.
        self.register_buffer("rows", torch.where(values > 0, -0.0, values))
        self.register_buffer("table", torch.arange(LENGTH))
        self.register_buffer("seen", torch.arange(LENGTH) % 2 == 0)
        self.register_buffer("count", torch.zeros(1, dtype=torch.int64))

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        self.write(self, x, places)
        return self.rows.sum() + self.table.sum() + self.seen.sum() + self.count


def _put(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[:, places] = x


def _put_number(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[0, places, 1] = 3.5


def _put_pairs(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[torch.arange(2)[:, None], places, :2] = x[..., :2]


def _put_apart(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[torch.tensor([1]), :, torch.tensor([0, 2])[:, None]] = 1.5
    m.rows[places % 2, places] = x[0]


def _front(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[:, : x.shape[1]] = x


def _inside(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[:, 3 : 3 + x.shape[1], 1:] = x[..., 1:]


def _every_second(m: Any, x: Tensor, places: Tensor) -> None:
    m.table[1 : 1 + x.shape[1]] = places * 2
    m.count += x.shape[1]


def _clear(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[:, : x.shape[1]] = 0
    m.table[2 : 2 + x.shape[1]] = x.shape[1]


def _truths(m: Any, x: Tensor, places: Tensor) -> None:
    m.seen[places] = x[0, :, 1] > 0
    m.seen.index_add_(0, places // 2, x[1, :, 1] > 0)


def _scatter_lines(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows.scatter_(1, places[None, :, None].expand(2, -1, 3), x)


def _columns(x: Tensor, places: Tensor) -> Tensor:
    return (places[None, :, None] + torch.arange(3)).expand(2, -1, 3) % 3


FORMS: dict[str, Callable[..., Any]] = {
    "index_copy": lambda m, x, places: m.rows.index_copy_(1, places, x),
    "index_fill": lambda m, x, places: m.rows.index_fill_(1, places - LENGTH, 2.5),
    "index_put": _put,
    "index_put of one number": _put_number,
    "index_put at pairs": _put_pairs,
    "index_put at places apart": _put_apart,
    "index_put that adds": lambda m, x, places: m.rows[0].index_put_(
        (places, places % 3), x[0, :, 0], accumulate=True
    ),
    "index_put that adds one number": lambda m, x, places: m.rows[0].index_put_(
        (places,), torch.tensor(2.0), accumulate=True
    ),
    "index_add": lambda m, x, places: m.rows.index_add_(1, places, x),
    "index_add of less": lambda m, x, places: m.rows.index_add_(1, places, x, alpha=-2),
    "index_add of integers": lambda m, x, places: m.table.index_add_(0, places, places),
    "scatter": _scatter_lines,
    "scatter of a number": lambda m, x, places: m.rows.scatter_(
        1, places[None, :, None].expand(2, -1, 1), 7.0
    ),
    "scatter_add": lambda m, x, places: m.rows.scatter_add_(
        1, places[None, :, None].expand(2, -1, 3), x
    ),
    "scatter_add to columns": lambda m, x, places: m.rows.scatter_add_(2, _columns(x, places), x),
    "scatter_reduce": lambda m, x, places: m.rows.scatter_reduce_(
        1, places[None, :, None].expand(2, -1, 3), x, "amax"
    ),
    "scatter_reduce without self": lambda m, x, places: m.rows.scatter_reduce_(
        1, places[None, :, None].expand(2, -1, 3), x, "prod", include_self=False
    ),
    "slice": _front,
    "slice inside": _inside,
    "count": _every_second,
    "clear": _clear,
    "truth values": _truths,
    "front and rest": lambda m, x, places: m.rows.copy_(torch.cat([x, m.rows[:, x.shape[1] :]], 1)),
    "window": lambda m, x, places: m.rows.copy_(torch.cat([m.rows, x], 1)[:, -LENGTH:]),
    "window from a size": lambda m, x, places: m.rows.copy_(
        torch.cat([m.rows, x], 1)[:, x.shape[1] :]
    ),
    "selection": lambda m, x, places: m.table.copy_(
        torch.where(torch.arange(LENGTH) < x.shape[1], m.table + x.shape[1], m.table)
    ),
    "window of windows": lambda m, x, places: m.rows.copy_(
        torch.cat([m.rows, torch.cat([m.rows[:, -1:], x], 1)], 1)[:, -LENGTH:]
    ),
}


def shapes(low: int) -> Any:
    steps = Dim("steps", min=low, max=MOST)
    return {1: steps}, {0: steps}


def masked(write: Callable[..., Any], low: int = 1) -> Any:
    model = Writer(write)
    args = (torch.randn(2, 5, 3), torch.arange(5))
    program, _, _ = capture(copy.deepcopy(model), args, None, shapes(low))
    found = dimensions(program, shapes(low))
    return model, found, insert_masks(flat_module(functional(program)))


def bits(tensor: Tensor) -> Tensor:
    return tensor.view(torch.int32) if tensor.dtype == torch.float32 else tensor


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    model, found, program = masked(FORMS[form])
    (symbol,) = found.ranges
    generator = torch.Generator().manual_seed(0)
    for steps in (5, 1, MOST, 1, 7, 2):
        x = torch.randn(2, steps, 3, generator=generator)
        x[..., 0] = 0
        places = torch.randperm(LENGTH, generator=generator)[:steps]
        sizes, bucket = {symbol: steps}, {symbol: MOST}
        wide = torch.full((2, MOST, 3), float("nan"))
        far = torch.full((MOST,), 10**6)
        wide[:, :steps], far[:steps] = x, places
        hidden = [torch.from_numpy(h.value(sizes, bucket)) for h in program.hidden]
        with torch.no_grad():
            program.module(wide, far, *hidden)
            model(x, places)
        for name, buffer in model.named_buffers():
            assert torch.equal(bits(dict(program.module.named_buffers())[name]), bits(buffer)), name


def _behind(m: Any, x: Tensor, places: Tensor) -> None:
    m.rows[:, LENGTH - x.shape[1] :] = x


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "slice": (_behind, r"slice_scatter.* from a size at .*py:\d+.*; write rows at their places"),
    "slide": (
        lambda m, x, places: m.rows.copy_(torch.cat([m.rows[:, x.shape[1] :], x], 1)),
        r"aten.slice.* from a size at .*py:\d+.*torch.cat\(\[old, new\], dim\)",
    ),
    "roll": (lambda m, x, places: m.rows.copy_(m.rows.roll(x.shape[1], 1)), "roll"),
    "scatter to columns": (
        lambda m, x, places: m.rows.scatter_(2, _columns(x, places), x),
        r"to the first s\d+ places of dimension 1 at",
    ),
    "scatter a mean": (
        lambda m, x, places: m.rows.scatter_reduce_(
            1, places[None, :, None].expand(2, -1, 3), x, "mean"
        ),
        "reduce='mean' at .*; divide a sum",
    ),
}


@pytest.mark.parametrize("form", REFUSED)
def test_refused(form: str) -> None:
    write, message = REFUSED[form]
    with pytest.raises(CompileError, match=message):
        masked(write)


def test_no_call_has_no_rows() -> None:
    """A part that would be empty for the smallest sizes is none that torch.export leaves open."""
    with pytest.raises(CompileError, match="declare steps = Dim"):
        masked(lambda m, x, places: m.rows.index_copy_(1, places[1:], x[:, 1:]))
