# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention over keys that are padded."""

from __future__ import annotations

import math

import torch
from torch.fx import Node

from asic.frontend.padding.masker import Fill, Masker, shape_of
from asic.frontend.padding.support import operands
from asic.frontend.schema import argument
from asic.sizes import Hidden

aten = torch.ops.aten


def attention(masker: Masker, node: Node) -> None:
    """Padded keys get no weight; they and their values are finite, so that no weight of
    theirs is nothing times infinity.

    A causal mask over queries and keys of one length has the padded keys behind every
    true query already.
    """
    query, key, value = operands(node, 0, 3)
    rank = query.meta["val"].dim()
    width, length = rank - 1, rank - 2
    for operand in (query, key, value):
        if width in masker.padded(operand):
            raise masker.refuse(node, "over a dynamic width", "make the width static")
    if length not in masker.padded(key):
        masker.set(node)
        return
    for operand in (key, value):
        if masker.fill(operand, length) > Fill.FINITE:
            masker.masked(node, operand, [length], 0)
    causal = bool(argument(node, "is_causal"))
    if causal and shape_of(query)[length] != shape_of(key)[length]:
        raise masker.refuse(node, "causal with lengths of their own", "pass the mask as attn_mask")
    if not causal:
        _mask_keys(masker, node, key)
    masker.set(node)


def _mask_keys(masker: Masker, node: Node, key: Node) -> None:
    """Adds minus infinity for padded keys to the mask that is there, if any."""
    shape = shape_of(key)
    length = len(shape) - 2
    given = argument(node, "attn_mask")
    hidden = Hidden("valid", str(shape[length]))
    if given is None:
        condition = masker.condition(node, hidden, 1, 2)
        mask = _additive(masker, node, condition)
    else:
        rank = given.meta["val"].dim()
        condition = masker.condition(node, hidden, rank - 1, rank)
        if given.meta["val"].dtype == torch.bool:
            mask = masker.call(node, aten.logical_and.default, given, condition)
        else:
            mask = masker.call(node, aten.where.ScalarOther, condition, given, -math.inf)
    arguments = list(node.args)
    if len(arguments) > 3:
        arguments[3] = mask
        node.args = tuple(arguments)
    else:
        node.kwargs = {**node.kwargs, "attn_mask": mask}


def _additive(masker: Masker, node: Node, condition: Node) -> Node:
    """0 where the condition holds, minus infinity elsewhere."""
    return masker.call(node, aten.where.Scalar, condition, 0.0, -math.inf)
