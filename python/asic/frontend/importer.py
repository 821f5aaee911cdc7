# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch model in, linalg-on-tensors text and its weights out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule

from asic.frontend import fold
from asic.frontend.arithmetic import arithmetic
from asic.frontend.bags import split_bags
from asic.frontend.bias import integer_biases
from asic.frontend.borders import (
    TensorInfo,
    input_infos,
    name_borders,
    output_infos,
    structure_of,
    symbol_ranges,
)
from asic.frontend.checks import check, check_effects
from asic.frontend.composites import CompositeImporter, without_composites
from asic.frontend.control import unroll
from asic.frontend.decompose import layers, recover_linear, relax_views, split_bins
from asic.frontend.empties import drop_empties
from asic.frontend.export import capture, decompose, export
from asic.frontend.indices import settle
from asic.frontend.locations import Source, operator_of, source_of
from asic.frontend.messages import error
from asic.frontend.meta import has_data
from asic.frontend.missing import missing
from asic.frontend.movement import movements
from asic.frontend.naming import resource_names
from asic.frontend.pairs import take_apart
from asic.frontend.pipeline import lower_to_linalg
from asic.frontend.pooling import poolings
from asic.frontend.skew import (
    ContextCache,
    FxImporter,
    get_decomposition_table,
    ir,
    new_context,
)
from asic.frontend.solvers import check_solvers
from asic.frontend.state import (
    StateInfo,
    check_writes,
    explicit,
    functional,
    separate_updates,
    written_buffers,
)
from asic.frontend.torchao import raise_weights
from asic.frontend.unsigned import widen_unsigned
from asic.frontend.weights import WeightHooks
from asic.structure import Structure
from asic.tensors import to_array

#: Blobs in text start with their alignment, as four little-endian bytes.
_ALIGNMENT = "40000000"

_NORMALIZED = "asic.normalized"

_RESOURCE = re.compile(r'dense_resource<"?([^">]+)"?>')


