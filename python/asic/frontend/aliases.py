# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Buffers that a program knows by several names.

A cache object keeps its tensors in attributes that PyTorch does not look at; a wrapper
registers the same tensors as buffers, so that they are state (the static caches of
transformers do). `torch.export` follows the attributes to constants and leaves the buffers
unused: writes would go to constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

_BUFFERS = (InputKind.BUFFER, InputKind.CONSTANT_TENSOR)


def _memory(tensor: torch.Tensor) -> tuple[Any, ...]:
    """What two names of one tensor have in common."""
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def join(
    program: ExportedProgram, decompose: Callable[[ExportedProgram], ExportedProgram]
) -> ExportedProgram:
    """What `decompose` makes of the program with one name for each tensor: its first buffer's.

    `program` itself stays as it is.
    """
    signature, graph = program.graph_signature, program.graph
    nodes = {node.name: node for node in graph.nodes if node.op == "placeholder"}
    specs = [spec for spec in signature.input_specs if spec.kind in _BUFFERS]
    specs.sort(key=lambda spec: spec.kind is not InputKind.BUFFER)
    first: dict[tuple[Any, ...], torch.fx.Node] = {}
    users: list[tuple[torch.fx.Node, Any, Any]] = []
    others: list[tuple[dict[str, Any], str, torch.Tensor]] = []
    for spec in specs:
        target, node = str(spec.target), nodes[spec.arg.name]
        values = program.state_dict if target in program.state_dict else program.constants
        tensor = values.get(target)
        if not isinstance(tensor, torch.Tensor) or not tensor.numel() or tensor.is_meta:
            continue
        name = first.setdefault(_memory(tensor), node)
        if name is node:
            continue
        others.append((values, target, tensor))
        for user in list(node.users):
            users.append((user, user.args, user.kwargs))
            user.replace_input_with(node, name)
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


def _drop(program: ExportedProgram, targets: set[str]) -> None:
    """Takes the inputs away that stand for `targets`, which nobody reads."""
    signature = program.graph_signature
    unused = [spec for spec in signature.input_specs if spec.target in targets]
    nodes = {node.name: node for node in program.graph.nodes}
    for spec in unused:
        program.graph.erase_node(nodes[spec.arg.name])
        signature.input_specs.remove(spec)
        for values in (program.state_dict, program.constants):
            values.pop(str(spec.target), None)
    program.graph_module.recompile()
