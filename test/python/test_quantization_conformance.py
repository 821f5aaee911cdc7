# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The compiler's quantize phase against the integer reference, without the emulator.

`asic-opt` stops after the phase; its linalg runs in the JIT of torch-mlir's wheel, with
`asic.rescale` written out in plain arithmetic here. Every output must have the same bits.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from asic.frontend import Imported, import_model
from asic.quantization import quantize, reference
from benchmarks import nets

ROOT = Path(__file__).resolve().parents[2]
ASIC_OPT = shutil.which("asic-opt", path=str(ROOT / "build" / "bin")) or shutil.which("asic-opt")
MLIR_OPT = shutil.which("mlir-opt-22") or shutil.which("mlir-opt")
RUNNER_UTILS = Path(MLIR_OPT or "").resolve().parents[1] / "lib" / "libmlir_c_runner_utils.so"

PRODUCT = """
    %x64 = arith.extsi %x : i32 to i64
    %m64 = arith.extsi %m : i32 to i64
    %s64 = arith.extsi %s : i8 to i64
    %one = arith.constant 1 : i64
    %zero = arith.constant 0 : i64
    %before = arith.subi %s64, %one : i64
    %half = arith.shli %one, %before : i64
    %product = arith.muli %x64, %m64 : i64
"""
SATURATE = """
    %least = arith.constant -2147483648 : i64
    %most = arith.constant 2147483647 : i64
    %above = arith.maxsi %value, %least : i64
    %inside = arith.minsi %above, %most : i64
    %result = arith.trunci %inside : i64 to i32
    return %result : i32
"""
#: Section 4 of docs/quantization.md in `arith`, by rounding mode.
RESCALE = {
    "sr": """
    %sum = arith.addi %product, %half : i64
    %value = arith.shrsi %sum, %s64 : i64
""",
    "dr": """
    %up = arith.constant 1073741824 : i64
    %down = arith.constant -1073741824 : i64
    %c31 = arith.constant 31 : i64
    %negative = arith.cmpi slt, %x64, %zero : i64
    %signed = arith.select %negative, %down, %up : i64
    %large = arith.cmpi sgt, %s64, %c31 : i64
    %extra = arith.select %large, %signed, %zero : i64
    %near = arith.addi %product, %half : i64
    %sum = arith.addi %near, %extra : i64
    %value = arith.shrsi %sum, %s64 : i64
""",
    "rne": """
    %floor = arith.shrsi %product, %s64 : i64
    %whole = arith.shli %floor, %s64 : i64
    %rest = arith.subi %product, %whole : i64
    %more = arith.cmpi sgt, %rest, %half : i64
    %tie = arith.cmpi eq, %rest, %half : i64
    %bit = arith.trunci %floor : i64 to i1
    %odd = arith.andi %tie, %bit : i1
    %goes = arith.ori %more, %odd : i1
    %step = arith.extui %goes : i1 to i64
    %value = arith.addi %floor, %step : i64
""",
    "f32": """
    %bias = arith.constant 1023 : i64
    %c52 = arith.constant 52 : i64
    %exponent = arith.subi %bias, %s64 : i64
    %bits = arith.shli %exponent, %c52 : i64
    %power = arith.bitcast %bits : i64 to f64
    %mf = arith.sitofp %m64 : i64 to f64
    %wide = arith.mulf %mf, %power : f64
    %scale = arith.truncf %wide : f64 to f32
    %xf = arith.sitofp %x : i32 to f32
    %scaled = arith.mulf %xf, %scale : f32
    %rounded = math.roundeven %scaled : f32
    %value = arith.fptosi %rounded : f32 to i64
""",
}
LOWERING = (
    "one-shot-bufferize{bufferize-function-boundaries "
    "function-boundary-type-conversion=identity-layout-map}",
    "buffer-results-to-out-params{modify-public-functions=true}",
    "func.func(convert-linalg-to-loops)",
    "expand-strided-metadata",
    "lower-affine",
    "convert-scf-to-cf",
    "convert-math-to-llvm",
    "convert-arith-to-llvm",
    "convert-index-to-llvm",
    "finalize-memref-to-llvm",
    "convert-func-to-llvm",
    "convert-cf-to-llvm",
    "reconcile-unrealized-casts",
)


