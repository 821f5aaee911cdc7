# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Generators, restorers and fields."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchmarks.architectures.libraries import image
from benchmarks.architectures.registry import Architecture, Model


def time_features(time: Tensor, size: int) -> Tensor:
    """Sines and cosines of a time step (n,), `size` values each."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(size // 2) / (size // 2))
    angles = time[:, None].float() * rates[None]
    return torch.cat([angles.cos(), angles.sin()], -1)


class DiffusionBlock(nn.Module):
    """A level of Stable Diffusion's U-Net (arXiv 2112.10752): residual block, attention to
    itself and to a text, gated feed-forward, upsampling."""

    def __init__(self, width: int = 32, time: int = 64, context: int = 48) -> None:
        super().__init__()
        self.time = time
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.embed = nn.Linear(time, width)
        self.norm3 = nn.GroupNorm(8, width, eps=1e-6)
        self.enter, self.leave = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own = nn.MultiheadAttention(width, 4, batch_first=True)
        self.cross = nn.MultiheadAttention(width, 4, kdim=context, vdim=context, batch_first=True)
        self.gated = nn.Linear(width, 8 * width)
        self.down = nn.Linear(4 * width, width)
        self.up = nn.Conv2d(width, width, 3, padding=1)

    def attend(self, x: Tensor, context: Tensor) -> Tensor:
        """The transformer over pixels."""
        y = self.norms[0](x)
        x = x + self.own(y, y, y, need_weights=False)[0]
        x = x + self.cross(self.norms[1](x), context, context, need_weights=False)[0]
        value, gate = self.gated(self.norms[2](x)).chunk(2, -1)
        return x + self.down(value * nn.functional.gelu(gate))

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        silu = nn.functional.silu
        y = self.conv1(silu(self.norm1(x)))
        y = y + self.embed(silu(time_features(time, self.time)))[:, :, None, None]
        x = x + self.conv2(silu(self.norm2(y)))
        batch, width, height, columns = x.shape
        y = self.enter(self.norm3(x)).permute(0, 2, 3, 1).reshape(batch, -1, width)
        y = self.attend(y, context).reshape(batch, height, columns, width).permute(0, 3, 1, 2)
        return self.up(nn.functional.interpolate(x + self.leave(y), scale_factor=2.0))


class DiffusionTransformer(nn.Module):
    """A DiT block between patches (arXiv 2212.09748), with adaptive layer norm."""

    def __init__(self, width: int = 48, patch: int = 2) -> None:
        super().__init__()
        self.patch, self.width = patch, width
        self.enter = nn.Conv2d(4, width, patch, patch)
        self.places = nn.Parameter(torch.randn(1, 64, width) * 0.1)
        self.modulate = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )
        self.leave = nn.Linear(width, 4 * patch * patch)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        batch, channels, height, columns = x.shape
        x = self.enter(x).flatten(2).transpose(1, 2) + self.places
        parts = self.modulate(time_features(time, self.width))[:, None].chunk(6, -1)
        shift1, scale1, gate1, shift2, scale2, gate2 = parts
        y = self.norm(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attention(y, y, y, need_weights=False)[0]
        x = x + gate2 * self.feed(self.norm(x) * (1 + scale2) + shift2)
        p, h, w = self.patch, height // self.patch, columns // self.patch
        x = self.leave(x).view(batch, h, w, p, p, channels)
        return torch.einsum("nhwpqc->nchpwq", x).reshape(batch, channels, height, columns)


class Autoencoder(nn.Module):
    """Strided convolutions down, transposed convolutions up."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.ReLU(),
        )
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width, 3, 3, 2, 1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class VariationalAutoencoder(nn.Module):
    """Mean and log-variance, a sample from given noise, the reconstruction."""

    def __init__(self, inputs: int = 196, hidden: int = 64, latent: int = 16) -> None:
        super().__init__()
        self.encode = nn.Linear(inputs, hidden)
        self.moments = nn.Linear(hidden, 2 * latent)
        self.decode = nn.Sequential(nn.Linear(latent, hidden), nn.Tanh(), nn.Linear(hidden, inputs))

    def forward(self, x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        mean, logvar = self.moments(torch.relu(self.encode(x.flatten(1)))).chunk(2, 1)
        sample = mean + noise * torch.exp(0.5 * logvar)
        return {"image": torch.sigmoid(self.decode(sample)), "mean": mean, "logvar": logvar}


class DcGan(nn.Module):
    """A generator of transposed convolutions (arXiv 1511.06434): (n, 32, 1, 1) to an image."""

    def __init__(self, latent: int = 32, width: int = 16) -> None:
        super().__init__()
        widths = (4 * width, 2 * width, width)
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], 4, 1, 0, bias=False)]
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.BatchNorm2d(a), nn.ReLU(), nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, 3, 4, 2, 1)]
        self.body = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z)


