# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Recurrent layers, and loops over time that Python unrolls."""

from __future__ import annotations

from asic.fuzz.generator import Generator, NoFit, op


@op(1)
def recurrent(g: Generator) -> None:
    x = g.pick_float(3)
    length, width = g[x].shape[1:]
    if length > 5:
        raise NoFit
    kind = g.choice(["LSTM", "LSTM", "GRU", "RNN"])
    options = [str(width), str(g.size(8)), "batch_first=True"]
    if g.chance(0.3):
        options.append("bidirectional=True")
    if g.chance(0.2):
        options.append("num_layers=2")
    text = f"nn.{kind}({', '.join(options)})"
    g.emit(f"{g.layer(text)}({x})[0]")


@op(1)
def state_space(g: Generator) -> None:
    x = g.pick_float(3)
    length, width = g[x].shape[1:]
    if length > 5:
        raise NoFit
    decay = g.layer(f"nn.Parameter(uniform({g.integer(0, 9999)}, 0.1, 0.9, {width}))")
    (state,) = g.emit(f"{x}[:, 0]")
    states = [state]
    for step in range(1, length):
        (state,) = g.emit(f"{state} * {decay} + {x}[:, {step}]")
        states.append(state)
    g.emit(f"torch.stack([{', '.join(states)}], 1)")
