# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the `.mlir` files beside it: what the front end hands to the compiler.

    python test/data/generate.py

Weights are part of the files, so that `asic-opt` reads them without anything else.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from asic.frontend import Imported, import_model
from asic.quantization import quantize

HERE = Path(__file__).parent


class Residual(nn.Module):
    """Depthwise 3x3, ReLU6, pointwise 1x1, and the input added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act = nn.ReLU6(inplace=True)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(self.depthwise(x)))
        return x + self.norm2(self.pointwise(y))


class TinyCnn(nn.Module):
    """Every kind of layer of a small image classifier, once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.block = Residual(16)
        self.head = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(image)))
        x = self.block(self.pool(x))
        return self.fc(torch.flatten(self.head(x), 1))


class Classifier(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(32, 24)
        self.out = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.hidden(x)))


class Encoder(nn.Module):
    """One transformer encoder layer: two heads of 16, feed-forward of 64, GELU."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(
            32, nhead=2, dim_feedforward=64, dropout=0.0, activation="gelu", batch_first=True
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layer(tokens)


class Recurrent(nn.Module):
    """One step of an LSTM; state in, state out."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(16, 16)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.cell(x, state)


def randomize(model: nn.Module) -> nn.Module:
    """Batch norms with statistics that matter, from the current seed."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
    return model.eval()


def write(name: str, imported: Imported) -> None:
    (HERE / f"{name}.mlir").write_text(imported.with_weights())


def main() -> None:
    root = str(HERE.parent.parent)
    torch.manual_seed(0)
    cnn, image = randomize(TinyCnn()), torch.randn(1, 3, 16, 16)
    write("tiny_cnn_f32", import_model(cnn, (image,), source_root=root))
    data = [(torch.randn(1, 3, 16, 16),) for _ in range(8)]
    write("tiny_cnn_int8", import_model(quantize(cnn, (image,), data), source_root=root))

    mlp, vector = Classifier().eval(), torch.randn(4, 32)
    data = [(torch.randn(4, 32),) for _ in range(8)]
    write("mlp_int8", import_model(quantize(mlp, (vector,), data), source_root=root))

    encoder, tokens = Encoder().eval(), torch.randn(1, 8, 32)
    write("encoder_f32", import_model(encoder, (tokens,), source_root=root))
    data = [(torch.randn(1, 8, 32),) for _ in range(8)]
    quantized = quantize(encoder, (tokens,), data)
    write("encoder_int8", import_model(quantized, source_root=root))

    state = (torch.randn(1, 16), torch.randn(1, 16))
    recurrent, x = Recurrent().eval(), torch.randn(1, 16)
    write("lstm_cell_f32", import_model(recurrent, (x, state), source_root=root))


if __name__ == "__main__":
    main()
