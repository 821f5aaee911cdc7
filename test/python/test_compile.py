# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`asic.compile` and what it returns: calls, stages, reports, files, errors."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import asic
from asic.quantization import quantize, reference


class Net(nn.Module):
    """Convolutions, pooling and a linear layer, with nested outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.head = nn.Linear(16, 10)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        x = torch.relu(self.first(image))
        x = torch.relu(self.second(x))
        return {"scores": self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))}


def images(count: int) -> list[tuple[torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [(torch.randn(1, 3, 8, 8, generator=generator),) for _ in range(count)]


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def program(net: Net) -> torch.export.ExportedProgram:
    return quantize(net, images(1)[0], images(16), target="edge-tx1")


@pytest.fixture(scope="module")
def compiled(program: torch.export.ExportedProgram) -> asic.Compiled:
    return asic.compile(program, target="edge-tx1")


def test_import_does_not_load_torch() -> None:
    code = "import sys, asic; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_float_model_on_cpu(net: Net) -> None:
    compiled = asic.compile(net, images(1)[0], target="cpu")
    for (image,) in images(3):
        got = compiled(image)["scores"]
        torch.testing.assert_close(got, net(image)["scores"], rtol=1e-5, atol=1e-6)


def test_cpu_equals_the_integer_reference(program: torch.export.ExportedProgram) -> None:
    compiled = asic.compile(program, target="cpu")
    exact = reference.Reference(program, "sr")
    for (image,) in images(4):
        assert torch.equal(compiled(image)["scores"], exact(image)["scores"])


@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "gemmini-default", "fsd-nna"])
def test_emulator_equals_the_integer_reference(net: Net, target: str) -> None:
    program = quantize(net, images(1)[0], images(16), target=target)
    compiled = asic.compile(program, target=target)
    exact = reference.Reference(program, asic.Target.resolve(target).requant.default)
    assert not compiled.facts.fallbacks
    for (image,) in images(4):
        assert torch.equal(compiled(image)["scores"], exact(image)["scores"])


def test_torch_gives_torch_and_numpy_gives_numpy(compiled: asic.Compiled) -> None:
    (image,) = images(1)[0:1][0]
    tensors, arrays = compiled(image), compiled(image.numpy())
    assert isinstance(tensors["scores"], torch.Tensor)
    assert isinstance(arrays["scores"], np.ndarray)
    np.testing.assert_array_equal(tensors["scores"].numpy(), arrays["scores"])


def test_inputs_are_not_written(compiled: asic.Compiled) -> None:
    (image,) = images(1)[0]
    before = image.clone()
    compiled(image)
    assert torch.equal(image, before)


def test_names(compiled: asic.Compiled) -> None:
    assert compiled.input_names == ("image",)
    assert compiled.output_names == ("scores",)


def test_stages_are_in_order_and_have_text(compiled: asic.Compiled) -> None:
    names = list(compiled.stages)
    assert names[0] == "import"
    assert names[-1] == "program"
    assert names.index("quantize") < names.index("partition") < names.index("isa")
    assert "asic.region" in compiled.stages["partition"]
    assert "dense_resource" in compiled.stages["normalize"]
    assert "contract" in compiled.stages["program"]
    with pytest.raises(KeyError):
        compiled.stages["nothing"]


def test_report(compiled: asic.Compiled) -> None:
    report = compiled.report()
    values = report.to_dict()
    keys = [
        "target",
        "clock_mhz",
        "cycles",
        "latency_ms",
        "macs",
        "lower_bound_cycles",
        "bound_ratio",
        "mac_utilization",
        "dram_read_bytes",
        "dram_write_bytes",
        "sram_peak_bytes",
        "program_bytes",
        "weights_bytes",
        "energy_uj",
        "engines",
        "layers",
        "fallbacks",
        "compile_seconds",
    ]
    assert set(keys) <= set(values)
    assert values == json.loads(report.to_json())
    assert values["macs"] == 8 * 8 * 8 * 27 + 4 * 4 * 16 * 72 + 160
    assert values["cycles"] >= values["lower_bound_cycles"] > 0
    for times in values["engines"].values():
        assert times["busy"] + times["stall"] + times["idle"] == values["cycles"]
    assert any("first" in layer["name"] for layer in values["layers"])
    assert f"{values['cycles']:,}" in str(report)


def test_profile_counts_what_the_report_predicts(compiled: asic.Compiled, tmp_path: Path) -> None:
    profile = compiled.profile(*images(1)[0])
    assert profile.cycles == compiled.report().to_dict()["cycles"]
    profile.trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert any(event["ph"] == "X" for event in events)
    profile.to_html(tmp_path / "profile.html")
    assert "first" in (tmp_path / "profile.html").read_text()


def test_save_and_load(compiled: asic.Compiled, tmp_path: Path) -> None:
    compiled.save(tmp_path / "m.asic")
    loaded = asic.load(tmp_path / "m.asic")
    (image,) = images(1)[0]
    assert torch.equal(loaded(image)["scores"], compiled(image)["scores"])
    assert loaded.report().to_dict() == compiled.report().to_dict()
    loaded.save(tmp_path / "again.asic")
    assert (tmp_path / "again.asic").read_bytes() == (tmp_path / "m.asic").read_bytes()


def test_save_and_load_of_a_host_model(net: Net, tmp_path: Path) -> None:
    compiled = asic.compile(net, images(1)[0], target="cpu")
    compiled.save(tmp_path / "m.asic")
    (image,) = images(1)[0]
    loaded = asic.load(tmp_path / "m.asic")
    assert torch.equal(loaded(image)["scores"], compiled(image)["scores"])


def test_same_input_same_bytes(
    compiled: asic.Compiled, program: torch.export.ExportedProgram
) -> None:
    assert asic.compile(program, target="edge-tx1").programs == compiled.programs


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("dynamic", [False, True])
def test_verify_asks_pytorch(target: str, dynamic: bool) -> None:
    batch = torch.export.Dim("batch", min=1, max=4)
    x = torch.randn(2, 8)

    def compiled() -> asic.Compiled:
        shapes = ({0: batch},) if dynamic else None
        return asic.compile(nn.Linear(8, 4), (x,), target=target, dynamic_shapes=shapes)

    one, other = compiled(), compiled()
    outcome = asic.verify(one, [(x,)])
    assert outcome
    assert outcome.references[-1] == "PyTorch"
    assert one.source is not None
    assert other.source is not None
    one.source = dataclasses.replace(one.source, program=other.source.program)
    outcome = asic.verify(one, [(x,)])
    assert outcome.first is not None
    assert outcome.first.reference == "PyTorch"


def test_verify(compiled: asic.Compiled, capsys: pytest.CaptureFixture[str]) -> None:
    assert asic.verify(compiled, images(2))
    assert "2 samples agree with cpu and PyTorch integers" in capsys.readouterr().out

    def wrong(image: torch.Tensor) -> torch.Tensor:
        scores = compiled(image)["scores"].clone()
        scores[0, 3] += 1
        return scores

    outcome = asic.verify(compiled, images(2), wrong)
    assert not outcome
    assert "'scores'[0, 3]" in capsys.readouterr().out


class Sine(nn.Module):
    """Float work around a quantised layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.atan(self.linear(x))


