# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lookups, updates, and what only moves elements."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.conformance.case import ANY, BOOL, FLOATS, Family, Random

family = Family("Indexing and data movement")
add = family.add

X = Random((4, 6, 5))
FEW = (torch.float32, torch.bfloat16, torch.int64, torch.int32, torch.int8)
ROWS = torch.tensor([2, 0, 3, 2])
SIGNED = torch.tensor([-1, 0, 3, -4])
ONE = torch.tensor([2])
PLACES = Random((4, 3, 5), 0, 5, torch.int64)


def put(x: Tensor, indices: tuple[Tensor | None, ...], values: Tensor, add: bool = False) -> Tensor:
    """`x[indices] = values`, or `+=`."""
    return torch.ops.aten.index_put(x, indices, values, add)


# Lookups.
add("index_select", lambda x, i: x.index_select(1, i), X, ROWS, dtypes=FEW, ulp=0)
add("embedding", nn.Embedding(7, 5), Random((3, 4), 0, 6, torch.int64), ulp=0)
add("embedding", lambda w, i: F.embedding(i, w), Random((7, 5)), Random((3, 4), 0, 6, torch.int32), variant="int32 indices", ulp=0)  # fmt: skip
add("gather", lambda x, i: x.gather(1, i), X, PLACES, dtypes=FEW, ulp=0)
add("take_along_dim", lambda x, i: torch.take_along_dim(x, i, 1), X, PLACES, dtypes=FEW, ulp=0)
add("index.Tensor", lambda x, i: x[i], X, SIGNED, dtypes=FEW, ulp=0)
add("index.Tensor", lambda x, i: x[:, i], X, SIGNED, variant="second dimension", dtypes=FEW, ulp=0)
add("index.Tensor", lambda x, i, j: x[i, :, j], X, SIGNED, ROWS, variant="two, apart", dtypes=FEW, ulp=0)  # fmt: skip
add("index.Tensor", lambda x, i, j: x[i[:, None], j], X, SIGNED, ROWS, variant="broadcast", dtypes=FEW, ulp=0)  # fmt: skip
add("take", lambda x, i: torch.take(x, i), X, Random((3, 4), 0, 100, torch.int64), dtypes=FEW, ulp=0)  # fmt: skip

# Updates.
V = Random((4, 2, 5))
add("index_copy", lambda x, i, v: x.index_copy(1, i, v), X, torch.tensor([3, 1]), V, dtypes=FEW, ulp=0)  # fmt: skip
add("index_copy", lambda x, i, v: x.index_copy(1, i, v), X, ONE, Random((4, 1, 5)), variant="one row", dtypes=FEW, ulp=0)  # fmt: skip
add("index_add", lambda x, i, v: x.index_add(1, i, v, alpha=2), X, torch.tensor([3, 3]), V, dtypes=FEW, ulp=1)  # fmt: skip
add("index_fill", lambda x, i: x.index_fill(1, i, 2), X, torch.tensor([3, 1]), dtypes=FEW, ulp=0)
add("index_put", lambda x, i, v: put(x, (i,), v), X, torch.tensor([3, 1]), Random((2, 6, 5)), dtypes=FEW, ulp=0)  # fmt: skip
add("index_put", lambda x, i, v: put(x, (None, i), v), X, ONE, Random((4, 1, 5)), variant="one row", dtypes=FEW, ulp=0)  # fmt: skip
add("index_put", lambda x, i, j, v: put(x, (i, j), v, True), X, torch.tensor([3, 3]), torch.tensor([-1, 5]), Random((2, 5)), variant="accumulate", dtypes=FEW, ulp=1)  # fmt: skip
add("index_put", lambda x, m: put(x, (m,), torch.zeros((), dtype=x.dtype)), X, Random((4, 6, 5), dtype=torch.bool), variant="mask", dtypes=FEW, ulp=0)  # fmt: skip
add("scatter", lambda x, i, v: x.scatter(1, i, v), X, torch.tensor([[[1, 2], [0, 4]]]), V, variant="source", dtypes=FEW, ulp=0)  # fmt: skip
add("scatter", lambda x, i: x.scatter(1, i, 2), X, PLACES, variant="value", dtypes=FEW, ulp=0)
add("scatter_add", lambda x, i, v: x.scatter_add(1, i, v), X, PLACES, Random((4, 3, 5)), dtypes=FEW, ulp=1)  # fmt: skip
for how in ("sum", "prod", "amax", "amin", "mean"):
    add("scatter_reduce", lambda x, i, v, h=how: x.scatter_reduce(1, i, v, h), X, PLACES, Random((4, 3, 5)), variant=how, dtypes=(torch.float32, torch.int32), ulp=4)  # fmt: skip
add("slice_scatter", lambda x, v: torch.slice_scatter(x, v, 1, 1, 6, 3), X, V, dtypes=FEW, ulp=0)
add("select_scatter", lambda x, v: torch.select_scatter(x, v, 1, -2), X, Random((4, 5)), dtypes=FEW, ulp=0)  # fmt: skip
add("diagonal_scatter", lambda x, v: torch.diagonal_scatter(x, v), Random((4, 5)), Random((4,)), dtypes=FEW, ulp=0)  # fmt: skip
add("masked_scatter", lambda x, m, v: torch.masked_scatter(x, m, v), X, Random((4, 6, 5), dtype=torch.bool), X, dtypes=(torch.float32,), ulp=0)  # fmt: skip

