"""Folding looked for the shape of a node that splitting bins had made."""

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
        torch.manual_seed(4636)
        self.m0 = nn.ConvTranspose2d(16, 4, 1, stride=1, padding=0, groups=2)

    def forward(self, x2):
        v2 = F.adaptive_avg_pool2d(x2, 2)
        v3 = self.m0(v2)
        return v3


def make():
    model = Model().eval()
    return model, (normal(1, 1, 16, 1, 1),)
