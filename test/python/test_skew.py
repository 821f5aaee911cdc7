# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What we rely on in torch-mlir and torch, and where torch-mlir's MLIR and ours differ.

A wheel that changes any of it fails here first, and by name.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import asic
from asic.frontend import import_model, skew

ROOT = Path(__file__).resolve().parents[2]


def passes(pipeline: str) -> list[str]:
    """Names of the passes of a pipeline, in order, without nesting and options."""
    with skew.new_context():
        text = str(skew.PassManager.parse(f"builtin.module({pipeline})"))
    text = re.sub(r"\{[^}]*\}", "", text)
    return [name for name in re.findall(r"[a-z][\w.-]*", text) if "." not in name]


def ours(names: tuple[str, ...]) -> list[str]:
    return passes(",".join(names))


class Everything(nn.Module):
    """One op of each dialect that reaches our MLIR: linalg, tensor, arith, math, composites."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.LayerNorm(8)
        self.embedding, self.head = nn.Embedding(10, 8), nn.Linear(8, 8)

    def forward(self, image: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.tanh(nn.functional.max_pool2d(self.conv(image), 2)).mean((2, 3))
        y = torch.softmax(self.norm(self.embedding(numbers)) @ x.T, 1)
        z = torch.where(x > 0, torch.sqrt(x.abs()), torch.erf(x)) ** 2
        return self.head(torch.cat([z, x])).roll(1, 0).to(torch.bfloat16), y[:, :1] // 1


def test_torch_mlir_wheel() -> None:
    """The installed wheel is the one that this is written for, part by part."""
    assert importlib.metadata.version("torch-mlir") == skew.WHEEL
    for kind, names in skew.PRIVATE.items():
        slots = {slot for base in kind.__mro__ for slot in getattr(base, "__slots__", ())}
        missing = [name for name in names if not hasattr(kind, name) and name not in slots]
        assert not missing, f"{kind.__name__} has no {', '.join(missing)}"
    stock = passes("torchdynamo-export-to-torch-backend-pipeline{extra-library=}")
    assert ours(skew.TO_BACKEND) == stock
    assert ours(skew.ONNX_TO_TORCH)[0] == passes("torch-onnx-to-torch-backend-pipeline")[0]
    example = (torch.randn(2, 3, 8, 8), torch.tensor([1, 2]))
    imported = import_model(Everything().eval(), example)
    compiled = asic.compile(imported.with_weights(), target="cpu")
    assert compiled.output_names == ("output0", "output1")


def test_torch_has_what_is_used() -> None:
    """The installed torch is the one whose `run_decompositions` is followed, part by part."""
    assert torch.__version__.startswith(f"{skew.TORCH}.")
    for module, names in skew.PRIVATE_TORCH.items():
        missing = [n for n in names if not hasattr(importlib.import_module(module), n)]
        assert not missing, f"{module} has no {', '.join(missing)}"


def test_pins_are_this_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"torch-mlir=={skew.WHEEL}" in project["dependencies"]
    pins = (ROOT / "requirements.txt").read_text()
    assert re.search(rf"^torch-mlir==\S*{skew.WHEEL}", pins, re.M)
    assert f"torch=={skew.TORCH}.*" in project["dependencies"]
    assert re.search(rf"^torch=={re.escape(skew.TORCH)}\.", pins, re.M)


def test_pass_list_is_the_stock_one_without_what_is_left_out() -> None:
    stock = passes("torch-backend-to-linalg-on-tensors-backend-pipeline")
    assert set(skew.LEFT_OUT) <= set(stock)
    kept = [name for name in stock if name not in skew.LEFT_OUT]
    found = ours(skew.TO_LINALG)
    # One more clean-up, where the stock list has converted to tm_tensor.
    assert found[:2] == ["torch-restructure-non-constant-axes", "canonicalize"]
    assert found == kept


def test_bytecode_is_not_read_by_our_mlir(tmp_path: Path) -> None:
    """Why modules travel as text; when this fails they may travel faster."""
    with skew.new_context() as context:
        module = skew.ir.Module.parse(
            "func.func @f() attributes {m = affine_map<(d0) -> (d0)>} { return }", context
        )
        with (tmp_path / "m.mlirbc").open("wb") as file:
            module.operation.write_bytecode(file)
    tool = ROOT / "build/bin/asic-opt"
    run = subprocess.run([tool, tmp_path / "m.mlirbc"], capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "unknown attribute code" in run.stderr


def test_tm_tensor_is_not_known_to_our_mlir() -> None:
    """Why the conversion to it is left out."""
    text = "func.func @main() { tm_tensor.yield\n return }"
    with pytest.raises(asic.CompileError, match="tm_tensor"):
        asic.compile(text, target="cpu")


def test_nobody_else_imports_torch_mlirs_parts() -> None:
    """Whoever needs the importer or the passes takes them from skew.py."""
    allowed = {"skew.py"}
    for path in sorted((ROOT / "python/asic").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path.name not in allowed:
            assert "torch_mlir.extras.fx_importer" not in text, path
            assert "torch_mlir.passmanager" not in text, path
            assert "from torch_mlir import ir" not in text, path