# Masks and ramps.
for name in ("tril", "triu"):
    add(name, lambda x, f=name: getattr(torch, f)(x), X, dtypes=(*FEW, *BOOL), ulp=0)
    add(name, lambda x, f=name: getattr(torch, f)(x, -1), X, variant="diagonal", dtypes=FEW, ulp=0)
add("one_hot", lambda i: F.one_hot(i, 7), Random((3, 4), 0, 6, torch.int64), dtypes=(torch.int64,), ulp=0)  # fmt: skip
add("arange", lambda x: x + torch.arange(5, dtype=x.dtype), X, dtypes=FEW, ulp=1)
add("arange", lambda x, n: torch.where(torch.arange(5) < n[:, None, None], x, 0), X, Random((4,), 0, 5, torch.int64), variant="length mask", dtypes=FEW, ulp=0)  # fmt: skip
add("diagonal", lambda x: x.diagonal(0, 1, 2), X, dtypes=FEW, ulp=0)
add("diag_embed", lambda x: torch.diag_embed(x), Random((3, 4)), dtypes=FEW, ulp=0)
add("full_like", lambda x: x + torch.full_like(x, 3), X, dtypes=FEW, ulp=0)

# Movement.
add("flip", lambda x: x.flip(1), X, dtypes=(*FEW, *BOOL), ulp=0)
add("flip", lambda x: x.flip(0, 2), X, variant="two dimensions", dtypes=FEW, ulp=0)
add("roll", lambda x: x.roll(2, 1), X, dtypes=FEW, ulp=0)
add("roll", lambda x: x.roll((1, -2), (0, 2)), X, variant="two dimensions", dtypes=FEW, ulp=0)
add("repeat_interleave", lambda x: x.repeat_interleave(3, 1), X, dtypes=FEW, ulp=0)
add("repeat", lambda x: x.repeat(2, 1, 3), X, dtypes=FEW, ulp=0)
add("expand", lambda x: x.expand(4, 6, 5) + 1, Random((4, 1, 5)), dtypes=FEW, ulp=0)
add("cat", lambda x, y: torch.cat([x, y], 1), X, Random((4, 1, 5)), dtypes=(*FEW, *BOOL), ulp=0)
add("stack", lambda x, y: torch.stack([x, y], 1), X, X, dtypes=FEW, ulp=0)
add("split", lambda x: x.split([1, 2, 3], 1), X, dtypes=FEW, ulp=0)
add("chunk", lambda x: x.chunk(4, 1), X, dtypes=FEW, ulp=0)
add("unbind", lambda x: x.unbind(2), X, dtypes=FEW, ulp=0)
add("select", lambda x: x[:, -2], X, dtypes=FEW, ulp=0)
add("slice", lambda x: x[1:, 1:6:2, -3:-1], X, dtypes=(*FEW, *BOOL), ulp=0)
add("permute", lambda x: x.permute(2, 0, 1), X, dtypes=(*FEW, *BOOL), ulp=0)
add("view", lambda x: x.view(8, 15), X, dtypes=(*FEW, *BOOL), ulp=0)
add("unfold", lambda x: x.unfold(1, 3, 2), X, dtypes=FEW, ulp=0)
add("clone", lambda x: x.clone(), X, dtypes=ANY, ulp=0)
add("meshgrid", lambda x, y: torch.meshgrid(x, y, indexing="ij"), Random((3,)), Random((4,)), dtypes=FEW, ulp=0)  # fmt: skip
PLANE = Random((2, 8, 4, 6))
add("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), PLANE, dtypes=FEW, ulp=0)
add("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), PLANE, dtypes=FEW, ulp=0)
add("channel_shuffle", lambda x: F.channel_shuffle(x, 4), PLANE, dtypes=FEW, ulp=0)
add("constant_pad_nd", lambda x: F.pad(x, (1, 2, 0, 3), value=1), PLANE, dtypes=FEW, ulp=0)
add("constant_pad_nd", lambda x: F.pad(x, (-1, 2, 1, -1)), PLANE, variant="crop", dtypes=FEW, ulp=0)
for name in ("reflect", "replicate", "circular"):
    add(f"pad {name}", lambda x, m=name: F.pad(x, (1, 2, 0, 3), mode=m), PLANE, dtypes=(torch.float32, torch.bfloat16), ulp=0)  # fmt: skip
add("im2col", lambda x: F.unfold(x, 3, padding=1, stride=2), PLANE, dtypes=FLOATS, ulp=0)
add("col2im", lambda x: F.fold(x, (4, 6), 2, stride=2), Random((2, 32, 6)), dtypes=FLOATS, ulp=0)
add("col2im", lambda x: F.fold(x, (4, 6), 3, padding=1), Random((2, 18, 24)), variant="overlap", dtypes=FLOATS, ulp=8)  # fmt: skip

# What the test suite runs.
family.tested |= {
    ("aten.index_copy one row", torch.float32),
    ("aten.index_put", torch.int64),
    ("aten.index_put accumulate", torch.float32),
    ("aten.scatter_reduce mean", torch.int32),
    ("aten.flip two dimensions", torch.float32),
    ("aten.pad reflect", torch.float32),
    ("aten.col2im overlap", torch.float32),
}
