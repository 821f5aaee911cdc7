# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""prepare → calibrate → convert, and the three in one call."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule
from torch.utils import _pytree as pytree

from asic.errors import CompileError
from asic.frontend.bias import integer_biases, is_contraction
from asic.frontend.export import capture, export
from asic.frontend.fold import constant
from asic.frontend.importer import mark_normalized, normalize
from asic.frontend.meta import has_data
from asic.frontend.pairs import take_apart
from asic.frontend.state import functional, hide_state, own_state, show_state
from asic.quantization.config import Config
from asic.quantization.observers import WeightObserver
from asic.quantization.pt2e import convert_pt2e, prepare_pt2e
from asic.quantization.quantizer import Quantizer
from asic.quantization.weights import quantize_weights
from asic.structure import split_inputs

_EXAMPLE = "asic_example_inputs"
_STATE = "asic_initial_state"
_DYNAMIC = "asic_dynamic_shapes"

#: Largest bias that convert produces, in accumulator units.
_BIAS_ROOM = 2.0**29


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings of torchao about its own use of torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def _error(message: str) -> CompileError:
    return CompileError(message, phase="quantize")


def prepare(
    model: Any,
    args: tuple[Any, ...] | None = None,
    target: Any = None,
    config: Config | str | None = None,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> GraphModule:
    """The model with observers where int8 tensors will be.

    Args:
        model: an `nn.Module` in eval mode, an `ExportedProgram` or the path of a `.pt2`.
        args: positional example inputs, required for an `nn.Module`.
        target: what the model is meant for.
        config: ranges and formats.
        kwargs: keyword example inputs.
        dynamic_shapes: as `torch.export.export` takes it.

    Run the result on calibration inputs, then pass it to `convert`.
    """
    config = Config.of(config)
    if config.activations == "float":
        raise _error(
            "expected int8 activations, got a config of weights alone; call "
            "asic.quantization.quantize_weights, which needs no calibration"
        )
    program, args, kwargs = capture(model, args, kwargs, dynamic_shapes)
    for name, tensor in program.state_dict.items():
        if not has_data(tensor):
            raise _error(
                f"expected weights with data to calibrate, got '{name}' on the meta device; load "
                "the checkpoint first"
            )
    module = normalize(program, args, kwargs, dynamic_shapes, apart=False).module()
    state = own_state(module)
    with _quiet():
        prepared = prepare_pt2e(module, Quantizer(target, config))
    prepared.meta[_EXAMPLE] = (args, kwargs)
    prepared.meta[_DYNAMIC] = dynamic_shapes
    prepared.meta[_STATE] = state
    return prepared  # type: ignore[no-any-return]


def convert(prepared: GraphModule) -> ExportedProgram:
    """The quantised program: int8 weights, int32 biases, Q/DQ with exact scales.

    Raises:
        CompileError: `prepared` does not come from `prepare`, or has not been run.
    """
    example = prepared.meta.get(_EXAMPLE)
    if example is None:
        raise _error("expected a model from prepare, got one without example inputs")
    _make_room_for_biases(prepared)
    paths = hide_state(prepared)
    with _quiet():
        converted = convert_pt2e(prepared)
    # Calibration has left its traces in the buffers.
    show_state(converted, {path: prepared.meta[_STATE][path] for path in paths})
    integer_biases(converted)
    take_apart(converted)
    args, kwargs = example
    dynamic_shapes = prepared.meta.get(_DYNAMIC)
    return mark_normalized(functional(export(converted, args, kwargs, dynamic_shapes)))


def _make_room_for_biases(prepared: GraphModule) -> None:
    """Raises weight scales where a bias would not fit int32.

    A channel whose weights are almost zero has a scale so small that its bias, in units
    of s_x · s_w, overflows. Such weights matter less than the bias; they get fewer steps.
    """
    modules = dict(prepared.named_modules())
    for node in prepared.graph.nodes:
        if not is_contraction(node) or len(node.args) < 3:
            continue
        bias = constant(prepared, node.args[2])
        source, weight = (modules.get(str(getattr(a, "target", ""))) for a in node.args[:2])
        if bias is None or source is None or not isinstance(weight, WeightObserver):
            continue
        scale = source.calculate_qparams()[0].double()
        weight.raise_scale(bias.abs().double() / (scale * _BIAS_ROOM))


def calibrate(prepared: GraphModule, data: Iterable[Any] | None) -> int:
    """Runs the prepared model on every item of `data`; returns how many there were.

    Args:
        data: iterable of inputs: tuples; a bare tensor counts as a tuple of one; for a
            model prepared with keyword inputs, dicts of them or pairs (tuple, dict).
    """
    if data is None:
        raise _error(
            "expected calibration data for static quantisation, got None; pass an "
            "iterable of input tuples (64 to 128 typical inputs are enough)"
        )
    try:
        items = iter(data)
    except TypeError:
        raise _error(
            f"expected calibration data to be an iterable of input tuples, got {data!r:.60}; "
            "write calibration=[(x,), ...]"
        ) from None
    count = 0
    example = prepared.meta.get(_EXAMPLE)
    with torch.no_grad():
        for count, item in enumerate(items, start=1):
            inputs, named = _as_inputs(item, takes_names=bool(example and example[1]))
            if prepared.meta.get(_DYNAMIC) is None:
                _check_shapes((inputs, named), example, count - 1)
            _check_finite((inputs, named), count - 1)
            prepared(*inputs, **named)
    if count == 0:
        raise _error("expected calibration data, got an empty iterable; pass input tuples")
    return count


def quantize(
    model: Any,
    args: tuple[Any, ...] | None,
    calibration: Iterable[Any] | None,
    target: Any = None,
    config: Config | str | None = None,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> ExportedProgram:
    """Post-training quantisation in one call; see `prepare`, `calibrate`, `convert`, and
    `quantize_weights` for float activations."""
    config = Config.of(config)
    if config.activations == "float":
        if calibration is not None:
            raise _error(
                "expected no calibration data for quantisation of weights alone, got some; "
                "leave calibration out, or quantise activations too with quantize='int8'"
            )
        return quantize_weights(model, args, config, kwargs, dynamic_shapes)
    if calibration is None:
        calibrate(GraphModule({}, torch.fx.Graph()), None)
    prepared = prepare(model, args, target, config, kwargs, dynamic_shapes)
    calibrate(prepared, calibration)
    return convert(prepared)


def _as_inputs(item: Any, takes_names: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword inputs of one calibration item, as tensors."""
    args, kwargs = split_inputs(item, takes_names)
    return tuple(map(_as_tensor, args)), {k: _as_tensor(v) for k, v in kwargs.items()}


def _as_tensor(value: Any) -> Any:
    return torch.as_tensor(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _check_shapes(inputs: Any, example: Any, index: int) -> None:
    leaves, wanted = pytree.tree_leaves(inputs), pytree.tree_leaves(example)
    if example is not None and len(leaves) != len(wanted):
        raise _error(
            f"expected {len(wanted)} inputs in every calibration item, got {len(leaves)} in "
            f"item {index}; pass tuples of what the model takes"
        )
    for position, (leaf, want) in enumerate(zip(leaves, wanted, strict=False)):
        if torch.is_tensor(leaf) and torch.is_tensor(want) and leaf.shape != want.shape:
            raise _error(
                f"expected calibration inputs of shape {list(want.shape)}, got "
                f"{list(leaf.shape)} in item {index}, input {position}; the model is compiled "
                "for the shapes of args"
            )


def _check_finite(inputs: Any, index: int) -> None:
    for position, leaf in enumerate(pytree.tree_leaves(inputs)):
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
            if not bool(torch.isfinite(leaf).all()):
                raise _error(
                    f"expected finite calibration data, got NaN or Inf in item {index}, "
                    f"input {position}; remove or repair that item"
                )
