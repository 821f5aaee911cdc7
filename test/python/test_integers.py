# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Integers beside tensors keep all their digits, on every target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import asic

INDEX = torch.tensor([[0, 1, 2], [2, 0, 1]])
#: 2^60 + 1 and its like are no doubles.
CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "scatter": lambda x: x.scatter(0, INDEX, 2**60 + 1),
    "index_fill": lambda x: x.index_fill(0, INDEX[0], 2**60 + 1),
    "index_add": lambda x: x.index_add(0, INDEX[0], x[:3], alpha=2**55 + 1),
    "clamp": lambda x: (x * 2**58).clamp(2**57 + 1, 2**60 + 1),
    "remainder": lambda x: (x + 2**60) % (2**59 + 1),
    "floor division": lambda x: (x * 2**58 + 1) // (2**56 + 1),
    "masked_fill": lambda x: x.masked_fill(x > 3, 2**60 + 1),
}


class Model(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


SHIFTS: dict[str, Callable[[Tensor], Tensor]] = {
    "left": lambda x: x << 2,
    "right": lambda x: x >> 2,
    "functions": lambda x: torch.bitwise_left_shift(torch.bitwise_right_shift(x, 1), 3),
    "beyond": lambda x: (x << 8 * x.element_size()) + (x >> 8 * x.element_size()),
    "far beyond": lambda x: (x << 300) + (x >> 2**33) + (x << -(2**40)),
    "below": lambda x: (x << -1) + (x >> -3),
    "constant tensor": lambda x: (x << torch.full_like(x, 40)) + (x >> torch.full_like(x, 100)),
    "constant tensor within": lambda x: x << torch.tensor([[1], [3]], dtype=x.dtype),
}
#: Of a tensor and counts, both of one type; the last promote.
COUNTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "left": lambda x, n: x << n,
    "right": lambda x, n: x >> n,
    "of a number": lambda x, n: (1 << n) + torch.bitwise_right_shift(7, n),
    "by int64": lambda x, n: (x << n.long()) + (x >> n.long()),
    "by uint8": lambda x, n: torch.bitwise_right_shift(x, n.to(torch.uint8)),
}
#: Below 0, at the width of each type, and beyond.
COUNTS = torch.tensor([-128, -1, 0, 1, 7, 8, 9, 15, 16, 31, 32, 40, 63, 64, 127])
INTEGERS = [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("target", ["cpu", "edge-tx1", "npu-256"])
def test_shifts_by_numbers(target: str, dtype: torch.dtype) -> None:
    model = Model(lambda x: {name: shift(x) for name, shift in SHIFTS.items()})
    x = torch.tensor([-128, -5, -1, 0, 1, 3, 77, 127]).to(dtype)
    assert_same(asic.compile(model, (x,), target=target)(x), model(x))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("target", ["cpu", "edge-tx1", "npu-256"])
def test_shifts_by_tensors(target: str, dtype: torch.dtype) -> None:
    """By a negative count, or by the width and more, all bits leave; the sign is what comes in."""
    model = Model(lambda x, n: {name: shift(x, n) for name, shift in COUNTED.items()})
    x = torch.tensor([[-128], [-5], [0], [3], [127], [-(2**30)], [2**62 + 7]]).to(dtype)
    args = (x, COUNTS.to(dtype))
    assert_same(asic.compile(model, args, target=target)(*args), model(*args))


def assert_same(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        assert actual[name].dtype == tensor.dtype, name
        assert torch.equal(actual[name], tensor), name


@pytest.mark.parametrize("shift", [lambda x: x << 1, lambda x: x >> 1])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_shifts_of_what_is_no_integer(shift: Any, dtype: torch.dtype) -> None:
    """PyTorch's own words, which it has for bool only in tracing."""
    with pytest.raises(
        asic.CompileError, match=r"shift: Expected input tensor to have an integral"
    ):
        asic.compile(Model(shift), (torch.ones(3, dtype=dtype),), target="cpu")


@pytest.mark.parametrize("function", [torch.bitwise_left_shift, torch.bitwise_right_shift])
def test_shifts_of_floats(function: Any) -> None:
    with pytest.raises(asic.CompileError, match=r"bitwise_(left|right)_shift"):
        asic.compile(Model(lambda x: function(x, 1)), (torch.ones(3),), target="cpu")


@pytest.mark.parametrize("case", CASES)
def test_numbers_keep_their_digits(case: str) -> None:
    model, x = Model(CASES[case]), torch.arange(12).reshape(4, 3)
    assert torch.equal(asic.compile(model, (x,), target="edge-tx1")(x), model(x))


def _integers(*shape: int, low: int = -128, high: int = 128) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(low, high, shape, generator=generator)


I32 = torch.int32
WEIGHT = _integers(24, 16).to(torch.int8)
WIDE = _integers(24, 17, low=-1000, high=1000).to(I32)
#: Of int8 activations.
PRODUCTS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "mm": (lambda x: x.to(I32) @ WEIGHT.to(I32), ((9, 24),)),
    "of one": (lambda x: x.to(I32) @ WEIGHT[:1].to(I32), ((9, 1),)),
    "of a batch": (lambda x: x.to(I32) @ WEIGHT.to(I32), ((2, 9, 24),)),
    "batched": (lambda x, y: x.to(I32) @ y.to(I32), ((2, 9, 24), (2, 24, 5))),
    "transposed": (lambda x, y: x.to(I32) @ y.to(I32).mT, ((2, 9, 24), (2, 5, 24))),
    "layer": (lambda x: torch.nn.functional.linear(x.to(I32), WEIGHT.T.to(I32)), ((2, 3, 24),)),
    "vector": (lambda x: x.to(I32) @ WEIGHT[:, 0].to(I32), ((9, 24),)),
    "_int_mm": (lambda x: torch._int_mm(x, WEIGHT), ((32, 24),)),
    "less a number": (lambda x: x.to(I32) @ WEIGHT.to(I32) - 7, ((9, 24),)),
    "wide weight": (lambda x: x.to(I32) @ WIDE, ((9, 24),)),
    "wraps": (lambda x: (x.to(I32) * 2**24) @ WIDE, ((9, 24),)),
}


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
@pytest.mark.parametrize("case", PRODUCTS)
def test_products_of_integers(case: str, target: str) -> None:
    function, shapes = PRODUCTS[case]
    args = tuple(_integers(*shape).to(torch.int8) for shape in shapes)
    model = Model(function).eval()
    compiled = asic.compile(model, args, target=target)
    wanted = model(*args)
    assert wanted.dtype == I32
    assert torch.equal(compiled(*args), wanted)
    if target != "cpu":
        assert not compiled.facts.fallbacks
        # The array has no factors as wide as these; the vector unit does.
        wide = case in ("wide weight", "wraps")
        assert (compiled.report().to_dict()["engines"]["mxu"]["busy"] == 0) == wide


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
def test_products_that_need_64_bits_have_them(target: str) -> None:
    model = Model(lambda x, y: x @ y).eval()
    args = _integers(3, 8, low=-(2**31), high=2**31), _integers(8, 4, low=-(2**31), high=2**31)
    compiled = asic.compile(model, args, target=target)
    assert torch.equal(compiled(*args), model(*args))


NUMBERS: dict[str, Callable[[Tensor], Any]] = {
    "difference": lambda x: x - 3,
    "difference in place": lambda x: x.clone().sub_(2),
    "difference with a factor": lambda x: torch.sub(x, 2, alpha=3),
    "from a number": lambda x: 1 - x,
    "larger than its type": lambda x: [x < 300, x >= 300, x == 300],
    "smaller than its type": lambda x: [x > -1, x <= -300, x != -1],
}


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32])
@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_beside_narrow_integers(case: str, dtype: torch.dtype) -> None:
    """Subtraction from int8 ended the process; a number outside of a type is cut as in PyTorch."""
    info = torch.iinfo(dtype)
    x = torch.tensor([1, 0, 3, info.min, info.max, 44], dtype=dtype)
    model = Model(NUMBERS[case])
    assert torch.equal(*map(_joined, (asic.compile(model, (x,), target="cpu")(x), model(x))))


def test_numbers_beside_truth_values() -> None:
    mask = torch.tensor([True, False])
    model = Model(lambda m: [m + True, m + False, m < -1, m > -1, m == -1, m < 2, m + 1])
    expected = model(mask)
    for got, want in zip(asic.compile(model, (mask,), target="cpu")(mask), expected, strict=True):
        assert got.dtype == want.dtype
        assert torch.equal(got, want)


def _joined(value: Any) -> Tensor:
    return torch.stack(value) if isinstance(value, list) else value
