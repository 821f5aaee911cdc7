# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where an FX node comes from: the user's file and line, and the module path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_LIBRARIES = (
    str(Path(torch.__file__).parent),
    str(Path(__file__).parents[1]),
    "<eval_with_key>",
    "<frozen ",
)


@dataclass(frozen=True)
class Source:
    """Origin of one node: `path` is the module path ("layer1.0.conv1"), possibly ""."""

    path: str
    file: str
    line: int

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.file else "unknown source"
        return f"{where} (module '{self.path}')" if self.path else where


def module_path(node: torch.fx.Node) -> str:
    """Qualified name of the innermost module that `node` was traced in, "" at the root."""
    stack: dict[str, Any] = node.meta.get("nn_module_stack") or {}
    if not stack:
        return ""
    # Export says "L['self'].layer", torch.compile "L['fn'].layer" after the caller's variable.
    return re.sub(r"^L\['\w+'\]\.?", "", str(list(stack.values())[-1][0]))


def operator_of(node: torch.fx.Node) -> str:
    """The operator that the user's code called, "aten.gelu"; "" when there is none.

    Decomposition leaves the operator that it took apart behind.
    """
    target = node.meta.get("original_aten") or node.target
    if not isinstance(target, torch._ops.OpOverload):
        return ""
    return f"{target.namespace}.{target._schema.name.split('::')[-1]}"


def _neighbour(node: torch.fx.Node) -> torch.fx.Node:
    """The node that a Q/DQ node inserted by a quantiser belongs to: what it quantises,
    or for a graph input or a weight the one that reads it."""
    start = node
    while "quantized_decomposed" in str(node.target):
        node = node.all_input_nodes[0]
    if node.op == "call_function":
        return node
    node = start
    while "quantized_decomposed" in str(node.target) and node.users:
        node = next(iter(node.users))
    return node if node.op == "call_function" else start


def source_of(node: torch.fx.Node, root: str | None = None) -> Source:
    """The innermost frame outside PyTorch and this package in the node's stack trace.

    A container of PyTorch's own, called directly, has none: its layers have a path only.
    With `root`, files under it are named relative to it.
    """
    if node.op == "call_function":
        node = _neighbour(node)
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    own = [f for f in frames if not f[0].startswith(_LIBRARIES)]
    file, line = own[-1] if own else ("", "0")
    if root and file and Path(file).is_relative_to(root):
        file = Path(file).relative_to(root).as_posix()
    return Source(module_path(node), file, int(line))
