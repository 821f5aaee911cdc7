# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `forward` assigns to attributes of its modules.

`torch.export` follows writes into a buffer, but an assignment, ``self.h = h``, only when
it is made to the outermost module. Here every assignment to a buffer becomes a write at
the end of the call; what happens to other attributes is reported.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _global_buffer_registration_hooks as buffer_hooks

from asic.errors import CompileError
from asic.frontend.indices import TensorIndices


@contextmanager
def followed(model: nn.Module) -> Iterator[set[str]]:
    """Inside, calls of `model` write to buffers what `forward` assigns to them.

    Yields:
        A set that is filled with the paths of tensors that `forward` assigned to
        attributes which are no buffers.
    """
    tensors: set[str] = set()
    numbers: set[str] = set()
    if isinstance(model, torch.fx.GraphModule):  # Assigns nothing.
        yield tensors
        return
    own = model.__dict__.get("forward")
    original = model.forward

    @functools.wraps(original)
    def forward(*args: Any, **kwargs: Any) -> Any:
        before = _Snapshot(model)
        # torch has its own way for buffers of the outermost module; one is enough.
        hooks = dict(buffer_hooks)
        buffer_hooks.clear()
        try:
            with TensorIndices():
                result = original(*args, **kwargs)
            updates = before.updates()
        finally:
            buffer_hooks.update(hooks)
            numbers.update(before.restore())
        for old, new in updates:
            old.copy_(new)
        return result

    model.__dict__["forward"] = forward
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            yield tensors
    finally:
        if own is None:
            del model.__dict__["forward"]
        else:
            model.__dict__["forward"] = own
    for warning in caught:
        tensors |= _assigned(warning)
    for name in sorted(numbers):
        warnings.warn(
            f"forward changes the attribute '{name}', a number; the compiled model keeps the "
            "value of the first call, keep it in a registered buffer instead",
            stacklevel=2,
        )


def _assigned(warning: warnings.WarningMessage) -> set[str]:
    """Paths that a warning of torch is about; any other warning is passed on."""
    text = str(warning.message)
    if not re.match(r"The tensor attributes? .* during export", text):
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return set()
    names = text.partition("Such attributes")[0]
    # nn.LSTM keeps a list of its own weights, which is of no consequence here.
    return {n for n in re.findall(r"\bself\.([\w.]+)", names) if not n.endswith("_flat_weights")}


class _Snapshot:
    """Buffers and numbers of all modules at the start of a call."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = [
            (path, module, dict(module._buffers), _numbers(module))
            for path, module in model.named_modules()
        ]

    def updates(self) -> list[tuple[Tensor, Tensor]]:
        """(buffer, its new value) of every buffer that now is another tensor."""
        originals = {id(old) for _, _, buffers, _ in self._modules for old in buffers.values()}
        found: list[tuple[Tensor, Tensor]] = []
        for path, module, buffers, _ in self._modules:
            for name, old in buffers.items():
                new = module._buffers.get(name)
                if new is not old:
                    _check(_join(path, name), old, new)
                    found.append((old, new))
        # Copies before any write: one buffer may become what another was.
        return [(old, new.clone() if id(new) in originals else new) for old, new in found]

    def restore(self) -> set[str]:
        """Puts everything back; returns the paths of the numbers that had changed."""
        changed: set[str] = set()
        for path, module, buffers, numbers in self._modules:
            module._buffers.clear()
            module._buffers.update(buffers)
            for name, old in numbers.items():
                new = vars(module).get(name)
                if type(new) is not type(old) or bool(new != old):
                    vars(module)[name] = old
                    changed.add(_join(path, name))
        return changed


def _numbers(module: nn.Module) -> dict[str, Any]:
    plain = vars(module).items()
    return {k: v for k, v in plain if k != "training" and isinstance(v, (bool, int, float))}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check(path: str, old: Any, new: Any) -> None:
    """An assigned buffer keeps its type."""
    if not isinstance(old, Tensor) or not isinstance(new, Tensor):
        raise CompileError(
            f"expected a tensor in buffer '{path}' before and after forward, got "
            f"{_describe(old)} and {_describe(new)}; give it its final shape in the constructor",
            phase="import",
        )
    if old.shape != new.shape or old.dtype != new.dtype:
        raise CompileError(
            f"expected buffer '{path}' to keep its type, got {_describe(old)} before forward "
            f"and {_describe(new)} after it; give it its final shape in the constructor",
            phase="import",
        )


def _describe(value: Any) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
