"""A padding that the array skips in one factor was skipped in the other one, too."""

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
    def forward(self, x1):
        v0 = F.pad(x1, (1, 0, 0, 0))
        v1 = torch.matmul(v0, v0.transpose(-1, -2)) * 0.3333
        return v1


def make():
    model = Model().eval().to(torch.bfloat16)
    return model, (normal(1, 1, 1, 1).to(torch.bfloat16),)
