"""Splitting bins looked for the shape of bins that it had split."""

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
        v0 = F.adaptive_max_pool2d(x0, 2)
        v1 = F.adaptive_avg_pool2d(v0, 1)
        return v1


def make():
    model = Model().eval().to(torch.float16)
    return model, (normal(1, 1, 1, 1, 1).to(torch.float16),)
