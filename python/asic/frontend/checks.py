# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is refused before import, each with the user's line and a remedy."""

from __future__ import annotations

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from asic.frontend.borders import input_infos
from asic.frontend.locations import operator_of, source_of
from asic.frontend.messages import error
from asic.frontend.naming import is_generated
from asic.frontend.schema import argument

#: What a placeholder stands for, and what to do where it has a type that no phase has.
_KINDS = {
    InputKind.USER_INPUT: ("the input", "convert it with .float()"),
    InputKind.PARAMETER: ("the parameter", "convert the model with .float()"),
    InputKind.BUFFER: ("the buffer", "make it float32, a registered one with model.float()"),
    InputKind.CONSTANT_TENSOR: ("a constant", "compute in float32 there"),
}

_SLICES = frozenset({torch.ops.aten.slice.Tensor, torch.ops.aten.narrow.default})


def check(program: ExportedProgram, root: str | None) -> None:
    """Every check of this file.

    Raises:
        CompileError: see the messages.
    """
    _check_sizes(program)
    _check_dtypes(program, root)
    _check_data_dependence(program, root)
    _check_determinism(program, root)


def check_effects(program: ExportedProgram, root: str | None) -> None:
    """Refuses ops that do something besides computing, such as looking whether a solver failed.

    Raises:
        CompileError: names the first one.
    """
    for node in program.graph.nodes:
        if node.target is torch.ops.higher_order.with_effects:
            raise error(
                f"cannot lower {str(node.args[1]).removesuffix('.default')} at "
                f"{source_of(node, root)}, which may end the program; replace it by supported "
                "ops, or keep it outside the compiled model"
            )


def _check_sizes(program: ExportedProgram) -> None:
    """Refuses inputs without elements."""
    for info in input_infos(program):
        if 0 in info.shape:
            raise error(
                f"expected inputs with elements, got shape {info.shape} for '{info.name}'; "
                "pass an example of the size that the model is to be compiled for"
            )


def _check_dtypes(program: ExportedProgram, root: str | None) -> None:
    """Refuses element types that no later phase has."""
    border = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            continue
        is_complex = value.dtype.is_complex
        if not is_complex and value.dtype != torch.float64:
            continue
        if node.op == "placeholder":
            spec = border[node.name]
            name, kind = spec.target or node.name, spec.kind
            if kind is not InputKind.USER_INPUT and not node.users:
                continue  # It stays out of the program.
            what, remedy = _KINDS[kind]
            found = f"{what} '{name}'{_use(node, root)}"
            if kind is InputKind.CONSTANT_TENSOR or is_generated(name):
                found, remedy = f"a constant{_use(node, root)}", "compute in float32 there"
        else:
            found = f"{operator_of(node) or node.target} at {source_of(node, root)}"
            remedy = "compute in float32 there"
        if is_complex:
            remedy = (
                "compute with pairs of real numbers (torch.view_as_real), or keep that part outside "
                "the compiled model"
            )
        raise error(
            f"expected tensors of at most 32-bit real floats, got {value.dtype} from {found}; {remedy}"
        )


def _use(node: torch.fx.Node, root: str | None) -> str:
    """Where a placeholder is read first, if that is known."""
    sources = [source_of(user, root) for user in node.users]
    return next((f", used at {source}" for source in sources if source.file), "")


def _check_data_dependence(program: ExportedProgram, root: str | None) -> None:
    """Refuses tensors whose shape is known only when the model runs."""
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and free_unbacked_symbols(value):
            shape = ", ".join(str(extent) for extent in value.shape)
            remedy = "select with torch.where or multiply by a mask instead"
            if node.target is torch.ops.aten.bincount.default:
                remedy = "add with torch.zeros(n).index_add(0, x, torch.ones(x.numel())) instead"
            elif node.target in _SLICES:
                remedy = "index with x[start + torch.arange(n)], n a number, instead"
            raise error(
                f"expected shapes that follow from the inputs' shapes, got [{shape}] of "
                f"'{operator_of(node) or node.name}' at {source_of(node, root)}, which depends on "
                f"values; {remedy}, or keep that part outside the compiled model"
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
