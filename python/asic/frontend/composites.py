# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ops that travel whole, as calls to `@asic.<op>.<n>`, because torch-mlir's own
lowering would lose their structure or cannot carry their scalars.

A composite is a private declaration without a body. Its attributes say everything
that the call does not: ``asic.op`` (the overload, "aten._softmax.default"),
``asic.operands`` (the schema's argument name of every operand; "indices.2" is the third of
a list of tensors, and absent ones are left out), ``asic.results`` (which of the op's results
the call returns) and one ``asic.<argument>`` for each scalar. Equal declarations are shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch_mlir.dialects import func

from asic.frontend.skew import GraphNodeImporter, ir

#: Ops kept whole: all overloads, or the one that is named.
COMPOSITES: frozenset[str] = frozenset(
    {
        "aten._softmax",
        "aten._upsample_bicubic2d_aa",
        "aten._upsample_bilinear2d_aa",
        "aten._upsample_nearest_exact1d",
        "aten._upsample_nearest_exact2d",
        "aten._upsample_nearest_exact3d",
        "aten.argmax",
        "aten.argmin",
        "aten.argsort",
        "aten.bitwise_left_shift.Tensor",
        "aten.bitwise_left_shift.Tensor_Scalar",
        "aten.bitwise_right_shift.Tensor",
        "aten.bitwise_right_shift.Tensor_Scalar",
        "aten.bucketize.Tensor",
        "aten.clamp",
        "aten.copysign",
        "aten.cummax",
        "aten.cummin",
        "aten.cumprod",
        "aten.cumsum",
        "aten.div.Scalar_mode",
        "aten.div.Tensor_mode",
        "aten.erfinv",
        "aten.floor_divide",
        "aten.fmod",
        "aten.gelu",
        "aten.grid_sampler",
        "aten.grid_sampler_2d",
        "aten.grid_sampler_3d",
        "aten.index_add",
        "aten.index_copy",
        "aten.index_fill.int_Scalar",
        "aten.index_put",
        "aten.kthvalue",
        "aten.logcumsumexp",
        "aten.max.dim",
        "aten.maximum",
        "aten.median",
        "aten.min.dim",
        "aten.minimum",
        "aten.native_group_norm",
        "aten.native_layer_norm",
        "aten.remainder.Scalar",
        "aten.remainder.Tensor",
        "aten.scaled_dot_product_attention",
        "aten.scatter",
        "aten.scatter_add",
        "aten.scatter_reduce",
        "aten.searchsorted.Tensor",
        "aten.signbit",
        "aten.silu",
        "aten.sort",
        "aten.special_ndtri",
        "aten.topk",
        "aten.tril",
        "aten.triu",
        "aten.upsample_bicubic2d",
        "aten.upsample_bilinear2d",
        "aten.upsample_linear1d",
        "aten.upsample_nearest1d",
        "aten.upsample_nearest2d",
        "aten.upsample_nearest3d",
        "aten.upsample_trilinear3d",
        "aten.view.dtype",
        "quantized_decomposed.dequantize_per_channel",
        "quantized_decomposed.dequantize_per_tensor",
        "quantized_decomposed.quantize_per_channel",
        "quantized_decomposed.quantize_per_tensor",
    }
)


def packet_name(target: Any) -> str:
    """Gives "aten.gelu" of `torch.ops.aten.gelu.default`; "" of anything that is no ATen-like op."""
    if not isinstance(target, torch._ops.OpOverload):
        return ""
    return f"{target.namespace}.{target._schema.name.split('::')[-1]}"


def is_composite(target: Any) -> bool:
    """Whether an FX call target is kept whole."""
    packet = packet_name(target)
    return packet in COMPOSITES or (packet != "" and str(target) in COMPOSITES)


def without_composites(
    table: dict[Any, Callable[..., Any]],
) -> dict[Any, Callable[..., Any]]:
    """A decomposition table that leaves every composite alone."""
    return {op: rule for op, rule in table.items() if not is_composite(op)}


def _attribute(value: Any, cc: Any) -> ir.Attribute:
    """A scalar argument of an ATen schema as an MLIR attribute."""
    if isinstance(value, bool):
        return ir.BoolAttr.get(value)
    if isinstance(value, int):
        return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
    if isinstance(value, float):
        return ir.FloatAttr.get_f64(value)
    if isinstance(value, (list, tuple)):
        return ir.ArrayAttr.get([_attribute(v, cc) for v in value])
    if isinstance(value, torch.dtype):
        element = cc.dtype_to_type(value)
        if isinstance(element, ir.IntegerType):
            element = ir.IntegerType.get_signless(element.width)
        return ir.TypeAttr.get(element)
    return ir.StringAttr.get(str(value))


