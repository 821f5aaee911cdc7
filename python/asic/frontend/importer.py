# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""PyTorch model in, linalg-on-tensors text and its weights out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch.utils import _pytree as pytree
from torch_mlir import ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_decomp_util import get_decomposition_table
from torch_mlir.extras.fx_importer import ContextCache, FxImporter

from asic.frontend import fold
from asic.frontend.bias import integer_biases
from asic.frontend.composites import CompositeImporter, without_composites
from asic.frontend.decompose import layers, recover_linear
from asic.frontend.export import capture, error, export
from asic.frontend.locations import Source, module_path, source_of
from asic.frontend.pipeline import lower_to_linalg
from asic.frontend.schema import argument
from asic.frontend.weights import WeightHooks, to_numpy

#: Blobs in text start with their alignment, as four little-endian bytes.
_ALIGNMENT = "40000000"

_NORMALIZED = "asic.normalized"

_RESOURCE = re.compile(r'dense_resource<"?([^">]+)"?>')


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape and dtype of one input or output; a dimension is None when dynamic."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Imported:
    """A model after import.

    Attributes:
        mlir: text of a module with `func.func @main`, linalg on tensors, parsed by
            MLIR 22; weights appear as `dense_resource<"name">` without data.
        weights: array of every resource name in the text.
        inputs: flattened inputs, in the order of `@main`'s arguments.
        outputs: flattened outputs, in the order of `@main`'s results.
        in_spec: pytree of (args, kwargs) that the inputs were flattened from.
        out_spec: pytree that the outputs are put back into.
        sources: module path → file and line of the first op traced in that module.
        ranges: bounds of each dynamic dimension's symbol, (low, high).
    """

    mlir: str
    weights: dict[str, np.ndarray[Any, Any]]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    in_spec: pytree.TreeSpec
    out_spec: pytree.TreeSpec
    sources: dict[str, Source]
    ranges: dict[str, tuple[int, int]]

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
    program, args, kwargs = capture(model, args, kwargs, dynamic_shapes)
    if isinstance(model, ExportedProgram):
        dynamic_shapes = None
    if not is_normalized(program):
        program = normalize(program, args, kwargs, dynamic_shapes)
    _check_sizes(program)
    _check_dtypes(program, source_root)
    _check_data_dependence(program, source_root)
    _check_determinism(program, source_root)
    return _to_linalg(program, source_root)


def normalize(
    program: ExportedProgram,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    dynamic_shapes: Any = None,
) -> ExportedProgram:
    """Folds batch norm and constants and removes mutation; ops stay ATen's own."""
    if program.range_constraints and dynamic_shapes is None:
        # The guards are in the graph already; a second trace would specialise them.
        return program.run_decompositions({})  # type: ignore[no-any-return]
    with torch.no_grad():
        functional = program.run_decompositions(layers())
        _check_state(functional)
        module = functional.module()
        fold.drop_assertions(module)
        fold.fold_batch_norm(module)
        recover_linear(module)
        fold.fold_constants(module)
        integer_biases(module)
        fold.drop_unused(module)
        return mark_normalized(export(module, args, kwargs, dynamic_shapes))


def mark_normalized(program: ExportedProgram) -> ExportedProgram:
    """Notes in the program that `normalize` has nothing left to do; returns it."""
    program.graph_module.meta[_NORMALIZED] = True
    return program


def is_normalized(program: ExportedProgram) -> bool:
    """Whether the program comes from `normalize`, or is as good as that."""
    return bool(program.graph_module.meta.get(_NORMALIZED))


def _check_state(program: ExportedProgram) -> None:
    """Refuses models that write to their buffers or inputs."""
    signature = program.graph_signature
    for kind, written in (
        ("buffer", signature.buffers_to_mutate),
        ("input", signature.user_inputs_to_mutate),
    ):
        if written:
            name = next(iter(written.values()))
            raise error(
                f"expected a model without side effects, got one that writes to {kind} "
                f"'{name}'; take the state as an input and return its new value"
            )


def _check_sizes(program: ExportedProgram) -> None:
    """Refuses inputs without elements."""
    for info in _inputs(program):
        if 0 in info.shape:
            raise error(
                f"expected inputs with elements, got shape {info.shape} for '{info.name}'; "
                "pass an example of the size that the model is to be compiled for"
            )


