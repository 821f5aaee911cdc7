# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Short-time and whole Fourier transforms of real signals, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import asic

MAGNITUDES: dict[str, Callable[[Tensor], Any]] = {
    "abs": lambda s: s.abs(),
    "power": lambda s: s.abs().pow(2),
    "pairs": torch.view_as_real,
    "parts": lambda s: (s.real, s.imag),
    "turned": lambda s: (s * (0.5 - 1j)).imag,
}


class Frames(nn.Module):
    def __init__(self, read: str = "abs", window: bool = True, **options: Any) -> None:
        super().__init__()
        self.read, self.options = read, {"n_fft": 32, "hop_length": 12, **options}
        length = options.get("win_length", self.options["n_fft"])
        self.register_buffer("window", torch.hann_window(length) if window else None)

    def forward(self, x: Tensor) -> Any:
        spectrum = torch.stft(x, window=self.window, return_complex=True, **self.options)
        return MAGNITUDES[self.read](spectrum)


class Whole(nn.Module):
    def __init__(self, read: str = "abs", dim: int = -1, norm: str | None = None) -> None:
        super().__init__()
        self.read, self.dim, self.norm = read, dim, norm

    def forward(self, x: Tensor) -> Any:
        return MAGNITUDES[self.read](torch.fft.rfft(x, dim=self.dim, norm=self.norm))


def check(model: nn.Module, x: Tensor, target: str, bound: float) -> asic.Compiled:
    """Errors relative to the largest value."""
    expected = model(x)
    compiled = asic.compile(model, (x,), target=target)
    for got, want in zip(
        torch.utils._pytree.tree_leaves(compiled(x)),
        torch.utils._pytree.tree_leaves(expected),
        strict=True,
    ):
        assert got.shape == want.shape
        assert float((got - want).abs().max() / want.abs().max()) < bound
    return compiled


@pytest.mark.parametrize("read", MAGNITUDES)
@pytest.mark.parametrize("shape", [(200,), (2, 200)])
def test_readers(read: str, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    check(Frames(read), x, "cpu", 2e-6)
    check(Whole(read), x, "cpu", 2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"window": False},
        {"win_length": 20},
        {"win_length": 21, "n_fft": 33},
        {"window": False, "win_length": 20},
        {"hop_length": None},
        {"center": False},
        {"normalized": True},
        {"onesided": False},
        {"pad_mode": "constant"},
        {"n_fft": 1},
    ],
)
def test_options(options: dict[str, Any]) -> None:
    x = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    check(Frames("pairs", **{"hop_length": 12, **options}), x, "cpu", 2e-6)


@pytest.mark.parametrize("dim", [0, 1, -2])
@pytest.mark.parametrize("norm", [None, "ortho", "forward", "backward"])
def test_whole_transforms(dim: int, norm: str | None) -> None:
    x = torch.randn(6, 9, 4, generator=torch.Generator().manual_seed(0))
    check(Whole("parts", dim, norm), x, "cpu", 2e-6)


def test_a_spectrogram_on_the_accelerator() -> None:
    """bf16 products: 8 bits of every factor."""
    x = torch.randn(1, 400, generator=torch.Generator().manual_seed(0))
    compiled = check(Frames("power", n_fft=64), x, "edge-tx1", 0.02)
    assert compiled.report().to_dict()["fallbacks"] == []


class Words(nn.Module):
    """Keyword spotting in short: a spectrogram and a linear layer of its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(64))
        self.layer = nn.Linear(33, 4)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.stft(x, 64, 32, window=self.window, return_complex=True)
        return self.layer(torch.log(spectrum.abs() + 0.1).mean(-1))


@pytest.mark.parametrize("quantize", ["int8", "int8-weight"])
def test_tables_are_not_quantised(quantize: str) -> None:
    torch.manual_seed(0)
    model, x = Words().eval(), torch.randn(1, 640)
    data = [(torch.randn(1, 640),) for _ in range(8)] if quantize == "int8" else None
    compiled = asic.compile(model, (x,), target="cpu", quantize=quantize, calibration=data)
    with torch.no_grad():
        error = (compiled(x) - model(x)).abs().max() / model(x).abs().max()
    assert float(error) < 0.02


class Long(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs()


def test_long_transforms_are_refused() -> None:
    with pytest.raises(asic.CompileError, match=r"2\^24 elements, got aten.fft_rfft at .*:\d+"):
        asic.compile(Long(), (torch.zeros(1, 1 << 13),), target="cpu")
