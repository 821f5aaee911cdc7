# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `import_model` hands to the compiler, judged by MLIR 22's own parser and PyTorch."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from asic.frontend import Imported, import_model
from asic.frontend.importer import normalize
from asic.quantization import quantize, reference
from benchmarks import nets

MLIR_OPT = shutil.which("mlir-opt-22") or shutil.which("mlir-opt")
RESOURCE = re.compile(r'dense_resource<"?([^">]+)"?>')


def parse(text: str, *flags: str) -> str:
    """The text after a round trip through MLIR 22; fails when it does not parse."""
    if MLIR_OPT is None:
        pytest.skip("mlir-opt of MLIR 22 is not installed")
    result = subprocess.run(
        [MLIR_OPT, *flags], input=text, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def check(imported: Imported) -> None:
    """The contract of the import phase."""
    text = parse(imported.mlir)
    for forbidden in ("torch.", "tm_tensor.", "cf.assert", "xf64>"):
        assert not re.search(rf"(?<![\w.]){re.escape(forbidden)}", text), forbidden
    assert set(imported.weights) == set(RESOURCE.findall(imported.mlir))


@pytest.mark.parametrize("name", ["mlp", "digits_cnn", "encoder", "lstm_cell", "lstm", "resnet18"])
def test_net_imports(name: str) -> None:
    model, args = nets.get(name)
    imported = import_model(model, args)
    check(imported)
    parameters = sum(p.numel() for p in model.parameters())
    assert sum(w.size for w in imported.weights.values()) <= 1.01 * parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50", "bert_layer"])
def test_large_net_imports(name: str) -> None:
    check(import_model(*nets.get(name)))


@pytest.mark.parametrize("name", ["mlp", "digits_cnn", "encoder"])
def test_quantized_net_imports(name: str) -> None:
    net = nets.load(name)
    imported = import_model(quantize(net.model, net.args, net.calibration()))
    check(imported)
    assert any(w.dtype == np.int8 for w in imported.weights.values())
    assert all(name.endswith((".weight", ".bias")) for name in imported.weights)


class Small(nn.Module):
    """Convolution, batch norm, an in-place op, two named results."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 40)

    def forward(self, image: Tensor, gain: Tensor) -> dict[str, Tensor]:
        x = torch.relu(self.norm(self.conv(image)))
        x = x.mean((2, 3))
        x += gain
        return {"logits": self.head(x), "features": x}


SMALL_INPUTS = (torch.rand(1, 3, 8, 8), torch.rand(8))


@pytest.fixture(scope="module")
def small() -> Small:
    torch.manual_seed(1)
    model = Small()
    nn.init.uniform_(model.norm.running_var, 0.5, 2)
    nn.init.normal_(model.norm.running_mean)
    return model.eval()


@pytest.fixture(scope="module")
def imported(small: Small) -> Imported:
    return import_model(small, SMALL_INPUTS)


def test_names_and_shapes(imported: Imported) -> None:
    assert imported.input_names == ("image", "gain")
    assert imported.output_names == ("logits", "features")
    assert imported.inputs[0].shape == (1, 3, 8, 8)
    assert imported.outputs[0].dtype == "float32"
    assert 'asic.name = "image"' in imported.mlir
    assert 'asic.name = "features"' in imported.mlir


def test_locations_carry_module_and_line(imported: Imported) -> None:
    lines, first = inspect.getsourcelines(Small.forward)
    conv = first + next(i for i, line in enumerate(lines) if "self.conv(" in line)
    where = re.search(r'#(loc\d+) = loc\("conv"\(#(loc\d+)\)\)', imported.mlir)
    assert where, imported.mlir
    operator = re.search(
        rf'#{where[2]} = loc\(fused<"aten.convolution">\[#(loc\d*)\]\)', imported.mlir
    )
    assert operator, imported.mlir
    assert f'#{operator[1]} = loc("{__file__}":{conv}:0)' in imported.mlir
    assert imported.sources["conv"].line == conv


def test_source_root_shortens_files(small: Small) -> None:
    root = str(Path(__file__).parent)
    text = import_model(small, SMALL_INPUTS, source_root=root).mlir
    assert f'loc("{Path(__file__).name}":' in text
    assert root not in text


def test_weights_are_named_by_module(imported: Imported) -> None:
    assert set(imported.weights) == {"conv.weight", "head.weight", "head.bias"}


def test_weights_appended_to_the_text(imported: Imported) -> None:
    text = parse(imported.with_weights())
    blob = re.search(r'head\.weight: "0x([0-9A-F]+)"', text)
    assert blob
    data = np.frombuffer(bytes.fromhex(blob[1])[4:], np.float32)
    np.testing.assert_array_equal(data, imported.weights["head.weight"].ravel())


def test_names_that_are_no_identifiers_are_quoted() -> None:
    model = nn.Sequential(nn.Linear(8, 32)).eval()
    imported = import_model(model, (torch.randn(2, 8),))
    assert set(imported.weights) == {"0.weight", "0.bias"}
    assert '"0.weight": "0x' in parse(imported.with_weights())


def test_normalize_keeps_the_function(small: Small) -> None:
    program = torch.export.export(small, SMALL_INPUTS)
    program = normalize(program, SMALL_INPUTS, {})
    targets = {str(n.target) for n in program.graph.nodes}
    assert not any("batch_norm" in t for t in targets)
    assert not any(t.endswith("_.Tensor") for t in targets)
    expected, got = small(*SMALL_INPUTS), program.module()(*SMALL_INPUTS)
    for name in expected:
        torch.testing.assert_close(got[name], expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (nn.LSTMCell(6, 5), (torch.randn(2, 6), (torch.randn(2, 5), torch.randn(2, 5)))),
        (nn.GRUCell(6, 5), (torch.randn(2, 6), torch.randn(2, 5))),
        (nn.LSTM(6, 5, num_layers=2, batch_first=True), (torch.randn(2, 3, 6),)),
        (nn.GRU(6, 5, bidirectional=True), (torch.randn(3, 2, 6),)),
    ],
)
def test_recurrent_layers_become_linear_layers(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
    program = normalize(torch.export.export(layer.eval(), inputs), inputs, {})
    calls = {str(n.target) for n in program.graph.nodes if n.op == "call_function"}
    assert "aten.linear.default" in calls
    assert not calls & {"aten.mm.default", "aten.addmm.default", "aten.lstm_cell.default"}
    torch.testing.assert_close(program.module()(*inputs), layer(*inputs), rtol=1e-5, atol=1e-6)


def test_core_aten_program_gets_its_linear_layers_back() -> None:
    model, x = nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 4, bias=False)).eval(), torch.randn(3, 8)
    core = torch.export.export(model, (x,)).run_decompositions()
    assert any("addmm" in str(n.target) for n in core.graph.nodes)
    program = normalize(core, (x,), {})
    calls = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    assert calls == ["aten.linear.default"] * 2
    torch.testing.assert_close(program.module()(x), model(x))


class LoneNorm(nn.Module):
    """Batch norms that no convolution can take up, and one in front of a linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 6, 2, stride=2)
        self.second = nn.BatchNorm2d(6)
        self.fc = nn.Linear(6, 5, bias=False)
        self.third = nn.BatchNorm1d(5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.up(self.first(x)))
        return self.third(self.fc(x.mean((2, 3))))


