# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Buffers that a program knows by several names, and values that it keeps in several buffers.

A cache object keeps its tensors in attributes that PyTorch does not look at; a wrapper
registers the same tensors as buffers, so that they are state (the static caches of
transformers do). `torch.export` follows the attributes to constants and leaves the buffers
unused: writes would go to constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec
from torch.fx import GraphModule

from asic.frontend.fold import attribute, is_written
from asic.frontend.meta import has_data

aten = torch.ops.aten
_BUFFERS = (InputKind.BUFFER, InputKind.CONSTANT_TENSOR)


def _memory(tensor: torch.Tensor) -> tuple[Any, ...]:
    """What two names of one tensor have in common."""
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def groups(program: ExportedProgram) -> list[list[InputSpec]]:
    """Inputs that stand for one tensor, buffers first; those of a single name are left out."""
    values = {**program.state_dict, **program.constants}
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind in _BUFFERS]
    found: dict[tuple[Any, ...], list[InputSpec]] = {}
    for spec in sorted(specs, key=lambda spec: spec.kind is not InputKind.BUFFER):
        tensor = values.get(str(spec.target))
        if isinstance(tensor, torch.Tensor) and tensor.numel() and has_data(tensor):
            found.setdefault(_memory(tensor), []).append(spec)
    return [group for group in found.values() if len(group) > 1]


def join(
    program: ExportedProgram, decompose: Callable[[ExportedProgram], ExportedProgram]
) -> ExportedProgram:
    """What `decompose` makes of the program with one name for each tensor: its first buffer's.

    `program` itself stays as it is.
    """
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    users: list[tuple[torch.fx.Node, Any, Any]] = []
    others: list[tuple[dict[str, Any], str, torch.Tensor]] = []
    for first, *rest in groups(program):
        for spec in rest:
            target = str(spec.target)
            values = program.state_dict if target in program.state_dict else program.constants
            others.append((values, target, values[target]))
            for user in list(nodes[spec.arg.name].users):
                users.append((user, user.args, user.kwargs))
                user.replace_input_with(nodes[spec.arg.name], nodes[first.arg.name])
    if not others:
        return decompose(program)
    try:
        # Nobody reads the other names any more.
        for values, target, tensor in others:
            values[target] = torch.empty_like(tensor)
        result = decompose(program)
    finally:
        for values, target, tensor in others:
            values[target] = tensor
        for user, args, kwargs in reversed(users):
            user.args, user.kwargs = args, kwargs
    _drop(result, {target for _, target, _ in others})
    return result


@contextmanager
def separated(program: ExportedProgram) -> Iterator[None]:
    """Inside, what is copied to a buffer is a value of its own, not another buffer's new one."""
    updates = [node for node in program.graph.nodes if node.target is aten.copy_.default]
    clones = []
    for node in updates:
        with program.graph.inserting_before(node):
            clone = program.graph.call_function(aten.clone.default, (node.args[1],))
        clone.meta = {**node.meta, "val": node.args[1].meta["val"]}
        node.args = (node.args[0], clone, *node.args[2:])
        clones.append(clone)
    try:
        yield
    finally:
        for node, clone in zip(updates, clones, strict=True):
            node.args = (node.args[0], clone.args[0], *node.args[2:])
            program.graph.erase_node(clone)


def share(module: GraphModule, program: ExportedProgram) -> None:
    """Gives the names of a tensor that `module`, made of `program`, writes to one tensor again."""
    written = {str(node.target) for node in module.graph.nodes if is_written(node)}
    for group in groups(program):
        paths = [str(spec.target) for spec in group]
        source = next((path for path in paths if path in written), None)
        for path in paths if source else ():
            owner, _, name = path.rpartition(".")
            setattr(module.get_submodule(owner), name, attribute(module, str(source)))


def _drop(program: ExportedProgram, targets: set[str]) -> None:
    """Takes the inputs away that stand for `targets`, which nobody reads."""
    signature = program.graph_signature
    unused = [spec for spec in signature.input_specs if spec.target in targets]
    nodes = {node.name: node for node in program.graph.nodes}
    for spec in unused:
        program.graph.erase_node(nodes[spec.arg.name])
        signature.input_specs.remove(spec)
    program.graph_module.recompile()
