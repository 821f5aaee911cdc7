# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dynamic sizes whose conditions torch.export cannot decide, and remedies that are true."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

import asic


class Audio(nn.Module):
    """A convolution over samples, and a network for each of its frames."""

    def __init__(self, body: Callable[[Audio, Tensor], Tensor]) -> None:
        super().__init__()
        self.body = body
        self.frames = nn.Conv1d(1, 8, 10, 5)
        self.head = nn.Linear(8, 4)
        self.spectrum = nn.Linear(17, 4)
        self.register_buffer("window", torch.hann_window(32))

    def forward(self, wave: Tensor) -> Tensor:
        return self.body(self, wave)


def linear(m: Audio, wave: Tensor) -> Tensor:
    return m.head(m.frames(wave[:, None]).relu().transpose(1, 2))


def product(m: Audio, wave: Tensor) -> Tensor:
    return m.frames(wave[:, None]).transpose(1, 2) @ m.head.weight.T


def spectrogram(m: Audio, wave: Tensor) -> Tensor:
    spectra = torch.stft(wave, 32, 16, window=m.window, return_complex=True)
    return m.spectrum(spectra.abs().transpose(1, 2))


def compile_audio(body: Callable[[Audio, Tensor], Tensor], dim: Any) -> Any:
    torch.manual_seed(0)
    model = Audio(body).eval()
    shapes = ({1: dim},)
    return model, asic.compile(model, (torch.randn(1, 160),), target="cpu", dynamic_shapes=shapes)


@pytest.mark.parametrize("body", [linear, product, spectrogram])
def test_conditions_that_all_sizes_meet(body: Callable[[Audio, Tensor], Tensor]) -> None:
    model, compiled = compile_audio(body, Dim("n", min=40, max=320))
    for size in (41, 77, 200):
        wave = torch.randn(1, size)
        torch.testing.assert_close(compiled(wave), model(wave), rtol=1e-5, atol=1e-5)


def fives(m: Audio, wave: Tensor) -> Tensor:
    return wave.reshape(wave.shape[0], -1, 5).sum(-1)


def first(m: Audio, wave: Tensor) -> Tensor:
    return m.head(wave[:, :64].reshape(1, 8, 8))


def two_frames(m: Audio, wave: Tensor) -> Tensor:
    frames = m.frames(wave[:, None])
    return m.head(frames.transpose(1, 2)) if frames.shape[2] > 9 else frames.sum(1)


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        (fives, r"declare it as 5*Dim('k', min=8, max=64)"),
        (first, r"declare n = Dim('n', min=64, max=320)"),
        (two_frames, r"declare n = Dim('n', min=55, max=320)"),
    ],
)
def test_remedies_work(body: Callable[[Audio, Tensor], Tensor], remedy: str) -> None:
    with pytest.raises(asic.CompileError, match=re.escape(remedy)):
        compile_audio(body, Dim("n", min=40, max=320))
    declared = re.search(r"(\d*\*?)Dim\('(\w)', (.*)\)", remedy)
    assert declared is not None
    bounds = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", declared[3])}
    factor = int(declared[1].rstrip("*") or 1)
    dim = Dim(declared[2], **bounds)
    model, compiled = compile_audio(body, factor * dim if factor > 1 else dim)
    wave = torch.randn(1, 165)
    torch.testing.assert_close(compiled(wave), model(wave), rtol=1e-5, atol=1e-5)
