# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs with dynamic shapes: their dimensions, and the same programs for one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule
from torch.utils import _pytree as pytree

from asic.frontend.borders import (
    input_nodes,
    output_nodes,
    structure_of,
    symbol_ranges,
    tensor_info,
)
from asic.frontend.fold import drop_assertions
from asic.frontend.messages import error
from asic.frontend.padding.masker import expression
from asic.frontend.state import separate_updates
from asic.sizes import Dimensions, DynamicTensor
from asic.structure import Structure


def dimensions(program: ExportedProgram, dynamic_shapes: Any = None) -> Dimensions | None:
    """The dynamic dimensions of a program, None when it has none.

    Args:
        program: what was exported.
        dynamic_shapes: what it was exported with, for the names of its Dims.

    Raises:
        CompileError: a dimension has no upper bound.
    """
    ranges = symbol_ranges(program)
    if not ranges:
        return None
    inputs = [_tensor(node.name, node) for node in input_nodes(program)]
    outputs = [_tensor(name, node) for name, node in output_nodes(program)]
    labels = _labels(inputs, ranges, _names(dynamic_shapes, inputs, structure_of(program)))
    for symbol, (_, high) in ranges.items():
        if high >= 2**31:
            raise error(
                f"expected a largest size for '{labels[symbol]}', got none; declare it with "
                "torch.export.Dim(name, min=..., max=...)"
            )
    # A size of 0 is no size.
    bounded = {symbol: (max(low, 1), high) for symbol, (low, high) in ranges.items()}
    return Dimensions(bounded, labels, tuple(inputs), tuple(outputs))


def _tensor(name: str, node: torch.fx.Node) -> DynamicTensor:
    shape = tuple(str(expression(size)) for size in node.meta["val"].shape)
    return DynamicTensor(name, shape, tensor_info(name, node).dtype)


def _names(
    dynamic_shapes: Any, inputs: Sequence[DynamicTensor], structure: Structure
) -> list[dict[int, str]]:
    """Names of the Dims of each input, as far as their nesting is that of the inputs."""
    if isinstance(dynamic_shapes, dict) and all(isinstance(k, str) for k in dynamic_shapes):
        order = {tensor.name: position for position, tensor in enumerate(inputs)}
        named = [key for key in dynamic_shapes if key not in structure.fixed_names.values()]
        dynamic_shapes = [
            dynamic_shapes[key] for key in sorted(named, key=lambda k: order.get(k, 0))
        ]
        fixed: dict[int, Any] = {}
    else:
        fixed = structure.fixed_inputs

    def is_leaf(value: Any) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, int) for key in value)
        return value is None or (
            isinstance(value, (list, tuple))
            and bool(value)
            and not any(isinstance(entry, (dict, list, tuple)) for entry in value)
            and any(hasattr(entry, "__name__") for entry in value)
        )

    leaves = pytree.tree_leaves(dynamic_shapes, is_leaf=is_leaf)
    leaves = [leaf for position, leaf in enumerate(leaves) if position not in fixed]
    if len(leaves) != len(inputs):
        return [{} for _ in inputs]
    result = []
    for leaf in leaves:
        entries = leaf.items() if isinstance(leaf, dict) else enumerate(leaf or ())
        result.append({k: d.__name__ for k, d in entries if isinstance(d, type(Dim("d")))})
    return result


def _labels(
    inputs: Sequence[DynamicTensor],
    ranges: dict[str, tuple[int, int]],
    names: Sequence[dict[int, str]],
) -> dict[str, str]:
    labels: dict[str, str] = {}
    for tensor, dims in zip(inputs, names, strict=True):
        for dim, text in enumerate(tensor.shape):
            if text in ranges:
                labels.setdefault(text, dims.get(dim, f"{tensor.name}.shape[{dim}]"))
    return {symbol: labels.get(symbol, symbol) for symbol in ranges}


def declared(program: ExportedProgram) -> Any:
    """`dynamic_shapes` that say of another export what is known of this program."""
    dims = {
        symbol: Dim(symbol, min=low, max=high)
        for symbol, (low, high) in symbol_ranges(program).items()
    }
    structure = structure_of(program)

    def spec(node: torch.fx.Node) -> Any:
        found: dict[int, Any] = {}
        for dim, size in enumerate(node.meta["val"].shape):
            expr = expression(size)
            if expr.free_symbols:
                found[dim] = dims[str(expr)] if expr.is_Symbol else Dim.AUTO
        return found or None

    tensors = (spec(node) for node in input_nodes(program))
    fixed, count = structure.fixed_inputs, structure.inputs.num_leaves
    leaves = [None if position in fixed else next(tensors) for position in range(count)]
    args, kwargs = pytree.tree_unflatten(leaves, structure.inputs)
    return (*args, *kwargs.values())


def flat_module(program: ExportedProgram) -> GraphModule:
    """The program as a module from a flat tuple of tensors to another, for any size."""
    module = program.module()
    assert isinstance(module, GraphModule)
    separate_updates(module)
    drop_assertions(module)
    for node in list(module.graph.nodes):
        if node.op == "call_module" and node.name.startswith("_guards"):
            module.graph.erase_node(node)
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    results = pytree.tree_leaves(output.args[0])
    output.args = (tuple(r for r in results if isinstance(r, torch.fx.Node)),)
    fixed = structure_of(program).fixed_names.values()
    for node in list(module.graph.nodes):
        if node.op == "placeholder" and node.name in fixed:
            module.graph.erase_node(node)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    # Without the checks of the program's own inputs.
    return GraphModule(module, module.graph)
