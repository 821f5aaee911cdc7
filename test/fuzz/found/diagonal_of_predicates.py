"""The padding of a tensor of predicates was no constant any more, which was refused."""

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
    def forward(self, x1, x2):
        v2 = torch.matmul(x2, x1) * 0.5774
        v3 = v2 <= 0.3
        v4 = torch.diag_embed(v3)
        return v4


def make():
    model = Model().eval()
    return model, (
        normal(1, 3, 1),
        normal(1, 1, 3),
    )
