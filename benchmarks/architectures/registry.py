# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What an architecture of the table is, and how its random weights are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

SEED = 2026
_SAMPLES = 4


@dataclass(frozen=True)
class Model:
    """A network with example inputs; called as `module(*args, **kwargs)`."""

    module: nn.Module
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Architecture:
    """One row of the table.

    Attributes:
        name: unique.
        family: heading of the table that it belongs to.
        source: the package that defines it: "own", "torchvision", "timm", "transformers".
        build: makes the model; imports what it needs, so that listing needs nothing.
        mode: what the accelerator computes: "int8" with random calibration, or "float".
        refused: for a model that cannot be compiled, part of the message that must say so.
    """

    name: str
    family: str
    source: str
    build: Callable[[], Model]
    mode: Literal["int8", "float"] = "float"
    refused: str = ""

    def row(self) -> dict[str, Any]:
        """What a row of the table says about the architecture itself."""
        return {k: getattr(self, k) for k in ("name", "family", "source", "mode", "refused")}

    def load(self) -> Model:
        """The model in eval mode with its inputs, the same on every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            model = self.build()
            draw_constants(model.module)
            return Model(model.module.eval(), model.args, model.kwargs)

    def calibration(self, model: Model, count: int = _SAMPLES) -> list[Any]:
        """`count` random inputs like the model's, floats scaled alike, integers as they are."""

        def like(leaf: Any) -> Any:
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                return leaf[torch.randperm(len(leaf))] * torch.empty(()).uniform_(0.8, 1.2)
            return leaf

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED + 1)
            items = [(model.args, model.kwargs)] * count
            drawn = [torch.utils._pytree.tree_map(like, item) for item in items]
        return [args if not kwargs else (args, kwargs) for args, kwargs in drawn]


def draw_constants(module: nn.Module) -> None:
    """Replaces what an initialiser left constant, so that no layer is the identity.

    Ones become 0.8 to 1.2, zeros a normal of deviation 0.05, other constants (layer scales
    of 1e-6 and the like) 0.1 to 0.3. Statistics of batch norms are drawn, too.
    """
    for parameter in module.parameters():
        values = parameter.data
        if not values.is_floating_point() or values.numel() < 2:
            continue
        first = values.flatten()[0]
        if not bool((values == first).all()):
            continue
        if float(first) == 1.0:
            nn.init.uniform_(values, 0.8, 1.2)
        elif float(first) == 0.0:
            nn.init.normal_(values, std=0.05)
        elif abs(float(first)) < 0.1:
            nn.init.uniform_(values, 0.1, 0.3)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_var is not None:
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.8, 1.2)
