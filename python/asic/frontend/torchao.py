# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules that `torchao.quantize_` has rewritten: integer weights as the compiler knows them.

torchao keeps codes and scales in tensor subclasses, which `torch.export` takes apart. What is
left depends on the configuration:

* int8 weights are cast to floats, multiplied, and the products scaled: the cast becomes a
  dequantisation by one, so that the weight stays an int8 constant;
* codes of one scale per row are dequantised by that; of smaller groups, which no contraction
  can undo behind the sum, they are dequantised here, once;
* products of int8 activations and weights go through uint8 on x86 (`x + 128`, minus 128 times
  the sums of the weights): they become the products that they stand for.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.ao.quantization.fx._decomposed
from torch import Tensor
from torch.fx import GraphModule, Node

from asic.frontend.fold import constant
from asic.frontend.nodes import insert_call, insert_constant

aten = torch.ops.aten
quantized = torch.ops.quantized_decomposed

#: Products → position of their second factor.
_PRODUCTS = {aten.mm.default: 1, aten.matmul.default: 1, aten.bmm.default: 1, aten.addmm.default: 2}
_MOVES = (aten.t.default, aten.transpose.int, aten.permute.default, aten.view.default)
_CASTS = (aten._to_copy.default, aten.to.dtype)


def raise_weights(module: GraphModule) -> None:
    """Rewrites the three forms above in place."""
    for node in list(module.graph.nodes):
        if node.op != "call_function":
            continue
        if node.target is aten._int_mm.default:
            _raise_product(node)
        elif str(node.target).startswith("torchao.dequantize_affine"):
            _raise_dequantization(module, node)
        elif node.target in _CASTS and _is_weight(module, node):
            _raise_cast(node)
    module.graph.eliminate_dead_code()
    module.recompile()


def _dtype(node: Any) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, Tensor) else None


def _is_weight(module: GraphModule, widened: Node) -> bool:
    """An int8 constant, maybe moved, that is cast to floats for products alone."""
    source: Any = widened.args[0]
    while isinstance(source, Node) and source.target in _MOVES:
        source = source.args[0]
    value = constant(module, source)
    made = _dtype(widened)
    return (
        value is not None
        and value.dtype is torch.int8
        and made is not None
        and made.is_floating_point
        and bool(widened.users)
        and all(
            user.target in _PRODUCTS and user.args.index(widened) == _PRODUCTS[user.target]
            for user in widened.users
        )
    )


def _raise_cast(widened: Node) -> None:
    call = insert_call(widened, *_dequantized(widened.args[0]), **_made_as(widened))
    widened.replace_all_uses_with(call)


def _made_as(node: Node) -> dict[str, Any]:
    """The option of a dequantisation that gives the type of `node`."""
    return {} if _dtype(node) is torch.float32 else {"out_dtype": _dtype(node)}


def _raise_dequantization(module: GraphModule, node: Node) -> None:
    codes, block, scale, zero_point, *_ = cast("list[Any]", node.args)
    values = [constant(module, a) for a in (codes, scale, zero_point)]
    if values[0] is None or values[1] is None or (zero_point is not None and values[2] is None):
        return
    rows = list(values[0].shape)
    if (
        values[0].dtype is torch.int8
        and list(block) == [1, *rows[1:]]
        and (values[2] is None or not values[2].any())
    ):
        scales = insert_constant(module, f"{node.name}_scale", values[1].reshape(-1).float(), node)
        zeros = torch.zeros(rows[0], dtype=torch.int64)
        zero_points = insert_constant(module, f"{node.name}_zero_point", zeros, node)
        call = (quantized.dequantize_per_channel.default, codes, scales, zero_points)
        marker = insert_call(node, *call, 0, -128, 127, torch.int8, **_made_as(node))
        node.replace_all_uses_with(marker)
        return
    known = {a: v for a, v in zip((codes, scale, zero_point), values, strict=True) if v is not None}
    args = torch.fx.node.map_arg(node.args, lambda n: known[n])
    kwargs = torch.fx.node.map_arg(node.kwargs, lambda n: known[n])
    dequantize: Any = node.target
    with torch.no_grad():
        folded = insert_constant(module, f"{node.name}_folded", dequantize(*args, **kwargs), node)
    node.replace_all_uses_with(folded)


def _raise_product(node: Node) -> None:
    """The product of two tensors of integers: of codes, when floats are made of it, or int32."""
    left, right = node.args
    result = node
    signed = _signed(left)
    corrections = [u for u in node.users if _is_correction(u, node, right)]
    if signed is not None and len(corrections) == len(node.users) == 1:
        left, result = signed, corrections[0]
    casts = [user for user in result.users if user.target in _CASTS]
    if (
        _dtype(left) is _dtype(right) is torch.int8
        and len(casts) == len(result.users) == 1
        and _dtype(casts[0]) is torch.float32
    ):
        codes = [insert_call(node, *_dequantized(factor)) for factor in (left, right)]
        casts[0].replace_all_uses_with(insert_call(node, aten.mm.default, *codes))
        return
    factors = [
        insert_call(node, aten._to_copy.default, factor, dtype=torch.int32)
        for factor in (left, right)
    ]
    product = insert_call(node, aten.mm.default, *factors)
    if (made := _dtype(result)) is not torch.int32:  # Less the sums of int8, which are int64.
        product = insert_call(node, aten._to_copy.default, product, dtype=made)
    result.replace_all_uses_with(product)


def _dequantized(codes: Any) -> tuple[Any, ...]:
    """A call that takes codes for the numbers that they are."""
    return (quantized.dequantize_per_tensor.default, codes, 1.0, 0, -128, 127, torch.int8)


def _signed(node: Any) -> Node | None:
    """X of `(x.to(int32) + 128).to(uint8)`, an int8 tensor."""
    if not (isinstance(node, Node) and node.target in _CASTS and _dtype(node) is torch.uint8):
        return None
    added: Any = node.args[0]
    if added.target is not aten.add.Tensor or added.args[1:] != (128,) or added.kwargs:
        return None
    widened: Any = added.args[0]
    if not (isinstance(widened, Node) and widened.target in _CASTS):
        return None
    source: Any = widened.args[0]
    return source if _dtype(source) is torch.int8 else None


def _is_correction(node: Any, product: Node, weight: Any) -> bool:
    """`product - 128 * weight.sum(0)`."""
    if node.target is not aten.sub.Tensor or node.args[0] is not product or node.kwargs:
        return False
    scaled: Any = node.args[1]
    if not (
        isinstance(scaled, Node) and scaled.target is aten.mul.Tensor and scaled.args[1:] == (128,)
    ):
        return False
    total: Any = scaled.args[0]
    return (
        isinstance(total, Node)
        and total.target is aten.sum.dim_IntList
        and total.args[0] is weight
        and list(cast("list[int]", total.args[1])) == [0]
        and _dtype(total) in (torch.int32, torch.int64)
    )
