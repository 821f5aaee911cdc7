# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What one line of the conformance list is made of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
INTEGERS = (torch.int64, torch.int32, torch.int8, torch.uint8)
ANY = (*FLOATS, *INTEGERS)
BOOL = (torch.bool,)


@dataclass(frozen=True)
class Random:
    """An input: a shape and a range; its element type is the case's, or `dtype`.

    Floats are uniform in [low, high]; integers are uniform in the same range, rounded
    inwards. Without a range of the case, uint8 takes all values that it has: from 128 on
    they are negative to whoever takes them for int8. Every input of a case has a seed of
    its own.
    """

    shape: tuple[int, ...]
    low: float | None = None
    high: float | None = None
    dtype: torch.dtype | None = None

    def make(self, dtype: torch.dtype, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        dtype = self.dtype or dtype
        low = -4.0 if self.low is None else self.low
        high = 4.0 if self.high is None else self.high
        if dtype == torch.uint8 and self.high is None:
            high = 255.0
        if dtype == torch.bool:
            return torch.rand(self.shape, generator=generator) < 0.5
        if dtype.is_floating_point:
            unit = torch.rand(self.shape, generator=generator)
            return (unit * (high - low) + low).to(dtype)
        least = max(int(low), torch.iinfo(dtype).min)
        return torch.randint(least, int(high) + 1, self.shape, generator=generator).to(dtype)


Input = Random | Tensor


@dataclass(frozen=True)
class Case:
    """One use of one op.

    Attributes:
        op: ATen's name of the op, "aten.mish".
        variant: what this use is about, "" when there is one only.
        function: the module's body.
        inputs: what it is called with.
        dtypes: element types that it is tried with.
        ulp: largest error allowed against eager PyTorch, see `error`; 0 is bit-exact.
        contraction: whether a matrix unit may compute it in its own formats.
    """

    op: str
    variant: str
    function: Callable[..., Any] | nn.Module
    inputs: tuple[Input, ...]
    dtypes: tuple[torch.dtype, ...]
    ulp: float
    contraction: bool = False

    @property
    def name(self) -> str:
        return f"{self.op} {self.variant}".strip()

    def make_inputs(self, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Tensors of `dtype`, the same ones every time."""
        return tuple(
            value.make(dtype, seed) if isinstance(value, Random) else value
            for seed, value in enumerate(self.inputs)
        )

    def exact(self, dtype: torch.dtype, count: int) -> list[Tensor | None]:
        """The results in float64 of the `count` results that are floats, else None."""
        nothing: list[Tensor | None] = [None] * count
        if not dtype.is_floating_point:
            return nothing
        model = self.make_model(dtype).double()
        inputs = [x.double() if x.is_floating_point() else x for x in self.make_inputs(dtype)]
        with torch.no_grad():
            found = pytree.tree_leaves(model(*inputs))
        return [f if f.is_floating_point() else None for f in found]

    def make_model(self, dtype: torch.dtype) -> nn.Module:
        """The module, its weights in `dtype` and the same ones every time."""
        if not isinstance(self.function, nn.Module):
            return Function(self.function)
        model = copy.deepcopy(self.function).eval()
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.uniform_(-0.5, 0.5, generator=generator)
        return model.to(dtype) if dtype.is_floating_point else model


class Function(nn.Module):
    """A module of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(*inputs)


class Family:
    """Collects the cases of one family.

    Attributes:
        tested: name and element type of the cases that the test suite runs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case] = []
        self.tested: set[tuple[str, torch.dtype]] = set()

    def add(
        self,
        op: str,
        function: Callable[..., Any],
        *inputs: Input,
        variant: str = "",
        dtypes: Sequence[torch.dtype] = FLOATS,
        ulp: float = 2,
        contraction: bool = False,
    ) -> None:
        self.cases.append(
            Case(f"aten.{op}", variant, function, inputs, tuple(dtypes), ulp, contraction)
        )


def error(have: Tensor, want: Tensor, exact: Tensor | None = None) -> float:
    """The largest error in ULP of the element type; 0 when equal bit for bit.

    PyTorch's own kernels are approximations: an element is as wrong as it is far from the
    nearer of what eager PyTorch says (`want`) and what it says in float64 (`exact`). A ULP is
    that of the wanted element, or of 1/16 of the largest element where that is more: below
    it, cancellation in what led there is the larger error. Infinities and NaN must be where
    they are wanted; else the error is infinite.
    """
    if have.shape != want.shape or have.dtype != want.dtype:
        return float("inf")
    if not want.dtype.is_floating_point:
        return 0.0 if torch.equal(have, want) else float("inf")
    info = torch.finfo(want.dtype)
    have, want = have.double().flatten(), want.double().flatten()
    exact = want if exact is None else exact.double().flatten()
    finite = want.isfinite()
    special = (have == want) | (have.isnan() & want.isnan())
    if not bool(special[~finite].all()) or not bool(have[finite].isfinite().all()):
        return float("inf")
    have, want, exact = have[finite], want[finite], exact[finite]
    if not want.numel():
        return 0.0
    size = want.abs().clamp(min=float(want.abs().max()) / 16).clamp(min=info.tiny)
    unit = torch.exp2(torch.floor(torch.log2(size))) * info.eps
    distance = torch.minimum((have - want).abs(), (have - exact).abs().nan_to_num(torch.inf))
    return float((distance / unit).max())
