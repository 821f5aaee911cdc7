# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Convolutions, pooling, resampling, recurrent layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.conformance.case import FLOATS, Family, Random

family = Family("Convolution, pooling, resampling, recurrence")
add = family.add

SIGNAL = Random((2, 4, 11))
PLANE = Random((2, 4, 7, 9))
VOLUME = Random((1, 3, 4, 5, 6))
HALVES = (torch.float32, torch.bfloat16)


def conv(variant: str, layer: nn.Module, x: Random) -> None:
    """A case of a convolution layer."""
    add("convolution", layer, x, variant=variant, ulp=64, contraction=True)


conv("1-d", nn.Conv1d(4, 6, 3, padding=1), SIGNAL)
conv("2-d", nn.Conv2d(4, 6, 3, stride=2, padding=1), PLANE)
conv("dilated", nn.Conv2d(4, 6, 3, dilation=2, padding=2), PLANE)
conv("grouped", nn.Conv2d(4, 6, 3, groups=2), PLANE)
conv("depthwise", nn.Conv2d(4, 4, 3, groups=4), PLANE)
conv("depthwise, multiplier 2", nn.Conv2d(4, 8, 3, groups=4), PLANE)
conv("1x1", nn.Conv2d(4, 6, 1), PLANE)
conv("padding='same'", nn.Conv2d(4, 6, 4, padding="same"), PLANE)
conv("reflect padding", nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), PLANE)
conv("3-d", nn.Conv3d(3, 4, 3, padding=1), VOLUME)
conv("3-d of one channel", nn.Conv3d(1, 4, 3, padding=1), Random((2, 1, 5, 6, 7)))
conv("transposed 1-d", nn.ConvTranspose1d(4, 6, 4, 2, 1), SIGNAL)
conv("transposed 2-d", nn.ConvTranspose2d(4, 6, 3, 2, 1, 1), PLANE)
conv("transposed, grouped", nn.ConvTranspose2d(4, 6, 3, 2, groups=2), PLANE)
conv("transposed, depthwise", nn.ConvTranspose2d(4, 4, 2, 2, groups=4), PLANE)
conv("transposed 3-d", nn.ConvTranspose3d(3, 4, 2, 2), VOLUME)

