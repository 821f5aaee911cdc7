# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""LSTM, GRU and RNN nodes as products and elementwise nodes, one copy per step.

What the front end does with PyTorch's recurrent layers (`frontend/decompose.py`), for ONNX:
products with constant weights instead of a loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto

from asic.frontend.messages import error
from asic.frontend.onnx.graph import OnnxGraph
from asic.tensors import Array

#: Gates of each kind, in ONNX's order, and the activations that a node may leave out.
_KINDS: dict[str, tuple[int, list[bytes]]] = {
    "LSTM": (4, [b"Sigmoid", b"Tanh", b"Tanh"]),
    "GRU": (3, [b"Sigmoid", b"Tanh"]),
    "RNN": (1, [b"Tanh"]),
}


def unroll(graph: OnnxGraph) -> bool:
    """Replaces every recurrent node; returns whether there was one."""
    nodes: list[NodeProto] = []
    found = False
    for node in graph.nodes:
        if node.op_type in _KINDS:
            nodes += _Layer(graph, node).unrolled()
            found = True
        else:
            nodes.append(node)
    if found:
        graph.replace_nodes(nodes)
    return found


class _Layer:
    """One recurrent node."""

    def __init__(self, graph: OnnxGraph, node: NodeProto) -> None:
        self._graph = graph
        self._node = node
        self._made: list[NodeProto] = []
        self._known: dict[Any, str] = {}
        self._count = 0
        self._attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        self._inputs = [*node.input, *[""] * 8]
        self._gates, _ = _KINDS[node.op_type]
        self._check()
        self._weights = [self._constant(i) for i in (1, 2, 3)]
        self._hidden = self._weights[1].shape[-1]  # type: ignore[union-attr]

    def _check(self) -> None:
        """Refuses the options that nobody exports."""
        attributes, (_, activations) = self._attributes, _KINDS[self._node.op_type]
        used = attributes.get("activations")
        directions = 2 if attributes.get("direction") == b"bidirectional" else 1
        found = [
            name
            for name, is_odd in (
                ("activations", used is not None and list(used) != activations * directions),
                ("clip", "clip" in attributes),
                ("input_forget", bool(attributes.get("input_forget"))),
                ("layout", bool(attributes.get("layout"))),
                ("peepholes", bool(self._inputs[7])),
                ("sequence_lens", bool(self._inputs[4]) and not self._is_whole()),
                (
                    "weights that are computed",
                    self._constant(1) is None or self._constant(2) is None,
                ),
            )
            if is_odd
        ]
        if found:
            raise error(
                f"expected a plain {self._node.op_type}, got {found[0]} at node "
                f"'{self._node.name}'; export the model without it"
            )

    def _is_whole(self) -> bool:
        """Whether every sequence has the length of the input."""
        lengths = self._constant(4)
        steps = self._graph.shapes()[self._inputs[0]][0]
        return lengths is not None and bool((lengths == steps).all())

    def _constant(self, position: int) -> Array | None:
        return self._graph.arrays.get(self._inputs[position])

    def unrolled(self) -> list[NodeProto]:
        """The nodes that take this one's place."""
        steps = self._graph.shapes()[self._inputs[0]][0]
        assert steps is not None
        xs = [self._step_input(i) for i in range(steps)]
        direction = self._attributes.get("direction", b"forward")
        count = 2 if direction == b"bidirectional" else 1
        outputs: list[list[str]] = []
        last: list[tuple[str, ...]] = []
        for number in range(count):
            backwards = direction == b"reverse" or number == 1
            hidden, state = self._direction(number, xs[::-1] if backwards else xs)
            outputs.append(hidden[::-1] if backwards else hidden)
            last.append(state)
        names = [*self._node.output, "", "", ""]
        if names[0]:
            rows = [self._stack([column[i] for column in outputs], 0) for i in range(steps)]
            self._stack(rows, 0, names[0])
        for position, name in enumerate(names[1:3]):
            if name:
                self._stack([state[position] for state in last], 0, name)
        return self._made

    def _direction(self, number: int, xs: list[str]) -> tuple[list[str], tuple[str, ...]]:
        """Hidden values of all steps, and (hidden, cell) after the last."""
        w, r = (self._weights[i][number] for i in (0, 1))  # type: ignore[index]
        size = self._gates * self._hidden
        both = np.zeros(2 * size, w.dtype) if self._weights[2] is None else self._weights[2][number]
        bias_w, bias_r = both[:size], both[size:]
        hidden, cell = self._initial(5, number), self._initial(6, number)
        hiddens = []
        for x in xs:
            step = {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}[self._node.op_type]
            hidden, cell = step(x, hidden, cell, w, r, bias_w, bias_r)
            hiddens.append(hidden)
        return hiddens, (hidden, cell)

    def _lstm(self, x: str, h: str, c: str, w: Array, r: Array, bw: Array, br: Array) -> Any:
        gates = self._op("Add", self._product(x, w, bw), self._product(h, r, br))
        i, o, f, g = self._split(gates, 4)
        i, o, f = (self._op("Sigmoid", gate) for gate in (i, o, f))
        kept, new = self._op("Mul", f, c), self._op("Mul", i, self._op("Tanh", g))
        cell = self._op("Add", kept, new)
        return self._op("Mul", o, self._op("Tanh", cell)), cell

    def _gru(self, x: str, h: str, c: str, w: Array, r: Array, bw: Array, br: Array) -> Any:
        cut = 2 * self._hidden
        gates = self._op(
            "Add", self._product(x, w[:cut], bw[:cut]), self._product(h, r[:cut], br[:cut])
        )
        z, reset = (self._op("Sigmoid", gate) for gate in self._split(gates, 2))
        if self._attributes.get("linear_before_reset"):
            past = self._op("Mul", reset, self._product(h, r[cut:], br[cut:]))
        else:
            past = self._product(self._op("Mul", reset, h), r[cut:], br[cut:])
        new = self._op("Tanh", self._op("Add", self._product(x, w[cut:], bw[cut:]), past))
        # (1 - z) · new + z · h
        difference = self._op("Sub", h, new)
        return self._op("Add", new, self._op("Mul", z, difference)), c

    def _rnn(self, x: str, h: str, c: str, w: Array, r: Array, bw: Array, br: Array) -> Any:
        total = self._op("Add", self._product(x, w, bw), self._product(h, r, br))
        return self._op("Tanh", total), c

    def _product(self, x: str, weight: Array, bias: Array) -> str:
        """X · weightᵀ + bias, constants stored once."""
        names = [self._stored("weight", weight), self._stored("bias", bias)]
        return self._op("Gemm", x, *names, transB=1)

    def _stored(self, role: str, array: Array) -> str:
        key = (role, array.__array_interface__["data"][0], array.shape)
        if key not in self._known:
            self._known[key] = self._graph.add(
                f"{self._node.name}.{role}", np.ascontiguousarray(array)
            )
        return self._known[key]

    def _initial(self, position: int, number: int) -> str:
        """The state that a direction starts with, (batch, hidden)."""
        if position == 6 and self._node.op_type != "LSTM":
            return ""
        given = self._inputs[position]
        if not given:
            batch = self._graph.shapes()[self._inputs[0]][1]
            zeros = np.zeros((batch, self._hidden), self._weights[0].dtype)  # type: ignore
            return self._graph.add(f"{self._node.name}.zeros", zeros)
        index = self._graph.add(f"{self._node.name}.index", np.asarray(number, np.int64))
        return self._op("Gather", given, index, axis=0)

    def _step_input(self, step: int) -> str:
        index = self._graph.add(f"{self._node.name}.step", np.asarray(step, np.int64))
        return self._op("Gather", self._inputs[0], index, axis=0)

    def _split(self, value: str, count: int) -> list[str]:
        outputs = [self._name() for _ in range(count)]
        self._emit("Split", [value], outputs, axis=1, num_outputs=count)
        return outputs

    def _stack(self, values: list[str], axis: int, name: str = "") -> str:
        """The values along a new dimension."""
        axes = self._graph.add(f"{self._node.name}.axes", np.asarray([axis], np.int64))
        parts = [self._op("Unsqueeze", value, axes) for value in values]
        result = name or self._name()
        self._emit("Concat", parts, [result], axis=axis)
        return result

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        result = self._name()
        self._emit(kind, list(inputs), [result], **attributes)
        return result

    def _emit(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> None:
        self._made.append(
            onnx.helper.make_node(kind, inputs, outputs, self._node.name, **attributes)
        )

    def _name(self) -> str:
        self._count += 1
        return f"{self._node.name}.{self._count}"
