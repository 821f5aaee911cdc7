# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recurrent networks, state spaces, temporal convolutions, audio."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.architectures.libraries import net, tokens, transformers
from benchmarks.architectures.registry import Architecture, Model
from benchmarks.nets.transformer import SelfAttention


class Recurrent(nn.Module):
    """Two recurrent layers of a kind over (n, steps, 32), and a linear layer."""

    def __init__(self, kind: str, bidirectional: bool = False) -> None:
        super().__init__()
        layer = getattr(nn, kind)
        self.layers = layer(32, 48, 2, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(96 if bidirectional else 48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x)[0])


class ConvLstm(nn.Module):
    """An LSTM whose gates are convolutions (arXiv 1506.04214): (n, steps, 3, h, w)."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.Conv2d(3 + width, 4 * width, 3, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        batch, steps, _, height, columns = frames.shape
        hidden = cell = torch.zeros(batch, self.width, height, columns)
        for step in range(steps):
            gates = self.gates(torch.cat([frames[:, step], hidden], 1))
            enter, forget, new, leave = gates.chunk(4, 1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
        return hidden


class StateSpace(nn.Module):
    """A selective state space (arXiv 2312.00752): (n, steps, width) to the same.

    `scan` says how the recurrence h = a·h + b is written down.
    """

    def __init__(self, scan: str, width: int = 16, states: int = 4) -> None:
        super().__init__()
        self.scan = scan
        self.rates = nn.Parameter(-torch.rand(width, states) - 0.1)
        self.enter, self.leave = nn.Linear(width, states), nn.Linear(width, states)
        self.step = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        step = nn.functional.softplus(self.step(x)).unsqueeze(-1)
        decay = torch.exp(step * self.rates)
        drive = step * self.enter(x).unsqueeze(2) * x.unsqueeze(-1)
        states = getattr(self, f"_{self.scan}")(decay, drive)
        return (states * self.leave(x).unsqueeze(2)).sum(-1)

    def _loop(self, decay: Tensor, drive: Tensor) -> Tensor:
        state, states = torch.zeros_like(drive[:, 0]), []
        for i in range(drive.shape[1]):
            state = decay[:, i] * state + drive[:, i]
            states.append(state)
        return torch.stack(states, 1)

    def _cumsum(self, decay: Tensor, drive: Tensor) -> Tensor:
        total = torch.cumsum(torch.log(decay), 1)
        return torch.exp(total) * torch.cumsum(drive * torch.exp(-total), 1)

    def _doubling(self, decay: Tensor, drive: Tensor) -> Tensor:
        """Hillis and Steele: log₂(steps) rounds."""
        steps, apart = drive.shape[1], 1
        while apart < steps:
            before = nn.functional.pad(drive, (0, 0, 0, 0, apart, 0))[:, :steps]
            factor = nn.functional.pad(decay, (0, 0, 0, 0, apart, 0), value=1.0)[:, :steps]
            drive = drive + decay * before
            decay = decay * factor
            apart *= 2
        return drive


class LinearAttention(nn.Module):
    """Causal attention with the feature map elu + 1 (arXiv 2006.16236), by running sums."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, width = x.shape
        parts = self.project(x).view(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        query, key = (nn.functional.elu(t) + 1 for t in (query, key))
        memory = (key.unsqueeze(-1) * value.unsqueeze(-2)).cumsum(2)
        mixed = torch.einsum("nhsk,nhskv->nhsv", query, memory)
        norm = (query * key.cumsum(2)).sum(-1, keepdim=True) + 1e-6
        return self.out((mixed / norm).transpose(1, 2).reshape(batch, steps, width))


class Rwkv(nn.Module):
    """RWKV's time mixing (arXiv 2305.13048), unrolled: (n, steps, width) to the same."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.decay, self.bonus = nn.Parameter(torch.rand(width)), nn.Parameter(torch.rand(width))
        self.mix = nn.Parameter(torch.rand(3, width))
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        before = nn.functional.pad(x, (0, 0, 1, 0))[:, :-1]
        mixed = (x * m + before * (1 - m) for m in self.mix)
        key, value, gate = (f(y) for f, y in zip(self.layers, mixed, strict=False))
        top = bottom = torch.zeros_like(x[:, 0])
        decay, out = torch.exp(-self.decay), []
        for i in range(x.shape[1]):
            weight, current = torch.exp(self.bonus + key[:, i]), torch.exp(key[:, i])
            out.append((top + weight * value[:, i]) / (bottom + weight))
            top, bottom = decay * top + current * value[:, i], decay * bottom + current
        return self.layers[3](gate.sigmoid() * torch.stack(out, 1))


class TemporalConv(nn.Module):
    """Causal dilated residual blocks (arXiv 1803.01271): (n, 8, steps) to the same length."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.enter = nn.Conv1d(8, width, 1)
        self.convs = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv1d(width, width, 3, dilation=d))
            for d in (1, 2, 4, 8)
        )
        self.head = nn.Conv1d(width, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        for conv in self.convs:
            x = torch.relu(x + torch.relu(conv(nn.functional.pad(x, (2 * conv.dilation[0], 0)))))
        return self.head(x)


class WaveNet(nn.Module):
    """Gated dilated convolutions with skips (arXiv 1609.03499): (n, 1, steps) to 32 classes."""

    def __init__(self, width: int = 16, classes: int = 32) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.dilations = (1, 2, 4, 8)
        self.gated = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=d) for d in self.dilations
        )
        self.skips = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in self.dilations)
        self.residuals = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in self.dilations)
        self.head = nn.Sequential(
            nn.ReLU(), nn.Conv1d(width, width, 1), nn.ReLU(), nn.Conv1d(width, classes, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        total = torch.zeros_like(x)
        for i, dilation in enumerate(self.dilations):
            value, gate = self.gated[i](nn.functional.pad(x, (dilation, 0))).chunk(2, 1)
            y = value.tanh() * gate.sigmoid()
            total = total + self.skips[i](y)
            x = x + self.residuals[i](y)
        return self.head(total)


class KeywordSpotter(nn.Module):
    """Depthwise separable convolutions on spectra (arXiv 1711.07128): (n, 1, 49, 10)."""

    def __init__(self, width: int = 32, words: int = 12) -> None:
        super().__init__()

        def block() -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            )

        self.enter = nn.Sequential(
            nn.Conv2d(1, width, (10, 4), (2, 2), (5, 1), bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.blocks = nn.Sequential(*(block() for _ in range(4)))
        self.head = nn.Linear(width, words)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.enter(x))
        return self.head(nn.functional.avg_pool2d(x, x.shape[-2:]).flatten(1))


class Conformer(nn.Module):
    """A Conformer block (arXiv 2005.08100): (n, steps, width) to the same."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()

        def feed() -> nn.Sequential:
            return nn.Sequential(
                nn.LayerNorm(width),
                nn.Linear(width, 4 * width),
                nn.SiLU(),
                nn.Linear(4 * width, width),
            )

        self.feed1, self.feed2 = feed(), feed()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attention = SelfAttention(width, heads)
        self.gated = nn.Conv1d(width, 2 * width, 1)
        self.depthwise = nn.Conv1d(width, width, 15, padding=7, groups=width)
        self.norm = nn.BatchNorm1d(width)
        self.point = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.feed1(x)
        x = x + self.attention(self.norm1(x))
        y = nn.functional.glu(self.gated(self.norm2(x).transpose(1, 2)), 1)
        y = self.point(nn.functional.silu(self.norm(self.depthwise(y))))
        x = x + y.transpose(1, 2)
        return self.norm3(x + 0.5 * self.feed2(x))


class TasNet(nn.Module):
    """Separation by a learnt filter bank (arXiv 1809.07454): (n, 1, samples) to two sources."""

    def __init__(self, filters: int = 32) -> None:
        super().__init__()
        self.filters = filters
        self.encode = nn.Conv1d(1, filters, 16, 8, bias=False)
        self.norm = nn.GroupNorm(1, filters)
        self.mask = nn.Sequential(
            nn.Conv1d(filters, filters, 1),
            nn.PReLU(),
            nn.Conv1d(filters, filters, 3, padding=2, dilation=2, groups=filters),
            nn.PReLU(),
            nn.Conv1d(filters, 2 * filters, 1),
        )
        self.decode = nn.ConvTranspose1d(filters, 1, 16, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.relu(self.encode(x))
        masks = self.mask(self.norm(spectrum)).unflatten(1, (2, self.filters)).sigmoid()
        parts = (masks * spectrum.unsqueeze(1)).flatten(0, 1)
        return self.decode(parts).view(x.shape[0], 2, -1)


class Spectrogram(nn.Module):
    """Power spectrum as a strided convolution with sines and cosines, mel bands, a classifier."""

    def __init__(self, size: int = 64, bands: int = 16) -> None:
        super().__init__()
        window = torch.hann_window(size)
        angles = 2 * torch.pi * torch.outer(torch.arange(size // 2 + 1), torch.arange(size)) / size
        basis = torch.cat([angles.cos(), angles.sin()]) * window
        self.register_buffer("basis", basis.unsqueeze(1))
        self.register_buffer("bands", torch.rand(bands, size // 2 + 1))
        self.hop = size // 2
        self.head = nn.LSTM(bands, 24, batch_first=True)

    def forward(self, wave: Tensor) -> Tensor:
        real, imaginary = nn.functional.conv1d(wave, self.basis, stride=self.hop).chunk(2, 1)
        power = real.pow(2) + imaginary.pow(2)
        mel = torch.log(torch.matmul(self.bands, power) + 1e-6)
        return self.head(mel.transpose(1, 2))[0][:, -1]


def _state_space(scan: str) -> Architecture:
    return Architecture(
        f"ssm_{scan}",
        _FAMILY,
        "own",
        lambda: Model(StateSpace(scan), (torch.randn(1, 12, 16),)),
    )


def _recurrent(name: str, kind: str, bidirectional: bool = False) -> Architecture:
    return Architecture(
        name,
        _FAMILY,
        "own",
        lambda: Model(Recurrent(kind, bidirectional), (torch.randn(1, 8, 32),)),
    )


_FAMILY = "recurrent networks and state spaces"
_AUDIO = "audio and temporal convolutions"


def _audio(name: str, build: type[nn.Module], *shape: int, int8: bool = False) -> Architecture:
    mode = "int8" if int8 else "float"
    return Architecture(name, _AUDIO, "own", lambda: Model(build(), (torch.randn(shape),)), mode)


ARCHITECTURES = [
    Architecture("lstm", _FAMILY, "own", net("lstm")),
    Architecture("lstm_cell", _FAMILY, "own", net("lstm_cell")),
    _recurrent("lstm_bidirectional", "LSTM", bidirectional=True),
    _recurrent("gru", "GRU"),
    _recurrent("rnn_tanh", "RNN"),
    Architecture(
        "conv_lstm", _FAMILY, "own", lambda: Model(ConvLstm(), (torch.randn(1, 4, 3, 12, 12),))
    ),
    _state_space("loop"),
    _state_space("cumsum"),
    _state_space("doubling"),
    Architecture(
        "linear_attention",
        _FAMILY,
        "own",
        lambda: Model(LinearAttention(), (torch.randn(1, 12, 32),)),
    ),
    Architecture("rwkv", _FAMILY, "own", lambda: Model(Rwkv(), (torch.randn(1, 8, 32),))),
    Architecture(
        "mamba",
        _FAMILY,
        "transformers",
        transformers(
            "MambaModel",
            "MambaConfig",
            lambda: {"input_ids": tokens(8)},
            hidden_size=32,
            num_hidden_layers=2,
            state_size=4,
            vocab_size=500,
        ),
    ),
    Architecture(
        "mamba2",
        _FAMILY,
        "transformers",
        transformers(
            "Mamba2Model",
            "Mamba2Config",
            lambda: {"input_ids": tokens(8)},
            hidden_size=32,
            num_hidden_layers=2,
            state_size=4,
            vocab_size=500,
            num_heads=4,
            head_dim=16,
            n_groups=1,
            chunk_size=8,
        ),
    ),
    _audio("tcn", TemporalConv, 1, 8, 48, int8=True),
    _audio("wavenet", WaveNet, 1, 1, 64, int8=True),
    _audio("keyword_spotter", KeywordSpotter, 1, 1, 49, 10, int8=True),
    _audio("conformer", Conformer, 1, 24, 32),
    _audio("conv_tasnet", TasNet, 1, 1, 256),
    _audio("spectrogram_lstm", Spectrogram, 1, 1, 512),
    Architecture(
        "whisper_encoder",
        _AUDIO,
        "transformers",
        transformers(
            "WhisperForAudioClassification",
            "WhisperConfig",
            lambda: {"input_features": torch.randn(1, 16, 64)},
            d_model=64,
            encoder_layers=2,
            encoder_attention_heads=4,
            encoder_ffn_dim=128,
            num_mel_bins=16,
            max_source_positions=32,
        ),
    ),
    Architecture(
        "wav2vec2",
        _AUDIO,
        "transformers",
        transformers(
            "Wav2Vec2Model",
            "Wav2Vec2Config",
            lambda: {"input_values": torch.randn(1, 800)},
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            conv_dim=[16, 16, 16],
            conv_stride=[5, 2, 2],
            conv_kernel=[10, 3, 3],
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
        ),
    ),
]
