# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The ATen ops that the numeric contract has integer arithmetic for, in one table.

The quantiser and the integer reference read it, so that they agree on which is which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from asic.frontend.bias import CONTRACTIONS, is_contraction
from asic.frontend.fold import is_written
from asic.frontend.schema import argument

__all__ = [
    "ADDS",
    "AVERAGES",
    "CLAMPS",
    "CONCATS",
    "CONTRACTIONS",
    "MATMULS",
    "MOVEMENT",
    "REARRANGEMENT",
    "argument",
    "is_constant",
    "is_contraction",
]

aten = torch.ops.aten

#: Products of two activations.
MATMULS = frozenset({aten.matmul.default, aten.bmm.default, aten.mm.default})

#: Sums of two activations.
ADDS = frozenset({aten.add.Tensor, aten.sub.Tensor})

#: Clamps that become bounds of the op before them.
CLAMPS = frozenset(
    {
        aten.relu.default,
        aten.relu6.default,
        aten.hardtanh.default,
        aten.clamp.default,
    }
)

CONCATS = frozenset({aten.cat.default})


def is_constant(value: Any) -> bool:
    """Whether a graph argument is a weight or other constant; state is not."""
    return isinstance(value, Node) and value.op == "get_attr" and not is_written(value)


def _whole_windows(node: Node) -> bool:
    """Every window has the same divisor."""
    padding = argument(node, "padding")
    if argument(node, "ceil_mode"):
        return False
    return bool(argument(node, "count_include_pad")) or not any(padding or [0])


def _even_bins(node: Node) -> bool:
    """An adaptive average whose bins all have the same size."""
    source = node.args[0].meta["val"].shape[-2:]  # type: ignore[union-attr]
    return all(i % o == 0 for i, o in zip(source, node.meta["val"].shape[-2:], strict=True))


#: Sums and averages → whether this one has a constant divisor.
AVERAGES: dict[Any, Callable[[Node], bool]] = {
    aten.sum.dim_IntList: lambda node: bool(argument(node, "dim")),
    aten.mean.dim: lambda node: bool(argument(node, "dim")),
    aten.avg_pool2d.default: _whole_windows,
    aten.adaptive_avg_pool2d.default: _even_bins,
    aten._adaptive_avg_pool2d.default: _even_bins,
}


def _always(node: Node) -> bool:
    return True


def _zero_padding(node: Node) -> bool:
    if node.target is aten.pad.default and argument(node, "mode") != "constant":
        return False
    return not argument(node, "value")


#: Ops that put the same values in other places.
REARRANGEMENT = frozenset(
    {
        aten.clone.default,
        aten.dropout.default,
        aten.expand.default,
        aten.flatten.using_ints,
        aten.permute.default,
        aten.reshape.default,
        aten.select.int,
        aten.slice.Tensor,
        aten.squeeze.dim,
        aten.squeeze.dims,
        aten.t.default,
        aten.transpose.int,
        aten.unsqueeze.default,
        aten.upsample_nearest2d.vec,
        aten.upsample_nearest2d.default,
        aten.view.default,
    }
)

#: Ops that move values without computing → whether this one does.
MOVEMENT: dict[Any, Callable[[Node], bool]] = {
    **dict.fromkeys(REARRANGEMENT, _always),
    aten.constant_pad_nd.default: _zero_padding,
    aten.max_pool2d.default: _always,
    aten.pad.default: _zero_padding,
}
