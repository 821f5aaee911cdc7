# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ops that move values: reshapes, permutations, slices, concatenations, paddings."""

from __future__ import annotations

import torch
from torch import Tensor

from asic.fuzz.generator import Generator, NoFit, op


def _any(tensor: Tensor) -> bool:
    return tensor.dim() >= 1 and tensor.numel() > 0


@op(5)
def reshape(g: Generator) -> None:
    x = g.pick(lambda t: t.numel() > 0)
    rest = g[x].numel()
    shape: list[int] = []
    while rest > 1 and len(shape) < 4 and g.chance(0.8):
        part = g.choice([d for d in range(1, rest + 1) if rest % d == 0])
        shape.append(part)
        rest //= part
    shape.append(rest)
    if g.chance(0.3):
        shape.insert(g.integer(0, len(shape)), 1)
    if g.chance(0.4):
        shape[g.integer(0, len(shape) - 1)] = -1
    g.emit(
        f"{x}.{g.choice(['reshape', 'reshape', 'contiguous().view'])}({', '.join(map(str, shape))})"
    )


@op(4)
def flatten(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 2)
    start = g.integer(0, g[x].dim() - 2)
    g.emit(f"{x}.flatten({start}, {g.integer(start + 1, g[x].dim() - 1)})")


@op(3)
def unflatten(g: Generator) -> None:
    x = g.pick(_any)
    dim = g.integer(0, g[x].dim() - 1)
    extent = g[x].shape[dim]
    part = g.choice([d for d in range(1, extent + 1) if extent % d == 0])
    g.emit(f"{x}.unflatten({dim}, ({part}, {extent // part}))")


@op(5)
def permute(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 2)
    order = list(range(g[x].dim()))
    g.random.shuffle(order)
    g.emit(f"{x}.permute({', '.join(map(str, order))})")


@op(5)
def transpose(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 2)
    a, b = g.random.sample(range(g[x].dim()), 2)
    g.emit(f"{x}.transpose({a}, {b - g[x].dim() if g.chance(0.5) else b})")


@op(2)
def squeeze(g: Generator) -> None:
    x = g.pick(lambda t: 1 in t.shape)
    dim = g.choice([i for i, s in enumerate(g[x].shape) if s == 1])
    g.emit(f"{x}.squeeze({dim})")


@op(3)
def unsqueeze(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() <= 4)
    g.emit(f"{x}.unsqueeze({g.integer(-g[x].dim() - 1, g[x].dim())})")


@op(3)
def expand(g: Generator) -> None:
    x = g.pick(lambda t: 1 in t.shape)
    shape = [g.size(9) if s == 1 else s if g.chance(0.5) else -1 for s in g[x].shape]
    if g.chance(0.3):
        shape.insert(0, g.size(4))
    g.emit(f"{x}.expand({', '.join(map(str, shape))})")


@op(2)
def repeat(g: Generator) -> None:
    x = g.pick(_any)
    dim = g.integer(0, g[x].dim() - 1)
    if g.chance(0.5):
        g.emit(f"{x}.repeat_interleave({g.integer(2, 3)}, {dim})")
    else:
        times = [2 if i == dim else 1 for i in range(g[x].dim())]
        g.emit(f"{x}.repeat({', '.join(map(str, times))})")


def _cut(g: Generator, extent: int) -> str:
    """One slice, in any of the ways to write one; seldom an empty one."""
    start = g.integer(0, extent - 1)
    stop = g.integer(start + 1, extent)
    if g.chance(0.02):
        stop = start
    form = g.integer(0, 4)
    if form == 0:
        return f"{start}:"
    if form == 1:
        return f":{stop}"
    if form == 2:
        return f"{start}:{stop}"
    if form == 3:
        return f"{start}::{g.integer(2, 3)}"
    return f"{start - extent}:"


@op(6)
def slice_(g: Generator) -> None:
    x = g.pick(_any)
    parts = []
    for extent in g[x].shape:
        draw = g.random.random()
        if draw < 0.45:
            parts.append(":")
        elif draw < 0.85:
            parts.append(_cut(g, extent))
        elif draw < 0.95:
            parts.append(str(g.integer(-extent, extent - 1)))
        else:
            parts.append("None")
    if g.chance(0.15):
        parts = ["...", _cut(g, g[x].shape[-1])]
    g.emit(f"{x}[{', '.join(parts)}]")


@op(2)
def select(g: Generator) -> None:
    x = g.pick(_any)
    dim = g.integer(0, g[x].dim() - 1)
    g.emit(f"{x}.select({dim}, {g.integer(-g[x].shape[dim], g[x].shape[dim] - 1)})")


