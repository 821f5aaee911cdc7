# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where an FX node comes from: the user's file and line, and the module path."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.fx.proxy import TracerBase

_FRAME = re.compile(r'File "([^"]+)", line (\d+)(?:, in (.+))?')
_PACKAGE = re.compile(r"[/\\](?:site|dist)-packages[/\\]([^/\\]+)")
_STANDARD = sysconfig.get_paths()["stdlib"]
_MACHINERY = (
    str(Path(torch.__file__).parent),
    str(Path(__file__).parents[1]),
    "<eval_with_key>",
    "<frozen ",
)

#: How many calls there are around the trace that is running.
_outside: ContextVar[int | None] = ContextVar("_outside", default=None)
#: Torch's own choice of the frames that a node's trace has, and the name of it.
_FILTER = "_filter_traceback_frames"
_torch_keeps: Callable[..., traceback.StackSummary] = getattr(TracerBase, _FILTER)


class Frame(NamedTuple):
    """A call on the way to an operator: file, line and the function that the line is in."""

    file: str
    line: int
    function: str

    @property
    def package(self) -> str:
        """The installed package that the line belongs to; "" for code of the user's own."""
        found = _PACKAGE.search(self.file)
        return found[1] if found else ""

    @property
    def is_machinery(self) -> bool:
        """Whether the line is PyTorch's, this package's or the standard library's."""
        is_standard = self.file.startswith(_STANDARD) and not self.package
        return is_standard or self.file.startswith(_MACHINERY)


def user_frame(frames: Iterable[Frame]) -> Frame | None:
    """The line that a person would edit, among calls from the outermost to the innermost.

    It is the innermost one of the code that the innermost `forward` belongs to, which is either the user's
    own or an installed package's. So a helper function is named rather than its caller, a layer of
    Transformers rather than the line that calls the model, and never a function of einops
    that the user's layer calls.
    """
    own = [frame for frame in frames if not frame.is_machinery]
    if not own:
        return None
    modules = [frame.package for frame in own if frame.function == "forward"]
    owner = modules[-1] if modules else min((frame.package for frame in own), key=bool)
    return next(frame for frame in reversed(own) if frame.package == owner)


@contextmanager
def whole_stacks() -> Iterator[None]:
    """Traces inside keep the calls of helper functions, of the code that is traced.

    Torch keeps the lines in functions called `forward` only.
    """
    setattr(TracerBase, _FILTER, _kept)
    token = _outside.set(len(list(traceback.walk_stack(None))))
    try:
        yield
    finally:
        _outside.reset(token)


def _kept(tracer: TracerBase, stack: traceback.StackSummary) -> traceback.StackSummary:
    """In place of torch's choice, which it is wherever `whole_stacks` is not entered."""
    outside = _outside.get()
    if outside is None:
        return _torch_keeps(tracer, stack)
    inner = (frame for frame in stack[outside:] if not _frame(frame).is_machinery)
    return traceback.StackSummary.from_list(list(inner))


def frames_of(problem: BaseException) -> list[Frame]:
    """The calls that an exception went through, from the outermost to the innermost."""
    return [_frame(found) for found in traceback.extract_tb(problem.__traceback__)]


def _frame(summary: traceback.FrameSummary) -> Frame:
    return Frame(summary.filename, summary.lineno or 0, summary.name)


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
    """The line of the user's in the node's stack trace (`user_frame`).

    A container of PyTorch's own, called directly, has none: its layers have a path only.
    With `root`, files under it are named relative to it.
    """
    if node.op == "call_function":
        node = _neighbour(node)
    found = _FRAME.findall(node.meta.get("stack_trace") or "")
    frame = user_frame(Frame(file, int(line), name) for file, line, name in found)
    if frame is None:
        return Source(module_path(node), "", 0)
    file = frame.file
    if root and Path(file).is_relative_to(root):
        file = Path(file).relative_to(root).as_posix()
    return Source(module_path(node), file, frame.line)
