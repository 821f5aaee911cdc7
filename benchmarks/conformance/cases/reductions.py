# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions, scans, sorting, norms, contractions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.conformance.case import ANY, BOOL, FLOATS, INTEGERS, Family, Random

family = Family("Reductions, scans, sorting, products")
add = family.add

X = Random((3, 5, 17))
POSITIVE = Random((3, 5, 17), 0.5, 1.5)
MASK = Random((3, 5, 17), dtype=torch.bool)
TIES = Random((3, 17), -3, 3)
SMALL = (torch.float32, torch.bfloat16, torch.int64, torch.int32)

for name in ("sum", "mean"):
    dtypes = ANY if name == "sum" else FLOATS
    add(name, lambda x, f=name: getattr(torch, f)(x, 1), X, dtypes=dtypes, ulp=4)
    add(name, lambda x, f=name: getattr(torch, f)(x), X, variant="all", dtypes=dtypes, ulp=16)
    add(name, lambda x, f=name: getattr(torch, f)(x, (0, 2), keepdim=True), X, variant="two dimensions", dtypes=dtypes, ulp=16)  # fmt: skip
add("prod", lambda x: x.prod(1), POSITIVE, dtypes=(*FLOATS, torch.int64, torch.int32), ulp=8)
for name in ("amax", "amin"):
    add(name, lambda x, f=name: getattr(torch, f)(x, 1), X, dtypes=ANY, ulp=0)
    add(name, lambda x, f=name: getattr(torch, f)(x, (0, 2)), X, variant="two dimensions", dtypes=(torch.float32,), ulp=0)  # fmt: skip
add("max", lambda x: x.max(), X, variant="all", dtypes=ANY, ulp=0)
add("min", lambda x: x.min(), X, variant="all", dtypes=ANY, ulp=0)
add("max.dim", lambda x: tuple(torch.max(x, 1)), TIES, dtypes=SMALL, ulp=0)
add("min.dim", lambda x: tuple(torch.min(x, 1)), TIES, dtypes=SMALL, ulp=0)
for name in ("argmax", "argmin"):
    add(name, lambda x, f=name: getattr(torch, f)(x, 1), TIES, dtypes=SMALL, ulp=0)
    add(name, lambda x, f=name: getattr(torch, f)(x), TIES, variant="all", dtypes=SMALL, ulp=0)
add("argmax", lambda x: x.argmax(0, keepdim=True), torch.tensor([[1.0, float("nan"), 2], [3, 4, float("nan")]]), variant="NaN", dtypes=(torch.float32,), ulp=0)  # fmt: skip
for name in ("any", "all"):
    add(name, lambda x, f=name: getattr(torch, f)(x, 1), MASK, dtypes=BOOL, ulp=0)
    add(name, lambda x, f=name: getattr(torch, f)(x > 1), X, variant="all", dtypes=(torch.float32,), ulp=0)  # fmt: skip
add("var", lambda x: x.var(1), X, ulp=8)
add("var", lambda x: x.var((0, 2), correction=0), X, variant="population", ulp=8)
add("std", lambda x: x.std(2), X, ulp=8)
add("var_mean", lambda x: torch.var_mean(x, 2), X, ulp=8)
add("logsumexp", lambda x: x.logsumexp(1), X, ulp=8)
for p in (1, 2, 3.0, float("inf"), 0):
    add("linalg_vector_norm", lambda x, p=p: torch.linalg.vector_norm(x, p, 1), X, variant=f"p={p}", ulp=16)  # fmt: skip
add("norm", lambda x: x.norm(dim=2), X, ulp=8)
add("cosine_similarity", lambda x, y: F.cosine_similarity(x, y, -1), X, Random((3, 5, 17)), ulp=16)
add("count_nonzero", lambda x: torch.count_nonzero(x, 1), X, dtypes=(torch.float32, torch.int32), ulp=0)  # fmt: skip

# Scans.
add("cumsum", lambda x: x.cumsum(1), X, dtypes=(*FLOATS, *INTEGERS), ulp=8)
add("cumsum", lambda x: x.cumsum(-1), MASK, variant="of booleans", dtypes=BOOL, ulp=0)
add("cumprod", lambda x: x.cumprod(1), POSITIVE, dtypes=(*FLOATS, torch.int64, torch.int32), ulp=16)
add("logcumsumexp", lambda x: x.logcumsumexp(1), X, ulp=16)
add("cummax", lambda x: tuple(torch.cummax(x, 1)), TIES, dtypes=SMALL, ulp=0)
add("cummin", lambda x: tuple(torch.cummin(x, 1)), TIES, dtypes=SMALL, ulp=0)
add("diff", lambda x: torch.diff(x), X, dtypes=(*FLOATS, torch.int32), ulp=0)

