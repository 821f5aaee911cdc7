# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State: buffers that a model writes become extra inputs and extra outputs.

A functional program returns the new value of each written buffer in front of what the
user gets. Here those buffers turn into arguments behind the user's, and their new values
into results behind the user's, in the same order. Who calls the compiled model keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import (
    ConstantArgument,
    ExportGraphSignature,
    InputKind,
    OutputKind,
)
from torch.fx import GraphModule, Node

from asic.frontend.borders import TensorInfo, tensor_info
from asic.frontend.export import decompose
from asic.frontend.fold import attribute, is_written, mutates
from asic.frontend.locations import source_of
from asic.frontend.messages import error
from asic.frontend.meta import has_data
from asic.frontend.nodes import insert_call
from asic.tensors import to_array

aten = torch.ops.aten
_HIDDEN = "asic_state_"
_STORED = frozenset({InputKind.BUFFER, InputKind.PARAMETER})
_WRITTEN = frozenset({OutputKind.BUFFER_MUTATION, OutputKind.PARAMETER_MUTATION})


@dataclass(frozen=True)
class StateInfo:
    """One buffer that the model writes.

    Attributes:
        path: name of the buffer in the module, "layers.0.cache.key".
        tensor: name of its argument and of its result, shape and dtype.
        initial: its value before the first call.
    """

    path: str
    tensor: TensorInfo
    initial: np.ndarray[Any, Any]


@dataclass(frozen=True)
class ExplicitProgram:
    """What the importer reads of an `ExportedProgram`, state as inputs and outputs."""

    graph: torch.fx.Graph
    graph_signature: ExportGraphSignature
    state_dict: dict[str, Any]
    constants: dict[str, Any]


def written_buffers(program: ExportedProgram) -> dict[str, str]:
    """Path of every buffer that a functional program writes → node of its new value."""
    return {
        str(spec.target): spec.arg.name
        for spec in program.graph_signature.output_specs
        if spec.kind in _WRITTEN
    }


def functional(program: ExportedProgram) -> ExportedProgram:
    """The program with new values of buffers as results; itself when it writes none."""
    if not any(mutates(node) for node in program.graph.nodes):
        return program
    return decompose(program, {})


def check_writes(program: ExportedProgram, root: str | None = None) -> None:
    """Refuses writes to inputs, and batch norms that learn their statistics."""
    nodes = {node.name: node for node in program.graph.nodes}
    for value, name in program.graph_signature.user_inputs_to_mutate.items():
        raise error(
            f"expected inputs that are only read, got a model that writes to input '{name}' at "
            f"{source_of(nodes[value], root)}; write to a copy, x = {name}.clone(), or keep the "
            "tensor in a registered buffer"
        )
    for name in written_buffers(program).values():
        for source in nodes[name].all_input_nodes:
            if "batch_norm" in str(source.target):
                raise error(
                    "expected an inference model, got a batch norm in training mode at "
                    f"{source_of(source, root)}; call model.eval() before the export"
                )


def separate_updates(module: GraphModule) -> None:
    """Makes the copies at the end of an unlifted program read no buffer that another writes.

    A delay line writes ``copy_(old, new); copy_(older, old)``: in this order the second
    would read what the first has written.
    """
    updates = [node for node in module.graph.nodes if node.target is aten.copy_.default]
    for update in updates:
        source = update.args[1]
        if not isinstance(source, Node) or source.op != "get_attr":
            continue
        copy = insert_call(updates[0], aten.clone.default, source)
        update.args = (update.args[0], copy)


def own_state(module: GraphModule) -> dict[str, torch.Tensor]:
    """Gives the module written buffers of its own; returns copies of their values."""
    values: dict[str, torch.Tensor] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr" and is_written(node):
            path = str(node.target)
            owner, _, name = path.rpartition(".")
            values[path] = attribute(module, path).detach().clone()
            setattr(module.get_submodule(owner), name, _like(attribute(module, path)))
    return values


def _like(tensor: torch.Tensor) -> torch.Tensor:
    copy = tensor.detach().clone()
    return torch.nn.Parameter(copy, False) if isinstance(tensor, torch.nn.Parameter) else copy


def hide_state(module: GraphModule) -> list[str]:
    """Turns state into inputs, for passes that take every attribute for a constant.

    Returns:
        The paths of the buffers, in the order that `show_state` wants.
    """
    graph, found = module.graph, []
    first = next(iter(graph.nodes))
    for node in list(graph.nodes):
        if node.op != "get_attr" or not is_written(node):
            continue
        found.append(str(node.target))
        with graph.inserting_before(first):
            hidden = graph.placeholder(f"{_HIDDEN}{len(found) - 1}")
        hidden.meta = dict(node.meta)
        node.replace_all_uses_with(hidden)
        graph.erase_node(node)
    module.recompile()
    return found


def show_state(module: GraphModule, state: dict[str, torch.Tensor]) -> None:
    """The inverse of `hide_state`, on the module that a pass has made of it.

    Args:
        state: path of each hidden buffer → its value from now on.
    """
    nodes = {str(node.target): node for node in module.graph.nodes if node.op == "placeholder"}
    for number, (path, tensor) in enumerate(state.items()):
        hidden = nodes[f"{_HIDDEN}{number}"]
        owner, _, name = path.rpartition(".")
        parent = module.get_submodule(owner)
        if hasattr(parent, name):
            delattr(parent, name)
        parent.register_buffer(name, tensor.clone())
        with module.graph.inserting_before(hidden):
            node = module.graph.get_attr(path)
        node.meta = dict(hidden.meta)
        hidden.replace_all_uses_with(node)
        module.graph.erase_node(hidden)
    module.recompile()


def explicit(
    program: ExportedProgram, taken: frozenset[str]
) -> tuple[ExplicitProgram, tuple[StateInfo, ...]]:
    """The program with state among its inputs and outputs, and the state.

    Outputs that are no tensors are left to `Structure`.

    Args:
        program: functional.
        taken: names that user inputs and outputs have.
    """
    signature = program.graph_signature
    written = written_buffers(program)
    nodes = {node.name: node for node in program.graph.nodes}
    inputs = {
        str(s.target): s for s in signature.input_specs if s.kind in _STORED and s.target in written
    }
    user = [
        s
        for s in signature.output_specs
        if s.kind not in _WRITTEN and not isinstance(s.arg, ConstantArgument)
    ]
    results = {str(s.target): s for s in signature.output_specs if s.kind in _WRITTEN}
    kept = [s for s in signature.input_specs if s not in inputs.values()]
    for path in written:
        kept.append(replace(inputs[path], kind=InputKind.USER_INPUT, target=None, persistent=None))
        user.append(replace(results[path], kind=OutputKind.USER_OUTPUT, target=None))
    values = {**program.constants, **program.state_dict}
    state = tuple(
        StateInfo(
            path,
            tensor_info(_unique(path, taken), nodes[inputs[path].arg.name]),
            _initial(values[path]),
        )
        for path in written
    )
    view = ExplicitProgram(
        program.graph,
        ExportGraphSignature(kept, user),
        program.state_dict,
        program.constants,
    )
    return view, state


def _initial(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """A copy of the value; zeros for a buffer of the meta device."""
    tensor = tensor if has_data(tensor) else torch.zeros(tensor.shape, dtype=tensor.dtype)
    return to_array(tensor).copy()


def _unique(path: str, taken: frozenset[str]) -> str:
    name = path
    while name in taken:
        name = f"state.{name}"
    return name
