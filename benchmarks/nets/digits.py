# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small CNN for scikit-learn's handwritten digits (1797 images of 8x8), and its training.

data = load()
model = train(data)
accuracy(model, data.test_images, data.test_labels)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class Separable(nn.Module):
    """Depthwise 3x3 and pointwise 1x1, each with batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False)
        self.norm1 = nn.BatchNorm2d(inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.act = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm2(self.pointwise(self.act(self.norm1(self.depthwise(x))))))


class Residual(nn.Module):
    """Two 3x3 convolutions and the input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(x + self.norm2(self.conv2(y)))


class DigitsCnn(nn.Module):
    """(n, 1, 8, 8) in [0, 1] to (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(32)
        self.residual = Residual(32)
        self.separable1 = Separable(32, 64, stride=2)
        self.separable2 = Separable(64, 128, stride=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(image)))
        x = self.separable2(self.separable1(self.residual(x)))
        return self.fc(torch.flatten(self.pool(x), 1))


@dataclass(frozen=True)
class Digits:
    """The data set: images (n, 1, 8, 8) float32 in [0, 1], labels (n,) int64."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load(test_share: float = 0.2, seed: int = 0) -> Digits:
    """scikit-learn's digits with a fixed, stratified split."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16.0
    labels = torch.tensor(bunch.target, dtype=torch.int64)
    train, test = train_test_split(
        range(len(labels)), test_size=test_share, random_state=seed, stratify=labels.numpy()
    )
    return Digits(images[train], labels[train], images[test], labels[test])


def train(data: Digits, epochs: int = 10, seed: int = 0) -> DigitsCnn:
    """The trained model in eval mode, in a few seconds.

    One thread: the tensors are small, and the result does not depend on the machine's
    number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _train(data, epochs, seed)
    finally:
        torch.set_num_threads(threads)


def _train(data: Digits, epochs: int, seed: int) -> DigitsCnn:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DigitsCnn()
        optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=1e-3)
        batch, count = 64, len(data.train_labels)
        steps = epochs * ((count + batch - 1) // batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps)
        for _ in range(epochs):
            for indices in torch.randperm(count).split(batch):
                optimizer.zero_grad()
                logits = model(data.train_images[indices])
                loss = nn.functional.cross_entropy(logits, data.train_labels[indices])
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images whose largest logit is the label's."""
    with torch.no_grad():
        return float((model(images).argmax(1) == labels).float().mean())
