# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each operator does to padding; one function per family."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch.fx import Node

from asic.frontend.composites import packet_name
from asic.frontend.padding.attention import attention
from asic.frontend.padding.layers import (
    along_static,
    average_pool,
    contraction,
    convolution,
    cosine,
    einsum,
    linear,
    look_up,
    max_pool,
    normalization,
    pad,
    per_channel,
    per_sample,
    recurrence,
)
from asic.frontend.padding.masker import (
    Fill,
    Masker,
    expression,
    is_size,
    is_tensor,
    shape_of,
)
from asic.frontend.padding.reductions import (
    average_all,
    mean,
    reduction,
    running,
    softmax,
    variance,
)
from asic.frontend.padding.support import APART, highest, lowest, replace, source_of
from asic.frontend.padding.updates import add_rows, copy_rows, put, scatter, scatter_slice
from asic.frontend.padding.views import (
    concatenate,
    expand,
    permute,
    reshape,
    select,
    slice_,
    split,
    stack,
)
from asic.frontend.schema import UnknownForm, argument
from asic.sizes import Hidden

aten = torch.ops.aten
Rule = Callable[[Masker, Node], None]

#: Elementwise operators that give numbers for numbers; most others can overflow.
_KEEP_FINITE = frozenset(
    f"aten.{name}"
    for name in ["relu", "neg", "abs", "tanh", "sigmoid", "clone", "contiguous", "alias", "detach"]
)


def apply(masker: Masker, node: Node) -> None:
    """Keeps the invariant for one call, or refuses it."""
    tensors = [n for n in node.all_input_nodes if is_tensor(n)]
    value = node.meta.get("val")
    is_single = isinstance(value, torch.Tensor)
    is_static = not any(masker.padded(n) for n in tensors) and not (
        is_single and masker.padded(node)
    )
    if is_static and not any(is_size(n) for n in node.all_input_nodes):
        return
    if not tensors and not is_single:
        return  # Arithmetic on sizes, until somebody takes one as a value.
    name = packet_name(node.target)
    if name == "aten.sym_size":
        return
    schema = getattr(node.target, "_schema", None)
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        raise masker.refuse(
            node, "with bodies of its own", "compute both and select with torch.where"
        )
    if schema is None or schema.is_mutable:
        raise masker.refuse(node, "that writes to its operand", "write it without the side effect")
    is_pointwise = torch.Tag.pointwise in node.target.tags  # type: ignore[union-attr]
    rule = pointwise if is_pointwise else _RULES.get(name)
    sizes = [n for n in node.all_input_nodes if is_size(n)]
    if sizes and rule is not None and rule not in _TAKE_SIZES:
        raise masker.refuse(node, f"by {sizes[0].meta['val']} places", APART)
    if rule is None:
        shapes = ", ".join(str(list(shape_of(n))) for n in tensors)
        raise masker.refuse(node, f"on {shapes}", APART)
    try:
        rule(masker, node)
    except UnknownForm as problem:
        raise masker.refuse(node, f"in a form that is not known ({problem})", APART) from problem


def pointwise(masker: Masker, node: Node) -> None:
    """Elements meet elements of the same place; sizes as operands become the call's."""
    for size in [n for n in node.all_input_nodes if is_size(n)]:
        node.replace_input_with(size, _number(masker, node, size))
    operands = node.all_input_nodes
    rank = node.meta["val"].dim()
    keeps_zero = _keeps_zero(node)
    keeps_finite = packet_name(node.target) in _KEEP_FINITE

    def level(dim: int) -> Fill:
        found = []
        for operand in operands:
            own = dim - rank + operand.meta["val"].dim() if is_tensor(operand) else -1
            is_padded = own >= 0 and own in masker.padded(operand)
            found.append(masker.fill(operand, own) if is_padded else Fill.ANY)
        worst = max(found, default=Fill.ANY)
        if worst == Fill.ZERO and keeps_zero:
            return Fill.ZERO
        return Fill.FINITE if worst <= Fill.FINITE and keeps_finite else Fill.ANY

    masker.set(node, level)


def _number(masker: Masker, node: Node, size: Node) -> Node:
    """A size as the operand of an elementwise call: a float, or an integer among integers."""
    tensors = [n for n in node.all_input_nodes if is_tensor(n)]
    if node.target._overloadname != "Tensor":  # type: ignore[union-attr]
        packet = node.target.overloadpacket  # type: ignore[union-attr]
        if node.target._overloadname != "Scalar" or "Tensor" not in packet.overloads():  # type: ignore[union-attr]
            raise masker.refuse(node, f"with {size.meta['val']} as a number", APART)
        node.target = packet.Tensor
    if any(n.meta["val"].dtype.is_floating_point for n in tensors) or not isinstance(
        size.meta["val"], torch.SymInt
    ):
        return masker.input(Hidden("size", str(expression(size.meta["val"]))))
    dtype = node.meta["val"].dtype
    whole = torch.int64 if dtype == torch.bool or dtype.is_floating_point else dtype
    return masker.count(node, expression(size.meta["val"]), whole)


def _keeps_zero(node: Node) -> bool:
    """Whether zeros give zero, with the other arguments of this call.

    It is tried, with zeros of either sign: `hardtanh` does so for some bounds.
    """
    operands = node.all_input_nodes
    value = node.meta.get("val")
    is_random = torch.Tag.nondeterministic_seeded in node.target.tags  # type: ignore[union-attr]
    if is_random or not isinstance(value, torch.Tensor) or not all(map(is_tensor, operands)):
        return False
    signs = torch.tensor(list(itertools.product((0.0, -0.0), repeat=len(operands))))
    shape = (-1, *[1] * (value.dim() - 1))
    zeros = {
        operand: signs[:, i].to(operand.meta["val"].dtype).reshape(shape)
        for i, operand in enumerate(operands)
    }
    args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), zeros.__getitem__)
    try:
        result = node.target(*args, **kwargs)  # type: ignore[operator]
        return not bool(result.any())
    except RuntimeError:  # This computer has no kernel for the type.
        return False