def _check_dtypes(program: ExportedProgram, root: str | None) -> None:
    """Refuses element types that no later phase has."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            continue
        if value.dtype in (torch.float64, torch.complex32, torch.complex64, torch.complex128):
            raise error(
                f"expected tensors of at most 32-bit real floats, got {value.dtype} "
                f"'{node.name}' at {source_of(node, root)}; convert the model and its "
                "inputs with .float()"
            )


def _check_data_dependence(program: ExportedProgram, root: str | None) -> None:
    """Refuses tensors whose shape is known only when the model runs."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and free_unbacked_symbols(value):
            shape = ", ".join(str(extent) for extent in value.shape)
            raise error(
                f"expected shapes that follow from the inputs' shapes, got [{shape}] of "
                f"'{node.name}' at {source_of(node, root)}, which depends on values; select "
                "with torch.where or a mask instead, or keep that part outside the compiled "
                "model"
            )


def _check_determinism(program: ExportedProgram, root: str | None) -> None:
    """Refuses random numbers: nothing could be equal to anything."""
    for node in program.graph.nodes:
        is_random = torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
        if is_random and node.users and not _is_idle_dropout(node):
            raise error(
                f"expected a deterministic model, got {node.target} at "
                f"{source_of(node, root)}; pass random tensors as inputs"
            )


def _is_idle_dropout(node: torch.fx.Node) -> bool:
    """Whether the op is random only by a dropout that is switched off."""
    names = {argument.name for argument in node.target._schema.arguments}  # type: ignore[union-attr]
    if "dropout_p" in names:
        return not argument(node, "dropout_p")
    if "train" in names:
        return not argument(node, "train") or not argument(node, "p")
    return False


class _Locations(ContextCache):  # type: ignore[misc]
    """Locations that carry the module path and the user's own line."""

    def __init__(self, context: Any, root: str | None, **kwargs: Any) -> None:
        super().__init__(context, **kwargs)
        self._root = root

    def get_node_location(self, node: torch.fx.Node) -> Any:
        source = source_of(node, self._root)
        if not source.file and not source.path:
            return ir.Location.name(node.name, context=self._c)
        if not source.file:
            return ir.Location.name(source.path, context=self._c)
        place = ir.Location.file(source.file, source.line, 0, context=self._c)
        if not source.path:
            return place
        return ir.Location.name(source.path, place, context=self._c)


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
    names, inline = _resource_names(program)
    with torch.no_grad():
        table = {**get_decomposition_table(), **layers()}
        program = program.run_decompositions(without_composites(table))
    hooks = WeightHooks(program, names, inline)
    context = ir.Context()
    torch_dialect.register_dialect(context)
    importer = _Importer(context, hooks, root)
    try:
        importer.import_program(program, func_name="main")
    except (NotImplementedError, TypeError, KeyError, AssertionError) as problem:
        raise error(
            f"cannot import the traced program: {problem}; keep that part outside the "
            "compiled model",
            repr(problem),
        ) from problem
    inputs, outputs = _inputs(program), _outputs(program)
    lower_to_linalg(importer.module, context)
    _name_arguments(importer.module, inputs, outputs)
    text = importer.module.operation.get_asm(enable_debug_info=True)
    kept = set(_RESOURCE.findall(text))
    weights = {n: to_numpy(t) for n, t in hooks.used.items() if n in kept}
    return Imported(
        mlir=text,
        weights=weights,
        inputs=inputs,
        outputs=outputs,
        in_spec=program.call_spec.in_spec,
        out_spec=program.call_spec.out_spec,
        sources=_sources(program, root),
        ranges=_ranges(program),
    )


def _ranges(program: ExportedProgram) -> dict[str, tuple[int, int]]:
    """Bounds of the symbols in the shapes of the inputs.

    An example input that is a view of a larger tensor leaves symbols of that tensor
    behind, without bounds; they are nobody's dimension.
    """
    values = (node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder")
    sizes: list[Any] = [size for v in values if isinstance(v, torch.Tensor) for size in v.shape]
    symbols = {
        symbol
        for size in sizes
        if isinstance(size, torch.SymInt)
        for symbol in size.node.expr.free_symbols
    }
    limit = 2**63 - 1
    return {
        str(symbol): (int(bounds.lower), limit if bounds.upper > limit else int(bounds.upper))
        for symbol, bounds in program.range_constraints.items()
        if symbol in symbols
    }


def _name_arguments(
    module: Any, inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...]
) -> None:
    """Gives `@main`'s arguments and results their names, as `asic.name`."""
    main = next(op for op in module.body.operations if op.name.value == "main")
    context = module.context

    def named(infos: tuple[TensorInfo, ...]) -> ir.ArrayAttr:
        names = [{"asic.name": ir.StringAttr.get(i.name, context=context)} for i in infos]
        return ir.ArrayAttr.get(
            [ir.DictAttr.get(n, context=context) for n in names], context=context
        )

    main.attributes["arg_attrs"] = named(inputs)
    main.attributes["res_attrs"] = named(outputs)
    for value, info in zip(main.arguments, inputs, strict=True):
        value.set_location(ir.Location.name(info.name, context=context))


