"""Windows that are all whole: of a sum of ones over them only the shape of a window was left."""

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
    def forward(self, x2):
        v1 = F.avg_pool2d(x2, 1, stride=3, ceil_mode=True)
        return v1


def make():
    model = Model().eval()
    return model, (normal(1, 1, 1, 1, 1),)