def test_batch_norm_everywhere_is_folded() -> None:
    torch.manual_seed(3)
    model = LoneNorm()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.running_mean)
            nn.init.normal_(module.weight)
    x = torch.randn(2, 4, 3, 3)
    program = normalize(torch.export.export(model.eval(), (x,)), (x,), {})
    calls = [str(n.target) for n in program.graph.nodes if n.op == "call_function"]
    assert not any("batch_norm" in call for call in calls)
    torch.testing.assert_close(program.module()(x), model(x), rtol=1e-4, atol=1e-5)


class Masked(nn.Module):
    """A mask that depends on nothing but shapes."""

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-1]
        mask = torch.arange(size)[:, None] >= torch.arange(size)[None, :]
        return torch.where(mask, x, torch.zeros(()))


def test_constants_are_folded() -> None:
    imported = import_model(Masked(), (torch.randn(24, 24),))
    check(imported)
    assert "linalg.index" not in imported.mlir


def test_scales_are_exact_attributes() -> None:
    net = nets.load("mlp")
    program = quantize(net.model, net.args, net.calibration())
    scales = {
        float(n.args[1])
        for n in program.graph.nodes
        if str(n.target) == "quantized_decomposed.quantize_per_tensor.default"
    }
    text = import_model(program).mlir
    assert {float(s) for s in re.findall(r"asic\.scale = ([^ ]+) : f64", text)} == scales


