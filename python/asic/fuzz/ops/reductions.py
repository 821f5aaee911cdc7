# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sums, extrema, softmax, and scans."""

from __future__ import annotations

import torch
from torch import Tensor

from asic.fuzz.generator import Generator, NoFit, op


def _dims(g: Generator, tensor: Tensor) -> str:
    """The argument of a reduction over one or several dimensions."""
    rank = tensor.dim()
    count = 1 if g.chance(0.7) else g.integer(1, rank)
    dims = g.random.sample(range(rank), count)
    dims = [d - rank if g.chance(0.5) else d for d in dims]
    return str(dims[0]) if count == 1 else str(tuple(dims))


def _keep(g: Generator) -> str:
    return ", keepdim=True" if g.chance(0.5) else ""


def _ranked(tensor: Tensor) -> bool:
    return tensor.dim() >= 1 and tensor.numel() > 0


@op(6)
def reduce_float(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1)
    name = g.choice(["mean", "mean", "mean", "sum", "sum", "amax", "amin", "logsumexp"])
    g.emit(f"{x}.{name}({_dims(g, g[x])}{_keep(g)})")


@op(1)
def reduce_all(g: Generator) -> None:
    x = g.pick(lambda t: _ranked(t) and t.dtype != torch.bool)
    name = g.choice(
        ["sum", "amax", "amin", "max", "min", *(["mean"] if g[x].is_floating_point() else [])]
    )
    g.emit(f"{x}.{name}()")


@op(2)
def reduce_integer(g: Generator) -> None:
    x = g.pick_or(
        lambda t: not t.is_floating_point() and t.dtype != torch.bool and _ranked(t),
        lambda: g.integer_input(*g.shape(g.integer(1, 3))),
    )
    g.emit(f"{x}.{g.choice(['sum', 'amax', 'amin'])}({_dims(g, g[x])}{_keep(g)})")


@op(1)
def reduce_bool(g: Generator) -> None:
    x = g.pick_or(
        lambda t: t.dtype == torch.bool and _ranked(t),
        lambda: g.mask_input(*g.shape(g.integer(1, 3))),
    )
    dim = g.integer(-g[x].dim(), g[x].dim() - 1)
    g.emit(f"{x}.{g.choice(['any', 'all', 'sum'])}({dim}{_keep(g)})")


@op(2)
def spread(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1 and t.shape[-1] > 1)
    text = g.choice(
        [
            "{}.var(-1, keepdim=True)",
            "{}.var(-1, correction=0)",
            "{}.std(-1)",
            "{}.norm(dim=-1, keepdim=True)",
            "torch.linalg.vector_norm({}, ord=1, dim=-1)",
            "F.normalize({}, dim=-1)",
            "{0} - {0}.mean(-1, keepdim=True)",
            "torch.linalg.vector_norm({}, ord=3.0, dim=-1)",
            "torch.linalg.vector_norm({}, ord=float('inf'), dim=-1)",
            "{}.var()",
            "torch.stack(torch.var_mean({}, -1))",
        ]
    )
    g.emit(text.format(x))


@op(1)
def product(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1 and 0 < t.shape[-1] <= 6)
    g.emit(f"{x}.prod(-1)")


@op(5)
def softmax(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.dim() >= 1)
    dim = g.choice([-1, -1, g.integer(0, g[x].dim() - 1)])
    g.emit(
        f"{g.choice(['F.softmax', 'F.softmax', 'F.softmax', 'F.log_softmax', 'F.softmin'])}({x}, {dim})"
    )


def _has_ties(g: Generator, tensor: Tensor, dim: int) -> bool:
    """Whether equal values leave the indices of an order open; quantised ones always may."""
    ordered = tensor.sort(dim)[0]
    extent = tensor.shape[dim]
    again = ordered.narrow(dim, 1, extent - 1) == ordered.narrow(dim, 0, extent - 1)
    return g.quantised or bool(again.any())


@op(1)
def extremum(g: Generator) -> None:
    x = g.pick(lambda t: _ranked(t) and t.dtype != torch.bool)
    dim = g.integer(0, g[x].dim() - 1)
    if _has_ties(g, g[x], dim):
        g.emit(f"{x}.a{g.choice(['max', 'min'])}({dim}{_keep(g)})")
    elif g.chance(0.5):
        g.emit(f"{x}.{g.choice(['argmax', 'argmin'])}({dim}{_keep(g)})")
    else:
        g.emit(f"torch.{g.choice(['max', 'min'])}({x}, {dim}{_keep(g)})", 2)


@op(1)
def scan(g: Generator) -> None:
    x = g.pick(lambda t: _ranked(t) and t.dtype != torch.bool)
    dim = g.integer(-g[x].dim(), g[x].dim() - 1)
    name = g.choice(["cumsum", "cumsum", "cumsum", "logcumsumexp", "cummax", "cummin"])
    if name == "logcumsumexp" and not g[x].is_floating_point():
        raise NoFit
    if name in ("cummax", "cummin"):
        g.emit(f"{x}.{name}({dim})[0]")
        return
    if g[x].is_floating_point() and g.chance(0.2):
        name = "cumprod"
        if g[x].shape[dim] > 6:
            raise NoFit
    g.emit(f"{x}.{name}({dim})")


@op(1)
def count(g: Generator) -> None:
    x = g.pick(_ranked)
    g.emit(f"torch.count_nonzero({x}, {g.integer(-g[x].dim(), g[x].dim() - 1)})")


@op(1)
def topk(g: Generator) -> None:
    x = g.pick(lambda t: _ranked(t) and t.is_floating_point() and t.shape[-1] >= 2)
    k = g.integer(1, g[x].shape[-1])
    if _has_ties(g, g[x], -1):
        g.emit(
            g.choice(
                [
                    f"{x}.topk({k})[0]",
                    f"{x}.topk({k}, largest=False)[0]",
                    f"{x}.sort()[0]",
                    f"{x}.kthvalue({k}, -1)[0]",
                    f"{x}.median(-1)[0]",
                ]
            )
        )
    elif g.chance(0.7):
        g.emit(f"{x}.topk({k})", 2)
    else:
        g.emit(f"torch.sort({x}, descending={g.chance(0.5)})", 2)