def test_what_the_accelerator_cannot_do_runs_on_the_host() -> None:
    torch.manual_seed(0)
    model, x = Sine().eval(), torch.randn(1, 16)
    program = quantize(model, (x,), [(torch.randn(1, 16),) for _ in range(8)], target="npu-256")
    compiled = asic.compile(program, target="npu-256")
    assert {step.on_host for step in compiled.steps} == {False, True}
    exact = reference.Reference(program, "sr")
    torch.testing.assert_close(compiled(x), exact(x), rtol=1e-6, atol=1e-6)
    fallbacks = compiled.report().to_dict()["fallbacks"]
    assert fallbacks
    assert all(f["op"] and "expected" in f["reason"] for f in fallbacks)
    with pytest.raises(asic.CompileError, match="cannot run this operation") as caught:
        asic.compile(program, target="npu-256", fallback="error")
    assert caught.value.phase == "partition"


def test_mlir_text_and_file(tmp_path: Path) -> None:
    text = """
    func.func @main(%x: tensor<4xf32> {asic.name = "x"}) -> (tensor<4xf32> {asic.name = "y"}) {
      %0 = arith.addf %x, %x : tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    """
    path = tmp_path / "twice.mlir"
    path.write_text(text)
    x = np.arange(4, dtype=np.float32)
    for model in (text, path, str(path)):
        np.testing.assert_array_equal(asic.compile(model, target="cpu")(x), x + x)


def test_command_line(tmp_path: Path) -> None:
    from asic import cli

    path = tmp_path / "twice.mlir"
    path.write_text(
        "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
        "  %0 = arith.addf %x, %x : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}\n"
    )
    output, report = tmp_path / "twice.asic", tmp_path / "report.json"
    arguments = [str(path), "--target", "cpu", "-o", str(output), "--report", str(report)]
    assert cli.main(arguments) == 0
    assert json.loads(report.read_text())["target"] == "cpu"
    x = np.ones(4, np.float32)
    np.testing.assert_array_equal(asic.load(output)(x), x + x)
    assert cli.main([str(tmp_path / "absent.mlir"), "-o", str(output)]) == 2
    assert cli.main([str(path), "--target", "nothing", "-o", str(output)]) == 2


