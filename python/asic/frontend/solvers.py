# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Determinants, inverses and solutions of small matrices, by formulas without branches.

LAPACK's elimination looks for pivots, which depend on values. Up to four rows, cofactors are as
short, and as exact as the condition of the matrix lets be. Where PyTorch raises, for a singular or
an indefinite matrix, the results are infinite or NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from asic.frontend.locations import operator_of, source_of
from asic.frontend.messages import error

aten = torch.ops.aten

#: Most rows of a matrix.
MOST_ROWS = 4

Rows = tuple[int, ...]


def _small(matrix: Tensor) -> bool:
    rows = matrix.shape[-1]
    return isinstance(rows, int) and rows <= MOST_ROWS and matrix.is_floating_point()


def _minors(matrix: Tensor) -> Callable[[Rows, Rows], Tensor]:
    """Determinants of the parts of a matrix, each computed once, by expansion of the first row."""
    known: dict[tuple[Rows, Rows], Tensor] = {}

    def minor(rows: Rows, columns: Rows) -> Tensor:
        if (rows, columns) not in known:
            first = [matrix[..., rows[0], column] for column in columns]
            if len(rows) > 1:
                rest = [
                    minor(rows[1:], _without(columns, place)) * value
                    for place, value in enumerate(first)
                ]
                first = [sum(rest[2::2], rest[0]) - sum(rest[3::2], rest[1])]
            known[rows, columns] = first[0]
        return known[rows, columns]

    return minor


def _without(values: Rows, place: int) -> Rows:
    return values[:place] + values[place + 1 :]


def _determinant(matrix: Tensor) -> Tensor:
    every = tuple(range(matrix.shape[-1]))
    return _minors(matrix)(every, every)


def _scaled(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix with elements up to 1, so that products of them stay in range, and the factor."""
    least = torch.finfo(matrix.dtype).tiny
    scale = matrix.abs().amax((-2, -1), keepdim=True).clamp_min(least)
    return matrix / scale, scale


def _inverse(matrix: Tensor) -> Tensor:
    """Cofactors over the determinant."""
    if matrix.shape[-1] == 1:
        return matrix.reciprocal()
    matrix, scale = _scaled(matrix)
    every = tuple(range(matrix.shape[-1]))
    minor = _minors(matrix)
    rows = [
        [(-1) ** (i + j) * minor(_without(every, j), _without(every, i)) for j in every]
        for i in every
    ]
    adjugate = torch.stack([torch.stack(row, -1) for row in rows], -2)
    return adjugate / (minor(every, every)[..., None, None] * scale)


def _times(matrix: Tensor, right: Tensor) -> Tensor:
    """A product of matrices in the precision of its factors, on every machine."""
    return (matrix.unsqueeze(-1) * right.unsqueeze(-3)).sum(-2)


def _solve(matrix: Tensor, right: Tensor, *, left: bool = True) -> Tensor:
    vector = right.dim() == 1 or right.shape == matrix.shape[:-1]
    right = right.unsqueeze(-1) if vector else right
    inverse = _inverse(matrix)
    if not left:
        return _times(right, inverse)
    result = _times(inverse, right)
    return result.squeeze(-1) if vector else result


def _factor(matrix: Tensor, upper: bool = False) -> Tensor:
    """Cholesky's factor, element by element."""
    every = range(matrix.shape[-1])
    made: dict[tuple[int, int], Tensor] = {}
    for j in every:
        for i in every[j:]:
            # Of the triangle that PyTorch reads.
            value = matrix[..., j, i] if upper else matrix[..., i, j]
            for k in range(j):
                value = value - made[i, k] * made[j, k]
            made[i, j] = value.sqrt() if i == j else value / made[j, j]
    zero = torch.zeros_like(matrix[..., 0, 0])
    rows = [torch.stack([made.get((i, j), zero) for j in every], -1) for i in every]
    return torch.stack(rows, -1 if upper else -2)


def _solve_triangular(
    matrix: Tensor, right: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """One row after another."""
    if not left:
        turned = _solve_triangular(
            matrix.mT, right.mT, upper=not upper, unitriangular=unitriangular
        )
        return turned.mT
    count = matrix.shape[-1]
    made: dict[int, Tensor] = {}
    for i in reversed(range(count)) if upper else range(count):
        value = right[..., i, :]
        for j, row in made.items():
            value = value - matrix[..., i, j, None] * row
        made[i] = value if unitriangular else value / matrix[..., i, i, None]
    return torch.stack([made[i] for i in range(count)], -2)


def _solve_by_factor(right: Tensor, factor: Tensor, upper: bool = False) -> Tensor:
    first = factor.mT if upper else factor
    return _solve_triangular(first.mT, _solve_triangular(first, right, upper=False), upper=True)


def _sign_and_logarithm(matrix: Tensor) -> tuple[Tensor, Tensor]:
    scaled, scale = _scaled(matrix)
    value = _determinant(scaled)
    return value.sign(), value.abs().log() + scale[..., 0, 0].log() * matrix.shape[-1]


def _logarithm(matrix: Tensor) -> Tensor:
    """NaN of a negative determinant."""
    sign, value = _sign_and_logarithm(matrix)
    return torch.where(sign < 0, torch.nan, value)


def _checked(rule: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, Tensor]]:
    """The rule with the code of success that the operators of LAPACK return."""

    def call(matrix: Tensor, *args: Any, check_errors: bool = False, **kwargs: Any) -> Any:
        code = torch.zeros(matrix.shape[:-2], dtype=torch.int32)
        return rule(matrix, *args, **kwargs), code

    return call


_RULES: dict[Any, Callable[..., Any]] = {
    aten.det.default: _determinant,
    aten.linalg_det.default: _determinant,
    aten.logdet.default: _logarithm,
    aten.slogdet.default: _sign_and_logarithm,
    aten.linalg_slogdet.default: _sign_and_logarithm,
    aten.inverse.default: _inverse,
    aten.linalg_inv.default: _inverse,
    aten.linalg_inv_ex.default: _checked(_inverse),
    aten.linalg_solve.default: _solve,
    aten.linalg_solve_ex.default: _checked(_solve),
    aten.cholesky.default: _factor,
    aten.linalg_cholesky.default: _factor,
    aten.linalg_cholesky_ex.default: _checked(_factor),
    aten.linalg_solve_triangular.default: _solve_triangular,
    aten.cholesky_solve.default: _solve_by_factor,
}


def solvers() -> dict[Any, Callable[..., Any]]:
    """Decomposition table of operators on small square matrices."""

    def guarded(rule: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            matrix = args[1] if rule is _solve_by_factor else args[0]
            return rule(*args, **kwargs) if _small(matrix) else NotImplemented

        return call

    return {target: guarded(rule) for target, rule in _RULES.items()}


def check_solvers(program: ExportedProgram) -> None:
    """Refuses matrices that are too large for `solvers`.

    Raises:
        CompileError: names the first one.
    """
    for node in program.graph.nodes:
        if node.target not in _RULES:
            continue
        matrix: Any = node.args[1 if node.target is aten.cholesky_solve.default else 0]
        value = matrix.meta["val"]
        if value.is_floating_point() and not _small(value):
            raise error(
                f"expected square matrices of at most {MOST_ROWS} rows, got "
                f"{'x'.join(str(size) for size in value.shape[-2:])} for {operator_of(node)} at "
                f"{source_of(node)}; split it into blocks of {MOST_ROWS}, iterate with matrix "
                "products (Newton's x = x @ (2 * eye - a @ x) for an inverse), or keep it outside "
                "the compiled model"
            )
