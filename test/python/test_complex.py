# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Complex numbers between real inputs and outputs, against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import asic
from asic.frontend.importer import import_model

BINARY: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "add": lambda x, y: x + y,
    "add_real": lambda x, y: x + y.real,
    "add_number": lambda x, y: x + (2 - 3j),
    "add_alpha": lambda x, y: torch.add(x, y, alpha=2),
    "sub": lambda x, y: x - y,
    "rsub": lambda x, y: 1j - x,
    "mul": lambda x, y: x * y,
    "mul_real": lambda x, y: y.imag * x,
    "mul_number": lambda x, y: x * 1j * (0.5 + 2j),
    "mul_integers": lambda x, y: x * torch.arange(4),
    "div": lambda x, y: x / y,
    "div_real": lambda x, y: x / y.real,
    "div_number": lambda x, y: x / 2j,
    "number_div": lambda x, y: 1 / x,
    "neg": lambda x, y: -x,
    "conj": lambda x, y: x * y.conj(),
    "conj_parts": lambda x, y: torch.complex(x.conj().imag, y.conj().real),
    "square": lambda x, y: x.square(),
    "power": lambda x, y: x**3 + y**-2,
    "exp": lambda x, y: torch.exp(x),
    "exp_imaginary": lambda x, y: torch.exp(1j * y.real),
    "log": lambda x, y: torch.log(x),
    "polar": lambda x, y: torch.polar(x.abs(), y.angle()),
    "matmul": lambda x, y: x @ y.mT,
    "matmul_real": lambda x, y: x @ (1j * y.imag).mT,
    "adjoint": lambda x, y: x @ y.mH,
    "batches": lambda x, y: torch.bmm(x, y.transpose(1, 2)),
    "einsum": lambda x, y: torch.einsum("bij,bkj->bik", x, y),
    "einsum_of_three": lambda x, y: torch.einsum("bij,bkj,bkj->bi", x, y, x),
    "sum": lambda x, y: x.sum(),
    "sum_over": lambda x, y: x.sum((0, 2)) + y.sum(1, keepdim=True)[0, :, :3],
    "mean": lambda x, y: x.mean(-1) + y.mean(),
    "cumsum": lambda x, y: x.cumsum(1),
    "reshape": lambda x, y: x.reshape(6, 4).view(3, 8).flatten(),
    "permute": lambda x, y: x.permute(2, 0, 1).transpose(0, 1).contiguous(),
    "slices": lambda x, y: x[:, 1:, ::2] + y[0, :2, :2],
    "index": lambda x, y: x[:, torch.tensor([2, 0])] * y[..., [1], :],
    "shapes": lambda x, y: x.unsqueeze(1).squeeze(1).expand(2, 3, 4) + y[:1].expand(2, -1, -1),
    "cat": lambda x, y: torch.cat([x, y, y.real], 1),
    "stack": lambda x, y: torch.stack([x, 1j * y.real]),
    "split": lambda x, y: x.chunk(2, -1)[1] * y.unbind(-1)[0].unsqueeze(-1),
    "where": lambda x, y: torch.where(x.real > 0, x, y),
    "masked": lambda x, y: x.masked_fill(y.real > 0, 2j),
    "pad": lambda x, y: torch.nn.functional.pad(x, (1, 2)) + 1,
    "roll": lambda x, y: x.roll(1, -1).flip(1).repeat(1, 2, 1),
    "zeros": lambda x, y: torch.zeros(2, 3, 4, dtype=torch.cfloat) + torch.ones_like(x) * y,
    "from_real": lambda x, y: x.real.to(torch.complex64) * (y + 0j),
    "views": lambda x, y: x.view(torch.float32).view(torch.complex64) * y,
    "norm": lambda x, y: torch.linalg.vector_norm(x, dim=-1) * (1 + 1j),
    "fft": lambda x, y: torch.fft.fft(x, norm="ortho"),
    "fft_real": lambda x, y: torch.fft.fft(y.real, dim=1),
    "fft_longer": lambda x, y: torch.fft.fft(x, 7, dim=1),
    "fft_shorter": lambda x, y: torch.fft.ifft(x, 3),
    "ifft": lambda x, y: torch.fft.ifft(x, dim=0, norm="forward"),
    "fft2": lambda x, y: torch.fft.fft2(x) * torch.fft.ifft2(y, s=(3, 1)),
    "fftn": lambda x, y: torch.fft.fftn(x) + torch.fft.ifftn(y, dim=(0, 2)),
    "rfftn": lambda x, y: torch.fft.rfftn(x.real) + torch.fft.rfft2(y.imag, norm="forward"),
    "shifts": lambda x, y: torch.fft.fftshift(x) * torch.fft.ifftshift(y, dim=1),
}


