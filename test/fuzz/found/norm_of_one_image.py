"""A batch norm along the rows was folded into the channels of the convolution without a batch before it."""

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
        torch.manual_seed(1)
        self.m0 = nn.Conv1d(3, 5, 1)
        torch.manual_seed(2)
        self.m1 = nn.BatchNorm1d(5)
        self.m1.weight.data.uniform_(0.5, 1.5)
        self.m1.bias.data.uniform_(-0.5, 0.5)
        self.m1.running_mean.uniform_(-0.5, 0.5)
        self.m1.running_var.uniform_(0.5, 1.5)

    def forward(self, x0):
        v0 = self.m1(self.m0(x0))
        return v0


def make():
    model = Model().eval()
    return model, (normal(1, 3, 5),)
