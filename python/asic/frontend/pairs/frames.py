# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rules of `torch.stft` and `torch.istft`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from asic.frontend.pairs.builder import Builder, Pair, Part, is_zero
from asic.frontend.pairs.transforms import check_table, turns, weights

aten = torch.ops.aten


def _window(b: Builder, window: Node | None, size: int, length: int) -> Node | None:
    """The window with zeros around it; None where it is one everywhere."""
    if window is None:
        if length == size:
            return None
        window = b.constant("window", torch.ones(length))
    elif window.meta["val"].dtype != torch.float32:
        b.refuse("windows of float32", "make the window a tensor of float32")
    left = (size - length) // 2
    return b.call(aten.constant_pad_nd.default, window, [left, size - length - left], 0.0)


def _kernel(b: Builder, name: str, table: Tensor, window: Node | None) -> Node:
    """A table (frequencies, size) as a convolution's kernel, windowed."""
    kernel = b.constant(name, table.float().unsqueeze(1))
    return kernel if window is None else b.call(aten.mul.Tensor, kernel, window)


def _stft(
    b: Builder,
    x: Node,
    size: int,
    hop: int | None = None,
    length: int | None = None,
    window: Node | None = None,
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Pair | Node:
    value = x.meta["val"]
    if align_to_window or value.dtype != torch.float32:
        b.refuse("frames of a float32 signal, aligned by center alone")
    count = size if onesided is False else size // 2 + 1
    check_table(b, 2, count, size)
    angles = turns(count, size, size)
    table = torch.cat([angles.cos(), -angles.sin()]) * (size**-0.5 if normalized else 1.0)
    kernel = _kernel(b, "table", table, _window(b, window, size, length or size))
    signal = x if value.dim() == 2 else b.call(aten.unsqueeze.default, x, 0)
    signal = b.call(aten.unsqueeze.default, signal, 1)
    both = b.call(aten.conv1d.default, signal, kernel, None, [hop or size // 4])
    if value.dim() == 1:
        both = b.call(aten.squeeze.dim, both, 0)
    real = b.call(aten.slice.Tensor, both, -2, 0, count)
    imag = b.call(aten.slice.Tensor, both, -2, count, 2 * count)
    if not return_complex:
        return b.call(aten.stack.default, [real, imag], -1)
    return Pair(real, imag)


def _istft(
    b: Builder,
    x: Node,
    size: int,
    hop: int | None = None,
    length: int | None = None,
    window: Node | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    signal_length: int | None = None,
    return_complex: bool = False,
) -> Node:
    """Frames are laid over each other, then divided by what the windows add up to."""
    shape = b.static(x.meta["val"].shape)
    count, frames = shape[-2:]
    if return_complex or onesided is False or count != size // 2 + 1:
        b.refuse("half spectra of real signals, of n_fft // 2 + 1 frequencies")
    check_table(b, 2, count, size)
    hop, length = hop or size // 4, length or size
    scale = size ** (-0.5 if normalized else -1.0)
    angles, factors = turns(count, size, size), weights(count, size) * scale
    wide = _window(b, window, size, length)
    tables = angles.cos() * factors, -angles.sin() * factors
    total: Part = 0.0
    for part, name, table in zip(b.pair(x), ("cosines", "sines"), tables, strict=True):
        if is_zero(part):
            continue
        spectrum = b.tensor(part, shape)
        if len(shape) == 2:
            spectrum = b.call(aten.unsqueeze.default, spectrum, 0)
        kernel = _kernel(b, name, table, wide)
        total = b.add(total, b.call(aten.conv_transpose1d.default, spectrum, kernel, None, [hop]))
    span = size + (frames - 1) * hop
    first = size // 2 if center else 0
    wanted = signal_length if signal_length is not None else span - first - first
    last = min(first + wanted, span)
    envelope = _envelope(b, wide, size, hop, frames)
    laid = b.tensor(total, [math.prod(shape[:-2]), 1, span])
    cut = [b.call(aten.slice.Tensor, x, -1, first, last) for x in (laid, envelope)]
    result = b.call(aten.squeeze.dim, b.call(aten.div.Tensor, *cut), 1)
    if signal_length is not None and first + signal_length > span:
        pad = [0, first + signal_length - span]
        result = b.call(aten.constant_pad_nd.default, result, pad, 0.0)
    return result if len(shape) == 3 else b.call(aten.squeeze.dim, result, 0)


def _envelope(b: Builder, window: Node | None, size: int, hop: int, frames: int) -> Node:
    """The squares of the window of every frame, added where frames overlap."""
    wide = window or b.constant("ones", torch.ones(size))
    square = b.call(aten.mul.Tensor, wide, wide)
    kernel = b.call(aten.reshape.default, square, [1, 1, size])
    ones = b.constant("frames", torch.ones(1, 1, frames))
    return b.call(aten.conv_transpose1d.default, ones, kernel, None, [hop])


def frames() -> dict[Any, Callable[..., Any]]:
    """The rules of this file."""
    return {aten.istft.default: _istft, aten.stft.default: _stft}
