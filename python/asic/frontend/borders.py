# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inputs and outputs of a program: names, shapes, dtypes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    InputKind,
    OutputKind,
    TensorArgument,
)
from torch.utils import _pytree as pytree

from asic.frontend.messages import error
from asic.frontend.skew import ir
from asic.structure import Structure


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape and dtype of one input or output; a dimension is None when dynamic."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


def tensor_info(name: str, node: torch.fx.Node) -> TensorInfo:
    """What a node holds, under this name."""
    value = node.meta["val"]
    shape = tuple(d if isinstance(d, int) else None for d in value.shape)
    return TensorInfo(name, shape, str(value.dtype).removeprefix("torch."))


def structure_of(program: ExportedProgram) -> Structure:
    """How inputs and outputs are nested, and the values among them that are no tensors."""
    inputs, outputs = _user_inputs(program), _user_outputs(program)
    fixed = {i: a for i, a in enumerate(inputs) if isinstance(a, ConstantArgument)}
    return Structure(
        program.call_spec.in_spec,
        program.call_spec.out_spec,
        fixed_inputs={position: arg.value for position, arg in fixed.items()},
        fixed_outputs={
            position: arg.value
            for position, arg in enumerate(outputs)
            if isinstance(arg, ConstantArgument)
        },
        fixed_names={position: arg.name for position, arg in fixed.items()},
        parameters=_parameters(program),
    )


def _parameters(program: ExportedProgram) -> tuple[str, ...]:
    """Names of the parameters that the example inputs were given for."""
    signature = program.module_call_graph[0].signature
    return tuple((signature and signature.forward_arg_names) or ())


def input_nodes(program: ExportedProgram) -> list[torch.fx.Node]:
    """The user's input tensors.

    Raises:
        CompileError: an input is a number that may change from call to call.
    """
    nodes = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}
    found = []
    for arg in _user_inputs(program):
        if isinstance(arg, TensorArgument):
            found.append(nodes[arg.name])
        elif not isinstance(arg, ConstantArgument):
            raise error(
                "expected inputs that are tensors or fixed values, got the dynamic number "
                f"'{arg.name}'; pass it as a tensor, or leave it out of dynamic_shapes"
            )
    return found


def output_nodes(program: ExportedProgram) -> list[tuple[str, torch.fx.Node]]:
    """Name, by the structure that `forward` returns, and node of the user's output tensors.

    Raises:
        CompileError: an output is a number that depends on the inputs.
    """
    nodes = {n.name: n for n in program.graph.nodes}
    args = _user_outputs(program)
    tree = pytree.tree_unflatten(list(range(len(args))), program.call_spec.out_spec)
    paths, _ = pytree.tree_flatten_with_path(tree)
    found = []
    for (path, _), arg in zip(paths, args, strict=True):
        name = _output_name(path, len(args))
        if isinstance(arg, TensorArgument):
            found.append((name, nodes[arg.name]))
        elif not isinstance(arg, ConstantArgument):
            raise error(
                "expected outputs that are tensors or fixed values, got the dynamic number "
                f"'{name}'; return it as a tensor, or compute it from the inputs' shapes"
            )
    return found


def input_infos(program: ExportedProgram) -> tuple[TensorInfo, ...]:
    """The user's input tensors, named by `forward`'s parameters."""
    return tuple(tensor_info(node.name, node) for node in input_nodes(program))


def output_infos(program: ExportedProgram) -> tuple[TensorInfo, ...]:
    """The user's output tensors, named by the structure that `forward` returns."""
    return tuple(tensor_info(name, node) for name, node in output_nodes(program))


def _user_inputs(program: ExportedProgram) -> list[Any]:
    specs = program.graph_signature.input_specs
    return [s.arg for s in specs if s.kind == InputKind.USER_INPUT]


def _user_outputs(program: ExportedProgram) -> list[Any]:
    specs = program.graph_signature.output_specs
    return [s.arg for s in specs if s.kind == OutputKind.USER_OUTPUT]


def _output_name(path: tuple[Any, ...], count: int) -> str:
    """Gives "logits" for a dict entry, "output0" for a tuple element, "output" for a tensor."""
    if not path:
        return "output"
    parts = [str(getattr(p, "key", getattr(p, "idx", getattr(p, "name", p)))) for p in path]
    name = ".".join(parts)
    if name.isdigit():
        return "output" if count == 1 else f"output{name}"
    return name if not name[0].isdigit() else f"output{name}"


def symbol_ranges(program: ExportedProgram) -> dict[str, tuple[int, int]]:
    """Bounds of the symbols in the shapes of the inputs.

    An example input that is a view of a larger tensor leaves symbols of that tensor
    behind, without bounds; they are nobody's dimension.
    """
    values = (node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder")
    sizes: list[Any] = [size for v in values if isinstance(v, torch.Tensor) for size in v.shape]
    symbols = {
        symbol
        for size in sizes
        if isinstance(size, torch.SymInt)
        for symbol in size.node.expr.free_symbols
    }
    limit = 2**63 - 1
    return {
        str(symbol): (int(bounds.lower), limit if bounds.upper > limit else int(bounds.upper))
        for symbol, bounds in program.range_constraints.items()
        if symbol in symbols
    }


def name_borders(
    module: Any,
    inputs: Iterable[TensorInfo],
    outputs: Iterable[TensorInfo],
    state: Iterable[tuple[str, TensorInfo]] = (),
) -> None:
    """Names `@main`'s arguments and results, as `asic.name`, and marks state.

    Args:
        module: torch-mlir's module.
        inputs, outputs: the user's.
        state: (path of the buffer, tensor) of the arguments and results behind them,
            which also get `asic.state` = path.
    """
    main = next(op for op in module.body.operations if op.name.value == "main")
    context, state = module.context, list(state)

    def named(infos: Iterable[TensorInfo]) -> list[tuple[str, dict[str, str]]]:
        plain = [(i.name, {"asic.name": i.name}) for i in infos]
        kept = [(i.name, {"asic.name": i.name, "asic.state": path}) for path, i in state]
        return [*plain, *kept]

    def attribute(entries: list[tuple[str, dict[str, str]]]) -> ir.ArrayAttr:
        with context:
            return ir.ArrayAttr.get(
                [
                    ir.DictAttr.get({key: ir.StringAttr.get(text) for key, text in entry.items()})
                    for _, entry in entries
                ]
            )

    arguments = named(inputs)
    main.attributes["arg_attrs"] = attribute(arguments)
    main.attributes["res_attrs"] = attribute(named(outputs))
    for value, (name, _) in zip(main.arguments, arguments, strict=True):
        value.set_location(ir.Location.name(name, context=context))
