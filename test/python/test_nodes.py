# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every node of a rewritten graph says the shape and dtype of what it holds, which later rewrites read."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import GraphModule, Interpreter, Node
from torch.utils import _pytree as pytree

from asic.errors import CompileError
from asic.frontend.export import capture
from asic.frontend.importer import normalize
from asic.frontend.nodes import insert_call, insert_constant
from asic.fuzz.draw import draw
from asic.fuzz.worker import maker


class _Judge(Interpreter):
    """Runs a graph and compares what every node holds with what it says."""

    def run_node(self, n: Node) -> Any:
        made = super().run_node(n)
        if n.op in ("call_function", "get_attr") and n.users:
            holds = [leaf for leaf in pytree.tree_leaves(made) if isinstance(leaf, Tensor)]
            if holds:
                says = pytree.tree_leaves(n.meta.get("val"))
                assert [_kind(leaf) for leaf in says] == [_kind(leaf) for leaf in holds], n
        return made


def _kind(leaf: Any) -> Any:
    return (tuple(leaf.shape), leaf.dtype) if isinstance(leaf, Tensor) else leaf


def _judge(model: nn.Module, args: tuple[Any, ...]) -> None:
    program, args, kwargs = capture(model, args, None, None)
    runs = 0

    def rewrite(module: GraphModule) -> None:
        nonlocal runs
        with torch.no_grad():
            _Judge(module).run(*pytree.tree_leaves((args, kwargs)))
        runs += 1

    normalize(program, args, kwargs, rewrite=rewrite)
    assert runs == 1


class Bins(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = F.adaptive_avg_pool2d(F.adaptive_max_pool2d(x, (3, 4)), (2, 3))
        return pooled


class Chains(nn.Module):
    """Constants to fold, a norm that meets no layer, a loop to unroll."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.layer = nn.Conv2d(3, 4, 3, bias=False)
        self.after = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        table = torch.arange(7.0).sin()[None, :, None]
        x = self.after(self.layer(self.norm(x)))
        total, _ = torch._higher_order_ops.scan(
            lambda carry, row: (carry + row, carry * 1.0), x[0, 0], x[0]
        )
        return total + table.sum()


@pytest.mark.parametrize("model", [Bins(), Chains()], ids=lambda m: type(m).__name__)
def test_rewritten_graphs_say_what_they_hold(model: nn.Module) -> None:
    _judge(model.eval(), (torch.randn(1, 3, 8, 10),))


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_graphs_say_what_they_hold(first: int) -> None:
    judged = 0
    for seed in range(first, first + 20):
        try:
            _judge(*maker(draw(seed).source())())
        except CompileError:  # What cannot be compiled is judged elsewhere.
            continue
        judged += 1
    assert judged >= 15


def test_inserted_nodes_say_what_they_hold() -> None:
    module = torch.export.export(nn.ReLU(), (torch.randn(2, 3),)).module()
    (relu,) = (node for node in module.graph.nodes if node.op == "call_function")
    table = insert_constant(module, "a.table", torch.ones(2, 1, dtype=torch.float16), relu)
    again = insert_constant(module, "a.table", torch.ones(4), relu)
    assert (table.target, again.target) == ("a_table", "a_table_")
    sum_ = insert_call(relu, torch.ops.aten.add.Tensor, relu.args[0], table, alpha=2)
    both = insert_call(relu, torch.ops.aten.max.dim, sum_, 1)
    assert _kind(table.meta["val"]) == ((2, 1), torch.float16)
    assert _kind(sum_.meta["val"]) == ((2, 3), torch.float32)
    assert [_kind(v) for v in both.meta["val"]] == [((2,), torch.float32), ((2,), torch.int64)]
    assert sum_.meta["stack_trace"] == relu.meta["stack_trace"]
