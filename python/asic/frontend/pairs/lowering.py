# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The walk that takes complex nodes apart, by the table of rules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils import _pytree as pytree

from asic.frontend.fold import attribute, drop_unused, fold_constants, is_written
from asic.frontend.locations import source_of
from asic.frontend.messages import error
from asic.frontend.meta import has_data
from asic.frontend.nodes import fill_in_values
from asic.frontend.pairs.arithmetic import arithmetic
from asic.frontend.pairs.builder import Builder, Pair, Part, refused
from asic.frontend.pairs.frames import frames
from asic.frontend.pairs.movement import movement
from asic.frontend.pairs.transforms import transforms

aten = torch.ops.aten

_REMEDY = (
    "compute with pairs of real numbers there (torch.view_as_real), or keep that part outside the "
    "compiled model"
)


@functools.cache
def _rules() -> dict[Any, Callable[..., Any]]:
    return {**arithmetic(), **movement(), **transforms(), **frames()}


@functools.cache
def _fourier() -> frozenset[Any]:
    return frozenset({**transforms(), **frames()})


def take_apart(module: GraphModule) -> None:
    """Gives every complex node two real ones and erases it, in place.

    It comes behind quantisers, which would round cosines to eight bits and leave complex nodes
    alone.

    Raises:
        CompileError: a complex input or output, complex state, a type other than complex64, or an
            operator without a rule.
    """
    if not any(_is_complex(node) or _transforms(node) for node in module.graph.nodes):
        return
    fill_in_values(module)
    builder = Builder(module)
    for node in list(module.graph.nodes):
        builder.node = node
        reads = any(source in builder.pairs for source in node.all_input_nodes)
        if _is_complex(node) or reads or _transforms(node):
            _take(builder, node)
        elif node.target in (aten.select.int, aten._neg_view.default):
            _read_half(builder, node)
    module.graph.eliminate_dead_code()
    fold_constants(module)
    drop_unused(module)


def _is_complex(node: Node) -> bool:
    leaves = pytree.tree_leaves(node.meta.get("val"))
    return any(isinstance(leaf, Tensor) and leaf.is_complex() for leaf in leaves)


def _transforms(node: Node) -> bool:
    """Whether a node is a Fourier transform, which may be from real numbers to real ones."""
    return node.target in _fourier()


def _take(b: Builder, node: Node) -> None:
    """Applies the rule of a node that is complex, reads complex nodes, or is a transform."""
    _check(node)
    if node.op == "get_attr":
        b.pairs[node] = _constant(b, node)
        return
    rule = _rules().get(node.target)
    if rule is None:
        raise refused(node, "operations on complex numbers that become pairs of real ones", _REMEDY)
    result = rule(b, *node.args, **node.kwargs)
    value = node.meta["val"]
    if _is_complex(node):
        b.pairs[node] = b.fit(result, value.shape) if isinstance(value, Tensor) else result
        return
    if isinstance(result, Pair):  # Its type leaves the imaginary part out.
        result = b.tensor(result.real, value.shape)
        if value.dtype != torch.float32:
            result = b.call(aten.to.dtype, result, value.dtype)
    node.replace_all_uses_with(result)


def _read_half(b: Builder, node: Node) -> None:
    """Reads one part of what `view_as_real` has put together."""
    source: Any = node.args[0]
    pair = b.halves.get(source)
    if node.target is aten._neg_view.default:
        negated = b.call(aten.neg.default, source)
        if pair is not None:
            b.halves[negated] = Pair(b.neg(pair.real), b.neg(pair.imag))
        node.replace_all_uses_with(negated)
    elif pair is not None and node.args[1] in (-1, source.meta["val"].dim() - 1):
        index: Any = node.args[2]
        node.replace_all_uses_with(b.tensor(pair[index], node.meta["val"].shape))


def _check(node: Node) -> None:
    """Refuses what cannot be a pair, whatever the rules."""
    where = source_of(next(iter(node.users), node))
    if node.op == "placeholder":
        raise error(
            f"expected real inputs, got {node.meta['val'].dtype} in '{node.name}', used at {where}; "
            "pass torch.view_as_real(x), and call torch.view_as_complex in the model"
        )
    if node.op == "output":
        raise error(
            "expected real outputs, got a complex one "
            f"of {_complex_source(node)}; return torch.view_as_real of it"
        )
    for leaf in pytree.tree_leaves(node.meta.get("val")):
        if isinstance(leaf, Tensor) and leaf.dtype in (torch.complex32, torch.complex128):
            found = f"{leaf.dtype} from '{node.target}', used at {where}"
            if node.op != "get_attr":
                found = f"{leaf.dtype} from {node.target} at {source_of(node)}"
            raise error(
                f"expected complex numbers of two 32-bit floats, got {found}; compute in "
                "complex64 there"
            )
    if node.op == "get_attr" and is_written(node):
        raise error(
            f"expected real state, got complex numbers in the buffer '{node.target}', used at "
            f"{where}; keep torch.view_as_real of it in the buffer"
        )


def _complex_source(output: Node) -> str:
    source = next(node for node in output.all_input_nodes if _is_complex(node))
    return f"{source.target} at {source_of(source)}"


def _constant(b: Builder, node: Node) -> Pair:
    """A constant as two."""
    value = attribute(b.module, str(node.target)).detach().resolve_conj()

    def part(half: Tensor, suffix: str) -> Part:
        if has_data(half) and not half.any():
            return 0.0
        return b.constant(suffix, half.contiguous())

    return Pair(part(value.real, "real"), part(value.imag, "imag"))
