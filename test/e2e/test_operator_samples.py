# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Samples of PyTorch's operator database that came out wrong, ended the process or were refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import asic


class Function(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x: Tensor) -> Any:
        return self.function(*x)


def values(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


def integers(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 5, shape, generator=generator).to(dtype)


def pool(dtype: torch.dtype, *options: Any) -> tuple[Callable[..., Any], tuple[Tensor, ...]]:
    x = integers(1, 2, 6, 7, dtype=dtype)
    return lambda x: F.max_pool2d(x, *options, return_indices=True), (x,)


#: function, inputs
CASES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "running extremes of booleans": (
        lambda x: (x.cummax(0), x.cummin(1)),
        (values(3, 4) > 0,),
    ),
    "running extremes of a scalar": (lambda x: (x.cummax(0), x.cummin(0)), (values(),)),
    "extremes of a scalar": (
        lambda x: (x.amin(0), x.amax(), torch.aminmax(x, dim=0, keepdim=True)),
        (values(),),
    ),
    "scattered extremes of booleans alone": (
        lambda x, i, y: [
            x.scatter_reduce(0, i, y, r, include_self=False) for r in ("amin", "amax")
        ],
        (values(6, 5) > 0, integers(5, 5), values(5, 5) > 1),
    ),
    "square of booleans": (torch.square, (values(20) > 0,)),
    "hard tanh of integers": (lambda x: F.hardtanh(x, -0.5, 2.5), (integers(5, 5),)),
    "multilabel margin loss of a scalar": (
        lambda x, y: [F.multilabel_margin_loss(x, y, reduction=r) for r in ("mean", "none")],
        (values(), integers() * 0),
    ),
    "volume pool of integers": (
        lambda x: (F.max_pool3d(x, 3, 2, ceil_mode=True), F.max_pool3d(x[0], 2, 1, 1)),
        (integers(1, 2, 6, 6, 4),),
    ),
    "volume pool of integers, with places": (
        lambda x: F.max_pool3d(x, 3, 2, 1, return_indices=True),
        (integers(1, 2, 6, 6, 4, dtype=torch.int32),),
    ),
    "pool of integers, with places": pool(torch.int64, 3, 2, 1, 1, True),
    "dilated pool of integers": pool(torch.int8, 3, 2, 1, 2),
    "far dilated pool of uint8": pool(torch.uint8, 2, 1, 1, 3),
    "pool of equal integers": (
        lambda x: F.max_pool2d(x - 2**31, 3, 2, 1, return_indices=True),
        (integers(1, 2, 6, 7, dtype=torch.int32) * 0,),
    ),
    **{
        f"{mode} padding by {padding}": (
            lambda x, mode=mode, padding=padding: F.pad(x, padding, mode),
            (values(2, 3, 4, 4),),
        )
        for mode in ("reflect", "replicate")
        for padding in ((-1, 1, -2, 1), (2, -1, 1, 1), (-1, -1, 0, 3))
    },
    "replicate padding of the last": (
        lambda x: F.pad(x, (-4, 5, 3, -4), "replicate"),
        (values(2, 3, 4, 4),),
    ),
    "equal to itself": (
        lambda x: (x == x, x != x, x.eq(x.clone()), torch.where(x == x, x, 0.0)),
        (torch.tensor([1.0, math.nan, math.inf, 0.0]),),
    ),
    "root as a power": (
        lambda x: (x**0.5, x**-0.5),
        (torch.tensor([4.0, 0.25, 0.0, -0.0, -math.inf, math.inf, -1.0]),),
    ),
    "statistics of a scalar": (
        lambda x: (x.std(0, correction=0), torch.var_mean(x, 0, correction=0)),
        (values(),),
    ),
    "reductions of a scalar": (
        lambda x: (x.prod(0, True), x.prod(0, dtype=torch.int32), x.any(0), x.all(0, True)),
        (values(),),
    ),
    "softmax of a scalar": (
        lambda x: (x.log_softmax(0), x.softmax(0), x.logsumexp(0, True), x.flip(0)),
        (values(),),
    ),
    "rows of a scalar": (
        lambda x, i, y: (
            x.gather(0, i),
            x.gather(0, i.reshape(())),
            x.index_select(0, i),
            x.index_fill(0, i, 3.0),
            x.index_reduce(0, i, y.reshape(()), "amax"),
            x.scatter(0, i, y),
            x.scatter_add(0, i, y),
            x.scatter_reduce(0, i, y, "prod"),
        ),
        (values(), torch.tensor([0]), values(1) + 1),
    ),
    "products with vectors": (
        lambda a, b, c: (torch.addmv(a, b, c, beta=0.5, alpha=2), torch.addmv(a, b, c, beta=0)),
        (values(4), values(4, 5), values(5)),
    ),
    "sum of products of integers": (
        lambda a, b, c: (torch.addbmm(a, b, c), torch.addbmm(a, b, c, beta=0, alpha=3)),
        (integers(4, 2), integers(3, 4, 5), integers(3, 5, 2)),
    ),
    "angles of real numbers": (
        lambda x, i: (x.angle(), i.angle()),
        (torch.tensor([1.0, -2.0, math.nan, -0.0, -math.inf]), integers(5) - 2),
    ),
    "close numbers": (
        lambda x, y, i: (
            torch.isclose(x, y),
            torch.isclose(x, y, equal_nan=True),
            torch.isclose(x, y, 0, 0),
            torch.isclose(i, i.flip(0), 0.5, 1),
        ),
        (
            torch.tensor([1.0, 1.000001, math.nan, math.inf, -math.inf, math.inf]),
            torch.tensor([1.0, 1.0, math.nan, math.inf, math.inf, 1.0]),
            integers(6),
        ),
    ),
    "distances": (
        lambda x: (
            [torch.dist(x, x.flip(0), p) for p in (0, 1, 2, math.inf)],
            [F.pdist(x, p) for p in (0, 1, 2, math.inf)],
            F.pdist(x[:1]),
        ),
        (values(4, 5),),
    ),
    "truth along dimensions": (
        lambda x: (x.all((1, 3)), x.any((-1, 0), True), x.int().all((0, 1))),
        (values(3, 2, 1, 2) > 0,),
    ),
    "medians without NaN": (
        lambda x: (x.nanmedian(), x.nanmedian(1)[0], x.nanmedian(0, True)),
        (values(4, 5).masked_fill(values(4, 5) > 0.7, math.nan),),
    ),
    "elements put": (
        lambda x, i, y: (x.put(i, y), x.put(i, y, True)),
        (values(4, 5), torch.tensor([[1, 3], [-1, 3]]), torch.ones(2, 2)),
    ),
    **{
        f"{reduce} of rows by index": (
            lambda x, i, y, reduce=reduce: [
                x.index_reduce(0, i, y, reduce, include_self=s) for s in (True, False)
            ],
            (values(4, 5), torch.tensor([1, 3, 1]), values(3, 5)),
        )
        for reduce in ("mean", "prod", "amin", "amax")
    },
    "rows repeated": (
        lambda x, n: x.repeat_interleave(n, 0, output_size=6),
        (values(4, 5), torch.tensor([1, 0, 3, 2])),
    ),
    "place of a number": (
        lambda x: (torch.searchsorted(x, 0.3), torch.searchsorted(x, 0.3, out_int32=True)),
        (values(9).sort()[0],),
    ),
    "points between tensors": (
        lambda a, b: (torch.linspace(a, b, 50), torch.linspace(a, 3, 1), torch.linspace(0, b, 7)),
        (torch.tensor(-1.5), torch.tensor(3)),
    ),
    "shifts of spectra": (
        lambda x: (torch.fft.fftshift(x), torch.fft.ifftshift(x, 1)),
        (values(4, 5),),
    ),
    "norms of everything": (
        lambda x: (
            torch.linalg.norm(x),
            torch.linalg.norm(x, keepdim=True),
            torch.linalg.norm(x, "fro"),
            torch.linalg.norm(x[0], 3),
        ),
        (values(4, 5),),
    ),
    "views as copies": (
        lambda x: (
            torch.narrow_copy(x, 1, 1, 2),
            torch.permute_copy(x, (1, 0)),
            torch.unbind_copy(x, 1),
            torch.view_copy(x, (2, 10)),
        ),
        (values(4, 5),),
    ),
    "transforms of real numbers to real ones": (
        lambda x: (torch.fft.irfft(x, 10), torch.fft.irfft2(x)),
        (values(4, 6),),
    ),
    "logarithms of determinants": (torch.logdet, (values(6, 3, 3),)),
    "examples that share memory": (
        lambda x, y, z: (x + y[:, 0], y @ z),
        (lambda x: (x[:, 0], x, x[0]))(values(4, 5)),
    ),
}


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("name", CASES)
def test_sample(name: str, target: str) -> None:
    function, inputs = CASES[name]
    compiled = asic.compile(Function(function).eval(), inputs, target=target)
    wanted = pytree.tree_leaves(function(*inputs))
    for have, want in zip(pytree.tree_leaves(compiled(*inputs)), wanted, strict=True):
        # Matrix products are in bf16 on edge-tx1.
        tolerance = 1e-5 if target == "cpu" else 1e-2
        torch.testing.assert_close(have, want, rtol=tolerance, atol=tolerance, equal_nan=True)


REFUSED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], str]] = {
    "slice from a tensor's place": (
        lambda x, i: x.narrow(0, i, 2),
        (values(5, 5), torch.tensor(1)),
        r"depends on values at .*test_operator_samples.py:\d+; index with x\[start",
    ),
    "counts": (
        torch.bincount,
        (integers(5),),
        r"aten.bincount.*add with torch.zeros\(n\).index_add\(0, x, torch.ones\(x.numel\(\)\)\)",
    ),
    "logarithm of a large determinant": (
        torch.logdet,
        (values(5, 5),),
        "expected square matrices of at most 4 rows, got 5x5 for aten.logdet",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_the_line_and_a_remedy(name: str) -> None:
    function, inputs, message = REFUSED[name]
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(Function(function).eval(), inputs, target="cpu")


def test_remedy_for_counts() -> None:
    x = integers(5)
    count = Function(lambda x: torch.zeros(5).index_add(0, x, torch.ones(x.numel())))
    compiled = asic.compile(count.eval(), (x,), target="cpu")
    assert torch.equal(compiled(x), torch.bincount(x, minlength=5).float())
