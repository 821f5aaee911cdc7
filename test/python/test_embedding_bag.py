# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Embedding bags against PyTorch's, in every mode, and embeddings with a largest norm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import asic


class Bags(torch.nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bags = torch.nn.EmbeddingBag(10, 5, **options)

    def forward(self, *args: Tensor) -> Any:
        return self.bags(*args)


#: The last bag is padding alone where 1 is the padding.
INDICES = torch.tensor([[0, 1, 2, 9], [3, 1, 1, 4], [1, 1, 1, 1]])


@pytest.mark.parametrize("padding", [None, 1, -9])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_one_size(mode: str, padding: int | None) -> None:
    model = Bags(mode=mode, padding_idx=padding).eval()
    compiled = asic.compile(model, (INDICES,), target="edge-tx1")
    torch.testing.assert_close(compiled(INDICES), model(INDICES))


def test_bags_with_weights() -> None:
    model = Bags(mode="sum").eval()
    args = (INDICES, None, torch.rand(INDICES.shape))
    compiled = asic.compile(model, args, target="edge-tx1")
    torch.testing.assert_close(compiled(*args), model(*args))


def test_offsets_are_refused() -> None:
    args = (INDICES.flatten(), torch.tensor([0, 2, 7]))
    with pytest.raises(asic.CompileError, match=r"2-D indices.*offsets at .*test_embedding_bag.py"):
        asic.compile(Bags(mode="sum").eval(), args, target="edge-tx1")


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_largest_norm(target: str, norm: float) -> None:
    """PyTorch makes rows shorter when it reads them, in the weight itself."""
    torch.manual_seed(0)
    model = torch.nn.Embedding(10, 5, max_norm=1.0, norm_type=norm).eval()
    before = model.weight.detach().clone()
    compiled = asic.compile(model, (INDICES,), target=target)
    got = compiled(INDICES)
    assert torch.equal(model.weight, before)
    torch.testing.assert_close(got, model(INDICES))
    assert not torch.equal(model.weight, before)
