# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`asic.compile` for models with dynamic shapes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asic.buckets import Bucket, DynamicCompiled, bucket_sizes
from asic.errors import CompileError
from asic.ondemand import Make, OnDemand
from asic.sizes import Dimensions, DynamicTensor, Hidden, symbols_of
from asic.structure import positional_names

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule

    from asic.compiled import Compiled
    from asic.compiler import Extents
    from asic.options import CompileOptions
    from asic.reading import Source
    from asic.target import Target
    from asic.tensors import TensorSpec


#: Inputs and outputs of the largest sizes, padded for every call; above this every size has a
#: program of its own instead.
_MOST_BORDER_BYTES = 2**32


def _border_bytes(dimensions: Dimensions, sizes: Mapping[str, int]) -> int:
    specs = [tensor.at(sizes) for tensor in (*dimensions.inputs, *dimensions.outputs)]
    return sum(math.prod(spec.shape) * spec.numpy.itemsize for spec in specs)


def is_dynamic(model: Any, dynamic_shapes: Any) -> bool:
    """Whether the model is a PyTorch model with sizes that are not fixed."""
    return dynamic_shapes is not None or bool(getattr(model, "range_constraints", None))


def compile_dynamic(
    model: Any,
    args: tuple[Any, ...] | None,
    kwargs: dict[str, Any] | None,
    *,
    quantize: Any,
    calibration: Iterable[Any] | None,
    dynamic_shapes: Any,
    target: Target | None,
    fallback: str,
    options: CompileOptions,
) -> DynamicCompiled | None:
    """A program per bucket; on this computer, unless buckets are given, per size that comes.

    None when all sizes are fixed.

    Raises:
        CompileError: the model, its dimensions or the buckets do not fit.
    """
    from asic.frontend.borders import structure_of
    from asic.frontend.dynamic import declared, dimensions, flat_module
    from asic.frontend.export import capture
    from asic.frontend.importer import is_normalized
    from asic.frontend.padding import insert_masks
    from asic.frontend.pairs import take_apart
    from asic.frontend.state import check_writes, functional
    from asic.reading import Source, state_of

    positional = positional_names(model, args, kwargs)
    program, args, kwargs = capture(model, args, kwargs, dynamic_shapes)
    found = dimensions(program, dynamic_shapes)
    if found is None:
        return None
    program = functional(program)
    # The second trace may have found bounds that are narrower.
    found = dimensions(program, dynamic_shapes) or found
    check_writes(program, options.source_root)
    if options.until not in (None, "program"):
        raise CompileError(
            "expected a whole compilation of dynamic shapes, got until="
            f"{options.until!r}; give the model static shapes to look at one phase",
            phase="options",
        )
    if quantize is not None:
        program = _quantized(
            program, args, kwargs, declared(program), calibration, target, quantize
        )
        found = _renamed(dimensions(program), found)
        program = functional(program)
    normalized = is_normalized(program)
    structure = replace(structure_of(program), positional=positional)

    def masked() -> tuple[Make, tuple[Hidden, ...]]:
        module = flat_module(program)
        take_apart(module)
        padded = insert_masks(module, options.source_root)
        make = _maker(
            padded.module,
            found,
            padded.hidden,
            target,
            target,
            fallback,
            options,
            normalized,
            clipped=target is None,
        )
        return make, padded.hidden

    def host() -> DynamicCompiled:
        """On this computer, with programs of exact sizes: what the others are compared with."""
        make = _maker(flat_module(program), found, (), None, target, "host", options, normalized)
        return DynamicCompiled(
            target=None,
            dimensions=found,
            hidden=(),
            buckets=(),
            structure=structure,
            state=state_of(program),
            programs=OnDemand(found, make),
            source=Source("", {}, program=program, quantized=_has_codes(program)),
        )

    # On this computer there is one program for all sizes.
    is_one = target is None and not options.buckets
    largest = {symbol: high for symbol, (_, high) in found.ranges.items()}
    if is_one and _border_bytes(found, largest) > _MOST_BORDER_BYTES:
        return host()
    try:
        make, hidden = masked()
    except CompileError:
        if is_one:
            return host()
        raise
    chosen = [largest] if is_one else bucket_sizes(found, options.buckets)
    buckets = tuple(Bucket(sizes, make(sizes)) for sizes in chosen)
    return DynamicCompiled(
        target=target,
        dimensions=found,
        hidden=hidden,
        buckets=buckets,
        structure=structure,
        state=state_of(program),
        host=host,
        # What `verify` compares with.
        source=Source("", {}, program=program, quantized=_has_codes(program)),
    )


