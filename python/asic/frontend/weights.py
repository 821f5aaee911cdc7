# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights beside the text: `dense_resource<"name">` without data, and the arrays.

Tensors of at most `INLINE_LIMIT` elements, booleans, and the scales and zero points
of quantised tensors are part of the program rather than data, and stay in the text.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from asic.frontend.meta import has_data
from asic.frontend.skew import FxImporterHooks, ir
from asic.tensors import is_small_float, to_array

#: Largest number of elements that is written into the text.
INLINE_LIMIT = 16


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
            return _literal(gni, value, _dense(gni, value))
        name = f"constant.{len(self.used)}" if key is None else self._names.get(key, key)
        name = self._shared.setdefault(_identity(value), name)
        self.used[name] = value
        shape = "x".join(str(d) for d in value.shape)
        element = gni._cc.dtype_to_type(value.dtype)
        text = f'dense_resource<"{name}"> : tensor<{shape}x{element}>'
        return _literal(gni, value, ir.Attribute.parse(text, gni._c))


def _identity(tensor: torch.Tensor) -> Any:
    """Equal for tied tensors: the same bytes read in the same way."""
    if not has_data(tensor):
        return id(tensor)
    return tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _dense(gni: Any, tensor: torch.Tensor) -> ir.Attribute:
    """`dense<...>` with the values of `tensor`."""
    with ir.Location.unknown(gni._c):
        element = gni._cc.dtype_to_type(tensor.dtype)
        kind = ir.RankedTensorType.get(tuple(tensor.shape), element)
        array = to_array(tensor)
        if array.size and (array == array.flat[0]).all():
            array = array.reshape(-1)[:1]
        if tensor.dtype == torch.bool:
            return ir.DenseElementsAttr.get(array, type=element, shape=kind.shape)
        if is_small_float(array.dtype.name):
            array = array.view(np.uint8 if array.itemsize == 1 else np.uint16)
        return ir.DenseElementsAttr.get(array, type=element, shape=kind.shape)


def _literal(gni: Any, tensor: torch.Tensor, value: ir.Attribute) -> Any:
    return ir.Operation.create(
        "torch.vtensor.literal",
        results=[gni._cc.tensor_to_vtensor_type(tensor)],
        attributes={"value": value},
        loc=ir.Location.unknown(gni._c),
    ).result
