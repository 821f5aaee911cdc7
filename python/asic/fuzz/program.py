# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small torch module as data: to print it, and to take it apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

_NAME = re.compile(r"\b[vx]\d+\b")
_LAYER = re.compile(r"\bself\.(\w+)")

#: What every printed module begins with.
_PRELUDE = '''\
import torch
import torch.nn.functional as F
from torch import nn


def normal(seed, *shape):
    """Values from the normal distribution, the same ones every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def uniform(seed, low, high, *shape):
    """Values of [low, high)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator) * (high - low) + low


def integers(seed, low, high, *shape):
    """Integers of [low, high), int64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, generator=generator)
'''


@dataclass(frozen=True)
class Kind:
    """Shape and dtype ("float32") of a tensor."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def numel(self) -> int:
        """How many elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


@dataclass(frozen=True)
class Input:
    """One example input; `text` makes it."""

    name: str
    kind: Kind
    text: str


@dataclass(frozen=True)
class Layer:
    """One member of the module, constructed after seeding; `lines` run after that."""

    name: str
    text: str
    seed: int
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """Lines of `forward` that define the values `defines`, all of them tensors."""

    lines: tuple[str, ...]
    defines: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @property
    def uses(self) -> frozenset[str]:
        """Values that the lines read."""
        return frozenset(_NAME.findall("\n".join(self.lines))) - set(self.defines)

    @property
    def layers(self) -> frozenset[str]:
        """Members of the module that the lines read."""
        return frozenset(_LAYER.findall("\n".join(self.lines)))


@dataclass(frozen=True)
class Program:
    """A module in single-assignment form with its example inputs.

    Attributes:
        settings: constants of the file: what the module is compiled for.
        dtype: dtype that parameters are converted to, "" for none.
        drawn: the ops that were drawn for it, in turn, each with whether it fitted.
    """

    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    statements: tuple[Statement, ...]
    outputs: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    dtype: str = ""
    drawn: tuple[tuple[str, bool], ...] = ()

    def pruned(self) -> Program:
        """Without statements, layers and inputs that no output needs; one input stays."""
        wanted = set(self.outputs)
        kept = []
        for statement in reversed(self.statements):
            if wanted & set(statement.defines):
                kept.append(statement)
                wanted |= statement.uses
        layers = {name for statement in kept for name in statement.layers}
        inputs = [i for i in self.inputs if i.name in wanted] or list(self.inputs[:1])
        return replace(
            self,
            inputs=tuple(inputs),
            layers=tuple(x for x in self.layers if x.name in layers),
            statements=tuple(reversed(kept)),
        )

    def source(self, title: str = "A random module.") -> str:
        """A Python file: `make()` returns the model and its example inputs."""
        parts = [f'"""{title}"""\n\n{_PRELUDE}\n']
        if self.settings:
            parts.append("\n".join(f"{k} = {v!r}" for k, v in self.settings.items()) + "\n\n\n")
        else:
            parts.append("\n")
        parts.append("class Model(nn.Module):\n")
        if self.layers:
            parts.append("    def __init__(self):\n        super().__init__()\n")
            for layer in self.layers:
                seed = f"torch.manual_seed({layer.seed})"
                lines = (seed, f"self.{layer.name} = {layer.text}", *layer.lines)
                parts.append("".join(f"        {line}\n" for line in lines))
            parts.append("\n")
        names = ", ".join(i.name for i in self.inputs)
        parts.append(f"    def forward(self, {names}):\n")
        for statement in self.statements:
            parts.append("".join(f"        {line}\n" for line in statement.lines))
        parts.append(f"        return {', '.join(self.outputs)}\n\n\n")
        convert = f".to(torch.{self.dtype})" if self.dtype else ""
        parts.append("def make():\n")
        parts.append(f"    model = Model().eval(){convert}\n")
        if len(self.inputs) == 1:
            parts.append(f"    return model, ({self.inputs[0].text},)\n")
        else:
            listed = "".join(f"        {i.text},\n" for i in self.inputs)
            parts.append(f"    return model, (\n{listed}    )\n")
        return "".join(parts)