def quantize(masker: Masker, node: Node) -> None:
    """Codes are finite, and that of zero is not zero."""
    masker.set(node, Fill.FINITE)


def dequantize(masker: Masker, node: Node) -> None:
    """What was zero in front of the quantisation with the same numbers is zero again."""
    codes = source_of(node)
    name = packet_name(codes.target).replace(".quantize", ".dequantize")
    if name == packet_name(node.target) and codes.args[1:] == node.args[1:]:
        source = source_of(codes)
        masker.set(node, lambda dim: min(masker.fill(source, dim), Fill.FINITE))
    else:
        masker.set(node, Fill.FINITE)


def create(masker: Masker, node: Node) -> None:
    """Tensors that are the same all over."""
    is_zero = "zeros" in packet_name(node.target)
    if packet_name(node.target) in ("aten.full", "aten.full_like", "aten.new_full"):
        value = argument(node, "fill_value")
        if is_size(value):
            raise masker.refuse(node, "filled with a size", APART)
        is_zero = value == 0
    is_empty = "empty" in packet_name(node.target)
    masker.set(node, Fill.ZERO if is_zero else Fill.ANY if is_empty else Fill.FINITE)


def scalar(masker: Masker, node: Node) -> None:
    """A size as a tensor of no dimension."""
    (size,) = (n for n in node.all_input_nodes if is_size(n))
    replace(masker, node, masker.count(node, expression(size.meta["val"]), node.meta["val"].dtype))


def count_up(masker: Masker, node: Node) -> None:
    """`arange` from a constant upwards."""
    names = {a.name for a in node.target._schema.arguments}  # type: ignore[union-attr]
    start = argument(node, "start") if "start" in names else 0
    step = argument(node, "step") if "step" in names else 1
    if isinstance(start, Node) or isinstance(step, Node) or (step is not None and step <= 0):
        raise masker.refuse(node, "from or by a size", "count upwards from a constant")
    masker.set(node, Fill.FINITE)


def _table() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}

    def add(rule: Rule, names: str) -> None:
        rules.update({f"aten.{name}": rule for name in names.split()})

    add(
        reshape,
        "view reshape _unsafe_view flatten unflatten squeeze unsqueeze _reshape_alias view_copy",
    )
    add(permute, "permute transpose t movedim swapaxes numpy_T mT")
    add(expand, "expand expand_as repeat broadcast_to")
    add(select, "select")
    add(slice_, "slice narrow")
    add(concatenate, "cat concat")
    add(stack, "stack")
    add(split, "split split_with_sizes chunk unbind")
    add(create, "full zeros ones empty new_zeros new_ones new_full new_empty")
    add(create, "zeros_like ones_like full_like empty_like")
    add(scalar, "scalar_tensor")
    add(count_up, "arange")
    add(reduction(0), "sum any linalg_vector_norm")
    add(reduction(1), "prod all")
    add(reduction(lowest), "amax argmax max")
    add(reduction(highest), "amin argmin min")
    add(reduction(-math.inf), "logsumexp")
    add(mean, "mean")
    add(variance, "var std")
    add(average_all, "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d")
    add(softmax, "softmax _softmax log_softmax _log_softmax")
    add(running, "cumsum cumprod tril triu")
    add(normalization, "layer_norm native_layer_norm rms_norm _fused_rms_norm")
    add(per_sample, "group_norm native_group_norm instance_norm pixel_shuffle")
    add(per_sample, "upsample_nearest2d upsample_bilinear2d grid_sampler grid_sampler_2d")
    add(per_channel, "batch_norm _native_batch_norm_legit_no_training prelu _prelu_kernel")
    add(contraction, "matmul mm bmm mv addmm baddbmm")
    add(einsum, "einsum")
    add(cosine, "cosine_similarity")
    add(linear, "linear")
    add(convolution, "conv1d conv2d conv3d convolution conv_transpose1d conv_transpose2d")
    add(max_pool, "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices")
    add(average_pool, "avg_pool1d avg_pool2d avg_pool3d")
    add(pad, "pad constant_pad_nd")
    add(look_up, "embedding gather index_select index")
    add(copy_rows, "index_copy index_fill")
    add(add_rows, "index_add")
    add(put, "index_put")
    add(scatter, "scatter scatter_add scatter_reduce")
    add(scatter_slice, "slice_scatter")
    add(recurrence, "lstm gru rnn_tanh rnn_relu")
    add(along_static(), "sort topk glu")
    add(along_static("dims"), "flip roll")
    add(pointwise, "clone contiguous copy fill to _to_copy dropout alias detach where type_as")
    # Elementwise operators that PyTorch does not tag so.
    add(pointwise, "hardswish log_sigmoid floor_divide fix special_expit")
    add(pointwise, "absolute negative multiply subtract divide greater greater_equal")
    add(pointwise, "less less_equal not_equal")
    add(pointwise, "__and__ __or__ __xor__ __lshift__ __rshift__ lift_fresh_copy")
    add(attention, "scaled_dot_product_attention")
    for kind in ("tensor", "channel"):
        rules[f"quantized_decomposed.quantize_per_{kind}"] = quantize
        rules[f"quantized_decomposed.dequantize_per_{kind}"] = dequantize
    return rules


_RULES = _table()
#: What has a meaning for sizes that depend on the call; anything else would take the bucket's.
_TAKE_SIZES = (
    pointwise,
    create,
    scalar,
    count_up,
    reshape,
    expand,
    select,
    slice_,
    scatter_slice,
    pad,
)