@op(5)
def cat(g: Generator) -> None:
    x = g.pick(_any)
    dim = g.integer(0, g[x].dim() - 1)
    like = g[x]

    def joins(tensor: Tensor) -> bool:
        shape = list(tensor.shape)
        if tensor.dtype != like.dtype or tensor.dim() != like.dim():
            return False
        shape[dim] = like.shape[dim]
        return shape == list(like.shape)

    others = [g.pick(joins) for _ in range(g.integer(1, 2))]
    g.emit(f"torch.cat([{', '.join([x, *others])}], {dim})")


@op(2)
def stack(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() <= 4)
    like = g[x]
    others = [
        g.pick(lambda t: t.dtype == like.dtype and t.shape == like.shape)
        for _ in range(g.integer(1, 2))
    ]
    g.emit(f"torch.stack([{', '.join([x, *others])}], {g.integer(-like.dim() - 1, like.dim())})")


@op(4)
def split(g: Generator) -> None:
    x = g.pick(lambda t: _any(t) and max(t.shape) > 1)
    dim = g.choice([i for i, s in enumerate(g[x].shape) if s > 1])
    extent = g[x].shape[dim]
    if g.chance(0.5):
        count = min(g.integer(2, 3), extent)
        made = len(g[x].chunk(count, dim))
        text = f"{x}.chunk({count}, {dim})"
    else:
        first = g.integer(1, extent - 1)
        made, text = 2, f"torch.split({x}, [{first}, {extent - first}], {dim})"
    if made < 2:
        raise NoFit
    g.emit(text, made)


@op(1)
def unbind(g: Generator) -> None:
    x = g.pick(lambda t: _any(t) and any(2 <= s <= 4 for s in t.shape))
    dim = g.choice([i for i, s in enumerate(g[x].shape) if 2 <= s <= 4])
    g.emit(f"{x}.unbind({dim})", g[x].shape[dim])


@op(3)
def pad(g: Generator) -> None:
    x = g.pick(lambda t: _any(t) and t.dtype != torch.bool)
    dims = g.integer(1, min(2, g[x].dim()))
    pads = [g.integer(-1 if g.chance(0.1) else 0, 2) for _ in range(2 * dims)]
    if g.chance(0.2) and g[x].is_floating_point() and g[x].dim() == dims + 2:
        g.emit(
            f"F.pad({x}, {tuple(map(abs, pads))}, mode={g.choice(['reflect', 'replicate', 'circular'])!r})"
        )
    else:
        g.emit(
            f"F.pad({x}, {tuple(pads)}{g.choice(['', '', ', value=0.3' if g[x].is_floating_point() else ', value=3'])})"
        )


@op(2)
def roll(g: Generator) -> None:
    x = g.pick(_any)
    dim = g.integer(0, g[x].dim() - 1)
    g.emit(g.choice([f"{x}.roll({g.integer(-3, 3)}, {dim})", f"{x}.flip({dim})"]))


@op(1)
def triangle(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 2 and t.numel() > 0)
    g.emit(f"torch.{g.choice(['tril', 'triu'])}({x}, {g.integer(-1, 1)})")


@op(1)
def meshgrid(g: Generator) -> None:
    x = g.pick_or(lambda t: t.dim() == 1 and t.numel() > 0, lambda: g.float_input(*g.shape(rank=1)))
    extent = g[x].shape[0]
    (steps,) = g.emit(f"torch.arange({extent})")
    g.emit(f"{steps}[:, None] {g.choice(['>=', '<', '=='])} {steps}")
    g.emit(f"{x}[:, None] * {x}")


@op(1)
def assign(g: Generator) -> None:
    x = g.pick(lambda t: _any(t) and t.dtype != torch.bool)
    where = ", ".join([":"] * g.integer(0, g[x].dim() - 1) + ["::2"])
    value = g.choice(["0", "1", f"{x}[{where}] * 2"])
    g.emit(f"{x}.clone()", after=f"{{}}[{where}] = {value}")


@op(1)
def in_place(g: Generator) -> None:
    x = g.pick(lambda t: t.is_floating_point() and t.numel() > 0)
    change = g.choice(["add_(0.3)", "mul_(0.7)", f"add_({x})", "relu_()", "clamp_(-0.5, 0.9)"])
    g.emit(f"{x}.clone()", after=f"{{}}.{change}")


@op(1)
def diagonal(g: Generator) -> None:
    x = g.pick(lambda t: t.dim() >= 2 and t.numel() > 0)
    text = g.choice(["{0}.diagonal({1}, -2, -1)", "{0}.movedim(0, -1)", "torch.diag_embed({0})"])
    g.emit(text.format(x, g.choice([0, 0, 1 if g[x].shape[-1] > 1 else 0])))


@op(1)
def difference(g: Generator) -> None:
    x = g.pick(lambda t: _any(t) and t.shape[-1] > 1 and t.dtype != torch.bool)
    g.emit(g.choice(["{0}.diff()", "{0}[..., 1:] * {0}[..., :-1]", "{0}.tile(2)"]).format(x))
