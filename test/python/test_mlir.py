# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MLIR as a model: text, module objects, and what a phase was written to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_mlir import fx, ir

import asic
from asic.cli import main


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)
        self.register_buffer("seen", torch.full((1, 5), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(torch.relu(self.conv(x)).mean((2, 3)))
        self.seen.add_(y)
        return y + self.seen


@pytest.fixture(scope="module")
def x() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def compiled(x: np.ndarray[Any, Any]) -> asic.Compiled:
    torch.manual_seed(0)
    return asic.compile(Net().eval(), (torch.from_numpy(x),), target="edge-tx1")


@pytest.mark.parametrize("phase", ["import", "normalize", "quantize"])
def test_a_written_phase_compiles_again(
    compiled: asic.Compiled, x: np.ndarray[Any, Any], phase: str, tmp_path: Path
) -> None:
    compiled.stages.write(phase, tmp_path / "m.mlir")
    assert (tmp_path / "m.safetensors").is_file()
    assert (tmp_path / "m.mlir").stat().st_size < 40_000
    again = asic.compile(tmp_path / "m.mlir", target="edge-tx1")
    assert again.input_names == compiled.input_names
    assert list(again.state) == ["seen"]
    compiled.reset_state()
    for _ in range(2):
        np.testing.assert_allclose(again(x), compiled(x), rtol=1e-6, atol=1e-6)


def test_later_phases_are_written_for_reading(compiled: asic.Compiled, tmp_path: Path) -> None:
    compiled.stages.write("isa", tmp_path / "m.mlir")
    assert "isa.program" in (tmp_path / "m.mlir").read_text()
    for phase in ("partition", "plan", "tile", "isa"):
        message = r"expected the text of import, normalize or quantize, got .*'@accelerator_0'"
        with pytest.raises(asic.CompileError, match=message):
            asic.compile(compiled.stages[phase], target="edge-tx1")
    with pytest.raises(asic.ProgramError, match="got 'program' of Stages"):
        compiled.stages.write("program", tmp_path / "m.mlir")
    compiled.save(tmp_path / "m.asic")
    with pytest.raises(asic.ProgramError, match="compiled in this process"):
        asic.load(tmp_path / "m.asic").stages.write("import", tmp_path / "m.mlir")


def test_integers_and_narrow_floats_are_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = [(torch.randn(2, 64),) for _ in range(4)]
    model = nn.Linear(64, 32).eval()
    for options in ({"quantize": "int8", "calibration": data}, {}):
        if not options:
            model, data = model.bfloat16(), [(data[0][0].bfloat16(),)]
        first = asic.compile(model, data[0], target="edge-tx1", **options)
        first.stages.write("import", tmp_path / "m.mlir")
        second = asic.compile(tmp_path / "m.mlir", target="edge-tx1")
        assert torch.equal(second(*data[0]), first(*data[0]))


def test_commands(tmp_path: Path, x: np.ndarray[Any, Any]) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n\ndef make():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Conv2d(3, 8, 3).eval(), (torch.zeros(1, 3, 8, 8),)\n"
    )
    net, text = f"{tmp_path}/net.py:make", str(tmp_path / "m.mlir")
    assert main([net, "--until", "normalize", "--emit", "mlir", "-o", text]) == 0
    assert main([text, "-o", str(tmp_path / "m.asic")]) == 0
    assert main([net, "-o", str(tmp_path / "n.asic")]) == 0
    results = [asic.load(tmp_path / name)(x) for name in ("m.asic", "n.asic")]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("kind", ["linalg-on-tensors", "torch"])
def test_module_object(kind: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 4)).eval()
    example = torch.randn(2, 8)
    module = fx.export_and_import(model, example, output_type=kind)
    before = str(module)
    compiled = asic.compile(module, target="cpu")
    torch.testing.assert_close(compiled(example), model(example).detach(), rtol=1e-5, atol=1e-5)
    assert str(module) == before


def test_module_object_for_other_compilers() -> None:
    module = fx.export_and_import(nn.ReLU(), torch.randn(2, 8), output_type="tosa")
    with pytest.raises(
        asic.CompileError, match=r"got tosa\..* at .*; make the module with .*linalg-on"
    ):
        asic.compile(module, target="cpu")


def test_module_object_that_cannot_be_lowered() -> None:
    context = ir.Context()
    from torch_mlir.dialects import torch as torch_dialect

    torch_dialect.register_dialect(context)
    text = """
    func.func @main(%x: !torch.vtensor<[4],f32>) -> !torch.vtensor<[4],f32> {
      %0 = torch.operator "torch.aten.nobody_knows"(%x)
          : (!torch.vtensor<[4],f32>) -> !torch.vtensor<[4],f32>
      return %0 : !torch.vtensor<[4],f32>
    }"""
    module = ir.Module.parse(text, context)
    with pytest.raises(asic.CompileError, match=r"cannot lower aten\.nobody_knows"):
        asic.compile(module, target="cpu")


def test_state_of_a_text_without_weights() -> None:
    text = """
    func.func @main(%x: tensor<4xf32> {asic.name = "x"},
                    %h: tensor<4xf32> {asic.name = "h", asic.state = "cell.h"})
        -> (tensor<4xf32> {asic.name = "y"},
            tensor<4xf32> {asic.name = "h", asic.state = "cell.h"}) {
      %e = tensor.empty() : tensor<4xf32>
      %s = linalg.add ins(%x, %h : tensor<4xf32>, tensor<4xf32>)
                      outs(%e : tensor<4xf32>) -> tensor<4xf32>
      return %s, %s : tensor<4xf32>, tensor<4xf32>
    }"""
    compiled = asic.compile(text, target="cpu")
    ones = np.ones(4, np.float32)
    assert [float(compiled(ones)[0]) for _ in range(3)] == [1, 2, 3]
    assert compiled.input_names == ("x",)
    wrong = text.replace('asic.state = "cell.h"}) {', 'asic.state = "cell.other"}) {')
    with pytest.raises(asic.CompileError, match=r"only one for 'cell\.h'"):
        asic.compile(wrong, target="cpu")
