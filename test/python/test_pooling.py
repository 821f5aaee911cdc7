# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Windows at the border: which there are, and what they count."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import asic


class Poolings(torch.nn.Module):
    """One pooling with all of the options; those that PyTorch refuses are left out."""

    def __init__(self, pool: Callable[..., Any], options: dict[str, Any], x: Tensor) -> None:
        super().__init__()
        self.pool = pool
        self.settings: list[dict[str, Any]] = []
        for values in itertools.product(*options.values()):
            setting = dict(zip(options, values, strict=True))
            try:
                pool(x, **setting)
            except RuntimeError:
                continue
            self.settings.append(setting)

    def forward(self, x: Tensor) -> list[Any]:
        return [self.pool(x, **setting) for setting in self.settings]


#: With kernel 2, stride 2 and padding 1, the second window of two elements and more would start in
#: the padding behind them, and is none.
WINDOWS = {"kernel_size": [2, 3], "stride": [2, 3], "padding": [0, 1], "ceil_mode": [True]}
AVERAGES = {**WINDOWS, "count_include_pad": [True, False]}
CASES: dict[str, tuple[Callable[..., Any], dict[str, Any], tuple[int, ...]]] = {
    "avg_pool1d": (F.avg_pool1d, AVERAGES, (4,)),
    "avg_pool2d": (F.avg_pool2d, {**AVERAGES, "divisor_override": [None, 3]}, (3, 1)),
    "avg_pool2d of pairs": (
        F.avg_pool2d,
        {**AVERAGES, "kernel_size": [(2, 3)], "stride": [(3, 2), (2, 4)]},
        (2, 5),
    ),
    "avg_pool3d": (F.avg_pool3d, {**AVERAGES, "stride": [2]}, (2, 3, 4)),
    "lp_pool2d": (
        F.lp_pool2d,
        {"norm_type": [2.0], "kernel_size": [2, 3], "stride": [2, 3], "ceil_mode": [True]},
        (5, 4),
    ),
    "max_pool1d": (F.max_pool1d, {**WINDOWS, "dilation": [1, 2]}, (7,)),
    "max_pool2d": (F.max_pool2d, {**WINDOWS, "return_indices": [True]}, (3, 4)),
    "max_pool3d": (F.max_pool3d, {**WINDOWS, "stride": [2]}, (3, 4, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_windows_of_ceil_mode(name: str) -> None:
    pool, options, extents = CASES[name]
    x = torch.randn(1, 2, *extents, generator=torch.Generator().manual_seed(0))
    model = Poolings(pool, options, x)
    assert len(model.settings) > 2
    torch.testing.assert_close(asic.compile(model, (x,), target="cpu")(x), model(x))
