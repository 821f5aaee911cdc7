# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names of the weights: the module path of who reads them and the role they play there."""

from __future__ import annotations

import torch
from torch.export import ExportedProgram

from asic.frontend.locations import module_path


def resource_names(program: ExportedProgram) -> tuple[dict[str, str], frozenset[str]]:
    """Readable names for generated state keys, and the keys that stay in the text.

    Quantisers and folding name their constants `_frozen_param3`; the name here is the
    module path of the reader and the role it plays there, "layer1.0.conv1.weight".
    """
    signature = program.graph_signature
    targets = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    taken = {targets[n.name] for n in program.graph.nodes if n.name in targets and n.users}
    names: dict[str, str] = {}
    inline: set[str] = set()
    for node in program.graph.nodes:
        key = targets.get(node.name) if node.op == "placeholder" else None
        if key is None:
            continue
        roles = [_role(node, user) for user in node.users]
        if any(role in ("scales", "scale", "zero_points", "zero_point") for _, role in roles):
            inline.add(key)
        if is_generated(key) and roles:
            path, role = roles[0]
            name = f"{path}.{role}" if path else role
            stem, count = name, 1
            while name in taken:
                name, count = f"{stem}.{count}", count + 1
            taken.add(name)
            names[key] = name
    return names, frozenset(inline)


def is_generated(key: str) -> bool:
    """Whether a tensor's name is one that tools gave it, which the user's code does not have."""
    return (
        key.startswith(
            ("_frozen_param", "_scale_", "_zero_point_", "_tensor_constant", "lifted_tensor")
        )
        or "_folded" in key
        or "_int32" in key
        or "_int8" in key
    )


def _role(node: torch.fx.Node, user: torch.fx.Node) -> tuple[str, str]:
    """Module path of a reader and the name of the argument that `node` is there.

    Looks through dequantisation, so that a weight is called "weight".
    """
    while True:
        name = "value"
        if isinstance(user.target, torch._ops.OpOverload):
            for argument, value in zip(user.target._schema.arguments, user.args, strict=False):
                if value is node:
                    name = argument.name
        first = bool(user.args) and user.args[0] is node
        if first and user.users and "dequantize" in str(user.target):
            node, user = user, next(iter(user.users))
            continue
        break
    return module_path(user), name
