# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The networks that benchmarks, tests and the demo run, by name.

    model, args = nets.get("resnet18")

Every model comes in eval mode with random weights from a fixed seed, with example
inputs of batch 1. Definitions are self-contained; layer shapes are those of the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.nets.decoder import Decoder
from benchmarks.nets.digits import DigitsCnn
from benchmarks.nets.language import Gpt2Block, LlamaBlock, LlamaDecode, MiniLm
from benchmarks.nets.mlp import Mlp
from benchmarks.nets.mobilenet import MobileNetV2
from benchmarks.nets.recurrent import LstmCell, LstmSequence
from benchmarks.nets.resnet import resnet18, resnet50
from benchmarks.nets.transformer import BertLayer, Encoder
from benchmarks.nets.vision import UNet, VitB16, Yolo

Inputs = tuple[Tensor, ...]
_SEED = 2026


def _image(size: int = 224) -> Inputs:
    return (torch.randn(1, 3, size, size),)


_NETS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Inputs]]] = {
    "mlp": (Mlp, lambda: (torch.randn(1, 784),)),
    "digits_cnn": (DigitsCnn, lambda: (torch.rand(1, 1, 8, 8),)),
    "resnet18": (resnet18, _image),
    "resnet50": (resnet50, _image),
    "mobilenet_v2": (MobileNetV2, _image),
    "encoder": (Encoder, lambda: (torch.randn(1, 32, 128),)),
    "bert_layer": (BertLayer, lambda: (torch.randn(1, 128, 768),)),
    "minilm": (MiniLm, lambda: (torch.randint(0, 30522, (1, 128)),)),
    "gpt2_block": (Gpt2Block, lambda: (torch.randn(1, 128, 768),)),
    "llama_block": (LlamaBlock, lambda: (torch.randn(1, 128, 1024),)),
    "llama_decode": (
        LlamaDecode,
        lambda: (torch.randn(1, 1, 1024), torch.randn(1, 4, 127, 64), torch.randn(1, 4, 127, 64)),
    ),
    "decoder": (Decoder, lambda: (torch.randint(0, 4096, (1, 1)), torch.randint(0, 256, (1,)))),
    "vit_b16": (VitB16, _image),
    "unet": (UNet, lambda: _image(128)),
    "yolo": (Yolo, lambda: _image(320)),
    "lstm_cell": (LstmCell, lambda: (torch.randn(1, 64), torch.zeros(1, 128), torch.zeros(1, 128))),
    "lstm": (LstmSequence, lambda: (torch.randn(1, 8, 64),)),
}


def names() -> list[str]:
    """Names that `get` takes."""
    return list(_NETS)


@dataclass(frozen=True)
class Net:
    """A network ready to compile.

    Attributes:
        name: as `load` took it.
        model: in eval mode, weights from a fixed seed.
        args: example inputs, batch 1.
    """

    name: str
    model: nn.Module
    args: Inputs

    def calibration(self, count: int = 8) -> list[Inputs]:
        """`count` inputs of the distribution that `args` has, the same on every call."""
        example = _NETS[self.name][1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED + 1)
            return [example() for _ in range(count)]


def load(name: str) -> Net:
    """The network called `name`, the same on every call.

    Raises:
        KeyError: no network has this name.
    """
    if name not in _NETS:
        raise KeyError(f"no network {name!r}; expected one of {', '.join(_NETS)}")
    build, example = _NETS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        return Net(name, build().eval(), example())


def get(name: str) -> tuple[nn.Module, Inputs]:
    """(model, example inputs) of `load`."""
    net = load(name)
    return net.model, net.args


def calibration(name: str, count: int = 8) -> list[Inputs]:
    """Calibration inputs of `load`, without its model."""
    return Net(name, nn.Identity(), ()).calibration(count)
