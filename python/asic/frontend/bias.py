# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Biases as int32, computed once.

The bias of a quantised contraction is round_half_even(bias / (s_x · s_w[n])) with the
quotient in float64. Whoever reads the graph afterwards finds the integers; nobody
derives them again.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.ao.quantization.fx._decomposed
from torch.fx import GraphModule, Node

from asic.frontend.fold import constant, drop_unused
from asic.frontend.nodes import insert_call, insert_constant

aten = torch.ops.aten
quantized = torch.ops.quantized_decomposed
_LIMIT = 2**31 - 1

#: Ops whose weight has its output channels first.
CONTRACTIONS = frozenset(
    {
        aten.conv1d.default,
        aten.conv1d.padding,
        aten.conv2d.default,
        aten.conv2d.padding,
        aten.conv3d.default,
        aten.conv3d.padding,
        aten.convolution.default,
        aten.linear.default,
    }
)


def is_contraction(node: Node) -> bool:
    """Whether `node` is a convolution or linear that has integer arithmetic."""
    if node.target is aten.convolution.default and node.args[6]:
        return False  # transposed
    return node.target in CONTRACTIONS


def integer_biases(module: GraphModule) -> None:
    """Rewrites float biases of quantised contractions, in place.

    Before: ``conv2d(dq(x), dq(w), bias)``; after: ``conv2d(dq(x), dq(w), dq(bias_i32))``
    with the scale s_x · s_w[n] rounded to f32 on the dequantisation.
    """
    for node in list(module.graph.nodes):
        if is_contraction(node) and len(node.args) > 2:
            bias = constant(module, node.args[2])
            scales = _scales(module, node)
            if bias is not None and bias.is_floating_point() and scales is not None:
                _rewrite(module, node, bias, scales)
    drop_unused(module)


def _scales(module: GraphModule, node: Node) -> torch.Tensor | None:
    """s_x · s_w[n] in float64, a scalar when the weight has one scale; None if not quantised."""
    source, weight = node.args[:2]
    if not isinstance(source, Node) or not isinstance(weight, Node):
        return None
    if source.target is not quantized.dequantize_per_tensor.default:
        return None
    marker: Any = source.args
    weight_marker: Any = weight.args
    scale = torch.tensor(float(marker[1]), dtype=torch.float64)
    if weight.target is quantized.dequantize_per_tensor.default:
        return scale * float(weight_marker[1])
    if weight.target is quantized.dequantize_per_channel.default:
        scales = constant(module, weight_marker[1])
        if scales is not None and weight_marker[3] == 0:
            return scale * scales.double()
    return None


def _rewrite(module: GraphModule, node: Node, bias: torch.Tensor, scales: torch.Tensor) -> None:
    values = torch.round(bias.double() / scales).clamp(-_LIMIT, _LIMIT).to(torch.int32)
    scale = scales.float().expand(values.shape).contiguous()
    old: Any = node.args[2]
    stem = f"{old.name}_int32"
    integers = insert_constant(module, stem, values, node)
    scale_node = insert_constant(module, f"{stem}_scale", scale, node)
    zero_node = insert_constant(
        module, f"{stem}_zero_point", torch.zeros(values.shape, dtype=torch.int64), node
    )
    real = quantized.dequantize_per_channel.default
    limits = (-_LIMIT - 1, _LIMIT, torch.int32)
    result = insert_call(node, real, integers, scale_node, zero_node, 0, *limits)
    node.args = (*node.args[:2], result, *node.args[3:])
