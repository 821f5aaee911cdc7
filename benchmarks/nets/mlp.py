# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A multilayer perceptron."""

from torch import Tensor, nn


class Mlp(nn.Module):
    """784 → 256 → 128 → 10 with ReLU: input (n, 784), output (n, 10)."""

    def __init__(self, features: tuple[int, ...] = (784, 256, 128, 10)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip(features, features[1:], strict=False):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
