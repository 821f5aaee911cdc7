"""Folded masks of more than 16 elements overran a buffer."""

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
        torch.manual_seed(4811)
        self.m1 = nn.Buffer(uniform(2465, 0, 1, 5, 5) < 0.7)

    def forward(self, x0):
        v5 = self.m1 | torch.eye(5, dtype=torch.bool)
        return v5


def make():
    model = Model().eval()
    return model, (normal(1, 1, 1),)
