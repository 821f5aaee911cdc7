"""Boundaries of another type than the values, which both take the wider one."""

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
    def __init__(self):
        super().__init__()
        torch.manual_seed(9417)
        self.m1 = nn.Buffer(normal(6912, 8).sort()[0])

    def forward(self, x0):
        v6 = torch.bucketize(x0, self.m1, right=True)
        return v6


def make():
    model = Model().eval().to(torch.bfloat16)
    return model, (normal(1, 1, 1, 1),)