def _resource_names(
    program: ExportedProgram,
) -> tuple[dict[str, str], frozenset[str]]:
    """Readable names for generated state keys, and the keys that stay in the text.

    Quantisers and folding name their constants `_frozen_param3`; the name here is the
    module path of the reader and the role it plays there, "layer1.0.conv1.weight".
    """
    signature = program.graph_signature
    targets = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    taken = {targets[n.name] for n in program.graph.nodes if n.name in targets and n.users}
    names: dict[str, str] = {}
    inline: set[str] = set()
    for node in program.graph.nodes:
        key = targets.get(node.name) if node.op == "placeholder" else None
        if key is None:
            continue
        roles = [_role(node, user) for user in node.users]
        if any(role in ("scales", "scale", "zero_points", "zero_point") for _, role in roles):
            inline.add(key)
        if _is_generated(key) and roles:
            path, role = roles[0]
            name = f"{path}.{role}" if path else role
            stem, count = name, 1
            while name in taken:
                name, count = f"{stem}.{count}", count + 1
            taken.add(name)
            names[key] = name
    return names, frozenset(inline)


def _is_generated(key: str) -> bool:
    return (
        key.startswith(
            ("_frozen_param", "_scale_", "_zero_point_", "_tensor_constant", "lifted_tensor")
        )
        or "_folded" in key
        or "_int32" in key
    )


def _role(node: torch.fx.Node, user: torch.fx.Node) -> tuple[str, str]:
    """Module path of a reader and the name of the argument that `node` is there.

    Looks through dequantisation, so that a weight is called "weight".
    """
    while True:
        name = "value"
        if isinstance(user.target, torch._ops.OpOverload):
            for argument, value in zip(user.target._schema.arguments, user.args, strict=False):
                if value is node:
                    name = argument.name
        first = bool(user.args) and user.args[0] is node
        if first and user.users and "dequantize" in str(user.target):
            node, user = user, next(iter(user.users))
            continue
        break
    return module_path(user), name


def _info(name: str, node: torch.fx.Node) -> TensorInfo:
    value = node.meta["val"]
    if not isinstance(value, torch.Tensor):
        return TensorInfo(name, (), str(type(value).__name__))
    shape = tuple(d if isinstance(d, int) else None for d in value.shape)
    return TensorInfo(name, shape, str(value.dtype).removeprefix("torch."))


def _inputs(program: ExportedProgram) -> tuple[TensorInfo, ...]:
    nodes = {n.name: n for n in program.graph.nodes if n.op == "placeholder"}
    return tuple(_info(str(n), nodes[str(n)]) for n in program.graph_signature.user_inputs)


def _outputs(program: ExportedProgram) -> tuple[TensorInfo, ...]:
    nodes = {n.name: n for n in program.graph.nodes}
    specs = [s for s in program.graph_signature.output_specs if s.kind == OutputKind.USER_OUTPUT]
    tree = pytree.tree_unflatten(list(range(len(specs))), program.call_spec.out_spec)
    paths, _ = pytree.tree_flatten_with_path(tree)
    result = []
    for (path, _), spec in zip(paths, specs, strict=True):
        name = getattr(spec.arg, "name", "")
        if name not in nodes:
            raise error("expected every output to be a tensor, got a constant; return tensors only")
        result.append(_info(_output_name(path, len(specs)), nodes[name]))
    return tuple(result)


def _output_name(path: tuple[Any, ...], count: int) -> str:
    """Gives "logits" for a dict entry, "output0" for a tuple element, "output" for a tensor."""
    if not path:
        return "output"
    parts = [str(getattr(p, "key", getattr(p, "idx", getattr(p, "name", p)))) for p in path]
    name = ".".join(parts)
    if name.isdigit():
        return "output" if count == 1 else f"output{name}"
    return name if not name[0].isdigit() else f"output{name}"


def _sources(program: ExportedProgram, root: str | None) -> dict[str, Source]:
    sources: dict[str, Source] = {}
    for node in program.graph.nodes:
        if node.op == "call_function":
            source = source_of(node, root)
            if source.file:
                sources.setdefault(source.path, source)
    return sources