# Pooling.
add("max_pool1d", lambda x: F.max_pool1d(x, 3, 2, 1), SIGNAL, ulp=0)
add("max_pool2d", lambda x: F.max_pool2d(x, 3, 2, 1), PLANE, ulp=0)
add("max_pool2d", lambda x: F.max_pool2d(x, 2, ceil_mode=True), PLANE, variant="ceil_mode", ulp=0)
add("max_pool2d", lambda x: F.max_pool2d(x, 3, 1, 1, 2), PLANE, variant="dilated", ulp=0)
add("max_pool2d_with_indices", lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), PLANE, dtypes=HALVES, ulp=0)  # fmt: skip
add("max_pool3d", lambda x: F.max_pool3d(x, 2), VOLUME, ulp=0)
add("avg_pool1d", lambda x: F.avg_pool1d(x, 3, 2, 1), SIGNAL, ulp=4)
add("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1), PLANE, ulp=4)
add("avg_pool2d", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), PLANE, variant="padding not counted", ulp=4)  # fmt: skip
add("avg_pool2d", lambda x: F.avg_pool2d(x, 2, divisor_override=3), PLANE, variant="divisor", ulp=4)
add("avg_pool2d", lambda x: F.avg_pool2d(x, 2, ceil_mode=True), PLANE, variant="ceil_mode", ulp=4)
add("avg_pool3d", lambda x: F.avg_pool3d(x, 2), VOLUME, ulp=4)
add("adaptive_avg_pool1d", lambda x: F.adaptive_avg_pool1d(x, 3), SIGNAL, ulp=4)
add("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, 1), PLANE, variant="to 1", ulp=16)
add("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (3, 4)), PLANE, variant="uneven", ulp=4)  # fmt: skip
add("adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, (10, 9)), PLANE, variant="larger", ulp=4)  # fmt: skip
add("adaptive_max_pool2d", lambda x: F.adaptive_max_pool2d(x, (3, 4)), PLANE, dtypes=HALVES, ulp=0)
add("adaptive_max_pool1d", lambda x: F.adaptive_max_pool1d(x, 3), SIGNAL, dtypes=HALVES, ulp=0)
add("max_unpool2d", lambda x, i: F.max_unpool2d(x, i, 2), Random((1, 2, 2, 2)), torch.tensor([0, 3, 9, 14]).reshape(1, 1, 2, 2).expand(1, 2, 2, 2), dtypes=HALVES, ulp=0)  # fmt: skip


# Resampling.
def resample(mode: str, x: Random, variant: str, **how: object) -> None:
    """A case of `interpolate`, under the name of the op that it becomes."""
    name = {"linear": "upsample_linear1d", "bilinear": "upsample_bilinear2d"}
    name |= {"bicubic": "upsample_bicubic2d", "trilinear": "upsample_trilinear3d"}
    if mode == "nearest":
        op = f"upsample_nearest{len(x.shape) - 2}d"
    elif mode == "nearest-exact":
        op = f"_upsample_nearest_exact{len(x.shape) - 2}d"
    else:
        op = name[mode]
    if how.pop("antialias", False):
        op = f"_{op}_aa"
        function = lambda x: F.interpolate(x, mode=mode, antialias=True, **how)  # noqa: E731
    else:
        function = lambda x: F.interpolate(x, mode=mode, **how)  # noqa: E731
    add(op, function, x, variant=variant, dtypes=FLOATS, ulp=0 if "nearest" in mode else 32)


for mode in ("nearest", "nearest-exact"):
    resample(mode, SIGNAL, "factor 2", scale_factor=2.0)
    resample(mode, PLANE, "factor 2", scale_factor=2.0)
    resample(mode, PLANE, "factor 2.3", scale_factor=2.3)
    resample(mode, PLANE, "to a size", size=(5, 14))
    resample(mode, VOLUME, "factor 2", scale_factor=2.0)
for corners in (False, True):
    word = ", corners" if corners else ""
    resample("linear", SIGNAL, f"factor 2{word}", scale_factor=2.0, align_corners=corners)
    resample("bilinear", PLANE, f"factor 2{word}", scale_factor=2.0, align_corners=corners)
    resample("bilinear", PLANE, f"to a size{word}", size=(11, 5), align_corners=corners)
    resample("bicubic", PLANE, f"factor 2{word}", scale_factor=2.0, align_corners=corners)
    resample("trilinear", VOLUME, f"factor 2{word}", scale_factor=2.0, align_corners=corners)
resample("bilinear", PLANE, "factor 1.7", scale_factor=1.7)
resample("bilinear", PLANE, "factor 0.5", scale_factor=0.5)
resample("bicubic", PLANE, "to a size", size=(4, 13))
resample("bilinear", PLANE, "to a size", size=(4, 5), antialias=True)
GRID = Random((2, 5, 6, 2), -1.2, 1.2)
for mode in ("bilinear", "nearest", "bicubic"):
    for pads in ("zeros", "border", "reflection"):
        corners = pads != "zeros"
        add("grid_sampler_2d", lambda x, g, m=mode, p=pads, c=corners: F.grid_sample(x, g, m, p, c), PLANE, GRID, variant=f"{mode}, {pads}", dtypes=(torch.float32,), ulp=64)  # fmt: skip
add("grid_sampler_3d", lambda x, g: F.grid_sample(x, g, align_corners=False), VOLUME, Random((1, 2, 3, 4, 3), -1.2, 1.2), dtypes=(torch.float32,), ulp=64)  # fmt: skip
add("affine_grid_generator", lambda t: F.affine_grid(t, (2, 3, 4, 5), align_corners=False), Random((2, 2, 3)), dtypes=(torch.float32,), ulp=16, contraction=True)  # fmt: skip


class Recurrent(nn.Module):
    """The outputs of a recurrent layer without its state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]  # type: ignore[no-any-return]


for kind in (nn.LSTM, nn.GRU, nn.RNN):
    layer = Recurrent(kind(5, 6, batch_first=True))
    name = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn_tanh"}[kind]
    add(name, layer, Random((2, 4, 5)), dtypes=HALVES, ulp=64, contraction=True)

# What the test suite runs.
family.tested |= {
    ("aten.adaptive_max_pool1d", torch.float32),
    ("aten.avg_pool2d padding not counted", torch.float32),
    ("aten.upsample_bilinear2d factor 2", torch.bfloat16),
    ("aten.upsample_bicubic2d factor 2, corners", torch.float32),
    ("aten.upsample_nearest2d factor 2.3", torch.float32),
    ("aten.grid_sampler_2d bilinear, reflection", torch.float32),
    ("aten.grid_sampler_3d", torch.float32),
}
