"""The import of a softplus of one number died."""

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
        v0 = F.mish(F.pad(x0, (2, 0, -1, 2)))
        v1 = F.softplus(x0.new_full((3, 3), 0.3)) + x0
        return v0, v1


def make():
    model = Model().eval()
    return model, (normal(1, 1, 1),)
