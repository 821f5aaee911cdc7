# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes docs/overview.md: one small program at every phase of the compiler.

The text between the listings is here; the listings come from the compiler. With
`--check`, nothing is written and the exit status says whether the page is current.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import torch

import asic

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "overview.md"
TARGET = "npu-256"
WIDTH = 150

MODEL = """\
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, image):
        return torch.relu(self.conv(image))
"""

INTRODUCTION = """\
# Overview: one small program at every phase

<!-- Written by scripts/make_overview.py. -->

The program is one convolution with a ReLU, quantised to int8 and compiled for `{target}`:

```python
{model}
compiled = asic.compile(
    Net().eval(), (image,), target="{target}", quantize="int8", calibration=[(image,)]
)
```

with an `image` of shape (1, 3, 8, 8). Each listing below is `compiled.stages[phase]`, which is also what
`asic-compile --until=PHASE --emit mlir` prints. The target's description and long constants are elided. What must hold
after each phase is in [compiler.md](compiler.md).
"""

#: What happens in each phase, and what to look at in its listing.
PHASES = {
    "import": "What torch-mlir made of the exported graph. Weights have names, no values: "
    "`dense_resource` handles that the front end hands over beside the text. Quantisation is a pair of "
    "markers with exact scales.",
    "normalize": "One form for everything: `linalg.generic` on static tensors, channels last, padding as "
    "`tensor.pad`, the weight transposed at compile time. The markers are `asic.quantize` and "
    "`asic.dequantize` now.",
    "quantize": "The arithmetic is integer and explicit: the convolution accumulates int8 products in "
    "int32; `asic.rescale` multiplies with a 32-bit multiplier and shifts; zero point and clamp follow. The ReLU "
    "has become the lower bound of the clamp.",
    "partition": "One function per device. Here the accelerator takes all of it; the float border of the network "
    "is an attribute of the function's argument and result, and the runtime converts while it copies.",
    "plan": "Decisions, and only decisions: the tile sizes, the loop order, where the output lives, and the cycles "
    "and bytes that this is predicted to cost.",
    "tile": "The plan applied. No loops: every tile is straight-line IR with constant offsets.",
    "bufferize": "Tensors have become buffers, each in one of the machine's memories.",
    "asic": "linalg has become the machine's few operations: `asic.contract` on the array, `asic.map` with a lane "
    "program on the vector unit, copies and fills by DMA.",
    "schedule": "The stream in its final order. Every operation knows its engine, its buffers' addresses, and the "
    "semaphores that it waits for and posts.",
    "isa": "One operation per machine instruction, each field spelled out.",
    "program": "The instructions of the encoded program, disassembled.",
}


def build() -> asic.Compiled:
    """Compiles the page's program."""
    namespace = {"torch": torch}
    exec(MODEL, namespace)
    torch.manual_seed(0)
    model = namespace["Net"]().eval()
    image = torch.randn(1, 3, 8, 8)
    return asic.compile(model, (image,), target=TARGET, quantize="int8", calibration=[(image,)])


def elide(text: str) -> str:
    """The listing without what only a machine reads."""
    text = re.sub(r"#asic\.target<[^>]*>", "#asic.target<…>", text)
    text = re.sub(r"\{-#.*?#-\}", "", text, flags=re.DOTALL)
    text = re.sub(r'dense<"0x[0-9A-Fa-f]+">', 'dense<"…">', text)
    text = re.sub(r"dense<\[[^<>]{60,}\]>", "dense<[…]>", text)
    text = re.sub(r" loc\((?:[^()]|\([^()]*\))*\)", "", text)
    text = re.sub(r"^#loc.*\n", "", text, flags=re.MULTILINE)
    lines = (line.rstrip() for line in text.strip().split("\n"))
    return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines)


def cost(compiled: asic.Compiled) -> str:
    """The report without what differs from run to run and machine to machine."""
    text = str(compiled.report()).split("\nlayers")[0]
    lines = (line.rstrip() for line in text.split("\n"))
    return "\n".join(line for line in lines if "compiled in" not in line).strip("\n")


def page() -> str:
    """The whole page."""
    compiled = build()
    parts = [INTRODUCTION.format(target=TARGET, model=MODEL)]
    for phase, text in compiled.stages.items():
        language = "text" if phase == "program" else "mlir"
        parts.append(f"## {phase}\n\n{PHASES[phase]}\n\n```{language}\n{elide(text)}\n```\n")
    parts.append(f"## What it costs\n\n```text\n{cost(compiled)}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Writes or checks the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text)
        print(f"{PAGE.relative_to(ROOT)}: {text.count(chr(10))} lines")
        return 0
    current = PAGE.exists() and PAGE.read_text() == text
    print("current" if current else "docs/overview.md is out of date; run 'make docs'")
    return int(not current)


if __name__ == "__main__":
    sys.exit(main())
