# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`swift.run_decompositions` does what `ExportedProgram.run_decompositions` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch_mlir.extras.fx_decomp_util import get_decomposition_table

from asic.frontend import skew, swift
from asic.frontend.decompose import layers

aten = torch.ops.aten
Table = dict[Any, Callable[..., Any]]


class Net(nn.Module):
    """Ops that a table takes apart, ops that stay whole, a write and a view."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head, self.norm = nn.LSTM(4, 6), nn.Linear(6, 3), nn.LayerNorm(6)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1)
        y = torch.relu_(self.norm(self.rnn(x)[0]))
        return self.head(y.flatten(0, 1)).softmax(-1) + self.calls


def exported() -> ExportedProgram:
    return torch.export.export(Net().eval(), (torch.randn(3, 2, 4),))


def described(program: ExportedProgram) -> tuple[str, ...]:
    return str(program.graph), str(program.graph_signature), str(program.range_constraints)


def kernels() -> dict[Any, Any]:
    return {op: dict(op.py_kernels) for op in swift.composite_ops()}


def everything() -> Table:
    return {**get_decomposition_table(), **layers()}


@pytest.mark.parametrize("make", [dict, layers, everything])
def test_programs_are_those_of_pytorch(make: Callable[[], Table]) -> None:
    program, table = exported(), make()
    given = dict(table)
    want = described(program.run_decompositions(dict(table)))
    for _ in range(2):  # The second one uses what the first one has kept.
        assert described(swift.run_decompositions(program, table)) == want
    assert table == given


def test_tables_in_turn_leave_nothing_behind() -> None:
    program = exported()
    before, rules = kernels(), dict(skew.fake_rules)
    whole = swift.run_decompositions(program, {})
    apart = swift.run_decompositions(whole, get_decomposition_table())
    assert "aten.layer_norm" in str(whole.graph)
    assert "aten.layer_norm" not in str(apart.graph)
    assert kernels() == before
    assert set(skew.fake_rules) <= set(rules)


def test_failures_are_those_of_pytorch_and_leave_nothing_behind() -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("broken decomposition")

    program, before = exported(), kernels()
    with pytest.raises(RuntimeError, match="broken decomposition"):
        swift.run_decompositions(program, {aten.layer_norm.default: broken})
    assert kernels() == before


def test_changed_kernels_are_seen() -> None:
    """What was kept of an op is not used for the op with another kernel."""
    op = aten.layer_norm.default
    program = exported()
    swift.run_decompositions(program, {})
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    before = dict(op.py_kernels)

    def mine(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("not to be called")

    op.py_kernels[key] = mine
    try:
        assert swift._kernels(op, skew.export_utils._special_op_to_preserve_cia).found[key] is mine
        swift.run_decompositions(program, {})
        assert op.py_kernels[key] is mine
    finally:
        op.py_kernels.clear()
        op.py_kernels.update(before)


def test_composite_ops_are_those_of_pytorch_with_new_ones() -> None:
    before = swift.composite_ops()
    assert before == skew.export_utils._collect_all_valid_cia_ops()
    library = torch.library.Library("asic_test_swift", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CompositeImplicitAutograd")
    after = swift.composite_ops()
    assert after - before == {torch.ops.asic_test_swift.twice.default}
    assert after == skew.export_utils._collect_all_valid_cia_ops()


def test_memory_is_kept_once_per_op() -> None:
    """Another compilation keeps nothing more, with decompositions made anew."""
    program = exported()
    for _ in range(2):
        swift.run_decompositions(program, everything())
        swift.run_decompositions(program, layers())
    count = len(swift._written)
    for _ in range(2):
        swift.run_decompositions(program, everything())
        swift.run_decompositions(program, layers())
    assert len(swift._written) == count <= 2 * len(swift.composite_ops())