def _has_codes(program: ExportedProgram) -> bool:
    """Whether activations are quantised."""
    return any("quantized_decomposed.quantize" in str(n.target) for n in program.graph.nodes)


def _renamed(after: Dimensions | None, before: Dimensions) -> Dimensions:
    """The dimensions of a quantised program under the names that the user gave.

    Another export gives its symbols names of its own.
    """
    assert after is not None, "a quantised program without the dimensions of its model"
    names = {
        mine: before.labels[theirs]
        for own, given in zip(after.inputs, before.inputs, strict=True)
        for mine, theirs in zip(own.shape, given.shape, strict=True)
        if mine in after.ranges and theirs in before.ranges
    }
    inputs = tuple(
        replace(own, name=given.name)
        for own, given in zip(after.inputs, before.inputs, strict=True)
    )
    return Dimensions(after.ranges, {**after.labels, **names}, inputs, after.outputs)


def _quantized(
    program: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic_shapes: Any,
    calibration: Iterable[Any] | None,
    target: Target | None,
    quantize: Any,
) -> Any:
    """The program with one set of parameters for all sizes."""
    from asic import quantization

    return quantization.quantize(
        program,
        args,
        calibration,
        target=target,
        config=quantization.Config.of(quantize),
        kwargs=kwargs,
        dynamic_shapes=dynamic_shapes,
    )


def _maker(
    module: GraphModule,
    dimensions: Dimensions,
    hidden: tuple[Hidden, ...],
    target: Target | None,
    arithmetic: Target | None,
    fallback: str,
    options: CompileOptions,
    normalized: bool,
    clipped: bool = False,
) -> Make:
    """Exports `module` for the sizes that it is asked for, and compiles that.

    With `clipped` the programs stop where a call's sizes end.
    """

    def extents_of(source: Source) -> Extents:
        def by_name(
            specs: Sequence[TensorSpec], tensors: Sequence[DynamicTensor]
        ) -> dict[str, list[str]]:
            pairs = zip(specs, tensors, strict=False)  # Hidden inputs are behind.
            return {
                spec.name: [text if symbols_of(text) else "" for text in tensor.shape]
                for spec, tensor in pairs
            }

        return (
            by_name(source.inputs or (), dimensions.inputs),
            by_name(source.outputs or (), dimensions.outputs),
        )

    def make(sizes: Mapping[str, int]) -> Compiled:
        import torch

        from asic.compiler import compile_source
        from asic.frontend.export import export
        from asic.frontend.importer import mark_normalized
        from asic.frontend.state import functional
        from asic.reading import read_model

        start = time.perf_counter()
        examples = [
            torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))
            for spec in (tensor.at(sizes) for tensor in dimensions.inputs)
        ]
        examples += [torch.from_numpy(h.value(sizes, sizes)) for h in hidden]
        program = export(module, tuple(examples))
        if normalized:
            program = mark_normalized(functional(program))
        source = read_model(
            program,
            None,
            quantize=None,
            calibration=None,
            dynamic_shapes=None,
            target=target,
            options=options,
        )
        return compile_source(
            source,
            target,
            fallback,
            options,
            arithmetic=None if target is not None else arithmetic,
            start=start,
            extents=extents_of(source) if clipped else None,
        )

    return make