def filtered(x: Tensor, y: Tensor) -> Tensor:
    """Writes into a spectrum."""
    spectrum = torch.fft.rfft(x.real)
    spectrum[..., 0] = 2j
    spectrum[:, :1] *= y[:, :1, :3]
    spectrum[0, 1].zero_()
    return torch.fft.irfft(spectrum, n=4)


READ: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "abs": lambda x, y: x.abs(),
    "angle": lambda x, y: x.angle(),
    "parts": lambda x, y: (x.real, y.imag),
    "view_as_real": lambda x, y: torch.view_as_real(x).flatten(-2),
    "real_part_of_a_real": lambda x, y: x.real.real + y.abs(),
    "one_part": lambda x, y: torch.fft.fft2(x).real + torch.fft.ifft(y).imag,
    "one_part_of_real": lambda x, y: torch.fft.rfft2(y.real).imag,
    "parts_apart": lambda x, y: [f(torch.fft.fft(x)) for f in (torch.real, torch.imag)],
    "parts_of_one": lambda x, y: [f(x.mT @ y) for f in (torch.real, torch.imag)],
    "variance": lambda x, y: x.var(1, correction=1) + torch.std(y, dim=1, correction=0),
    "variance_and_mean": lambda x, y: x.var() + torch.var_mean(y, 2, correction=0)[1].imag,
    "writes": filtered,
    "irfft": lambda x, y: torch.fft.irfft(x),
    "irfft_odd": lambda x, y: torch.fft.irfft(x, 5, norm="ortho"),
    "irfft_longer": lambda x, y: torch.fft.irfft(x, 12, dim=1),
    "irfft_shorter": lambda x, y: torch.fft.irfft(x, 3),
    "irfft_of_real": lambda x, y: torch.fft.irfft(x.real.to(torch.cfloat)),
    "irfft2": lambda x, y: torch.fft.irfft2(x) + torch.fft.irfftn(y, dim=(0, 1, 2))[:, :3],
}


class Apply(nn.Module):
    """A function of two complex numbers of which the result is read as pairs."""

    def __init__(self, function: Callable[[Tensor, Tensor], Any], read: bool) -> None:
        super().__init__()
        self.function, self.read = function, read

    def forward(self, x: Tensor, y: Tensor) -> Any:
        result = self.function(torch.view_as_complex(x), torch.complex(y[..., 0], y[..., 1]))
        return torch.view_as_real(result) if self.read else result