@dataclass(frozen=True)
class Imported:
    """A model after import.

    Attributes:
        mlir: text of a module with `func.func @main`, linalg on tensors, parsed by
            MLIR 22; weights appear as `dense_resource<"name">` without data.
        weights: array of every resource name in the text that has data.
        inputs: flattened inputs, in the order of `@main`'s arguments.
        outputs: flattened outputs, in the order of `@main`'s results.
        structure: how the inputs were nested, and what the outputs are put back into.
        sources: module path → file and line of the first op traced in that module.
        ranges: bounds of each dynamic dimension's symbol, (low, high).
        state: buffers that the model writes, in the order of `@main`'s arguments and
            results behind the user's.
        without_data: resource names of weights that were on the meta device.
        program: what was traced, before anything was changed; None for ONNX.
    """

    mlir: str
    weights: dict[str, np.ndarray[Any, Any]]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    structure: Structure
    sources: dict[str, Source]
    ranges: dict[str, tuple[int, int]]
    state: tuple[StateInfo, ...] = ()
    without_data: tuple[str, ...] = ()
    program: ExportedProgram | None = None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, from `forward`'s signature."""
        return tuple(i.name for i in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs, from the structure that `forward` returns."""
        return tuple(o.name for o in self.outputs)

    def with_weights(self) -> str:
        """The text with the weights appended as resources: a file that stands alone."""
        if not self.weights:
            return self.mlir
        blobs = ",\n".join(
            f'      {_key(name)}: "0x{_ALIGNMENT}{array.tobytes().hex().upper()}"'
            for name, array in sorted(self.weights.items())
        )
        return (
            f"{self.mlir.rstrip()}\n\n{{-#\n  dialect_resources: {{\n    builtin: {{\n"
            f"{blobs}\n    }}\n  }}\n#-}}\n"
        )


def _key(name: str) -> str:
    """A resource's name as MLIR writes it: quoted unless it is an identifier."""
    return name if re.fullmatch(r"[A-Za-z_][\w$.]*", name) else f'"{name}"'


def kept_resources(text: str) -> set[str]:
    """Names of the resources that a text mentions."""
    return set(_RESOURCE.findall(text))


def import_model(
    model: Any,
    args: tuple[Any, ...] | None = None,
    kwargs: dict[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    source_root: str | None = None,
) -> Imported:
    """Turns a PyTorch model into linalg on tensors.

    Args:
        model: an `nn.Module` in eval mode, an `ExportedProgram`, a graph converted by a
            PT2E quantiser, or the path of a `.pt2` file.
        args: positional example inputs; required for an `nn.Module`.
        kwargs: keyword example inputs.
        dynamic_shapes: as `torch.export.export` takes it.
        source_root: folder that source files are named relative to in locations.

    Raises:
        CompileError: with ``phase="import"``; the message says what to change.
    """
    traced, args, kwargs = capture(model, args, kwargs, dynamic_shapes)
    if isinstance(model, ExportedProgram):
        dynamic_shapes = None
    program = traced
    if not is_normalized(program):
        program = normalize(program, args, kwargs, dynamic_shapes)
    check(program, source_root)
    return replace(_to_linalg(program, source_root), program=traced)


def normalize(
    program: ExportedProgram,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic_shapes: Any = None,
    rewrite: Callable[[GraphModule], None] | None = None,
    apart: bool = True,
) -> ExportedProgram:
    """Folds batch norm and constants and makes writes results; ops stay ATen's own.

    `rewrite` changes the cleaned graph in place before it is exported again; without `apart`
    complex numbers and Fourier transforms stay what they are, for a quantiser.
    """
    check_solvers(program)
    if symbol_ranges(program) and dynamic_shapes is None:
        # The guards are in the graph already; a second trace would specialise them.
        program = decompose(program, {})
        check_writes(program)
        return program
    with torch.no_grad():
        program = decompose(program, layers())
        check_writes(program)
        module = program.module()
        separate_updates(module)
        unroll(module)
        fold.drop_assertions(module)
        if settle(module):
            module = functional(export(module, args, kwargs, dynamic_shapes)).module()
            separate_updates(module)
            fold.drop_assertions(module)
        fold.fold_batch_norm(module)
        recover_linear(module)
        relax_views(module)
        split_bins(module)
        raise_weights(module)
        fold.fold_constants(module)
        split_bags(module)
        integer_biases(module)
        if rewrite is not None:
            rewrite(module)
        if apart:
            take_apart(module)
        fold.drop_unused(module)
        return mark_normalized(functional(export(module, args, kwargs, dynamic_shapes)))


def mark_normalized(program: ExportedProgram) -> ExportedProgram:
    """Notes in the program that `normalize` has nothing left to do; returns it."""
    program.graph_module.meta[_NORMALIZED] = True
    return program


def is_normalized(program: ExportedProgram) -> bool:
    """Whether the program comes from `normalize`, or is as good as that."""
    return bool(program.graph_module.meta.get(_NORMALIZED))


class _Locations(ContextCache):  # type: ignore[misc]
    """Locations that carry the module path, the operator and the user's own line."""

    def __init__(self, context: Any, root: str | None, **kwargs: Any) -> None:
        super().__init__(context, **kwargs)
        self._root = root

    def get_node_location(self, node: torch.fx.Node) -> Any:
        source = source_of(node, self._root)
        place = ir.Location.unknown(self._c)
        if source.file:
            place = ir.Location.file(source.file, source.line, 0, context=self._c)
        if operator := operator_of(node):
            metadata = ir.StringAttr.get(operator, context=self._c)
            place = ir.Location.fused([place], metadata, context=self._c)
        name = source.path or ("" if source.file else node.name)
        return ir.Location.name(name, place, context=self._c) if name else place


class _Importer(FxImporter):  # type: ignore[misc]
    """torch-mlir's importer with our node importer, locations and weights."""

    __slots__ = ("declarations",)

    def __init__(self, context: Any, hooks: WeightHooks, root: str | None) -> None:
        super().__init__(context=context, hooks=hooks, graph_node_importer_cls=CompositeImporter)
        self._cc = _Locations(  # type: ignore[misc]
            context, root, py_attr_tracker=self._py_attr_tracker
        )
        self.declarations: dict[str, str] = {}


def _to_linalg(program: ExportedProgram, root: str | None) -> Imported:
    names, inline = resource_names(program)
    table = {
        **get_decomposition_table(),
        **missing(),
        **layers(),
        **arithmetic(),
        **movements(),
        **poolings(),
    }
    program = decompose(program, without_composites(table))
    check_effects(program, root)
    widen_unsigned(program)
    drop_empties(program.graph_module)
    inputs, outputs = input_infos(program), output_infos(program)
    values = {**program.constants, **program.state_dict}
    written = {path: values[path] for path in written_buffers(program)}
    view, state = explicit(program, frozenset(i.name for i in (*inputs, *outputs)))
    hooks = WeightHooks(program, names, inline)
    context = new_context()
    importer = _Importer(context, hooks, root)
    try:
        importer.import_program(view, func_name="main")
    except (NotImplementedError, TypeError, KeyError, AssertionError) as problem:
        raise error(
            f"cannot import the traced program: {problem}; keep that part outside the "
            "compiled model",
            repr(problem),
        ) from problem
    lower_to_linalg(importer.module, context, hooks.write_inlined)
    name_borders(importer.module, inputs, outputs, [(s.path, s.tensor) for s in state])
    text = importer.module.operation.get_asm(enable_debug_info=True)
    kept = kept_resources(text)
    used = {name: tensor for name, tensor in hooks.used.items() if name in kept}
    return Imported(
        mlir=text,
        weights={name: to_array(t) for name, t in used.items() if has_data(t)},
        without_data=tuple(name for name, t in {**used, **written}.items() if not has_data(t)),
        inputs=inputs,
        outputs=outputs,
        structure=structure_of(program),
        sources=_sources(program, root),
        ranges=symbol_ranges(program),
        state=state,
    )


def _sources(program: ExportedProgram, root: str | None) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for node in program.graph.nodes:
        if node.op == "call_function":
            source = source_of(node, root)
            if source.file:
                sources.setdefault(source.path, source)
    return sources
