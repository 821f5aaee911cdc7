# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Larger image networks: a vision transformer, a U-Net and a one-stage detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.nets.transformer import PreNormLayer
from benchmarks.nets.weights import randomize


class VitB16(nn.Module):
    """ViT-B/16 (Dosovitskiy et al., arXiv 2010.11929): (n, 3, 224, 224) to (n, classes)."""

    def __init__(self, classes: int = 1000, layers: int = 12, width: int = 768) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, stride=16)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 197, width) * 0.02)
        self.layers = nn.ModuleList(PreNormLayer(width, 12, 4 * width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


class ConvBlock(nn.Module):
    """Convolution, batch norm, activation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, silu: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.act = nn.SiLU(inplace=True) if silu else nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class UNet(nn.Module):
    """Four levels, nearest upsampling and skips: (n, 3, h, w) to (n, classes, h, w)."""

    def __init__(self, classes: int = 8, width: int = 32) -> None:
        super().__init__()
        sizes = [width << level for level in range(4)]
        self.down = nn.ModuleList(
            nn.Sequential(ConvBlock(before, after), ConvBlock(after, after))
            for before, after in zip([3, *sizes], sizes, strict=False)
        )
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(
            nn.Sequential(ConvBlock(below + skip, skip), ConvBlock(skip, skip))
            for below, skip in zip(sizes[:0:-1], sizes[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(width, classes, 1)
        randomize(self, (self.head,))

    def forward(self, image: Tensor) -> Tensor:
        skips: list[Tensor] = []
        x = image
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skip], 1))
        return self.head(x)


class CrossStage(nn.Module):
    """Split, a chain of residual bottlenecks on one half, and everything concatenated."""

    def __init__(self, channels: int, depth: int, residual: bool = True) -> None:
        super().__init__()
        half = channels // 2
        self.first = ConvBlock(channels, channels, 1, silu=True)
        self.blocks = nn.ModuleList(
            nn.Sequential(ConvBlock(half, half, silu=True), ConvBlock(half, half, silu=True))
            for _ in range(depth)
        )
        self.last = ConvBlock(half * (2 + depth), channels, 1, silu=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.first(x).chunk(2, 1))
        for block in self.blocks:
            y = block(parts[-1])
            parts.append(parts[-1] + y if self.residual else y)
        return self.last(torch.cat(parts, 1))


class Yolo(nn.Module):
    """A one-stage detector of the YOLO kind, without box decoding: (n, 3, h, w) to three maps.

    Each map has 4 · 16 box bins and `classes` scores per cell, at strides 8, 16 and 32.
    """

    def __init__(self, classes: int = 80) -> None:
        super().__init__()
        widths = (16, 32, 64, 128, 256)
        self.stem = ConvBlock(3, widths[0], stride=2, silu=True)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBlock(a, b, stride=2, silu=True), CrossStage(b, depth))
            for a, b, depth in zip(widths, widths[1:], (1, 2, 2, 1), strict=False)
        )
        self.reduce1 = ConvBlock(256, 128, 1, silu=True)
        self.top1 = CrossStage(256, 1, residual=False)
        self.reduce2 = ConvBlock(256, 64, 1, silu=True)
        self.top2 = CrossStage(128, 1, residual=False)
        self.heads = nn.ModuleList(
            nn.Sequential(ConvBlock(c, 64, silu=True), nn.Conv2d(64, 64 + classes, 1))
            for c in (128, 256, 256)
        )
        randomize(self)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        x = self.stem(image)
        levels: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        _, small, medium, large = levels
        up = nn.functional.interpolate(self.reduce1(large), scale_factor=2.0, mode="nearest")
        middle = self.top1(torch.cat([up, medium], 1))
        up = nn.functional.interpolate(self.reduce2(middle), scale_factor=2.0, mode="nearest")
        fine = self.top2(torch.cat([up, small], 1))
        return tuple(h(x) for h, x in zip(self.heads, (fine, middle, large), strict=True))
