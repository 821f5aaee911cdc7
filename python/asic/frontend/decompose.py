# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rewrites that keep contractions recognisable and shapes static.

Recurrent layers become linear layers and elementwise ops, unrolled over time; products
with a transposed weight, which core ATen has instead of linear layers, become linear layers
again. Every weight is then the second operand of `aten.linear` or a convolution. Views do
not depend on strides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.fx import GraphModule, Node

from asic.frontend.nodes import insert_call
from asic.frontend.reductions import reductions
from asic.frontend.rewrites import rewrites
from asic.frontend.solvers import solvers

aten = torch.ops.aten


def _lstm_cell(
    x: Tensor,
    hx: list[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM, gates in the order input, forget, cell, output."""
    hidden, cell = hx
    linear = torch.nn.functional.linear
    gates = linear(x, w_ih, b_ih) + linear(hidden, w_hh, b_hh)
    i, f, g, o = gates.chunk(4, 1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def _gru_cell(
    x: Tensor,
    hidden: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of a GRU, gates in the order reset, update, new."""
    linear = torch.nn.functional.linear
    r_x, z_x, n_x = linear(x, w_ih, b_ih).chunk(3, 1)
    r_h, z_h, n_h = linear(hidden, w_hh, b_hh).chunk(3, 1)
    update = torch.sigmoid(z_x + z_h)
    new = torch.tanh(n_x + torch.sigmoid(r_x + r_h) * n_h)
    return (1 - update) * new + update * hidden


def _roll(x: Tensor, shifts: list[int], dims: list[int] | None = None) -> Tensor:
    """Slices change places; torch-mlir computes their ends at run time."""
    if not dims:
        return _roll(x.flatten(), shifts, [0]).reshape(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        extent = x.shape[dim]
        cut = (extent - shift) % extent if extent else 0
        if cut:
            x = torch.cat([x.narrow(dim, cut, extent - cut), x.narrow(dim, 0, cut)], dim)
    return x.clone()


def _spread(x: Tensor, dim: int, stride: int) -> Tensor:
    """`stride - 1` zeros between neighbours along `dim`."""
    if stride == 1:
        return x
    apart = torch.nn.functional.pad(x.unsqueeze(-1).movedim(-1, dim + 1), _pads(x, dim, stride))
    return apart.flatten(dim, dim + 1).narrow(dim, 0, (x.shape[dim] - 1) * stride + 1)


def _pads(x: Tensor, dim: int, stride: int) -> list[int]:
    """The argument of `pad` for zeros behind dimension `dim + 1` of a tensor of one more."""
    return [0] * (2 * (x.dim() - 1 - dim)) + [0, stride - 1]


def _conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | list[int] = 1,
    padding: int | list[int] = 0,
    output_padding: int | list[int] = 0,
    groups: int = 1,
    dilation: int | list[int] = 1,
) -> Tensor:
    """A convolution of the input with zeros between its points, by the mirrored kernel."""
    rank = weight.dim() - 2

    def each(value: int | list[int]) -> list[int]:
        values = [value] if isinstance(value, int) else list(value)
        return values * rank if len(values) == 1 else values

    strides, paddings, ends, steps = (each(v) for v in (stride, padding, output_padding, dilation))
    unbatched = x.dim() == rank + 1
    x = x.unsqueeze(0) if unbatched else x
    pads: list[int] = []
    for axis in range(rank):
        x = _spread(x, axis + 2, strides[axis])
        edge = steps[axis] * (weight.shape[axis + 2] - 1) - paddings[axis]
        pads = [edge, edge + ends[axis], *pads]
    inputs, outputs, *kernel = weight.shape
    mirrored = weight.reshape(groups, inputs // groups, outputs, *kernel).transpose(1, 2)
    mirrored = mirrored.reshape(groups * outputs, inputs // groups, *kernel)
    mirrored = mirrored.flip(list(range(2, rank + 2)))
    convolution = getattr(torch.nn.functional, f"conv{rank}d")
    padded = torch.nn.functional.pad(x, [max(p, 0) for p in pads])
    for axis, (low, high) in enumerate(zip(pads[-2::-2], pads[-1::-2], strict=True), start=2):
        low, high = max(-low, 0), max(-high, 0)
        padded = padded.narrow(axis, low, padded.shape[axis] - low - high)
    result: Tensor = convolution(padded, mirrored, bias, 1, 0, steps, groups)
    return result.squeeze(0) if unbatched else result


def _rrelu(
    x: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> Tensor:
    """Without training, the mean slope."""
    if training:
        return NotImplemented  # type: ignore[no-any-return]
    return torch.nn.functional.leaky_relu(x, (lower + upper) / 2)


def _grouped_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Keys and values once per head of queries, where a mask may tell the heads apart."""
    if not enable_gqa or attn_mask is None or attn_mask.dim() <= 2:
        return NotImplemented
    heads = query.shape[-3]
    key, value = (t.repeat_interleave(heads // t.shape[-3], -3) for t in (key, value))
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale
    )


def layers() -> dict[Any, Callable[..., Any]]:
    """Decomposition table of recurrent layers into `linear` and elementwise ops, of
    reductions, and of what torch-mlir would make dynamic."""
    recurrent = [aten.lstm.input, aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input]
    return {
        **get_decompositions(recurrent),
        **reductions(),
        **rewrites(),
        **solvers(),
        aten.lstm_cell.default: _lstm_cell,
        aten.gru_cell.default: _gru_cell,
        aten.roll.default: _roll,
        aten.rrelu.default: _rrelu,
        aten.scaled_dot_product_attention.default: _grouped_attention,
        aten.conv_transpose1d.default: _conv_transpose,
        aten.conv_transpose2d.input: _conv_transpose,
        aten.conv_transpose3d.input: _conv_transpose,
    }


def relax_views(module: GraphModule) -> None:
    """Views become reshapes, in place.

    Strides are nothing that compiled code has. A view that one trace found possible may be
    impossible in the next, where attention returns another layout.
    """
    for node in module.graph.nodes:
        if node.target in (aten.view.default, aten._unsafe_view.default):
            node.target = aten.reshape.default


def split_bins(module: GraphModule) -> None:
    """Adaptive pooling becomes pooling, or, where the bins have several sizes, means and
    maxima of slices, in place.

    Bin i of n over an extent e is [floor(i·e/n), ceil((i + 1)·e/n)), in every dimension on
    its own. torch-mlir computes its ends for every element of an average, and takes all
    bins of a maximum to be equal.
    """
    for node in list(module.graph.nodes):
        if node.target in _ADAPTIVE_AVERAGES:
            reduce, results = aten.mean.dim, [node]
        elif node.target in _ADAPTIVE_MAXIMA:
            users = list(node.users)
            if any(user.args[1] != 0 for user in users):
                continue
            reduce, results = aten.amax.default, users
        else:
            continue
        source: Any = node.args[0]
        bins: Any = node.args[1]
        extents = source.meta["val"].shape[-len(bins) :]
        if not all(isinstance(extent, int) for extent in extents):
            continue
        even = all(e % n == 0 for e, n in zip(extents, bins, strict=True))
        if even and reduce is aten.mean.dim:
            continue
        value = source
        if even:
            pool = getattr(aten, f"max_pool{len(bins)}d").default
            kernel = [e // n for e, n in zip(extents, bins, strict=True)]
            value = insert_call(node, pool, source, kernel, kernel)
            extents = []
        for dim, (extent, count) in enumerate(zip(extents, bins, strict=False), -len(bins)):
            value = _reduce_slices(node, reduce, value, dim, extent, count)
        for result in results:
            result.replace_all_uses_with(value)
            module.graph.erase_node(result)
        if node not in results:
            module.graph.erase_node(node)


_ADAPTIVE_AVERAGES = frozenset(
    {
        aten._adaptive_avg_pool2d.default,
        aten._adaptive_avg_pool3d.default,
        aten.adaptive_avg_pool1d.default,
        aten.adaptive_avg_pool2d.default,
        aten.adaptive_avg_pool3d.default,
    }
)
_ADAPTIVE_MAXIMA = frozenset(
    {
        aten.adaptive_max_pool1d.default,
        aten.adaptive_max_pool2d.default,
        aten.adaptive_max_pool3d.default,
    }
)


def _reduce_slices(
    before: Node, reduce: Any, value: Node, dim: int, extent: int, count: int
) -> Node:
    """`count` bins of `value` along `dim`, made in front of a node."""
    parts = []
    for i in range(count):
        first, last = i * extent // count, -(-(i + 1) * extent // count)
        part = value
        if (first, last) != (0, extent):
            part = insert_call(before, aten.slice.Tensor, value, dim, first, last)
        parts.append(insert_call(before, reduce, part, [dim], True))
    return parts[0] if count == 1 else insert_call(before, aten.cat.default, parts, dim)


def recover_linear(module: GraphModule) -> None:
    """`mm(x, Wᵀ)` and `addmm(b, x, Wᵀ)` become `linear(x, W, b)`, in place."""
    for node in list(module.graph.nodes):
        if node.target is aten.mm.default:
            source, transposed, bias = node.args[0], node.args[1], None
        elif node.target is aten.addmm.default and _plain_addmm(node):
            bias, source, transposed = node.args[:3]
        else:
            continue
        weight = _transposed(transposed)
        if weight is None:
            continue
        node.target = aten.linear.default
        node.args = (source, weight) if bias is None else (source, weight, bias)
        node.kwargs = {}
    module.graph.eliminate_dead_code()


def _plain_addmm(node: Node) -> bool:
    """No factors, and a bias with one value per column."""
    if any(node.kwargs.get(name, 1) != 1 for name in ("alpha", "beta")):
        return False
    bias = node.args[0]
    value = bias.meta.get("val") if isinstance(bias, Node) else None
    return isinstance(value, Tensor) and value.dim() == 1


def _transposed(node: Any) -> Node | None:
    """W when `node` is the transpose of a constant, or of a dequantised one, W."""
    if not isinstance(node, Node):
        return None
    dims: list[Any] = list(node.args[1:])
    swapped = node.target is aten.t.default
    swapped |= node.target is aten.permute.default and list(dims[0]) == [1, 0]
    swapped |= node.target is aten.transpose.int and sorted(d % 2 for d in dims) == [0, 1]
    if not swapped:
        return None
    weight = node.args[0]
    root = weight
    while isinstance(root, Node) and "dequantize" in str(root.target):
        root = root.args[0]
    constant = isinstance(root, Node) and root.op == "get_attr"
    return weight if constant and isinstance(weight, Node) else None