def quantize_phase(imported: Imported, target: str, folder: Path) -> tuple[str, str]:
    """(text after the phase with `asic.rescale` as calls, rounding mode of the target)."""
    source = folder / "model.mlir"
    source.write_text(imported.with_weights())
    path = ROOT / "targets" / f"{target}.yaml"
    result = subprocess.run(
        [str(ASIC_OPT), f"--asic-pipeline=target={path} until=quantize", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    text, count = re.subn(
        r"asic\.rescale (%[\w#]+), (%[\w#]+), (%[\w#]+) rounding <(\w+)> : i32",
        r"func.call @rescale_\4(\1, \2, \3) : (i32, i32, i8) -> i32",
        result.stdout,
    )
    assert count, "no requantisation in the module"
    (rounding,) = set(re.findall(r"@rescale_(\w+)\(", text))
    body = PRODUCT + RESCALE[rounding] + SATURATE
    function = (
        f"\n  func.func private @rescale_{rounding}(%x: i32, %m: i32, %s: i8) -> i32 {{{body}  }}\n"
    )
    # The target is an attribute of a dialect that the wheel does not have.
    text = re.sub(r"(?m)^module.*\{$", lambda m: "module {" + function, text, count=1)
    return text, rounding


def execute(text: str, inputs: tuple[Tensor, ...], imported: Imported) -> list[np.ndarray]:
    """Results of `@main`, compiled by the wheel's JIT."""
    from torch_mlir import ir
    from torch_mlir.execution_engine import ExecutionEngine
    from torch_mlir.passmanager import PassManager
    from torch_mlir.runtime import get_ranked_memref_descriptor

    context = ir.Context()
    context.allow_unregistered_dialects = True
    with context, ir.Location.unknown():
        module = ir.Module.parse(text)
        for op in module.body.operations:
            if op.name.value == "main":
                op.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
        PassManager.parse(f"builtin.module({','.join(LOWERING)})").run(module.operation)
        engine = ExecutionEngine(module, opt_level=2, shared_libs=[str(RUNNER_UTILS)])
        arrays = [np.ascontiguousarray(x.numpy()) for x in inputs]
        results = [np.zeros(o.shape, np.dtype(o.dtype)) for o in imported.outputs]
        descriptors = [get_ranked_memref_descriptor(a) for a in arrays + results]
        engine.invoke("main", *(ctypes.pointer(ctypes.pointer(d)) for d in descriptors))
    return results


def check(program: Any, inputs: tuple[Tensor, ...], target: str, folder: Path) -> None:
    imported = import_model(program)
    text, rounding = quantize_phase(imported, target, folder)
    got = execute(text, inputs, imported)
    expected = pytree.tree_leaves(reference.run(program, inputs, rounding=rounding))
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours.view(np.uint32), theirs.numpy().view(np.uint32))


@pytest.fixture(scope="module")
def digits() -> tuple[Any, nets.Inputs]:
    net = nets.load("digits_cnn")
    return quantize(net.model, net.args, net.calibration()), net.args


@pytest.mark.parametrize("target", ["edge-tx1", "gemmini-default"])
def test_digits_cnn(digits: tuple[Any, nets.Inputs], target: str, tmp_path: Path) -> None:
    check(*digits, target, tmp_path)


@pytest.mark.parametrize("rounding", ["dr", "rne"])
def test_other_roundings(digits: tuple[Any, nets.Inputs], rounding: str, tmp_path: Path) -> None:
    text = (ROOT / "targets" / "edge-tx1.yaml").read_text()
    changed = text.replace("default: sr", f"default: {rounding}")
    assert changed != text
    target = tmp_path / "changed.yaml"
    target.write_text(changed)
    check(*digits, str(target.with_suffix("")), tmp_path)


def test_mlp(tmp_path: Path) -> None:
    net = nets.load("mlp")
    check(quantize(net.model, net.args, net.calibration()), net.args, "edge-tx1", tmp_path)


class Mixed(nn.Module):
    """Residual without activation, concatenation, upsampling, pooling of both kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 12, 3, padding=1)
        self.b = nn.Conv2d(12, 12, 3, padding=2, dilation=2, groups=3)
        self.c = nn.Conv2d(24, 20, 1)
        self.fc = nn.Linear(20, 7)

    def forward(self, image: Tensor) -> Tensor:
        x = nn.functional.relu6(self.a(image))
        x = x + self.b(x)
        y = nn.functional.max_pool2d(x, 3, stride=2, padding=1)
        y = nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")
        z = torch.cat([x, y], 1)
        z = nn.functional.avg_pool2d(self.c(z).clamp(-0.5, 0.75), 2)
        return self.fc(z.mean((2, 3)))


def test_mixed_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    image = (torch.randn(1, 3, 12, 12),)
    data = [(torch.randn(1, 3, 12, 12),) for _ in range(4)]
    check(quantize(Mixed().eval(), image, data), image, "edge-tx1", tmp_path)
