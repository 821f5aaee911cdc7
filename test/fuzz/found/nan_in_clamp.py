"""Clamps and maxima lost NaN."""

import torch
import torch.nn.functional as F
from torch import nn


def normal(seed, *shape):
    """Values from the normal distribution, the same ones every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def uniform(seed, low, high, *shape):
    """Values of [low, high)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator) * (high - low) + low


def integers(seed, low, high, *shape):
    """Integers of [low, high), int64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, generator=generator)

TARGET = 'edge-tx1'
QUANTIZE = ''


class Model(nn.Module):
    def forward(self, x0):
        v0 = torch.where(x0 > 1, float('nan'), x0)
        v1 = v0.clamp(-0.5, 0.7) + torch.maximum(v0, v0[0]) + F.hardtanh(v0) + F.leaky_relu(v0, 0.1)
        return v1


def make():
    model = Model().eval()
    return model, (normal(1, 4, 9),)
