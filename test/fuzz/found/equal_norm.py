"""A norm over equal values shows the last bit of their mean, 316 times."""

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
        torch.manual_seed(3166)
        self.m0 = nn.LayerNorm((3,))
        self.m0.weight.data.uniform_(0.5, 1.5)
        self.m0.bias.data.uniform_(-0.5, 0.5)

    def forward(self, x0):
        v0 = torch.stack([x0, x0, x0], 4)
        v1 = self.m0(F.relu(v0))
        return v1


def make():
    model = Model().eval()
    return model, (normal(5719, 3, 5, 2, 8),)
