# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reductions of the vector unit start from whatever tensor there is, on the accelerator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import asic

ROWS, COLUMNS = 6, 40
CONSTANT = np.arange(ROWS) - 3

#: Where the reduction starts: lines that make %init from the arguments, its value in NumPy.
STARTS = {
    "an argument": ("", "%c"),
    "a constant": (
        f"%init = arith.constant dense<{CONSTANT.tolist()}> : tensor<{ROWS}xTYPE>",
        "%init",
    ),
    "a computed tensor": (
        """%init = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]}
          ins(%c : tensor<ROWSxTYPE>) outs(%e : tensor<ROWSxTYPE>) {
        ^bb0(%a: TYPE, %o: TYPE):
          %s = ADD %a, %a : TYPE
          linalg.yield %s : TYPE
        } -> tensor<ROWSxTYPE>""",
        "%init",
    ),
    "a repeated number": (
        """%init = linalg.generic {indexing_maps = [#s, #v], iterator_types = ["parallel"]}
          ins(%n : tensor<TYPE>) outs(%e : tensor<ROWSxTYPE>) {
        ^bb0(%a: TYPE, %o: TYPE):
          linalg.yield %a : TYPE
        } -> tensor<ROWSxTYPE>""",
        "%init",
    ),
}
VALUES = {
    "an argument": lambda c, n: c,
    "a constant": lambda c, n: CONSTANT.astype(c.dtype),
    "a computed tensor": lambda c, n: c + c,
    "a repeated number": lambda c, n: np.full_like(c, n),
}
MODULE = """
#m = affine_map<(i, j) -> (i, j)>
#r = affine_map<(i, j) -> (i)>
#v = affine_map<(i) -> (i)>
#s = affine_map<(i) -> ()>
func.func @main(%x: tensor<ROWSxCOLUMNSxTYPE>, %c: tensor<ROWSxTYPE>, %n: tensor<TYPE>)
    -> (tensor<ROWSxTYPE>, tensor<ROWSxTYPE>) {
  %e = tensor.empty() : tensor<ROWSxTYPE>
  START
  %y = linalg.generic {indexing_maps = [#m, #r], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<ROWSxCOLUMNSxTYPE>) outs(INIT : tensor<ROWSxTYPE>) {
  ^bb0(%a: TYPE, %o: TYPE):
    %t = COMBINE %o, %a : TYPE
    linalg.yield %t : TYPE
  } -> tensor<ROWSxTYPE>
  %z = linalg.generic {indexing_maps = [#v, #v, #v], iterator_types = ["parallel"]}
    ins(%y, INIT : tensor<ROWSxTYPE>, tensor<ROWSxTYPE>) outs(%e : tensor<ROWSxTYPE>) {
  ^bb0(%a: TYPE, %b: TYPE, %o: TYPE):
    %t = ADD %a, %b : TYPE
    linalg.yield %t : TYPE
  } -> tensor<ROWSxTYPE>
  return %y, %z : tensor<ROWSxTYPE>, tensor<ROWSxTYPE>
}
"""


@pytest.mark.parametrize("combine", ["add", "max"])
@pytest.mark.parametrize("kind", ["f32", "i32"])
@pytest.mark.parametrize("start", STARTS)
def test_a_reduction_starts_from(start: str, kind: str, combine: str, tmp_path: Path) -> None:
    is_float = kind == "f32"
    operation = {
        ("add", True): "arith.addf",
        ("add", False): "arith.addi",
        ("max", True): "arith.maximumf",
        ("max", False): "arith.maxsi",
    }[combine, is_float]
    lines, init = STARTS[start]
    if is_float:
        lines = lines.replace(str(CONSTANT.tolist()), str(CONSTANT.astype(float).tolist()))
    text = MODULE.replace("START", lines).replace("INIT", init).replace("COMBINE", operation)
    text = text.replace("ADD", "arith.addf" if is_float else "arith.addi")
    text = text.replace("ROWS", str(ROWS)).replace("COLUMNS", str(COLUMNS)).replace("TYPE", kind)
    path = tmp_path / "m.mlir"
    path.write_text(text)

    random = np.random.default_rng(0)
    dtype = np.float32 if is_float else np.int32
    x, c = (random.integers(-50, 50, s).astype(dtype) for s in ((ROWS, COLUMNS), (ROWS,)))
    n = np.array(7, dtype)
    initial = VALUES[start](c, n)
    along = x.sum(1) if combine == "add" else x.max(1)
    expected = initial + along if combine == "add" else np.maximum(initial, along)

    compiled = asic.compile(str(path), target="edge-tx1", fallback="error")
    y, z = compiled(x, c, n)
    np.testing.assert_array_equal(np.asarray(y), expected)
    np.testing.assert_array_equal(np.asarray(z), expected + initial)


class Folded(torch.nn.Module):
    """The multiplication by ones goes away, the bias is one number everywhere."""

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, torch.ones(3, 4, 3), torch.ones(3), padding=1).sum(-1)


def test_a_window_sum_starts_from_a_bias() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8)
    compiled = asic.compile(Folded(), (x,), target="edge-tx1", fallback="error")
    torch.testing.assert_close(compiled(x), Folded()(x), rtol=1e-5, atol=1e-4)