class StyleTransfer(nn.Module):
    """Reflection padding, instance norm, residual blocks, upsampling (arXiv 1603.08155)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()

        def conv(a: int, b: int, kernel: int, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(
                nn.ReflectionPad2d(kernel // 2),
                nn.Conv2d(a, b, kernel, stride),
                nn.InstanceNorm2d(b, affine=True),
            )

        self.enter, self.down = conv(3, width, 9), conv(width, 2 * width, 3, 2)
        self.block1, self.block2 = (conv(2 * width, 2 * width, 3) for _ in range(2))
        self.up, self.leave = conv(2 * width, width, 3), conv(width, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.down(torch.relu(self.enter(x))))
        x = x + self.block2(torch.relu(self.block1(x)))
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.leave(torch.relu(self.up(x)))


class ModulatedConv(nn.Module):
    """StyleGAN2's layer (arXiv 1912.04958): weights scaled by a style, as a grouped convolution."""

    def __init__(self, width: int = 8, style: int = 16) -> None:
        super().__init__()
        self.style = nn.Linear(style, width)
        self.weight = nn.Parameter(torch.randn(1, width, width, 3, 3))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        batch, width, height, columns = x.shape
        weight = self.weight * (self.style(style) + 1).view(batch, 1, width, 1, 1)
        weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4], keepdim=True) + 1e-8)
        x = x.reshape(1, batch * width, height, columns)
        x = nn.functional.conv2d(x, weight.flatten(0, 1), padding=1, groups=batch)
        return nn.functional.leaky_relu(x.view(batch, width, height, columns), 0.2)


class SubPixel(nn.Module):
    """Super-resolution by rearranged channels (arXiv 1609.05158)."""

    def __init__(self, factor: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(32, 16, 3, padding=1),
            nn.Tanh(),
            nn.Conv2d(16, factor * factor, 3, padding=1),
            nn.PixelShuffle(factor),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class ResidualSuperResolution(nn.Module):
    """EDSR with channel attention, on top of bicubic enlargement."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, padding=1),
        )
        self.attention = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, 4, 1),
            nn.ReLU(),
            nn.Conv2d(4, width, 1),
            nn.Sigmoid(),
        )
        self.up = nn.Sequential(nn.Conv2d(width, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.enter(x)
        z = self.body(y)
        y = y + z * self.attention(z)
        large = nn.functional.interpolate(x, scale_factor=2.0, mode="bicubic", align_corners=False)
        return self.up(y) + large


class RadianceField(nn.Module):
    """NeRF's network (arXiv 2003.08934): encoded points (n, 3) to colour and density."""

    def __init__(self, octaves: int = 4, width: int = 64) -> None:
        super().__init__()
        self.register_buffer("scales", math.pi * 2.0 ** torch.arange(octaves))
        inputs = 3 + 6 * octaves
        self.first = nn.Sequential(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.second = nn.Sequential(nn.Linear(width + inputs, width), nn.ReLU())
        self.out = nn.Linear(width, 4)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        angles = (points[..., None] * self.scales).flatten(1)
        x = torch.cat([points, angles.sin(), angles.cos()], -1)
        y = self.out(self.second(torch.cat([self.first(x), x], -1)))
        return y[:, :3].sigmoid(), nn.functional.softplus(y[:, 3])


class Flow(nn.Module):
    """Two affine couplings (arXiv 1605.08803) and the log-determinant."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        half = width // 2
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(half, 32), nn.ReLU(), nn.Linear(32, width)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        total = torch.zeros(x.shape[0])
        for net in self.nets:
            scale, shift = net(a).chunk(2, 1)
            scale = torch.tanh(scale)
            a, b = b * scale.exp() + shift, a
            total = total + scale.sum(1)
        return torch.cat([a, b], 1), total


_FAMILY = "generation and restoration"


def _own(name: str, build: type[nn.Module], *shapes: tuple[int, ...], int8: bool) -> Architecture:
    return Architecture(
        name,
        _FAMILY,
        "own",
        lambda: Model(build(), tuple(torch.randn(shape) for shape in shapes)),
        "int8" if int8 else "float",
    )


ARCHITECTURES = [
    Architecture(
        "diffusion_unet_block",
        _FAMILY,
        "own",
        lambda: Model(DiffusionBlock(), (image(8, 32), torch.tensor([10]), torch.randn(1, 8, 48))),
    ),
    Architecture(
        "dit_block",
        _FAMILY,
        "own",
        lambda: Model(DiffusionTransformer(), (image(16, 4), torch.tensor([10]))),
    ),
    _own("autoencoder", Autoencoder, (1, 3, 32, 32), int8=True),
    _own("vae", VariationalAutoencoder, (1, 1, 14, 14), (1, 16), int8=False),
    _own("dcgan", DcGan, (1, 32, 1, 1), int8=True),
    _own("style_transfer", StyleTransfer, (1, 3, 24, 24), int8=True),
    _own("modulated_conv", ModulatedConv, (2, 8, 12, 12), (2, 16), int8=False),
    _own("espcn", SubPixel, (1, 1, 24, 24), int8=True),
    _own("edsr_attention", ResidualSuperResolution, (1, 3, 16, 16), int8=True),
    _own("nerf", RadianceField, (32, 3), int8=False),
    _own("realnvp", Flow, (4, 16), int8=False),
]
