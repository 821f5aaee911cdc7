# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models on the meta device: imported for their structure, with nothing allocated."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import asic
from asic.errors import CompileError
from asic.frontend import import_model
from asic.mapped import map_weights


class Layer(nn.Module):
    """Every kind of weight that normalisation would look at."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm1d(width)
        self.linear = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("rates", torch.arange(width).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x)).transpose(1, 2)
        return self.linear(y * torch.cos(self.rates * 0.5)) * self.scale


def on_meta() -> Layer:
    with torch.device("meta"):
        model = Layer().eval()
    model.rates = torch.arange(32).float()
    return model


def test_structure_without_data() -> None:
    model = on_meta()
    before = model.linear.weight
    imported = import_model(model, (torch.randn(2, 32, 5),))
    assert model.linear.weight is before  # put back
    assert {"conv.weight", "linear.weight", "scale"} <= set(imported.without_data)
    # The table is real and folded.
    (table,) = imported.weights.values()
    assert np.allclose(table, np.cos(np.arange(32) * 0.5), atol=1e-6)
    named = set(re.findall(r'dense_resource<"?([\w.]+)"?>', imported.mlir))
    assert named == set(imported.weights) | set(imported.without_data)


def test_same_text_as_with_data_where_nothing_is_folded() -> None:
    real = nn.Sequential(nn.Linear(20, 30), nn.GELU(), nn.Linear(30, 20)).eval()
    with torch.device("meta"):
        bare = nn.Sequential(nn.Linear(20, 30), nn.GELU(), nn.Linear(30, 20)).eval()
    x = torch.randn(1, 20)
    texts = [import_model(model, (x,)).mlir for model in (real, bare)]
    assert texts[0] == texts[1]


def test_arguments_may_be_on_meta() -> None:
    x = torch.empty(2, 32, 5, device="meta")
    assert import_model(on_meta(), (x,)).inputs[0].shape == (2, 32, 5)


def test_stages_but_no_program() -> None:
    x = torch.randn(2, 32, 5)
    options = asic.CompileOptions(until="partition")
    compiled = asic.compile(on_meta(), (x,), options=options)
    assert "linear.weight" in compiled.stages["partition"]
    with pytest.raises(CompileError, match=r"expected weights with data .* load the checkpoint"):
        asic.compile(on_meta(), (x,))


def test_buffers_outside_of_checkpoints_need_data() -> None:
    with torch.device("meta"):
        model = Layer().eval()
    with pytest.raises(CompileError, match="expected data for buffer 'rates'"):
        import_model(model, (torch.randn(2, 32, 5),))


def test_programs_of_the_meta_device_are_refused() -> None:
    with torch.device("meta"):
        program = torch.export.export(nn.Linear(3, 3), (torch.randn(1, 3),))
    with pytest.raises(CompileError, match="expected a program that was exported on the CPU"):
        import_model(program)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(40, 24)
        self.head = nn.Linear(24, 40, bias=False)
        self.head.weight = self.embedding.weight
        self.register_buffer("table", torch.arange(24).float())

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for _ in range(3):
            x = x * torch.cos(self.table * 0.1)
        return self.head(x)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tied_weights_and_equal_tables_are_one_resource(device: str) -> None:
    with torch.device(device):
        model = Tied().eval()
    model.table = torch.arange(24).float()
    imported = import_model(model, (torch.zeros(1, 3, dtype=torch.int64),))
    names = set(imported.weights) | set(imported.without_data)
    assert len(names) == 2, names


SMALL = """
func.func @main(%x: tensor<1024xf32>) -> tensor<1024xf32> {
  %w = arith.constant dense_resource<"small"> : tensor<1024xf32>
  %e = tensor.empty() : tensor<1024xf32>
  %y = linalg.add ins(%x, %w : tensor<1024xf32>, tensor<1024xf32>) outs(%e : tensor<1024xf32>)
    -> tensor<1024xf32>
  return %y : tensor<1024xf32>
}"""


def write_sparse(path: Path, small: np.ndarray, large: int) -> None:
    """A .safetensors file with `small` and a hole of `large` float32 zeros."""
    end = small.nbytes + 4 * large
    entries = {
        "small": {"dtype": "F32", "shape": [small.size], "data_offsets": [0, small.nbytes]},
        "large": {"dtype": "F32", "shape": [large], "data_offsets": [small.nbytes, end]},
    }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + small.tobytes())
        file.truncate(8 + len(header) + end)


def test_files_beside_the_text_are_mapped(tmp_path: Path) -> None:
    """Of 4 GiB of weights the program needs 4 KiB; nothing else is read."""
    small = np.arange(1024, dtype=np.float32)
    path = tmp_path / "model.mlir"
    path.write_text(SMALL)
    write_sparse(tmp_path / "model.safetensors", small, 1)
    asic.compile(path, target="edge-tx1")  # what is loaded once
    write_sparse(tmp_path / "model.safetensors", small, 1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    compiled = asic.compile(path, target="edge-tx1")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    assert np.array_equal(compiled(small), 2 * small)


def test_mapped_arrays_equal_what_was_saved(tmp_path: Path) -> None:
    saved = {
        "a": torch.randn(3, 5),
        "b": torch.randn(7).bfloat16(),
        "c": torch.randint(-9, 9, (2, 2), dtype=torch.int8),
        "d": torch.zeros(0, 4),
        "e": torch.tensor(True),
    }
    save_file(saved, tmp_path / "w.safetensors")
    mapped = map_weights(tmp_path / "w.safetensors")
    assert mapped.keys() == saved.keys()
    for name, tensor in saved.items():
        assert tuple(mapped[name].shape) == tuple(tensor.shape)
        assert mapped[name].dtype.name == str(tensor.dtype).removeprefix("torch.")
        assert np.array_equal(mapped[name].astype(np.float32), tensor.float().numpy())


@pytest.mark.parametrize("damage", ["", "short", "cut", "type"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.randn(3, 5)}, path)
    data = path.read_bytes()
    broken = {
        "": b"",
        "short": data[:20],
        "cut": data[:-4],
        "type": data.replace(b'"F32"', b'"F99"'),
    }
    path.write_bytes(broken[damage])
    with pytest.raises(CompileError, match=r"expected a \.safetensors file, got a damaged one"):
        map_weights(path)


@pytest.mark.parametrize(("quantize", "calibrated"), [("int8", True), ("int8-weight", False)])
def test_quantising_needs_data(quantize: str, calibrated: bool) -> None:
    x = torch.randn(1, 32, 8)
    with pytest.raises(CompileError, match=r"expected weights with data .* on the meta device"):
        asic.compile(on_meta(), (x,), quantize=quantize, calibration=[(x,)] if calibrated else None)


class Written(nn.Module):
    """Two buffers of one shape, which are not one, and a third that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("first", torch.zeros(8, 8))
        self.register_buffer("second", torch.ones(8, 8))
        self.register_buffer("last", torch.full((2, 8), 3.0))

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.first @ self.second + self.last
        self.last.copy_(x)
        return y


def test_buffers_of_one_shape_stay_apart() -> None:
    with torch.device("meta"):
        model = Written()
    imported = import_model(model, (torch.zeros(2, 8),))
    assert set(imported.without_data) == {"first", "second", "last"}
    assert [state.path for state in imported.state] == ["last"]
    with pytest.raises(CompileError, match="expected weights with data to make a program, got 3"):
        asic.compile(model, (torch.zeros(2, 8),), target="cpu")