# Sorting.
add("sort", lambda x: tuple(torch.sort(x, dim=1, stable=True)), TIES, dtypes=SMALL, ulp=0)
add("sort", lambda x: tuple(torch.sort(x, dim=1, descending=True, stable=True)), TIES, variant="descending", dtypes=SMALL, ulp=0)  # fmt: skip
add("argsort", lambda x: torch.argsort(x, dim=0, stable=True), TIES, dtypes=SMALL, ulp=0)
add("topk", lambda x: tuple(torch.topk(x, 4, 1)), X, dtypes=(torch.float32,), ulp=0)
add("topk", lambda x: torch.topk(x, 4, 1, largest=False).values, TIES, variant="smallest", dtypes=SMALL, ulp=0)  # fmt: skip
add("topk", lambda x: tuple(torch.topk(x, 40, 0)), Random((600, 2)), variant="many", dtypes=(torch.float32,), ulp=0)  # fmt: skip
add("sort", lambda x: tuple(torch.sort(x, dim=0, stable=True)), Random((300, 3), -9, 9), variant="many", dtypes=(*FLOATS, *INTEGERS), ulp=0)  # fmt: skip
add("kthvalue", lambda x: torch.kthvalue(x, 3, 1).values, TIES, dtypes=SMALL, ulp=0)
add("median", lambda x: torch.median(x, 1).values, TIES, dtypes=SMALL, ulp=0)
add("searchsorted", torch.searchsorted, torch.arange(-4, 5, 2.0), X, dtypes=(torch.float32,), ulp=0)
add("bucketize", lambda x, b: torch.bucketize(x, b, right=True), X, torch.arange(-4, 5, 2.0), dtypes=(torch.float32,), ulp=0)  # fmt: skip

# Softmax and norms.
for name in ("softmax", "log_softmax"):
    add(f"_{name}", lambda x, f=name: getattr(F, f)(x, 1), X, ulp=8)
add("_softmax", lambda x, m: F.softmax(x.masked_fill(m, float("-inf")), -1), X, MASK, variant="masked", ulp=8)  # fmt: skip
add("native_layer_norm", nn.LayerNorm(17), X, ulp=16)
add("native_group_norm", nn.GroupNorm(2, 4), Random((2, 4, 5, 6)), ulp=16)
add("rms_norm", nn.RMSNorm(17), X, ulp=16)
add("instance_norm", nn.InstanceNorm2d(4, affine=True), Random((2, 4, 5, 6)), ulp=16)
add("batch_norm", nn.BatchNorm2d(4), Random((2, 4, 5, 6)), ulp=4)
add("batch_norm", lambda x, m, v: F.batch_norm(x, m, v), X, Random((5,)), Random((5,), 0.5, 2), variant="statistics as inputs", ulp=8)  # fmt: skip
add("local_response_norm", lambda x: F.local_response_norm(x, 3), Random((2, 6, 4, 4)), ulp=16)

# Products.
add("mm", torch.mm, Random((5, 17)), Random((17, 6)), ulp=64, contraction=True, dtypes=FLOATS)
add("mm", torch.mm, Random((5, 17)), Random((17, 6)), variant="integers", dtypes=(torch.int64, torch.int32), ulp=0)  # fmt: skip
add("bmm", torch.bmm, Random((3, 5, 17)), Random((3, 17, 6)), ulp=64, contraction=True)
add("matmul", torch.matmul, Random((2, 1, 5, 17)), Random((3, 17, 6)), variant="broadcast", ulp=64, contraction=True)  # fmt: skip
add("mv", torch.mv, Random((5, 17)), Random((17,)), ulp=64, contraction=True)
add("dot", torch.dot, Random((17,)), Random((17,)), ulp=64, contraction=True)
add("outer", torch.outer, Random((5,)), Random((17,)), ulp=64, contraction=True)
add("baddbmm", lambda c, a, b: torch.baddbmm(c, a, b, alpha=0.5, beta=2), Random((3, 5, 6)), Random((3, 5, 17)), Random((3, 17, 6)), ulp=64, contraction=True)  # fmt: skip
add("einsum", lambda a, b: torch.einsum("bij,kj->bki", a, b), X, Random((6, 17)), ulp=64, contraction=True)  # fmt: skip
add("einsum", lambda a, b: torch.einsum("bij,bij->bi", a, b), X, Random((3, 5, 17)), variant="dot", ulp=64, contraction=True)  # fmt: skip
add("linear", nn.Linear(17, 6), X, ulp=64, contraction=True)
add("cdist", torch.cdist, Random((3, 5, 7)), Random((3, 4, 7)), dtypes=(torch.float32,), ulp=64, contraction=True)  # fmt: skip
add("cdist", lambda x, y: torch.cdist(x, y, 1.0), Random((3, 5, 7)), Random((3, 4, 7)), variant="p=1", dtypes=(torch.float32,), ulp=16)  # fmt: skip
add("scaled_dot_product_attention", F.scaled_dot_product_attention, Random((2, 3, 5, 8)), Random((2, 3, 6, 8)), Random((2, 3, 6, 8)), ulp=64, contraction=True)  # fmt: skip
add("scaled_dot_product_attention", lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m), Random((2, 3, 5, 8)), Random((2, 3, 6, 8)), Random((2, 3, 6, 8)), Random((5, 6), dtype=torch.bool), variant="boolean mask", ulp=64, contraction=True)  # fmt: skip

# What the test suite runs.
family.tested |= {
    ("aten.argmax NaN", torch.float32),
    ("aten.cumsum", torch.uint8),
    ("aten.max all", torch.int8),
    ("aten.max all", torch.uint8),
    ("aten.logcumsumexp", torch.float32),
    ("aten.sort descending", torch.bfloat16),
    ("aten.sort many", torch.float32),
    ("aten.sort many", torch.int64),
    ("aten.topk many", torch.float32),
    ("aten.median", torch.float32),
}