class Composed(nn.Module):
    """Ops that travel whole."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.groups = nn.GroupNorm(2, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.silu(nn.functional.gelu(self.norm(x), approximate="tanh"))
        y = nn.functional.scaled_dot_product_attention(y, y, y, is_causal=True)
        y = self.groups(torch.softmax(y, -1))
        return nn.functional.interpolate(y, scale_factor=2, mode="nearest")


def test_composites_are_calls_with_attributes() -> None:
    imported = import_model(Composed(), (torch.randn(1, 4, 16, 16),))
    check(imported)
    declared = re.findall(r'asic\.op = "aten\.([\w.]+)"', imported.mlir)
    assert sorted(declared) == [
        "_softmax.default",
        "gelu.default",
        "native_group_norm.default",
        "native_layer_norm.default",
        "scaled_dot_product_attention.default",
        "silu.default",
        "upsample_nearest2d.vec",
    ]
    assert "asic.is_causal = true" in imported.mlir
    assert "asic.dim = 3 : i64" in imported.mlir
    assert 'asic.approximate = "tanh"' in imported.mlir


def test_exported_program_and_file(small: Small, tmp_path: Path) -> None:
    program = torch.export.export(small, SMALL_INPUTS)
    torch.export.save(program, tmp_path / "small.pt2")
    from_program = import_model(program)
    from_file = import_model(tmp_path / "small.pt2")
    assert from_program.input_names == from_file.input_names == ("image", "gain")
    np.testing.assert_array_equal(
        from_program.weights["head.weight"], from_file.weights["head.weight"]
    )


def test_dynamic_batch_is_declared() -> None:
    batch = torch.export.Dim("batch", min=2, max=16)
    imported = import_model(
        nn.Linear(32, 32).eval(), (torch.randn(4, 32),), dynamic_shapes=({0: batch},)
    )
    assert imported.inputs[0].shape == (None, 32)
    assert list(imported.ranges.values()) == [(2, 16)]
    assert "tensor<?x32xf32>" in imported.mlir


def test_import_is_deterministic(small: Small, imported: Imported) -> None:
    assert import_model(small, SMALL_INPUTS).mlir == imported.mlir


def test_foreign_pt2e_model_imports() -> None:
    """A graph that another quantiser converted, biases in float."""
    xnnpack = pytest.importorskip("torchao.testing.pt2e._xnnpack_quantizer")
    from asic.quantization.pt2e import convert_pt2e, prepare_pt2e

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 24, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 20)
    ).eval()
    x = torch.randn(1, 3, 8, 8)
    quantizer = xnnpack.XNNPACKQuantizer().set_global(
        xnnpack.get_symmetric_quantization_config(is_per_channel=True)
    )
    prepared = prepare_pt2e(torch.export.export(model, (x,)).module(), quantizer)
    prepared(x)
    converted = convert_pt2e(prepared)
    program = torch.export.export(converted, (x,))
    imported = import_model(program)
    check(imported)
    assert imported.weights["0.bias"].dtype == np.int32
    got = reference.run(program, (x,))
    step = max(abs(converted(x)).max().item() / 100, 1e-6)
    torch.testing.assert_close(got, converted(x), rtol=0, atol=2 * step)


def test_example_input_may_be_a_view_of_a_larger_tensor():
    images = torch.rand(5, 3, 8, 8)
    model = torch.nn.Conv2d(3, 4, 3).eval()
    imported = import_model(quantize(model, (images[:1],), [(images[:1],)]))
    assert imported.ranges == {}
