# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weight-only quantisation: int8 weights of contractions, everything else stays as it is.

No data is needed. Weights are taken one after the other and in blocks of rows, so that beside the
model there is only its int8 copy.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.ao.quantization.fx._decomposed
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from asic.errors import CompileError
from asic.frontend.bias import is_contraction
from asic.frontend.export import capture
from asic.frontend.fold import attribute, constant
from asic.frontend.importer import normalize
from asic.frontend.meta import has_data
from asic.frontend.nodes import insert_call, insert_constant
from asic.quantization.config import Config
from asic.quantization.observers import WeightObserver

aten = torch.ops.aten
quantized = torch.ops.quantized_decomposed

#: Elements of a weight that are float32 at a time.
_BLOCK = 1 << 22

#: Products → position of the operand that may be a constant (inputs, outputs) matrix.
_PRODUCTS = {aten.matmul.default: 1, aten.mm.default: 1, aten.addmm.default: 2}


def quantize_weights(
    model: Any,
    args: tuple[Any, ...] | None,
    config: Config | None = None,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> ExportedProgram:
    """The program with int8 weights in its convolutions, linear layers and matrix products.

    Symmetric, one scale per output channel (or per tensor, as `config` says). Embeddings,
    norms and biases keep their format.

    Raises:
        CompileError: weights are on the meta device, or nothing can be quantised.
    """
    config = config or Config(activations="float")
    program, args, kwargs = capture(model, args, kwargs, dynamic_shapes)
    rewritten: list[str] = []

    def rewrite(module: GraphModule) -> None:
        shared: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}
        for node in list(module.graph.nodes):
            for position, axis in _weights(node):
                name = _quantize(module, node, position, axis, config, shared)
                if name:
                    rewritten.append(name)

    result = normalize(program, args, kwargs, dynamic_shapes, rewrite)
    if not rewritten:
        raise CompileError(
            "expected convolutions, linear layers or products with a constant matrix, got a "
            "model without; compile it with quantize=None",
            phase="quantize",
        )
    return result


def _weights(node: Node) -> list[tuple[int, int]]:
    """(argument, output channel axis) of what may be a weight."""
    if is_contraction(node):
        return [(1, 0)]
    if node.target in _PRODUCTS:
        return [(_PRODUCTS[node.target], 1)]
    return []


def _quantize(
    module: GraphModule,
    node: Node,
    position: int,
    axis: int,
    config: Config,
    shared: dict[tuple[str, int], tuple[Tensor, Tensor]],
) -> str:
    """Puts int8 and a dequantisation in the place of a weight; returns its name, "" if none."""
    source: Any = node.args[position]
    if isinstance(source, Node) and source.op == "get_attr":
        _check_data(str(source.target), attribute(module, str(source.target)))
    weight = constant(module, source)
    if weight is None or not weight.is_floating_point() or weight.dim() < 2 or not weight.numel():
        return ""
    if axis == 1 and weight.dim() != 2:
        return ""
    key = (str(source.target), axis)
    if key not in shared:
        shared[key] = quantize_tensor(weight, axis, config)
    codes, scales = shared[key]
    stem = str(source.target)
    codes_node = insert_constant(module, f"{stem}_int8", codes, node)
    scale_node = insert_constant(module, f"{stem}_int8_scale", scales, node)
    zeros = torch.zeros(scales.shape, dtype=torch.int64)
    zero_node = insert_constant(module, f"{stem}_int8_zero_point", zeros, node)
    marker = (codes_node, scale_node, zero_node, axis, -127, 127, torch.int8)
    real = insert_call(
        node, quantized.dequantize_per_channel.default, *marker, out_dtype=weight.dtype
    )
    node.update_arg(position, real)
    return stem


def _check_data(name: str, weight: Any) -> None:
    if isinstance(weight, Tensor) and not has_data(weight):
        raise CompileError(
            f"expected weights with data to quantise, got '{name}' on the meta device; "
            "load the checkpoint first",
            phase="quantize",
        )


def quantize_tensor(weight: Tensor, axis: int, config: Config) -> tuple[Tensor, Tensor]:
    """int8 codes of `weight` (its shape) and float32 scales, one per index of `axis`.

    The codes are `clamp(round(w / scale), -127, 127)` with the quotient in float32.
    """
    rows = weight.movedim(axis, 0)
    count = rows.shape[0]
    block = max(1, _BLOCK // max(1, rows[0].numel()))
    codes = torch.empty(weight.shape, dtype=torch.int8)
    target = codes.movedim(axis, 0)
    scales = torch.empty(count, dtype=torch.float32)
    pieces = range(0, count, block)
    for first in pieces:
        observer = WeightObserver(mse=config.weight_calibrator == "mse")
        observer(rows[first : first + block])
        scales[first : first + block] = observer.calculate_qparams()[0]
    if not config.per_channel:
        scales.fill_(scales.max())
    for first in pieces:
        values = rows[first : first + block].float()
        scale = scales[first : first + block].reshape(-1, *[1] * (values.dim() - 1))
        target[first : first + block] = (values / scale).round_().clamp_(-127, 127).to(torch.int8)
    return codes, scales
