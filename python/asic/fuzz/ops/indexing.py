# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Look-ups by index: embeddings, gathers, masks."""

from __future__ import annotations

import torch
from torch import Tensor

from asic.fuzz.generator import Generator, op


def _is_index(tensor: Tensor) -> bool:
    return tensor.dtype == torch.int64 and tensor.numel() > 0


def _pick_index(g: Generator, rank: int) -> str:
    """Integers of at most `rank` dimensions, at least one when they are an input of their own."""
    return g.pick_or(
        lambda t: _is_index(t) and t.dim() <= rank,
        lambda: g.integer_input(*g.shape(g.integer(1, rank)), low=0),
    )


@op(4)
def embedding(g: Generator) -> None:
    x = _pick_index(g, 3)
    rows = g.size(20)
    low, high = int(g[x].min()), int(g[x].max())
    ids = x if low >= 0 and high < rows else f"{x} % {rows}"
    padding = ", padding_idx=0" if g.chance(0.2) else ""
    g.emit(f"{g.layer(f'nn.Embedding({rows}, {g.size(17)}{padding})')}({ids})")


@op(2)
def constant_index(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 1 and t.numel() > 0)
    dim = g.integer(0, g[x].dim() - 1)
    member = g.layer(
        f"nn.Buffer(integers({g.integer(0, 9999)}, 0, {g[x].shape[dim]}, {g.size(9)}))"
    )
    where = ", ".join([":"] * dim + [member])
    g.emit(g.choice([f"{x}.index_select({dim}, {member})", f"{x}[{where}]"]))


@op(2)
def gather(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 1 and t.numel() > 0 and t.dtype != torch.bool)
    dim = g.integer(0, g[x].dim() - 1)
    shape = list(g[x].shape)
    extent, shape[dim] = shape[dim], g.size(9)
    listed = ", ".join(map(str, (g.integer(0, 9999), 0, extent, *shape)))
    member = g.layer(f"nn.Buffer(integers({listed}))")
    g.emit(f"{x}.gather({dim}, {member})")


@op(1)
def scatter(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 1 and t.numel() > 0 and t.is_floating_point())
    dim = g.integer(0, g[x].dim() - 1)
    extent = g[x].shape[dim]
    if g.chance(0.5):
        count = g.integer(1, extent)
        member = g.layer(f"nn.Buffer(torch.arange({count}))")
        g.emit(f"torch.zeros_like({x}).index_add({dim}, {member}, {x}.narrow({dim}, 0, {count}))")
    else:
        shape = ", ".join(map(str, (g.integer(0, 9999), 0, extent, *g[x].shape)))
        member = g.layer(f"nn.Buffer(integers({shape}))")
        g.emit(f"torch.zeros_like({x}).scatter_add({dim}, {member}, {x})")


@op(1)
def one_hot(g: Generator) -> None:
    x = _pick_index(g, 2)
    g.emit(f"F.one_hot({x} % 5, 5)")


@op(1)
def positions(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() in (2, 3) and t.numel() > 0 and t.dtype == g.dtype)
    length, width = g[x].shape[-2:]
    member = g.layer(f"nn.Embedding({length}, {width})")
    g.emit(f"{x} + {member}(torch.arange({length}))")


@op(1)
def rotary(g: Generator) -> None:
    def fits(t: torch.Tensor) -> bool:
        return t.dim() >= 2 and t.dtype == torch.float32 and t.numel() > 0 and t.shape[-1] % 2 == 0

    x = g.pick(fits)
    length, width = g[x].shape[-2:]
    half = width // 2
    member = g.layer(f"nn.Parameter(uniform({g.integer(0, 9999)}, 0, 1, {half}))")
    (angle,) = g.emit(f"torch.arange({length})[:, None] * {member}")
    a, b = g.emit(f"{x}.split({half}, -1)", 2)
    cos, sin = f"{angle}.cos()", f"{angle}.sin()"
    g.emit(f"torch.cat([{a} * {cos} - {b} * {sin}, {a} * {sin} + {b} * {cos}], -1)")


@op(2)
def write(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 1 and t.numel() > 0 and t.dtype == g.dtype)
    dim = g.integer(0, g[x].dim() - 1)
    extent = g[x].shape[dim]
    count = g.integer(1, extent)
    places = g.layer(f"nn.Buffer(torch.randperm({extent})[:{count}])")
    part = f"{x}.narrow({dim}, {g.integer(0, extent - count)}, {count})"
    where = ", ".join([":"] * dim + [places])
    first = g.integer(0, extent - count)
    form = g.integer(0, 5)
    if form == 0:
        g.emit(f"{x}.index_copy({dim}, {places}, {part} * 2)")
    elif form == 1:
        g.emit(f"{x}.index_fill({dim}, {places}, {g.scalar()})")
    elif form == 2:
        g.emit(f"{x}.clone()", after=f"{{}}[{where}] = {part} + 1")
    elif form == 3:
        g.emit(f"{x}.slice_scatter({part}, {dim}, {first}, {first + count})")
    elif form == 4:
        g.emit(f"{x}.select_scatter({x}.select({dim}, {first}) * 2, {dim}, {extent - 1})")
    else:
        g.emit(f"{x}.masked_scatter({x} > 0.3, {x}.flatten().flip(0))")


@op(2)
def scatter_reduce(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 1 and t.numel() > 0 and t.dtype == g.dtype)
    dim = g.integer(0, g[x].dim() - 1)
    extent = g[x].shape[dim]
    listed = ", ".join(map(str, (g.integer(0, 9999), 0, extent, *g[x].shape)))
    member = g.layer(f"nn.Buffer(integers({listed}))")
    how = g.choice(["sum", "amax", "amin", "mean"])
    inside = g.chance(0.5)
    g.emit(f"{x}.scatter_reduce({dim}, {member}, {x}.cos(), {how!r}, include_self={inside})")


@op(1)
def take(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 1 and t.numel() > 0)
    shape = g[x].shape
    seed, count = g.integer(0, 9999), g.size(9)
    if g[x].dim() >= 2 and g.chance(0.5):
        lists = [
            g.layer(f"nn.Buffer(integers({seed + d}, 0, {shape[d]}, {count}))") for d in range(2)
        ]
        g.emit(f"{x}[{', '.join(lists)}]")
    elif g.chance(0.5):
        g.emit(f"{x}.take({g.layer(f'nn.Buffer(integers({seed}, 0, {g[x].numel()}, {count}))')})")
    else:
        (order,) = g.emit(f"torch.arange({shape[-1]}).flip(0).expand({tuple(shape)})")
        g.emit(f"torch.take_along_dim({x}, {order}, -1)")


@op(1)
def bucketize(g: Generator) -> None:
    x = g.pick(lambda t: t.numel() > 0 and t.dtype == torch.float32)
    borders = g.layer(f"nn.Buffer(normal({g.integer(0, 9999)}, {g.size(9)}).sort()[0])")
    g.emit(f"torch.bucketize({x}, {borders}, right={g.chance(0.5)})")
