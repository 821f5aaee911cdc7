# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small matrices: as exact as LAPACK in float32, as measured in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import asic

Function = Callable[[Tensor, Tensor], "Tensor | tuple[Tensor, ...]"]

FUNCTIONS: dict[str, Function] = {
    "det": lambda a, b: torch.linalg.det(a),
    "torch.det": lambda a, b: torch.det(a),
    "slogdet": lambda a, b: tuple(torch.linalg.slogdet(a)),
    "inv": lambda a, b: torch.linalg.inv(a),
    "inverse": lambda a, b: torch.inverse(a),
    "inv_ex": lambda a, b: tuple(torch.linalg.inv_ex(a)),
    "solve": lambda a, b: torch.linalg.solve(a, b),
    "solve vector": lambda a, b: torch.linalg.solve(a, b[..., 0]),
    "solve right": lambda a, b: torch.linalg.solve(a, b.mT, left=False),
    "cholesky": lambda a, b: torch.linalg.cholesky(a @ a.mT),
    "cholesky upper": lambda a, b: torch.linalg.cholesky(a @ a.mT, upper=True),
    "cholesky_ex": lambda a, b: torch.linalg.cholesky_ex(a @ a.mT)[0],
    "lower": lambda a, b: torch.linalg.solve_triangular(a, b, upper=False),
    "upper": lambda a, b: torch.linalg.solve_triangular(a, b, upper=True),
    "unit": lambda a, b: torch.linalg.solve_triangular(a, b, upper=True, unitriangular=True),
    "upper right": lambda a, b: torch.linalg.solve_triangular(a, b.mT, upper=True, left=False),
    "cholesky_solve": lambda a, b: torch.cholesky_solve(b, a.tril()),
}


class Apply(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, a: Tensor, b: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.function(a, b)


def matrices(rows: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    """Matrices of conditions up to some hundreds."""
    torch.manual_seed(rows)
    a = torch.randn(5, rows, rows) + 2 * torch.eye(rows)
    return a * scale, torch.randn(5, rows, 2)


def largest_error(actual: Tensor, exact: Tensor) -> float:
    """Relative to the largest element of each matrix."""
    size = exact.abs().flatten(1).amax(1) if exact.dim() > 1 else exact.abs()
    error = (actual.double() - exact).abs()
    return float(((error.flatten(1).amax(1) if exact.dim() > 1 else error) / size).max())


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_as_exact_as_lapack(name: str, rows: int) -> None:
    a, b = matrices(rows)
    model = Apply(FUNCTIONS[name])
    actual = asic.compile(model, (a, b), target="cpu")(a, b)
    exact, single = model(a.double(), b.double()), model(a, b)
    if isinstance(exact, Tensor):
        actual, exact, single = (actual,), (exact,), (single,)
    for got, want, theirs in zip(actual, exact, single, strict=True):
        assert got.shape == want.shape
        if want.is_floating_point():
            # The compiled a @ a.mT may round in another order.
            assert largest_error(got, want) <= 16 * largest_error(theirs, want) + 2e-6
        else:
            assert torch.equal(got, want)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("name", ["inv", "solve", "slogdet"])
def test_products_of_elements_stay_in_range(name: str, scale: float) -> None:
    a, b = matrices(4, scale)
    model = Apply(FUNCTIONS[name])
    got = asic.compile(model, (a, b), target="cpu")(a, b)
    want = model(a.double(), b.double())
    got, want = (got, want) if isinstance(want, Tensor) else (got[1], want[1])
    assert largest_error(got, want) < 1e-4


def test_singular_matrices() -> None:
    a = torch.stack([torch.zeros(2, 2), torch.ones(2, 2), torch.eye(2)])
    model = Apply(FUNCTIONS["slogdet"])
    for got, want in zip(asic.compile(model, (a, a), target="cpu")(a, a), model(a, a), strict=True):
        assert torch.equal(got, want)


@pytest.mark.parametrize("name", ["inv", "solve", "det", "cholesky"])
def test_on_an_accelerator(name: str) -> None:
    a, b = matrices(3)
    assert asic.verify(asic.compile(Apply(FUNCTIONS[name]), (a, b)), [(a, b)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_larger_matrices_are_refused(name: str) -> None:
    with pytest.raises(
        asic.CompileError,
        match=rf"at most 4 rows, got 5x5 for aten\.\w+ at {__file__}:\d+; split it",
    ):
        asic.compile(Apply(FUNCTIONS[name]), matrices(5), target="cpu")
