# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which tensors are int8: annotations for torchao's PT2E flow.

An op is *integer* when the numeric contract (docs/quantization.md) has integer
arithmetic for it. Contractions, additions and averages start integer regions; data
movement joins a region when its inputs are already integer; everything else stays
float. A clamp right behind an integer op belongs to it. A result is requantised only
if an integer op or the caller reads it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.fx import GraphModule, Node

from asic.frontend.empties import is_empty
from asic.quantization import observers
from asic.quantization.config import Config
from asic.quantization.ops import (
    ADDS,
    AVERAGES,
    CLAMPS,
    CONCATS,
    MATMULS,
    MOVEMENT,
    is_constant,
    is_contraction,
)
from asic.quantization.pt2e import (
    BaseQuantizer,
    QuantizationAnnotation,
    QuantizationSpec,
    SharedQuantizationSpec,
)

_KEY = "quantization_annotation"


class Quantizer(BaseQuantizer):  # type: ignore[misc]
    """int8 quantiser for `torchao.quantization.pt2e.quantize_pt2e.prepare_pt2e`.

    Args:
        target: target that the model is meant for; kept for callers, int8 is common to all.
        config: ranges and formats; the default is per-channel weights and MSE ranges.
    """

    def __init__(self, target: Any = None, config: Config | None = None) -> None:
        self.target = target
        self.config = config or Config()

    def annotate(self, model: GraphModule) -> GraphModule:
        plan = _Plan(model, self.config)
        activation = self._activation()
        for node in plan.order:
            self._annotate_node(node, plan, activation)
        return model

    def validate(self, model: GraphModule) -> None:
        """Annotations come from one place, so there is nothing left to check."""

    def _annotate_node(self, node: Node, plan: _Plan, activation: QuantizationSpec) -> None:
        tail = plan.tail(node)
        wanted = plan.needs_output(tail)
        inputs: dict[Node, Any] = {}
        if node in plan.movement:
            first, *others = plan.data_inputs(node)
            inputs[first] = activation
            shared = SharedQuantizationSpec((first, node))
            inputs.update({o: shared for o in others})
            output: Any = shared if wanted else None
        else:
            inputs.update({n: activation for n in plan.data_inputs(node)})
            if is_contraction(node):
                weight: Any = node.args[1]
                inputs[weight] = self._weight()
            output = activation if wanted else None
        if tail is not node:
            node.meta[_KEY] = QuantizationAnnotation(input_qspec_map=inputs, _annotated=True)
            tail.meta[_KEY] = QuantizationAnnotation(output_qspec=output, _annotated=True)
        else:
            node.meta[_KEY] = QuantizationAnnotation(
                input_qspec_map=inputs, output_qspec=output, _annotated=True
            )

    def _activation(self) -> QuantizationSpec:
        kind = {
            "minmax": observers.MinMaxObserver,
            "percentile": observers.PercentileObserver,
            "mse": observers.MseObserver,
        }[self.config.calibrator]
        return QuantizationSpec(
            dtype=torch.int8,
            observer_or_fake_quant_ctr=kind.with_args(
                samples=self.config.samples, percentile=self.config.percentile
            ),
            quant_min=-128,
            quant_max=127,
            qscheme=torch.per_tensor_affine,
        )

    def _weight(self) -> QuantizationSpec:
        scheme = (
            torch.per_channel_symmetric if self.config.per_channel else torch.per_tensor_symmetric
        )
        return QuantizationSpec(
            dtype=torch.int8,
            observer_or_fake_quant_ctr=observers.WeightObserver.with_args(
                mse=self.config.weight_calibrator == "mse"
            ),
            quant_min=-127,
            quant_max=127,
            qscheme=scheme,
            ch_axis=0 if self.config.per_channel else None,
        )


class _Plan:
    """Which nodes are integer.

    Attributes:
        order: integer nodes in graph order, clamps that belong to another one left out.
        movement: those nodes that only move data; one that nobody reads as integers is
            not in `order`.
    """

    def __init__(self, model: GraphModule, config: Config) -> None:
        self._config = config
        self.order: list[Node] = []
        self.movement: set[Node] = set()
        self._tails: dict[Node, Node] = {}
        self._integer: set[Node] = set()
        for node in model.graph.nodes:
            if node.op == "call_function" and node not in self._integer:
                self._visit(node)
        self._wanted = self._demand()
        self.order = [n for n in self.order if n not in self.movement or self.needs_output(n)]

    def _visit(self, node: Node) -> None:
        # Nothing has no range.
        if is_empty(node) or any(is_empty(n) for n in node.all_input_nodes):
            return
        if self._is_anchor(node):
            self._add(node)
        elif self._is_movement(node) and all(n in self._integer for n in self.data_inputs(node)):
            self.movement.add(node)
            self._add(node)

    def _add(self, node: Node) -> None:
        tail = node
        users = list(node.users)
        if len(users) == 1 and users[0].target in CLAMPS and node not in self.movement:
            tail = users[0]
        self.order.append(node)
        self._tails[node] = tail
        self._integer.update({node, tail})

    def _is_anchor(self, node: Node) -> bool:
        if not _is_float(node):
            return False
        if is_contraction(node):
            return is_constant(node.args[1])
        if node.target in MATMULS:
            return not any(is_constant(n) for n in node.args[:2])
        if node.target in AVERAGES and node.target is not torch.ops.aten.sum.dim_IntList:
            return AVERAGES[node.target](node)
        if node.target in ADDS:
            return self._is_integer_add(node)
        return False

    def _is_integer_add(self, node: Node) -> bool:
        left, right = node.args[:2]
        if not isinstance(left, Node) or not isinstance(right, Node) or left is right:
            return False
        if is_constant(left) or is_constant(right) or node.kwargs.get("alpha", 1) != 1:
            return False
        if not _is_float(left) or not _is_float(right):
            return False
        if self._config.residual == "auto":
            return bool(node.meta["val"].dim() >= 4)
        return self._config.residual == "int8"

    def _is_movement(self, node: Node) -> bool:
        if not _is_float(node):
            return False
        if node.target in CONCATS:
            return True
        return node.target in MOVEMENT and MOVEMENT[node.target](node)

    def data_inputs(self, node: Node) -> list[Node]:
        """Activation operands of an integer node."""
        args: Any = node.args
        if node.target in CONCATS:
            return list(dict.fromkeys(args[0]))
        if node.target in MATMULS or node.target in ADDS:
            return list(args[:2])
        return [args[0]]

    def tail(self, node: Node) -> Node:
        """The node whose result is the integer op's result: a clamp behind it, or itself."""
        return self._tails[node]

    def needs_output(self, tail: Node) -> bool:
        """Whether somebody reads the result as integers."""
        return tail in self._wanted

    def _demand(self) -> set[Node]:
        """Nodes read as integers by an integer op or the caller, also through movement."""
        wanted: set[Node] = set()
        readers: set[Node] = set()
        for node in reversed(self.order):
            tail = self._tails[node]
            if node not in self.movement:
                readers.update(self.data_inputs(node))
            if tail in readers or self._is_result(tail):
                wanted.add(tail)
                if node in self.movement:
                    readers.update(self.data_inputs(node))
        return wanted

    def _is_result(self, node: Node) -> bool:
        return self._config.quantize_outputs and any(u.op == "output" for u in node.users)


def _is_float(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32
