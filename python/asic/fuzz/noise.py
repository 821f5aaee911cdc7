# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far results may be apart: eager runs whose roundings are replaced by larger random ones.

Monte Carlo arithmetic: every operand and result of an op that rounds is multiplied by 1 + a·u with u
in [-1, 1) and a a few units of the rounding that an implementation may choose freely. What the
outputs then vary by is what a correct implementation may differ by. u is a hash of the value, so that
equal values stay equal, as they do under real rounding, and errors of repeated values add up.

A fused kernel that subtracts a mean is run as the ops it consists of, so that noise reaches the mean: of
equal values it may be a unit off, whatever order a sum has, and their difference is then nothing but that
unit, which a norm may multiply by 1/sqrt(eps). Noise on the operands alone cancels there.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

#: Relative size of the noise: eight units of the last place of float32; two of the others.
AMOUNT = {torch.float32: 2.0**-20, torch.float16: 2.0**-10, torch.bfloat16: 2.0**-7}

#: Contractions of a machine whose array has bfloat16 operands.
NARROW = 2.0**-8

#: Contractions of operands that are a code or two off.
CODES = 2.0**-6

#: Ops that only move, compare or choose values: they do not round.
_EXACT = frozenset(
    [
        "abs",
        "neg",
        "relu",
        "clone",
        "copy",
        "cat",
        "stack",
        "index",
        "index_select",
        "gather",
        "embedding",
        "where",
        "masked_fill",
        "constant_pad_nd",
        "reflection_pad1d",
        "reflection_pad2d",
        "reflection_pad3d",
        "replication_pad1d",
        "replication_pad2d",
        "replication_pad3d",
        "roll",
        "flip",
        "repeat",
        "max",
        "min",
        "amax",
        "amin",
        "maximum",
        "minimum",
        "argmax",
        "argmin",
        "sort",
        "topk",
        "clamp",
        "clamp_min",
        "clamp_max",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "sign",
        "floor",
        "ceil",
        "round",
        "trunc",
        "isnan",
        "isinf",
        "logical_not",
        "logical_and",
        "logical_or",
        "any",
        "all",
        "bitwise_not",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "max_pool2d_with_indices",
        "max_pool3d_with_indices",
        "max_pool1d_with_indices",
        "adaptive_max_pool2d",
        "upsample_nearest1d",
        "upsample_nearest2d",
        "upsample_nearest3d",
        "zeros_like",
        "ones_like",
        "full_like",
        "full",
        "zeros",
        "ones",
        "empty",
        "empty_like",
        "arange",
        "eye",
        "tril",
        "triu",
        "fill",
        "lift_fresh_copy",
        "nan_to_num",
        "hardtanh",
        "_unsafe_index",
        "scalar_tensor",
        "pixel_shuffle",
        "pixel_unshuffle",
        "new_zeros",
        "new_full",
        "_index_put_impl",
        "_upsample_nearest_exact1d",
        "_upsample_nearest_exact2d",
        "_upsample_nearest_exact3d",
        "bucketize",
        "channel_shuffle",
        "copysign",
        "count_nonzero",
        "cummax",
        "cummin",
        "diag_embed",
        "fmax",
        "fmin",
        "hardshrink",
        "im2col",
        "index_copy",
        "index_fill",
        "index_put",
        "isfinite",
        "kthvalue",
        "logical_xor",
        "masked_scatter",
        "median",
        "native_channel_shuffle",
        "scatter",
        "select_scatter",
        "slice_scatter",
        "take",
        "threshold",
    ]
)
_CONTRACTIONS = frozenset(
    [
        "convolution",
        "_convolution",
        "mm",
        "addmm",
        "bmm",
        "baddbmm",
        "mv",
        "addmv",
        "dot",
        "vdot",
        "_trilinear",
        "linear",
        "mkldnn_rnn_layer",
        "lstm",
        "gru",
    ]
)

#: Kernels that PyTorch can write as several ops.
_NORMS = frozenset(["native_layer_norm", "native_group_norm", "native_batch_norm"])
#: Kernels of second moments about the mean.
_MOMENTS = frozenset(["var", "std", "var_mean", "std_mean"])


class Noise(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds noise to every op that rounds, the same for the same seed and values."""

    def __init__(self, seed: int, contractions: float = 0.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seed = seed
        self._contractions = contractions

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[-1].rstrip("_")
        if name in _EXACT or any(a.alias_info is not None for a in func._schema.arguments):
            return func(*args, **kwargs)
        if name in ("_to_copy", "convert_element_type"):
            made = func(*args, **kwargs)
            narrower = made.is_floating_point() and made.element_size() < args[0].element_size()
            return self._add(made) if narrower or not args[0].is_floating_point() else made
        least = self._contractions if name in _CONTRACTIONS else 0.0
        noisy = pytree.tree_map(lambda leaf: self._add(leaf, least), args)
        if name in _NORMS or name in _MOMENTS:
            with self:
                if name in _MOMENTS:
                    return _moments(name, *noisy, **kwargs)
                return decomposition_table[func](*noisy, **kwargs)
        return pytree.tree_map(self._add, func(*noisy, **kwargs))

    def _add(self, leaf: Any, least: float = 0.0) -> Any:
        if not isinstance(leaf, Tensor) or leaf.dtype not in AMOUNT:
            return leaf
        wide = leaf.float()
        bits = wide.view(torch.int32) ^ self._seed
        bits = (bits ^ (bits >> 15)) * 0x2C1B3C6D
        bits = (bits ^ (bits >> 12)) * 0x297A2D39
        unit = bits.float() * 2.0**-31
        amount = max(AMOUNT[leaf.dtype], least)
        return (wide * (1 + amount * unit)).to(leaf.dtype)


def _moments(
    name: str,
    x: Tensor,
    dim: list[int] | None = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Variance or standard deviation, with the mean where the name says so, in float32."""
    wide = x.float()
    dims = dim or list(range(x.dim()))
    mean = wide.mean(dims, keepdim=True)
    squares = (wide - mean).square().sum(dims, keepdim=keepdim)
    count = math.prod(x.shape[d] for d in dims)
    if correction is None:
        correction = 1.0 if unbiased is None else float(unbiased)
    made = (squares / (count - correction)).to(x.dtype)
    if name.startswith("std"):
        made = made.sqrt()
    if not name.endswith("mean"):
        return made
    return made, (mean if keepdim else wide.mean(dims)).to(x.dtype)


@contextlib.contextmanager
def exposed() -> Iterator[None]:
    """Fused kernels of attention off, so that noise reaches their inside."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def noisy_runs(
    call: Callable[..., Any], args: tuple[Any, ...], count: int, contractions: float = 0.0
) -> list[list[Tensor]]:
    """The flattened outputs of `count` runs with different noise.

    Args:
        contractions: relative size of the noise on the operands of contractions, at least.
    """
    runs = []
    with exposed():
        for number in range(count):
            with Noise(0x51ED27 * (number + 1) & 0x7FFFFFFF, contractions):
                runs.append(pytree.tree_leaves(call(*args)))
    return runs