class Nested(nn.Module):
    """A dictionary of inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.linear(batch["a"] + batch["b"])


def test_verify_takes_nested_inputs() -> None:
    batch = {"a": torch.randn(2, 8), "b": torch.randn(2, 8)}
    model = Nested().eval()
    compiled = asic.compile(model, (batch,), quantize="int8", calibration=[(batch,)])
    assert asic.verify(compiled, [(batch,)])
    assert asic.verify(compiled, [batch], model, atol=0.1)


def test_what_a_pt2e_flow_converted(net: Net) -> None:
    from asic.quantization.pt2e import convert_pt2e, prepare_pt2e

    (image,) = images(1)[0]
    exported = torch.export.export(net, (image,)).module()
    prepared = prepare_pt2e(exported, asic.quantization.Quantizer("npu-256"))
    for (sample,) in images(4):
        prepared(sample)
    compiled = asic.compile(convert_pt2e(prepared), (image,), target="npu-256")
    assert asic.verify(compiled, images(2))


class Named(nn.Module):
    """A model whose inputs have names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 6), nn.Linear(4, 6)

    def forward(self, x: torch.Tensor, *, left: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return self.first(x) * scale + self.second(left)


@pytest.mark.parametrize("quantize", [None, "int8"])
def test_keyword_inputs(quantize: str | None) -> None:
    torch.manual_seed(0)
    model = Named().eval()

    def item() -> tuple[tuple[torch.Tensor], dict[str, torch.Tensor]]:
        names = {"left": torch.randn(2, 4), "scale": torch.rand(2, 1) + 0.5}
        return (torch.randn(2, 8),), names

    data = [item() for _ in range(4)]
    args, kwargs = data[0]
    compiled = asic.compile(
        model, args, kwargs=kwargs, quantize=quantize, calibration=data if quantize else None
    )
    # By name, in any order.
    result = compiled(*args, scale=kwargs["scale"], left=kwargs["left"])
    expected = model(*args, **kwargs).detach()
    assert torch.allclose(result, expected, atol=0.1)
    assert asic.verify(compiled, data)
    with pytest.raises(
        asic.ProgramError,
        match=r"expected at most 1 inputs by place \(x\), got 3 by place; call .*"
        r"\(x=\.\.\., left=\.\.\., scale=\.\.\.\)",
    ):
        compiled(*args, kwargs["left"], kwargs["scale"])


def test_keyword_inputs_alone() -> None:
    x = torch.randn(2, 8)
    model = nn.Linear(8, 4).eval()
    data = [{"input": x}]
    compiled = asic.compile(model, kwargs=data[0], quantize="int8", calibration=data)
    assert torch.allclose(compiled(input=x), model(x).detach(), atol=0.1)
    with pytest.raises(asic.CompileError, match=r"got \[3, 8\] in item 1"):
        asic.compile(
            model, kwargs=data[0], quantize="int8", calibration=[*data, {"input": torch.ones(3, 8)}]
        )


def test_report_counts_what_the_host_multiplies(net: Net) -> None:
    (image,) = images(1)[0]
    macs = 8 * 8 * 8 * 27 + 4 * 4 * 16 * 72 + 160
    assert asic.compile(net, (image,), target="cpu").report().to_dict()["host_macs"] == macs
    values = asic.compile(net, (image,), target="npu-256").report().to_dict()
    assert values["macs"] + values["host_macs"] == macs


class Difference(nn.Module):
    def forward(
        self, x: torch.Tensor, y: torch.Tensor, *, z: torch.Tensor | None = None
    ) -> torch.Tensor:
        return x - y if z is None else x - y * z


@pytest.mark.parametrize("named", [False, True])
def test_positional_inputs_by_name(named: bool, tmp_path: Path) -> None:
    x, y, z = (torch.full((2,), float(value)) for value in (5, 2, 3))
    kwargs = {"z": z} if named else {}
    compiled = asic.compile(Difference(), (x, y), kwargs=kwargs, target="cpu")
    compiled.save(tmp_path / "m.asic")
    for model in (compiled, asic.load(tmp_path / "m.asic")):
        for args, names in (((x, y), {}), ((x,), {"y": y}), ((), {"y": y, "x": x})):
            assert torch.equal(model(*args, **names, **kwargs), Difference()(x, y, **kwargs))
        for args, names, message in (
            ((x,), {}, "expected the input 'y', got a call without it"),
            ((x,), {"x": x}, "expected 'x' once, got it by place and by name"),
            ((x, y), {"q": y}, "an unknown one, 'q'"),
            ((x, y, x), {}, r"expected at most 2 inputs by place \(x, y\), got 3"),
            ((x, [y]), {}, r"expected 'y' nested as \*, got \[\*\]"),
        ):
            with pytest.raises(asic.ProgramError, match=message):
                model(*args, **names, **kwargs)


class Optional(nn.Module):
    def forward(
        self, x: torch.Tensor, mask: torch.Tensor | None = None, *, y: torch.Tensor
    ) -> torch.Tensor:
        return x - y if mask is None else x * mask - y


@pytest.mark.parametrize("dynamic", [False, True])
def test_inputs_that_had_names_by_place(dynamic: bool, tmp_path: Path) -> None:
    x, y, mask = (torch.full((2,), float(value)) for value in (5, 2, 3))
    batch = torch.export.Dim("batch", min=1, max=4)
    options: dict[str, Any] = {"target": "cpu"}
    named = {"y": y, "mask": mask, "x": x}
    if dynamic:
        options["dynamic_shapes"] = {name: {0: batch} for name in named}
    compiled = asic.compile(Optional(), kwargs=named, **options)
    models = [compiled]
    if not dynamic:
        compiled.save(tmp_path / "m.asic")
        models.append(asic.load(tmp_path / "m.asic"))
    for model in models:
        for args, names in (((), named), ((x,), {"mask": mask, "y": y}), ((x, mask), {"y": y})):
            assert torch.equal(model(*args, **names), x * mask - y)
        with pytest.raises(
            asic.ProgramError, match=r"at most 2 inputs by place \(x, mask\), got 3"
        ):
            model(x, mask, y)
    assert asic.verify(compiled, [((x, mask), {"y": y}), ((), named)])
    # A parameter that was left out is none of the inputs, nor is one behind it.
    options.pop("dynamic_shapes", None)
    short = asic.compile(Optional(), kwargs={"y": y, "x": x}, **options)
    assert torch.equal(short(x, y=y), x - y)
    with pytest.raises(asic.ProgramError, match=r"at most 1 inputs by place \(x\), got 2"):
        short(x, y)


class Padded(nn.Module):
    """Attention beside a mask, which PyTorch computes in two ways."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1)
        self.scale = 1.0

    def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        return self.layers(x, src_key_padding_mask=padding) * self.scale


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_verify_calls_the_module_itself() -> None:
    torch.manual_seed(0)
    model, x, padding = Padded().eval(), torch.randn(2, 8, 16), torch.zeros(2, 8, dtype=torch.bool)
    padding[:, 6:] = True
    compiled = asic.compile(model, (x, padding), target="cpu")
    outcome = asic.verify(compiled, [(x, padding)])
    assert not outcome
    assert outcome.first is not None
    assert outcome.first.reference == "model(*args)"
    assert outcome.first.index[1] >= 6
    assert "call torch.backends.mha.set_fastpath_enabled(False)" in str(outcome)
    assert torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        assert asic.verify(compiled, [(x, padding)])
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert asic.verify(compiled, [(x, torch.zeros_like(padding))])
    model.scale = 2.0
    outcome = asic.verify(compiled, [(x, torch.zeros_like(padding))])
    assert not outcome
    assert "if it has changed since, compile it again" in str(outcome)


GRAM = """
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#all = affine_map<(m, n) -> (m, n)>
#sums = affine_map<(m, n) -> (m)>
func.func @main(%x: tensor<4194304x2xf32>, %zeros: tensor<4194304xf32>) -> tensor<4194304xf32> {
  %zero = arith.constant 0.0 : f32
  %wide = tensor.empty() : tensor<4194304x4194304xf32>
  %init = linalg.fill ins(%zero : f32) outs(%wide : tensor<4194304x4194304xf32>)
      -> tensor<4194304x4194304xf32>
  %gram = linalg.generic {indexing_maps = [#lhs, #rhs, #out],
                          iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %x : tensor<4194304x2xf32>, tensor<4194304x2xf32>)
      outs(%init : tensor<4194304x4194304xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %out, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4194304x4194304xf32>
  %sums = linalg.generic {indexing_maps = [#all, #sums], iterator_types = ["parallel", "reduction"]}
      ins(%gram : tensor<4194304x4194304xf32>) outs(%zeros : tensor<4194304xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.addf %out, %a : f32
    linalg.yield %0 : f32
  } -> tensor<4194304xf32>
  return %sums : tensor<4194304xf32>
}
"""


def test_a_buffer_that_there_is_no_memory_for() -> None:
    """2^46 bytes are more than a machine has."""
    compiled = asic.compile(GRAM, target="cpu")
    with pytest.raises(asic.ProgramError, match=r"memory for a buffer of 70368744177\d+ bytes"):
        compiled(torch.zeros(2**22, 2), torch.zeros(2**22))