def inputs(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def check(model: nn.Module, args: tuple[Tensor, ...], target: str = "cpu", **options: Any) -> Any:
    """Errors relative to the largest value: 1e-5 in float32, 8 bits of every factor in bf16."""
    bound = options.pop("bound", 1e-5 if target == "cpu" else 0.03)
    model = model.eval()
    with torch.no_grad():
        expected = model(*args)
    compiled = asic.compile(model, args, target=target, **options)
    leaves = torch.utils._pytree.tree_leaves
    for got, want in zip(leaves(compiled(*args)), leaves(expected), strict=True):
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        assert float((got - want).abs().max() / want.abs().max()) < bound
    return compiled


@pytest.mark.parametrize("name", BINARY)
def test_operators(name: str) -> None:
    check(Apply(BINARY[name], read=True), inputs((2, 3, 4, 2), (2, 3, 4, 2)))


@pytest.mark.parametrize("name", READ)
def test_readers(name: str) -> None:
    check(Apply(READ[name], read=False), inputs((2, 3, 4, 2), (2, 3, 4, 2)))


class Attention(nn.Module):
    """Attention with the rotary embedding of Llama's reference implementation."""

    def __init__(self, width: int = 32, heads: int = 2, length: int = 16) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        size = width // heads
        steps = 1.0 / 10000 ** (torch.arange(0, size, 2)[: size // 2].float() / size)
        angles = torch.outer(torch.arange(2 * length), steps).float()
        turns = torch.polar(torch.ones_like(angles), angles)
        self.register_buffer("freqs_cis", turns, persistent=False)

    def rotate(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        turns = self.freqs_cis[3 : 3 + x.shape[1]].view(1, x.shape[1], 1, x.shape[-1] // 2)
        return torch.view_as_real(pairs * turns).flatten(3).type_as(x)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.project(x).chunk(3, -1)
        q, k, v = (p.view(*p.shape[:2], self.heads, -1) for p in parts)
        q, k, v = (t.transpose(1, 2) for t in (self.rotate(q), self.rotate(k), v))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Fourier(nn.Module):
    """Mixing of FNet."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.LayerNorm(16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.norm(x + torch.fft.fft2(x, dim=(-2, -1)).real))


class LongConvolution(nn.Module):
    """Hyena's convolution: kernels as long as the signal, by way of spectra."""

    def __init__(self, channels: int = 4, length: int = 24) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(channels, length) / length)

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        size = 2 * x.shape[-1]
        kernel = torch.fft.rfft(self.kernel * gate, n=size) / size
        signal = torch.fft.rfft(x, n=size)
        return torch.fft.irfft(signal * kernel, n=size, norm="forward")[..., : x.shape[-1]]


class Operator(nn.Module):
    """A layer of a Fourier neural operator, which writes into a spectrum of zeros."""

    def __init__(self, modes: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 4, modes, dtype=torch.cfloat))

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x)
        modes = self.weight.shape[-1]
        mixed = torch.zeros(x.shape[0], 4, spectrum.shape[-1], dtype=torch.cfloat)
        mixed[:, :, :modes] = torch.einsum("bix,iox->box", spectrum[..., :modes], self.weight)
        return torch.fft.irfft(mixed, n=x.shape[-1])


class StateSpace(nn.Module):
    """The kernel of S4D, whose parameters are complex."""

    def __init__(self) -> None:
        super().__init__()
        self.c = nn.Parameter(torch.randn(3, 4, dtype=torch.cfloat))
        self.a = nn.Parameter(torch.complex(-torch.ones(3, 4) / 2, torch.randn(3, 4)))

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        turned = self.a * step.unsqueeze(-1)
        powers = turned.unsqueeze(-1) * torch.arange(x.shape[-1])
        factors = self.c * (torch.exp(turned) - 1.0) / self.a
        kernel = 2 * torch.einsum("hn,hnl->hl", factors, torch.exp(powers)).real
        return x * kernel


class Mask(nn.Module):
    """A mask on a spectrogram, and the signal again: speech enhancement in short."""

    def __init__(self, again: bool, **options: Any) -> None:
        super().__init__()
        self.again, self.options = again, {"n_fft": 16, "hop_length": 6, **options}
        self.register_buffer("window", torch.hann_window(self.options["n_fft"]))
        self.layer = nn.Conv1d(9, 18, 1)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.stft(x, window=self.window, return_complex=True, **self.options)
        real, imag = self.layer(spectrum.abs()).chunk(2, -2)
        masked = spectrum * torch.complex(real, torch.tanh(imag))
        if not self.again:
            return torch.view_as_real(masked)
        return torch.istft(masked, window=self.window, length=x.shape[-1], **self.options)


class Shared(nn.Module):
    """A sum that a quantiser makes int8, read by an integer layer and by a transform."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        middle = torch.relu(self.first(x))
        return self.second(middle) + torch.fft.fft(middle).abs()


class ComplexLayers(nn.Module):
    """A linear layer and a convolution of complex weights, one number and one constant."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4, dtype=torch.cfloat)
        self.conv = nn.Conv1d(3, 5, 2, padding="same", dtype=torch.cfloat)
        self.plain = torch.tensor([1j, 2 - 1j])

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.conv(self.linear(1j * x + 1)) * (2 - 1j)
        return (mixed.sum(-1, keepdim=True) * self.plain.conj()).abs()


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]] = {
    "llama": (Attention, ((2, 5, 32),)),
    "fnet": (Fourier, ((2, 12, 16),)),
    "hyena": (LongConvolution, ((2, 4, 24), (4, 24))),
    "fno": (Operator, ((2, 2, 16),)),
    "s4d": (StateSpace, ((3, 10), (3,))),
    "shared": (Shared, ((2, 4, 8),)),
    "stft_mask": (lambda: Mask(again=False), ((2, 60),)),
    "istft": (lambda: Mask(again=True), ((2, 60),)),
    "layers": (ComplexLayers, ((2, 3, 6),)),
}


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("name", MODELS)
def test_models(name: str, target: str) -> None:
    torch.manual_seed(0)
    make, shapes = MODELS[name]
    check(make(), inputs(*shapes), target)


