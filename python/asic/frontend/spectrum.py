# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Spectra of real signals without complex numbers: `torch.stft` and `torch.fft.rfft`.

Where a spectrum is only read as magnitudes or as pairs of real numbers (`.abs()`, `.real`,
`.imag`, `view_as_real`), it is a product with cosines and sines: a convolution with the
windowed tables for frames, a matrix product for a whole signal. Accelerators have no fast
transform, and frames are short.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

from asic.frontend.fold import fold_constants
from asic.frontend.nodes import insert_call, insert_constant

aten = torch.ops.aten

#: Elements of a table at most; a longer transform is refused like any complex number.
_TABLE_LIMIT = 1 << 24
_READERS = (aten.abs.default, aten.view_as_real.default)


def take_apart(module: GraphModule) -> None:
    """Replaces spectra whose readers want real numbers, in place.

    It comes behind quantisers, which would round cosines to eight bits.
    """
    found = False
    for node in list(module.graph.nodes):
        if node.target not in (aten.stft.default, aten.fft_rfft.default):
            continue
        if not node.users or any(user.target not in _READERS for user in node.users):
            continue
        builder = _Builder(module, node)
        is_stft = node.target is aten.stft.default
        parts = builder.frames(*node.args) if is_stft else builder.whole(*node.args, **node.kwargs)
        if parts is None:
            continue
        for user in list(node.users):
            user.replace_all_uses_with(builder.read(user, *parts))
        found = True
    if found:
        module.graph.eliminate_dead_code()
        fold_constants(module)
        module.recompile()


def _table(size: int, count: int, scale: float) -> torch.Tensor:
    """Cosines and negative sines (2 · count, size) of the first `count` frequencies."""
    places = torch.arange(size, dtype=torch.float64)
    # The angle of k · n in [0, 1), exact.
    turns = torch.outer(torch.arange(count, dtype=torch.float64), places) % size / size
    angles = 2 * torch.pi * turns
    return (torch.cat([angles.cos(), -angles.sin()]) * scale).float()


class _Builder:
    """Builds nodes in front of one, with its location."""

    def __init__(self, module: GraphModule, node: Node) -> None:
        self.module, self.node = module, node

    def call(self, target: Any, *args: Any) -> Node:
        return insert_call(self.node, target, *args)

    def frames(
        self,
        x: Node,
        size: int,
        hop: int | None = None,
        length: int | None = None,
        window: Node | None = None,
        normalized: bool = False,
        onesided: bool | None = None,
        return_complex: bool | None = None,
        align_to_window: bool | None = None,
    ) -> tuple[Node, Node] | None:
        """Real and imaginary parts (batch, frequencies, frames); None when it is not this form."""
        value = x.meta["val"]
        hop, length = hop or size // 4, length or size
        count = size if onesided is False else size // 2 + 1
        if not return_complex or align_to_window or value.is_complex():
            return None
        if window is not None and window.meta["val"].is_complex():
            return None
        if value.dtype != torch.float32 or 2 * count * size > _TABLE_LIMIT:
            return None
        table = _table(size, count, size**-0.5 if normalized else 1.0).reshape(-1, 1, size)
        kernel = insert_constant(self.module, f"{self.node.name}_table", table, self.node)
        left = (size - length) // 2
        if window is None and length < size:
            ones = torch.ones(length)
            window = insert_constant(self.module, f"{self.node.name}_window", ones, self.node)
        if window is not None:
            padding = [left, size - length - left]
            wide = self.call(aten.constant_pad_nd.default, window, padding, 0.0)
            kernel = self.call(aten.mul.Tensor, kernel, wide)
        signal = x if value.dim() == 2 else self.call(aten.unsqueeze.default, x, 0)
        signal = self.call(aten.unsqueeze.default, signal, 1)
        both = self.call(aten.conv1d.default, signal, kernel, None, [hop])
        if value.dim() == 1:
            both = self.call(aten.squeeze.dim, both, 0)
        return self._halves(both, -2, count)

    def whole(
        self, x: Node, size: int | None = None, dim: int = -1, norm: str | None = None
    ) -> tuple[Node, Node] | None:
        """Real and imaginary parts of the transform along a dimension; None for another form."""
        value = x.meta["val"]
        extent = value.shape[dim] if value.dim() else 0
        if (
            not isinstance(extent, int)
            or size not in (None, extent)
            or value.dtype != torch.float32
        ):
            return None
        count = extent // 2 + 1
        if extent == 0 or 2 * count * extent > _TABLE_LIMIT:
            return None
        scale = {"ortho": extent**-0.5, "forward": 1 / extent}.get(norm or "", 1.0)
        table = _table(extent, count, scale).t().contiguous()
        constant = insert_constant(self.module, f"{self.node.name}_table", table, self.node)
        is_last = dim in (-1, value.dim() - 1)
        rows = x if is_last else self.call(aten.transpose.int, x, dim, -1)
        both = self.call(aten.matmul.default, rows, constant)
        if not is_last:
            both = self.call(aten.transpose.int, both, dim, -1)
        return self._halves(both, dim, count)

    def _halves(self, both: Node, dim: int, count: int) -> tuple[Node, Node]:
        real = self.call(aten.slice.Tensor, both, dim, 0, count)
        return real, self.call(aten.slice.Tensor, both, dim, count, 2 * count)

    def read(self, user: Node, real: Node, imaginary: Node) -> Node:
        """What a reader of the spectrum gives."""
        if user.target is aten.view_as_real.default:
            return self.call(aten.stack.default, [real, imaginary], -1)
        squares = [self.call(aten.mul.Tensor, part, part) for part in (real, imaginary)]
        return self.call(aten.sqrt.default, self.call(aten.add.Tensor, *squares))
