# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Indices without dimensions, and constant masks: as PyTorch has them, call after call."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import asic

Body = Callable[["Ring", Tensor], Tensor]


class Ring(nn.Module):
    """Rows, a pointer that `body` moves, and a mask."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("ring", torch.arange(16.0).reshape(4, 4))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))
        self.register_buffer("mask", torch.tensor([True, False, True, True]))
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        result = self.body(self, x)
        self.pointer += 1
        self.pointer %= 4
        return result


def row(m: Ring, x: Tensor) -> Tensor:
    m.ring[m.pointer] = x
    return m.ring.sum(1)


def column(m: Ring, x: Tensor) -> Tensor:
    m.ring[:, m.pointer] = x
    return m.ring * 2


def element(m: Ring, x: Tensor) -> Tensor:
    m.ring[m.pointer, -m.pointer] = x[0]
    return m.ring * 2


def part(m: Ring, x: Tensor) -> Tensor:
    m.ring[m.pointer, 1:3] = x[:2]
    return m.ring * 2


def number(m: Ring, x: Tensor) -> Tensor:
    m.ring[m.pointer.int()] = 3
    return m.ring + x


def added(m: Ring, x: Tensor) -> Tensor:
    m.ring[m.pointer] += x
    return m.ring * 2


def view(m: Ring, x: Tensor) -> Tensor:
    place = m.ring[m.pointer]
    place.copy_(x)
    place[1:] *= 2
    return m.ring * 2


def apart(m: Ring, x: Tensor) -> Tensor:
    y = x.expand(2, 3, 4).clone()
    y[m.pointer % 2, :, m.pointer] = x[:3] * 5
    y[..., m.pointer] = x[:3]
    y[None, ..., 1, m.pointer] = x[:2]
    y[:, m.pointer % 3, None] = x
    return y


def read(m: Ring, x: Tensor) -> Tensor:
    return m.ring[:, m.pointer] + x[m.pointer - 2] + m.ring[m.pointer - 1, 2]


def chosen(m: Ring, x: Tensor) -> Tensor:
    return m.ring[x.argmax()] + x


def literal(m: Ring, x: Tensor) -> Tensor:
    return x[torch.tensor([True, False, True, True])]


def inverse(m: Ring, x: Tensor) -> Tensor:
    y = x.clone()
    y[~m.mask] = 4.0
    return y


def masked_rows(m: Ring, x: Tensor) -> Tensor:
    return torch.relu(m.linear(x.expand(4, 4)[m.mask]) + m.linear(x.expand(3, 4)))


def masked_columns(m: Ring, x: Tensor) -> Tensor:
    y = x.expand(2, 4)[:, m.mask]
    return y.reshape(-1, 3) @ torch.ones(3, 2) + y.shape[1]


WRITES: list[Body] = [row, column, element, part, number, added, view, apart]
READS: list[Body] = [read, chosen, literal, inverse, masked_rows, masked_columns]


@pytest.mark.parametrize("body", [*WRITES, *READS], ids=lambda body: body.__name__)
def test_equals_pytorch_call_after_call(body: Body) -> None:
    torch.manual_seed(0)
    model = Ring(body).eval()
    compiled = asic.compile(model, (torch.randn(4),), target="cpu")
    for _ in range(6):
        x = torch.randn(4)
        with torch.no_grad():
            torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.tensor(compiled.state["pointer"]), model.pointer)


@pytest.mark.parametrize("body", [row, added, read, masked_rows], ids=lambda body: body.__name__)
def test_on_an_accelerator(body: Body) -> None:
    torch.manual_seed(0)
    model = Ring(body).eval()
    compiled = asic.compile(model, (torch.randn(4),))
    assert asic.verify(compiled, [(torch.randn(4),) for _ in range(6)])


def test_a_pointer_outside() -> None:
    class Row(nn.Module):
        def forward(self, x: Tensor, pointer: Tensor) -> Tensor:
            return x[pointer]

    x = torch.randn(3, 4)
    compiled = asic.compile(Row().eval(), (x, torch.tensor(0)), target="cpu")
    assert torch.equal(compiled(x, torch.tensor(-1)), x[-1])
    with pytest.raises(asic.ProgramError, match="expected indices of 0 to 2, got one"):
        compiled(x, torch.tensor(3))


def test_dynamic_rows_at_a_pointer() -> None:
    class Row(nn.Module):
        def forward(self, x: Tensor, pointer: Tensor) -> Tensor:
            return x[pointer] * 2

    x = torch.randn(3, 4)
    shapes = ({0: torch.export.Dim("n", min=2, max=8)}, None)
    compiled = asic.compile(Row().eval(), (x, torch.tensor(0)), target="cpu", dynamic_shapes=shapes)
    for size in (2, 7):
        x = torch.randn(size, 4)
        assert torch.equal(compiled(x, torch.tensor(size - 1)), x[-1] * 2)


def test_a_slice_at_a_pointer_names_what_compiles() -> None:
    def start(m: Ring, x: Tensor) -> Tensor:
        return m.ring[m.pointer : m.pointer + 2]

    def index(m: Ring, x: Tensor) -> Tensor:
        return m.ring[m.pointer + torch.arange(2)]

    with pytest.raises(asic.CompileError, match=r"x\[start \+ torch\.arange\(n\)\]"):
        asic.compile(Ring(start).eval(), (torch.randn(4),), target="cpu")
    compiled = asic.compile(Ring(index).eval(), (torch.randn(4),), target="cpu")
    assert compiled(torch.randn(4)).shape == (2, 4)
