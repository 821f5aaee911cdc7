# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builders over torchvision, timm and transformers, imported when a model is built."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks import nets
from benchmarks.architectures.registry import Model

Build = Callable[[], Model]


def image(size: int = 64, channels: int = 3, batch: int = 1) -> Tensor:
    """A random image (batch, channels, size, size)."""
    return torch.randn(batch, channels, size, size)


def tokens(count: int = 16, vocabulary: int = 500) -> Tensor:
    """Random token numbers (1, count)."""
    return torch.randint(0, vocabulary, (1, count))


def import_torchvision() -> Any:
    """`import torchvision`, also beside a PyTorch without its compiled operators.

    PyPI's torchvision is built for CUDA. Beside a CPU build of PyTorch its library does not
    load, and registering shape functions for the operators in it fails the whole import.
    Nothing here needs them, so these registrations are skipped.
    """
    original = torch.library.register_fake

    def register_fake(op: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return original(op, *args, **kwargs)

    torch.library.register_fake = register_fake
    try:
        return importlib.import_module("torchvision")
    finally:
        torch.library.register_fake = original


def net(name: str, size: int = 0) -> Build:
    """A network of `benchmarks.nets`, on an image of another size if one is given."""

    def build() -> Model:
        loaded = nets.load(name)
        return Model(loaded.model, (image(size),) if size else loaded.args)

    return build


def torchvision(name: str, size: int = 64, group: str = "models", **options: Any) -> Build:
    """`torchvision.<group>.<name>` without weights, on an image."""

    def build() -> Model:
        import_torchvision()
        factory = getattr(importlib.import_module(f"torchvision.{group}"), name)
        return Model(factory(weights=None, **options), (image(size),))

    return build


def timm(name: str, size: int = 64, **options: Any) -> Build:
    """Timm's `name` without weights, on an image."""

    def build() -> Model:
        import_torchvision()
        factory = importlib.import_module("timm").create_model
        return Model(factory(name, pretrained=False, **options), (image(size),))

    return build


def transformers(
    name: str, config: str, inputs: Callable[[], dict[str, Any]], **options: Any
) -> Build:
    """`transformers.<name>` of `transformers.<config>(**options)`, called with `inputs()`."""

    def build() -> Model:
        import_torchvision()
        package = importlib.import_module("transformers")
        settings = getattr(package, config)(**options)
        if hasattr(settings, "use_cache"):
            settings.use_cache = False
        return Model(getattr(package, name)(settings), (), inputs())

    return build
