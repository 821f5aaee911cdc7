# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs with dynamic shapes: their dimensions, and the same programs for one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.fx import GraphModule
from torch.utils import _pytree as pytree

from asic.frontend.borders import TensorInfo, input_infos, output_infos, symbol_ranges
from asic.frontend.export import error
from asic.frontend.fold import drop_assertions
from asic.frontend.padding.masker import expression
from asic.sizes import Dimensions, DynamicTensor


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
    nodes = {node.name: node for node in program.graph.nodes}
    signature = program.graph_signature
    inputs = [
        _tensor(info, nodes[str(name)])
        for info, name in zip(input_infos(program), signature.user_inputs, strict=True)
    ]
    results = [s.arg.name for s in signature.output_specs if s.kind == OutputKind.USER_OUTPUT]
    outputs = [
        _tensor(info, nodes[name])
        for info, name in zip(output_infos(program), results, strict=True)
    ]
    labels = _labels(inputs, ranges, _names(dynamic_shapes, inputs))
    for symbol, (_, high) in ranges.items():
        if high >= 2**31:
            raise error(
                f"expected a largest size for '{labels[symbol]}', got none; declare it with "
                "torch.export.Dim(name, min=..., max=...)"
            )
    # A size of 0 is no size.
    bounded = {symbol: (max(low, 1), high) for symbol, (low, high) in ranges.items()}
    return Dimensions(bounded, labels, tuple(inputs), tuple(outputs))


def _tensor(info: TensorInfo, node: torch.fx.Node) -> DynamicTensor:
    shape = tuple(str(expression(size)) for size in node.meta["val"].shape)
    return DynamicTensor(info.name, shape, info.dtype)


def _names(dynamic_shapes: Any, inputs: Sequence[DynamicTensor]) -> list[dict[int, str]]:
    """Names of the Dims of each input, as far as their nesting is that of the inputs."""
    if isinstance(dynamic_shapes, dict) and all(isinstance(k, str) for k in dynamic_shapes):
        order = {tensor.name: position for position, tensor in enumerate(inputs)}
        dynamic_shapes = [
            dynamic_shapes[key] for key in sorted(dynamic_shapes, key=lambda k: order.get(k, 0))
        ]

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
    nodes = {node.name: node for node in program.graph.nodes}

    def spec(name: Any) -> Any:
        value = nodes[str(name)].meta.get("val")
        if not isinstance(value, torch.Tensor):
            return None
        found: dict[int, Any] = {}
        for dim, size in enumerate(value.shape):
            expr = expression(size)
            if expr.free_symbols:
                found[dim] = dims[str(expr)] if expr.is_Symbol else Dim.AUTO
        return found or None

    leaves = [spec(name) for name in program.graph_signature.user_inputs]
    assert program.call_spec.in_spec is not None, "a program without a call"
    args, kwargs = pytree.tree_unflatten(leaves, program.call_spec.in_spec)
    return (*args, *kwargs.values())


def flat_module(program: ExportedProgram) -> GraphModule:
    """The program as a module from flat inputs to a flat tuple, for any size."""
    module = program.module()
    assert isinstance(module, GraphModule)
    drop_assertions(module)
    for node in list(module.graph.nodes):
        if node.op == "call_module" and node.name.startswith("_guards"):
            module.graph.erase_node(node)
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    results = pytree.tree_leaves(output.args[0])
    for result in results:
        value = getattr(result, "meta", {}).get("val")
        if not isinstance(value, torch.Tensor):
            raise error(
                "expected every output to be a tensor, got a size or a constant; return "
                "tensors only"
            )
    output.args = (tuple(results),)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    # Without the checks of the program's own inputs.
    return GraphModule(module, module.graph)
