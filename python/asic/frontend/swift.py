# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`ExportedProgram.run_decompositions` without its constant cost.

Whatever the size of the program, PyTorch asks its dispatcher for all composite ops once per
namespace, some thirty times, writes two dozen kernels into each of the five hundred that it
finds, and takes them out again; a model of dynamic shapes pays for that twice per bucket.
Here the dispatcher is asked once, and an op gets the table of kernels that PyTorch made of it
the last time. Nothing changes in what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram

from asic.frontend import skew


@dataclass(frozen=True)
class _Kernels:
    """What PyTorch writes into an op, and what it found there.

    Attributes:
        decomposition: what the op is to become.
        found, found_rule: kernels and shape rule of the op at that time.
        written, rule: those that decompose it.
    """

    decomposition: Callable[..., Any]
    found: dict[Any, Any]
    found_rule: Any
    written: dict[Any, Any]
    rule: Any


#: Two entries per op, for (op, whether it stays whole): one import asks for both in turn.
_written: dict[tuple[Any, bool], _Kernels] = {}


def run_decompositions(
    program: ExportedProgram, table: dict[Any, Callable[..., Any]]
) -> ExportedProgram:
    """What `program.run_decompositions(table)` returns or raises."""
    utils = skew.export_utils
    composites = composite_ops()
    decompositions = dict.fromkeys(composites, utils._special_op_to_preserve_cia)
    for op, decomposition in table.items():
        if op in composites or utils._is_preservable_cia_op(op):
            decompositions[op] = decomposition
    others = {op: function for op, function in table.items() if op not in composites}
    with skew.unset_fake_temporarily(), _overridden(decompositions):
        result: ExportedProgram = skew.exported_program._decompose_exported_program(
            program,
            cia_to_decomp={},
            python_decomp_table=others,
            joint_loss_index=None,
            decompose_custom_triton_ops=False,
        )
    return result


def composite_ops() -> set[Any]:
    """Ops that PyTorch can keep whole or take apart, those of custom libraries among them.

    Libraries may register ops at any time, so the list is made each time.
    """
    utils = skew.export_utils
    utils._materialize_cpp_cia_ops()
    found: set[Any] = set(utils._collect_all_valid_cia_ops_for_aten_namespace())
    for name in torch.ops._dir:
        namespace = getattr(torch.ops, name)
        if name == "aten" or not isinstance(namespace, torch._ops._OpNamespace):
            continue
        for packet in namespace:
            for op in getattr(namespace, packet).op_overloads():
                if utils._is_preservable_cia_op(op):
                    found.add(op)
    return found


@contextmanager
def _overridden(decompositions: dict[Any, Callable[..., Any]]) -> Iterator[None]:
    """Gives composite ops their decompositions, as `_override_composite_implicit_decomp` does."""
    found: dict[Any, dict[Any, Any]] = {}
    try:
        for op, decomposition in decompositions.items():
            kernels = _kernels(op, decomposition)
            found[op] = kernels.found
            _write(op, kernels.written)
            skew.fake_rules[op] = kernels.rule
        yield
    finally:
        for op, kernels_before in found.items():
            _write(op, kernels_before)
            skew.fake_rules.pop(op, None)  # As PyTorch does, whosever it is.


def _write(op: Any, kernels: dict[Any, Any]) -> None:
    """Makes `kernels` those of an op."""
    op.py_kernels.clear()
    op.py_kernels.update(kernels)
    op._dispatch_cache.clear()


def _kernels(op: Any, decomposition: Callable[..., Any]) -> _Kernels:
    """What to write into an op, which PyTorch is asked unless all is as it was before."""
    key = op, decomposition is skew.export_utils._special_op_to_preserve_cia
    rule = skew.fake_rules.get(op)
    known = _written.get(key)
    if (
        known is None
        or known.decomposition is not decomposition
        or known.found != op.py_kernels
        or known.found_rule is not rule
    ):
        found = op.py_kernels.copy()
        with skew.exported_program._override_composite_implicit_decomp({op: decomposition}):
            written, new_rule = op.py_kernels.copy(), skew.fake_rules[op]
        # PyTorch makes one function per key, all alike, of which one is kept.
        keys = skew.exported_program._AUTOGRAD_ALIAS_BACKEND_KEYS_TO_OVERRIDE
        new = [autograd for autograd in keys if autograd not in found]
        written.update((autograd, written[new[0]]) for autograd in new)
        known = _written[key] = _Kernels(decomposition, found, rule, written, new_rule)
    return known
