# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Embedding bags of one size as look-ups and a reduction."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from asic.frontend.fold import constant
from asic.frontend.locations import source_of
from asic.frontend.messages import error
from asic.frontend.schema import argument

aten = torch.ops.aten

_BAGS = (aten.embedding_bag.default, aten.embedding_bag.padding_idx)
_MODES = ("sum", "mean", "max")


def split_bags(module: GraphModule) -> None:
    """Embedding bags become what they are made of, in place.

    Behind the folding of constants, which takes no functions of ours.

    Raises:
        CompileError: the bags' ends are data, as in calls with `offsets`.
    """
    for node in list(module.graph.nodes):
        if node.target not in _BAGS:
            continue
        size = _bag_size(module, node)
        if size is None:
            raise error(
                "expected an embedding bag of 2-D indices, a row for each bag, got one with "
                f"offsets at {source_of(node, None)}; pad the bags to one size with padding_idx"
            )
        names = ("weight", "indices", "per_sample_weights")
        args = [argument(node, name) for name in names]
        mode = _MODES[argument(node, "mode")]
        padding = argument(node, "padding_idx") if node.target is _BAGS[1] else None
        for user in list(node.users):
            if user.args[1] == 0:
                user.replace_all_uses_with(node)
            module.graph.erase_node(user)
        node.target = _reduce_bags
        node.args, node.kwargs = (*args, size, mode, padding), {}


def _bag_size(module: GraphModule, node: Node) -> int | None:
    """The size of all bags, None when they differ or their ends are data.

    Of 2-D indices, `F.embedding_bag` makes the offsets 0, size, 2·size, …
    """
    offsets = constant(module, argument(node, "offsets"))
    if offsets is None or not offsets.numel() or argument(node, "include_last_offset"):
        return None
    count = argument(node, "indices").meta["val"].numel()
    size = count // offsets.numel()
    even = torch.arange(0, count, size) if size and count % size == 0 else None
    return size if even is not None and torch.equal(offsets.long(), even) else None


def _reduce_bags(
    weight: Tensor,
    indices: Tensor,
    scales: Tensor | None,
    size: int,
    mode: str,
    padding: int | None,
) -> Tensor:
    """Look-ups of `size` rows each, without those of `padding`, reduced by `mode`."""
    rows = torch.nn.functional.embedding(indices.reshape(-1, size), weight)
    if scales is not None:
        rows = rows * scales.reshape(-1, size, 1)
    if padding is None:
        return rows.amax(1) if mode == "max" else getattr(rows, mode)(1)
    padding %= weight.shape[0]
    keep = (indices != padding).reshape(-1, size, 1)
    count = keep.sum(1)
    if mode == "max":
        largest = rows.masked_fill(~keep, -torch.inf).amax(1)
        return largest.masked_fill(count == 0, 0)
    total = rows.masked_fill(~keep, 0).sum(1)
    return total / count.clamp(min=1) if mode == "mean" else total
