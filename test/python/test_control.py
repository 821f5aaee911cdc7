# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Control flow: branches, scans and maps are what PyTorch computes; loops are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops import associative_scan, while_loop
from torch._higher_order_ops import map as map_over
from torch._higher_order_ops.scan import scan

import asic


class Branches(nn.Module):
    """One condition inside another; weights in both branches, two results."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        def inner(x: Tensor) -> Tensor:
            return torch.cond(x.mean() < -1, lambda x: self.b(x), lambda x: x - 1, (x,))

        def positive(x: Tensor) -> tuple[Tensor, Tensor]:
            return torch.relu(self.a(x)), x.mean()

        def negative(x: Tensor) -> tuple[Tensor, Tensor]:
            return inner(x), x.amax()

        return torch.cond(x.sum() > 0, positive, negative, (x,))


class Scan(nn.Module):
    """A recurrence with a stacked result, backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        def step(h: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(self.a(h) + x)
            return h, h * 2

        return scan(step, h, x, reverse=True)


class Map(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return map_over(lambda row: torch.relu(self.a(row)), x)


class Associative(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return associative_scan(lambda a, b: a + b, x, 0, combine_mode="generic")


class Counted(nn.Module):
    """A loop whose length can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        def more(i: Tensor, x: Tensor) -> Tensor:
            return i < 3

        def body(i: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
            return i + 1, torch.tanh(self.a(x))

        return while_loop(more, body, (torch.tensor(0), x))[1]


class Until(nn.Module):
    """A loop whose length depends on the input."""

    def forward(self, x: Tensor) -> Tensor:
        def more(x: Tensor, n: Tensor) -> Tensor:
            return x.sum() < 100

        return while_loop(more, lambda x, n: (x * 2, n + 1), (x, torch.tensor(0)))[0]


class Forever(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return while_loop(lambda i, x: i >= 0, lambda i, x: (i + 1, x * 2), (torch.tensor(0), x))[1]


def rows(*shapes: tuple[int, ...]) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: tuple(torch.randn(shape) for shape in shapes)


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize(
    ("make", "example"),
    [
        (Branches, rows((2, 8))),
        (Scan, rows((5, 2, 8), (2, 8))),
        (Map, rows((3, 2, 8))),
        (Associative, rows((5, 8))),
        (Counted, rows((2, 8))),
    ],
)
def test_equal_to_pytorch(
    make: Callable[[], nn.Module], example: Callable[[], tuple[Tensor, ...]], target: str
) -> None:
    torch.manual_seed(0)
    model = make().eval()
    # The accelerator's products are bf16; five steps of a recurrence.
    tolerance = 1e-5 if target == "cpu" else 5e-2
    with torch.no_grad():
        compiled = asic.compile(model, example(), target=target)
        # Reading backwards is the host's.
        assert make is Scan or not compiled.facts.fallbacks
        for factor in (1, -1, -5):
            x, *others = example()
            args = (x.abs() * factor, *others)
            torch.testing.assert_close(
                compiled(*args), model(*args), rtol=tolerance, atol=tolerance
            )


def test_quantised_branches() -> None:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(32, 16), nn.Linear(32, 16)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cond(x[0, 0] > 0, lambda x: self.a(x), lambda x: self.b(x), (x,))

    data = [(torch.randn(2, 32),) for _ in range(16)]
    model = Net().eval()
    compiled = asic.compile(model, data[0], quantize="int8", calibration=data)
    with torch.no_grad():
        for args in data:
            torch.testing.assert_close(compiled(*args), model(*args), rtol=0.1, atol=0.1)


def refuse(pattern: str, model: nn.Module, *args: Any) -> None:
    with pytest.raises(asic.CompileError, match=pattern) as caught:
        asic.compile(model, args, target="cpu")
    assert Path(__file__).name in str(caught.value)


def test_loops_of_unknown_length() -> None:
    refuse(
        "while_loop whose condition depends on inputs at .*; write a", Until(), torch.randn(2, 8)
    )
    refuse(r"got more than \d+ steps of \d in while_loop at", Forever(), torch.randn(2, 8))


def test_loops_that_are_too_long() -> None:
    refuse(
        r"at most 20000 operations, got 9000 steps of \d in scan at .*; compile the body",
        Scan().eval(),
        torch.randn(9000, 2, 8),
        torch.randn(2, 8),
    )


def test_branches_that_only_the_condition_makes_safe() -> None:
    class Guarded(nn.Module):
        def forward(self, x: Tensor, n: Tensor) -> Tensor:
            return torch.cond(n.sum() > 0, lambda x, n: 7 // n, lambda x, n: n * 2, (x, n))

    refuse(
        r"got aten\.floor_divide in torch\.cond at .*; move it in front",
        Guarded(),
        torch.randn(2),
        torch.tensor([1, 2]),
    )


def test_branches_that_return_their_input() -> None:
    class Same(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x, (x,))

    pattern = r"branches and loop bodies that return new tensors, .*; return x\.clone\(\)"
    with pytest.raises(asic.CompileError, match=pattern):
        asic.compile(Same(), (torch.randn(2),), target="cpu")