def _tensors(name: str, value: Any) -> dict[str, Any]:
    """The tensors of argument `name`: itself, or those of a list by their places in it."""
    if _is_tensor(value):
        return {name: value}
    if isinstance(value, (list, tuple)) and any(_is_tensor(v) for v in value):
        return {f"{name}.{i}": v for i, v in enumerate(value) if v is not None}
    return {}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, (torch.fx.Node, torch.Tensor))


class CompositeImporter(GraphNodeImporter):  # type: ignore[misc]
    """Node importer that emits composites as calls and leaves the rest to torch-mlir."""

    __slots__ = ()

    def _import_torch_op_overload(
        self, loc: Any, node: torch.fx.Node, concrete_target: Any = None
    ) -> None:
        target = concrete_target or node.target
        if not is_composite(target):
            super()._import_torch_op_overload(loc, node, concrete_target)
            return
        with loc:
            operands, attributes = self._split_arguments(loc, node, target)
            results = self._live_results(node, target)
            attributes["asic.op"] = ir.StringAttr.get(str(target))
            attributes["asic.results"] = _attribute([i for i, _ in results], self._cc)
            types = [self._cc.value_info_to_type(v) for _, v in results]
        importer = self.fx_importer
        name = declare(
            importer.module,
            importer.symbol_table,
            importer.declarations,
            packet_name(target),
            operands,
            types,
            attributes,
        )
        call = ir.Operation.create(
            "func.call",
            results=types,
            operands=operands,
            attributes={"callee": ir.FlatSymbolRefAttr.get(name, context=self._c)},
            loc=loc,
        )
        for (index, _), value in zip(results, call.results, strict=True):
            self.bind_node_value(node, value, index)

    def _split_arguments(
        self, loc: Any, node: torch.fx.Node, target: Any
    ) -> tuple[list[Any], dict[str, ir.Attribute]]:
        """Tensor arguments as operands, all others as attributes."""
        operands: list[Any] = []
        names: list[ir.Attribute] = []
        attributes: dict[str, ir.Attribute] = {}
        for position, argument in enumerate(target._schema.arguments):
            default = argument.default_value if argument.has_default_value() else None
            value = node.kwargs.get(argument.name, default)
            if position < len(node.args):
                value = node.args[position]
            tensors = _tensors(argument.name, value)
            for name, tensor in tensors.items():
                operands.append(self._import_argument(loc, tensor))
                names.append(ir.StringAttr.get(name))
            if tensors:
                continue
            if value is not None:
                value = _non_negative_dim(argument.name, value, node)
                attributes[f"asic.{argument.name}"] = _attribute(value, self._cc)
        attributes["asic.operands"] = ir.ArrayAttr.get(names)
        first = node.all_input_nodes[0].meta.get("val") if node.all_input_nodes else None
        if isinstance(first, torch.Tensor) and first.dtype == torch.uint8:
            attributes["asic.unsigned"] = ir.BoolAttr.get(True)
        return operands, attributes

    def _live_results(self, node: torch.fx.Node, target: Any) -> list[tuple[int, Any]]:
        """(index, fake value) of the results that somebody reads."""
        value = node.meta["val"]
        if len(target._schema.returns) == 1:
            return [(0, value)]
        self._multi_result_nodes.add(node)
        users: Any = [user.args for user in node.users]
        read = sorted({int(args[1]) for args in users})
        return [(index, value[index]) for index in read]


def declare(
    module: Any,
    symbols: Any,
    registry: dict[str, str],
    op: str,
    operands: Iterable[Any],
    results: list[Any],
    attributes: dict[str, ir.Attribute],
) -> str:
    """Name of the declaration with these types and attributes; made when missing.

    Args:
        module, symbols: where the declaration goes, and its symbol table.
        registry: the declarations so far.
        op: name of the composite, "aten.gelu".
    """
    inputs = [operand.type for operand in operands]
    key = str(
        (
            op,
            sorted((k, str(v)) for k, v in attributes.items()),
            [str(t) for t in inputs],
            [str(t) for t in results],
        )
    )
    if key not in registry:
        name = f"asic.{op}.{len(registry)}"
        with ir.Location.unknown(module.context), ir.InsertionPoint(module.body):
            declaration = func.FuncOp(name, (inputs, results), visibility="private")
            for attribute, value in attributes.items():
                declaration.operation.attributes[attribute] = value
            symbols.insert(declaration)
        registry[key] = name
    return registry[key]


def _non_negative_dim(name: str, value: Any, node: torch.fx.Node) -> Any:
    """Counts a negative `dim` from the front, so that readers need no rank."""
    if name != "dim" or not isinstance(value, int) or value >= 0:
        return value
    source: Any = node.args[0]
    return value + max(int(source.meta["val"].dim()), 1)
