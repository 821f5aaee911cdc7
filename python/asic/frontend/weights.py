# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights beside the text: `dense_resource<"name">` without data, and the arrays.

Tensors of at most `INLINE_LIMIT` elements, booleans, and the scales and zero points
of quantised tensors are part of the program rather than data, and stay in the text. They
are resources like the others until the torch dialect is left: its folders take the bits of
floats for integers where the other operand is an integer, or end the process.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch

from asic.frontend.meta import has_data
from asic.frontend.pipeline import walk
from asic.frontend.skew import FxImporterHooks, ir
from asic.tensors import is_small_float, to_array

#: Largest number of elements that is written into the text.
INLINE_LIMIT = 16

#: How names of resources begin that are replaced by their values.
_INLINED = "asic.inlined."

_INLINED_RESOURCE = re.compile(rf'dense_resource<"?({re.escape(_INLINED)}\d+)"?>')


class WeightHooks(FxImporterHooks):  # type: ignore[misc]
    """Importer hooks that turn state into named resources and keep the tensors.

    Args:
        program: the exported program about to be imported.
        names: resource name of each state-dict key; a key not in it keeps its name.
        inline: state-dict keys that stay in the text whatever their size.
    """

    def __init__(
        self,
        program: torch.export.ExportedProgram,
        names: dict[str, str],
        inline: frozenset[str],
    ) -> None:
        state = {**program.constants, **program.state_dict}
        self._keys = {id(t): k for k, t in state.items() if isinstance(t, torch.Tensor)}
        self._names = names
        self._inline = inline
        self._shared: dict[Any, str] = {}
        self._inlined: dict[str, torch.Tensor] = {}
        self.used: dict[str, torch.Tensor] = {}

    def resolve_input(self, gni: Any, value: Any, info: Any) -> Any:
        return self._resolve(gni, value, info.input_spec.target)

    def resolve_literal(self, gni: Any, literal: Any, info: Any) -> Any:
        return self._resolve(gni, literal, self._keys.get(id(literal)))

    def _resolve(self, gni: Any, value: Any, key: str | None) -> Any:
        if not isinstance(value, torch.Tensor):
            return None
        if value.dtype == torch.uint8:
            # `widen_unsigned` has put a view of it behind it.
            value = value.view(torch.int8)
        if has_data(value) and (key in self._inline or value.numel() <= INLINE_LIMIT):
            name = f"{_INLINED}{len(self._inlined)}"
            self._inlined[name] = value
        else:
            name = f"constant.{len(self.used)}" if key is None else self._names.get(key, key)
            name = self._shared.setdefault(_identity(value), name)
            self.used[name] = value
        shape = "".join(f"{d}x" for d in value.shape)
        element = gni._cc.dtype_to_type(value.dtype)
        text = f'dense_resource<"{name}"> : tensor<{shape}{element}>'
        return _literal(gni, value, ir.Attribute.parse(text, gni._c))

    def write_inlined(self, module: Any) -> None:
        """Writes the values of what stays in the text into a module that is linalg already."""

        def visit(op: Any) -> None:
            if op.name != "arith.constant":
                return
            name = _INLINED_RESOURCE.match(str(op.attributes["value"]))
            if name is not None:
                kind = op.results[0].type
                op.attributes["value"] = _dense(self._inlined[name[1]], kind)

        walk(module, visit)


def _identity(tensor: torch.Tensor) -> Any:
    """Equal for tied tensors: the same bytes read in the same way."""
    if not has_data(tensor):
        return id(tensor)
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _dense(tensor: torch.Tensor, kind: Any) -> ir.Attribute:
    """`dense<...>` of the type `kind` with the values of `tensor`."""
    with ir.Location.unknown(kind.context):
        array = to_array(tensor)
        if array.size and (array == array.flat[0]).all():
            array = array.reshape(-1)[:1]
        elif tensor.dtype != torch.bool:
            array = array.reshape(tuple(kind.shape))
        if is_small_float(array.dtype.name):
            array = array.view(np.uint8 if array.itemsize == 1 else np.uint16)
        return ir.DenseElementsAttr.get(array, type=kind.element_type, shape=kind.shape)


def _literal(gni: Any, tensor: torch.Tensor, value: ir.Attribute) -> Any:
    return ir.Operation.create(
        "torch.vtensor.literal",
        results=[gni._cc.tensor_to_vtensor_type(tensor)],
        attributes={"value": value},
        loc=ir.Location.unknown(gni._c),
    ).result
