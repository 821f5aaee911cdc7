# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights without data: a model on the meta device is imported for its structure.

While such a model is traced, its meta tensors are fake tensors of the CPU, so that they meet real
ones (a rotary table, say) without complaint. No later step allocates or reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import _pytree as pytree

from asic.errors import CompileError


def has_data(tensor: Tensor) -> bool:
    """Whether there is something to read."""
    return not (tensor.is_meta or isinstance(tensor, FakeTensor))


@contextmanager
def stand_ins(model: nn.Module) -> Iterator[None]:
    """Inside, fake tensors stand in for the meta tensors of `model`; tied ones stay tied.

    Raises:
        CompileError: a buffer that no checkpoint holds is on the meta device.
    """
    stores = list(_meta_stores(model))
    if not stores:
        yield
        return
    _check_buffers(model)
    made: dict[int, Tensor] = {}
    with FakeTensorMode(allow_non_fake_inputs=True):
        for _, _, tensor in stores:
            if id(tensor) not in made:
                made[id(tensor)] = _fake(tensor)
    try:
        for store, name, tensor in stores:
            store[name] = made[id(tensor)]
        yield
    finally:
        for store, name, tensor in stores:
            store[name] = tensor


def _meta_stores(model: nn.Module) -> Iterator[tuple[dict[str, Any], str, Tensor]]:
    """(dictionary, key, tensor) of every parameter and buffer on the meta device."""
    for module in model.modules():
        stores: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
        for store in stores:
            for name, tensor in store.items():
                if tensor is not None and tensor.is_meta:
                    yield store, name, tensor


def _fake(tensor: Tensor) -> Tensor:
    """A fake tensor like `tensor`; the caller's fake mode is active."""
    made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(made, tensor.requires_grad)
    return made


def _check_buffers(model: nn.Module) -> None:
    for path, module in model.named_modules():
        for name in module._non_persistent_buffers_set:
            buffer = module._buffers.get(name)
            if buffer is not None and buffer.is_meta:
                full = f"{path}.{name}" if path else name
                raise CompileError(
                    f"expected data for buffer '{full}', which no checkpoint holds, got a meta "
                    "tensor; make its module on the CPU, or assign the buffer's value",
                    phase="import",
                )


def on_cpu(args: Any) -> Any:
    """`args` with zeros in place of meta tensors."""
    return pytree.tree_map(
        lambda leaf: (
            torch.zeros(leaf.shape, dtype=leaf.dtype)
            if isinstance(leaf, Tensor) and leaf.is_meta
            else leaf
        ),
        args,
    )


def check_program(state: dict[str, Any]) -> None:
    """Refuses exported programs of the meta device: even their constants have no data.

    Raises:
        CompileError: names the first tensor.
    """
    for name, tensor in state.items():
        if isinstance(tensor, Tensor) and tensor.is_meta:
            raise CompileError(
                f"expected a program that was exported on the CPU, got '{name}' on the meta "
                "device; pass the nn.Module, whose weights may be there",
                phase="import",
            )
