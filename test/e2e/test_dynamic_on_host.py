# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The one program of this computer for all sizes, against eager PyTorch and exact programs.

Its buffers are filled with huge numbers before they are written, so that what is read behind
the places of a call shows.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.utils import _pytree as pytree

import asic

F = nn.functional

#: `mallopt` of the C library: bytes of fresh memory are the complement of the value.
_PERTURB = -6


@pytest.fixture(autouse=True)
def filled() -> Iterator[None]:
    if not sys.platform.startswith("linux"):
        yield
        return
    library = ctypes.CDLL(None)
    library.mallopt(_PERTURB, 0x80)
    yield
    library.mallopt(_PERTURB, 0)


def wild(x: Tensor) -> Tensor:
    """Infinite and no number where the padding is."""
    return torch.sin(torch.log(x.abs())) + x


class Reductions(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = wild(x)
        return y.sum(1), y.mean((0, 1)), y.amax(1), y.var(1), y.softmax(1), y.argmax(1), y.norm()


class Products(nn.Module):
    """Contractions over the length, along it and with it in front."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = wild(x)
        return self.linear(y), y.transpose(1, 2) @ y, y @ y.transpose(1, 2), (y @ y[0].t()).sum(0)


class Windows(nn.Module):
    """Each reads further than the places it makes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(6, 8, 5, stride=2, padding=2)
        self.second = nn.Conv1d(8, 8, 3, padding=2, dilation=2)
        self.up = nn.ConvTranspose1d(8, 4, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.first(wild(x).transpose(1, 2))
        z = self.second(F.gelu(y)) + y
        return z, self.up(z), F.avg_pool1d(z, 3, 1, 1)


class Parts(nn.Module):
    """The first place, the last one, every other one, two tensors in one."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = wild(x)
        both = torch.cat([y, x.exp()], -1)
        return y[:, 0], y[:, -1], both.reshape(x.shape[0], x.shape[1], 3, 4), y[:, :2].sum(1)


class Scans(nn.Module):
    """What works on the whole of a dimension, between what does not."""

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = (x * 2).exp()
        return y.cumsum(1).sqrt(), (y + y.cumsum(1)).mean(1), y.tril(), y.cumsum(1)[:, 0]


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(9, 8)
        self.places = nn.Parameter(torch.randn(16, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.table(x) + self.places[: x.shape[1]]
        return self.layer(y, src_key_padding_mask=x == 0), self.layer(y)[:, 0]


MODELS = (Reductions, Products, Windows, Parts, Scans, Words)


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_one_program_computes_what_exact_ones_do(model: type[nn.Module]) -> None:
    torch.manual_seed(0)
    net = model().eval()
    shapes = ({0: Dim("batch", min=1, max=5), 1: Dim("steps", min=4, max=16)},)

    def draw(batch: int, steps: int) -> Tensor:
        if model is not Words:
            return torch.randn(batch, steps, 6)
        words = torch.randint(0, 9, (batch, steps))
        words[:, 0] = 1
        return words

    compiled = asic.compile(net, (draw(2, 8),), dynamic_shapes=shapes, target="cpu")
    assert [bucket.sizes for bucket in compiled.buckets] == [
        dict(zip(compiled.dimensions.ranges, (5, 16), strict=True))
    ]
    exact = compiled.on_host()
    for batch, steps in itertools.product((1, 2, 5), (4, 9, 15, 16)):
        x = draw(batch, steps)
        results, wanted = pytree.tree_leaves(compiled(x)), pytree.tree_leaves(net(x))
        for got, want, same in zip(results, wanted, pytree.tree_leaves(exact(x)), strict=True):
            torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
            assert torch.equal(got, same)
    assert compiled.report().to_dict()["padding"]["share"] == 0


@torch.no_grad()
def test_integers() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.ReLU(), nn.Conv1d(8, 8, 3)).eval()
    data = [(torch.randn(2, 4, 16),) for _ in range(4)]
    shapes = ({0: Dim("batch", min=1, max=4), 2: Dim("time", min=5, max=32)},)
    compiled = asic.compile(
        net, data[0], dynamic_shapes=shapes, target="cpu", quantize="int8", calibration=data
    )
    exact = compiled.on_host()
    for batch, time in ((1, 5), (2, 17), (4, 32)):
        x = torch.randn(batch, 4, time)
        assert torch.equal(compiled(x), exact(x))
    assert asic.verify(compiled, [(torch.randn(3, 4, 11),)])


@torch.no_grad()
def test_many_dimensions_are_one_program() -> None:
    """Buckets of all of these would be too many."""
    names = ("first", "second", "third", "fourth")
    shapes = ({place: Dim(name, min=1, max=16) for place, name in enumerate(names)},)
    compiled = asic.compile(
        nn.GELU(), (torch.ones(2, 3, 4, 5),), dynamic_shapes=shapes, target="cpu"
    )
    assert len(compiled.buckets) == 1
    for shape in ((1, 1, 1, 1), (16, 2, 3, 7)):
        x = torch.randn(shape)
        torch.testing.assert_close(compiled(x), F.gelu(x))


@torch.no_grad()
def test_a_largest_size_beyond_memory() -> None:
    """A program of the largest sizes would pad every call to terabytes."""
    shapes = ({0: Dim("batch", min=1, max=2**30)},)
    compiled = asic.compile(nn.Tanh(), (torch.ones(2, 512),), dynamic_shapes=shapes, target="cpu")
    x = torch.randn(3, 512)
    torch.testing.assert_close(compiled(x), x.tanh())
    with pytest.raises(asic.ProgramError, match="smaller max"):
        compiled.save("never.asic")
