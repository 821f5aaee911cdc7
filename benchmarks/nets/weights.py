# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random weights that behave like trained ones: activations neither vanish nor explode,
and no batch norm is the identity."""

from __future__ import annotations

import math

from torch import nn


def randomize(model: nn.Module, linear: tuple[nn.Conv2d, ...] = ()) -> None:
    """Draws convolutions and batch norms from the current seed.

    Args:
        linear: convolutions without an activation behind them; they keep the variance of
            their input, all others double it for the half that the activation removes.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            gain = 1.0 if module in linear else math.sqrt(2.0)
            nn.init.normal_(module.weight, std=gain / math.sqrt(fan_in))
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.8, 1.2)
