# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What other systems need for the same network on a machine of the same size.

Two sources: `anchors.yaml`, figures that were measured with the named tool or
published, and SCALE-Sim's compute cycles, which have a closed form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

ANCHORS = Path(__file__).with_name("anchors.yaml")
aten = torch.ops.aten


@dataclass(frozen=True)
class Anchor:
    """A figure of another system: cycles for a net on a machine of this size.

    `kind` is "measured" (the tool was run on the same work) or "published";
    `source` says by whom and under which conditions.
    """

    target: str
    net: str
    peer: str
    cycles: int
    kind: str
    source: str


def anchors(net: str, target: str) -> list[Anchor]:
    """The figures known for `net` on `target`, fastest first."""
    entries = [Anchor(**entry) for entry in yaml.safe_load(ANCHORS.read_text())]
    chosen = [a for a in entries if (a.net, a.target) == (net, target)]
    return sorted(chosen, key=lambda a: a.cycles)


@dataclass(frozen=True)
class Product:
    """A matrix product M x K x N, `count` times."""

    m: int
    n: int
    k: int
    count: int = 1


class ProductRecorder(FlopCounterMode):
    """Records the matrix products that a forward pass amounts to.

    A convolution is the product of its output pixels with its filters; a group is
    a product of its own, so a depthwise convolution is many with one column each.
    """

    def __init__(self) -> None:
        super().__init__(display=False)
        self.products: list[Product] = []

    def _count_flops(
        self, func_packet: Any, out: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        if func_packet is aten.convolution:
            weight, groups = args[1], args[8]
            pixels = out.shape[0] * out[0, 0].numel()
            channels = weight.shape[0] // groups
            self.products.append(Product(pixels, channels, weight[0].numel(), groups))
        elif func_packet in (aten.mm, aten.addmm):
            a, b = args[-2:]
            self.products.append(Product(a.shape[0], b.shape[1], a.shape[1]))
        elif func_packet in (aten.bmm, aten.baddbmm):
            a, b = args[-2:]
            self.products.append(Product(a.shape[1], b.shape[2], a.shape[2], a.shape[0]))
        return super()._count_flops(func_packet, out, args, kwargs)


def products(model: torch.nn.Module, args: tuple[Any, ...]) -> list[Product]:
    """The matrix products of one forward pass, attention taken apart."""
    apart = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), apart, ProductRecorder() as recorder:
        model(*args)
    return recorder.products


def scale_sim(work: list[Product], rows: int, columns: int) -> dict[str, int]:
    """Compute cycles of SCALE-Sim v3 for each dataflow of a systolic array.

    Its simulator's result has a closed form per product (Samajdar et al., "A
    systematic methodology for characterizing scalability of DNN accelerators using
    SCALE-Sim", ISPASS 2020); memory is assumed never to stall the array.
    """
    fill = rows + columns - 2
    formulas = {
        "ws": lambda p: ceil(p.k / rows) * ceil(p.n / columns) * (rows + fill + p.m),
        "is": lambda p: ceil(p.k / rows) * ceil(p.m / columns) * (rows + fill + p.n),
        "os": lambda p: ceil(p.m / rows) * ceil(p.n / columns) * (fill + p.k),
    }
    return {
        f"scalesim-{name}": sum(p.count * cycles(p) for p in work)
        for name, cycles in formulas.items()
    }
