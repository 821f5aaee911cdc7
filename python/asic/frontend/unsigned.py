# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Computation with uint8, which torch-mlir takes for int8.

200 / 255 is -56 / 255 there; its conversions to floats are right, those to integers are not. So every op that computes gets operands of a wider type, and its result is converted
back. That is exact: integers wrap modulo 256 as well when they have wrapped modulo 2^32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, TensorArgument
from torch.fx import Node

from asic.frontend.composites import is_composite, packet_name
from asic.frontend.locations import operator_of, source_of
from asic.frontend.messages import error
from asic.frontend.nodes import insert_call, result_of

aten = torch.ops.aten

#: Ops that put elements elsewhere and look at none.
_MOVES = frozenset(
    f"aten.{name}"
    for name in [
        "_to_copy",
        "_unsafe_view",
        "alias",
        "as_strided",
        "cat",
        "clone",
        "constant_pad_nd",
        "copy",
        "detach",
        "embedding",
        "expand",
        "flip",
        "gather",
        "index",
        "index_select",
        "lift_fresh_copy",
        "permute",
        "repeat",
        "roll",
        "select",
        "select_scatter",
        "slice",
        "slice_scatter",
        "split",
        "split_with_sizes",
        "squeeze",
        "stack",
        "t",
        "transpose",
        "unbind",
        "unfold",
        "unsqueeze",
        "view",
        "where",
    ]
)

#: Composites that know uint8, but not beside an operand of another type.
_PAIRS = frozenset(
    f"aten.{name}"
    for name in [
        "bitwise_left_shift",
        "bitwise_right_shift",
        "clamp",
        "copysign",
        "div",
        "floor_divide",
        "fmod",
        "maximum",
        "minimum",
        "remainder",
    ]
)

#: Kinds of inputs that the program brings along.
_STORED = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)

#: Ops that make a tensor of one number.
_FILLS = frozenset({"aten.full", "aten.full_like", "aten.new_full", "aten.scalar_tensor"})


def widen_unsigned(program: ExportedProgram) -> None:
    """Converts uint8 before and after everything that computes with it, in place.

    Raises:
        CompileError: an op has several results, which torch-mlir would get wrong.
    """
    graph = program.graph
    _view_constants(program)
    for node in list(graph.nodes):
        name = packet_name(node.target) if node.op == "call_function" else ""
        if not name:
            continue
        if name in _FILLS and _dtype(node) == torch.uint8:
            _fill(node)
        elif name == "aten.constant_pad_nd" and _dtype(node) == torch.uint8:
            # As the int8 of the same bits.
            node.args = (*node.args[:2], *((v + 128) % 256 - 128 for v in node.args[2:]))
        elif name == "aten._to_copy":
            _fix_conversion(node)
        elif any(_dtype(operand) == torch.uint8 for operand in node.all_input_nodes):
            wide = _wide_type(node, name)
            if wide is not None:
                _widen(node, wide)
    program.graph_module.recompile()


def _view_constants(program: ExportedProgram) -> None:
    """Stored uint8 that nobody writes to is imported as int8, and viewed as what it is.

    torch-mlir lowers no constants of uint8. `WeightHooks` gives the int8.
    """
    signature = program.graph_signature
    written = set(signature.buffers_to_mutate.values())
    stored = {
        spec.arg.name
        for spec in signature.input_specs
        if spec.kind in _STORED and spec.target not in written
    }
    for node in list(program.graph.nodes):
        if node.op != "placeholder" or node.name not in stored or _dtype(node) != torch.uint8:
            continue
        with node.meta["val"].fake_mode:
            val = torch.empty_like(node.meta["val"], dtype=torch.int8)
        users = list(node.users)
        with program.graph.inserting_after(node):
            view = program.graph.call_function(aten.view.dtype, (node, torch.uint8))
        view.meta = dict(node.meta)
        node.meta["val"] = val
        for user in users:
            user.replace_input_with(node, view)
        for result in signature.output_specs:
            if isinstance(result.arg, TensorArgument) and result.arg.name == node.name:
                result.arg = TensorArgument(view.name)


def _fill(node: Node) -> None:
    """A tensor of one number: made with a sign, which torch-mlir can fold."""
    wide = insert_call(node, node.target, *node.args, **{**node.kwargs, "dtype": torch.int32})
    narrow = insert_call(node, aten._to_copy.default, wide, dtype=torch.int8)
    node.target, node.args, node.kwargs = aten.view.dtype, (narrow, torch.uint8), {}


def _dtype(node: Node) -> torch.dtype | None:
    """Element type of a node's result, if it has one result."""
    value = node.meta.get("val")
    return value.dtype if isinstance(value, torch.Tensor) else None


def _wide_type(node: Node, name: str) -> torch.dtype | None:
    """What uint8 operands have to be converted to; None: the op takes them as they are."""
    result = _dtype(node)
    if name in _MOVES or (is_composite(node.target) and name not in _PAIRS):
        # Pieces of several types make a whole of the widest.
        return result if name in ("aten.cat", "aten.where") and result != torch.uint8 else None
    if is_composite(node.target) and result == torch.uint8:
        return None
    if result is not None and result.is_floating_point:
        return result
    for operand in node.all_input_nodes:
        dtype = _dtype(operand)
        if dtype is not None and dtype.is_floating_point:
            return dtype
    numbers = (*node.args, *node.kwargs.values())
    return torch.float32 if any(isinstance(n, float) for n in numbers) else torch.int32


def _fix_conversion(node: Node) -> None:
    """The user's own conversion of uint8 to integers."""
    (source,), dtype = node.all_input_nodes, _dtype(node)
    if _dtype(source) != torch.uint8 or dtype not in (torch.int16, torch.int32, torch.int64):
        return
    node.target, node.args = (
        aten.bitwise_and.Scalar,
        (insert_call(node, node.target, *node.args, **node.kwargs), 255),
    )
    node.kwargs = {}


def _widen(node: Node, wide: torch.dtype) -> None:
    if _dtype(node) is None:
        raise error(
            f"expected no uint8 for {operator_of(node)} at {source_of(node)}; convert with "
            ".to(torch.int32) in front of it"
        )

    def convert(operand: Node) -> Node:
        return _converted(operand, wide, node) if _dtype(operand) == torch.uint8 else operand

    args, kwargs = torch.fx.map_arg((node.args, node.kwargs), convert)
    _compute(node, args, kwargs)


def _compute(node: Node, args: Any, kwargs: Any) -> None:
    """Makes `node`, under its name, the conversion of what it computes from other operands."""
    dtype = _dtype(node)
    if result_of(node.graph, node.target, args, kwargs).dtype == dtype:
        node.args, node.kwargs = args, kwargs
        return
    wide = insert_call(node, node.target, *args, **kwargs)
    node.target, node.args, node.kwargs = aten._to_copy.default, (wide,), {"dtype": dtype}


def _converted(source: Node, dtype: torch.dtype, user: Node) -> Node:
    """`source`, of uint8, as another type, in front of `user`."""
    made = insert_call(user, aten._to_copy.default, source, dtype=dtype)
    if dtype.is_floating_point:
        return made
    # Conversions to integers extend the sign.
    return insert_call(user, aten.bitwise_and.Scalar, made, 255)