@pytest.mark.parametrize(
    "options", [{"normalized": True}, {"center": False}, {"n_fft": 16, "win_length": 12}]
)
def test_frames_and_back(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = Mask(again=True, **options)
    if "win_length" in options:
        model.window = torch.hann_window(12)
    if options.get("center") is False:
        model.window = torch.hamming_window(16)
    check(model, inputs((60,)))


class Columns(nn.Module):
    """Spectra along dimension 1 for every entry of dimension 2."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x, dim=1).abs()


DYNAMIC: dict[str, tuple[Callable[[], nn.Module], int, Callable[[int], tuple[int, ...]]]] = {
    "llama": (Attention, 1, lambda size: (1, size, 32)),
    "columns": (Columns, 2, lambda size: (1, 6, size)),
}


@pytest.mark.parametrize(("target", "bound"), [("cpu", 1e-5), ("edge-tx1", 0.03)])
@pytest.mark.parametrize("name", DYNAMIC)
def test_dynamic_dimensions(name: str, target: str, bound: float) -> None:
    torch.manual_seed(0)
    make, dim, shape = DYNAMIC[name]
    size = torch.export.Dim("size", min=1, max=8)
    model = make().eval()
    compiled = asic.compile(model, inputs(shape(5)), target=target, dynamic_shapes=({dim: size},))
    for extent in (3, 8):
        (x,) = inputs(shape(extent))
        with torch.no_grad():
            expected = model(x)
        assert float((compiled(x) - expected).abs().max() / expected.abs().max()) < bound


def test_transforms_over_dynamic_dimensions_are_refused() -> None:
    size = torch.export.Dim("size", min=3, max=8)
    shapes = ({1: size},)
    with pytest.raises(asic.CompileError, match=r"static size, got aten.fft_rfft at .*\.py:\d+"):
        asic.compile(Columns(), inputs((1, 5, 6)), target="edge-tx1", dynamic_shapes=shapes)


class TwoMixings(nn.Module):
    def forward(self, x: Tensor) -> Any:
        once = torch.fft.fft(x).real
        again = torch.fft.ifft(torch.fft.fft(1j * once))
        return torch.fft.fft(once * torch.arange(16)).imag, again.abs()


def test_tables_are_stored_once() -> None:
    """Cosines and sines for what is read in part, and a table of both for each direction."""
    (x,) = inputs((3, 16))
    check(TwoMixings(), (x,))
    weights = import_model(TwoMixings(), (x,)).weights
    assert sorted(array.size for array in weights.values()) == [256, 256, 512, 512]


@pytest.mark.parametrize("name", ["fft", "fft_real", "ifft", "rfftn", "shifts", "matmul", "conj"])
def test_programs_in_core_aten(name: str) -> None:
    """What somebody else has decomposed: `_fft_c2c`, `_conj` with a copy, `bmm`."""
    args = inputs((2, 3, 4, 2), (2, 3, 4, 2))
    model = Apply(BINARY[name], read=True).eval()
    program = torch.export.export(model, args).run_decompositions()
    compiled = asic.compile(program, args, target="cpu")
    assert float((compiled(*args) - model(*args)).abs().max()) < 1e-5


@pytest.mark.parametrize("name", ["irfft", "irfft_odd", "irfft2"])
def test_real_signals_in_core_aten(name: str) -> None:
    args = inputs((2, 3, 4, 2), (2, 3, 4, 2))
    model = Apply(READ[name], read=False).eval()
    program = torch.export.export(model, args).run_decompositions()
    compiled = asic.compile(program, args, target="cpu")
    assert float((compiled(*args) - model(*args)).abs().max()) < 1e-5


@pytest.mark.parametrize("quantize", ["int8", "int8-weight"])
@pytest.mark.parametrize("name", ["llama", "fnet", "shared", "stft_mask"])
def test_quantised_models_keep_complex_parts(name: str, quantize: str) -> None:
    torch.manual_seed(0)
    make, shapes = MODELS[name]
    generator = torch.Generator().manual_seed(1)
    data = [tuple(torch.randn(s, generator=generator) for s in shapes) for _ in range(8)]
    calibration = [inputs(*shapes), *data] if quantize == "int8" else None
    check(make(), inputs(*shapes), quantize=quantize, calibration=calibration, bound=0.06)


class Returns(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 1j * x


class Takes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.abs()


class Wide(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x.double() * 1j).abs().float()


class WideBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("turn", torch.ones(4, dtype=torch.cdouble))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.turn).abs().float()


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("last", torch.zeros(4, dtype=torch.cfloat))

    def forward(self, x: Tensor) -> Tensor:
        self.last.copy_(1j * x)
        return x + 1


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(1j * x).imag


@pytest.mark.parametrize(
    ("model", "args", "message"),
    [
        (Returns(), inputs((4,)), r"real outputs, .*aten.mul.* at .*\.py:\d+; return torch.view"),
        (Takes(), (torch.ones(4, dtype=torch.cfloat),), r"real inputs, .*'x'.*\.py:\d+; pass"),
        (Wide(), inputs((4,)), r"torch.complex128 from aten.mul.* at .*\.py:\d+.*complex64"),
        (WideBuffer(), inputs((4,)), r"torch.complex128 from 'turn'.*\.py:\d+.*complex64"),
        (Remembers(), inputs((4,)), r"real state, .*'last'"),
        (Unknown(), inputs((4,)), r"aten.tanh at .*\.py:\d+; compute with pairs"),
    ],
)
def test_what_is_refused(model: nn.Module, args: tuple[Tensor, ...], message: str) -> None:
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(model, args, target="cpu")
