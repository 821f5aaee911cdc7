# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The quantiser: what it marks, what it chooses, how much it loses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from asic.errors import CompileError
from asic.quantization import (
    Config,
    Quantizer,
    calibrate,
    convert,
    observers,
    prepare,
    quantize,
    reference,
)
from benchmarks import nets
from benchmarks.nets import digits

Q = "quantized_decomposed.quantize_per_tensor.default"
DQ = "quantized_decomposed.dequantize_per_tensor.default"
IMAGES = [
    (torch.randn(1, 8, 6, 6, generator=torch.Generator().manual_seed(seed)),) for seed in range(4)
]
IMAGE = IMAGES[0]


def sqnr(expected: Tensor, got: Tensor) -> float:
    """Signal to quantisation noise, dB."""
    noise = ((expected - got) ** 2).sum()
    return float(10 * torch.log10((expected**2).sum() / noise))


def nodes(program: ExportedProgram, target: str) -> list[torch.fx.Node]:
    return [n for n in program.graph.nodes if str(n.target) == target]


def state(program: ExportedProgram, node: torch.fx.Node) -> Tensor:
    signature = program.graph_signature
    key = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}[node.name]
    return program.state_dict[key]


class Residual(nn.Module):
    """x + conv(relu(conv(x))), then another convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return self.c(torch.relu(y + self.b(torch.relu(y))))


@pytest.fixture(scope="module")
def residual() -> tuple[nn.Module, ExportedProgram]:
    torch.manual_seed(0)
    model = Residual().eval()
    return model, quantize(model, IMAGE, IMAGES)


def test_every_tensor_is_quantized_once(residual: tuple[nn.Module, ExportedProgram]) -> None:
    program = residual[1]
    sources = [n.args[0] for n in nodes(program, Q)]
    assert len(sources) == len(set(sources))
    # input, a, relu of a, b, relu of the sum, c
    assert len(sources) == 6
    for add in nodes(program, "aten.add.Tensor"):
        assert [str(a.target) for a in add.args] == [DQ, DQ]


def test_clamp_behind_an_integer_op_is_fused(residual: tuple[nn.Module, ExportedProgram]) -> None:
    for add in nodes(residual[1], "aten.add.Tensor"):
        (relu,) = add.users
        (reader,) = relu.users
        assert str(reader.target) == Q


def test_weights_and_biases(residual: tuple[nn.Module, ExportedProgram]) -> None:
    model, program = residual
    convolutions = nodes(program, "aten.conv2d.default")
    for conv, layer in zip(convolutions, (model.a, model.b, model.c), strict=True):
        x, weight, bias = conv.args[:3]
        codes, scales = state(program, weight.args[0]), state(program, weight.args[1])
        assert codes.dtype == torch.int8
        assert int(codes.abs().amax()) == 127
        torch.testing.assert_close(
            scales, layer.weight.detach().abs().amax((1, 2, 3)) / 127, rtol=1e-6, atol=0
        )
        integers = state(program, bias.args[0])
        assert integers.dtype == torch.int32
        exact = layer.bias.detach().double() / (float(x.args[1]) * scales.double())
        assert integers.tolist() == [round(float(v)) for v in exact]


def test_reference_is_close_to_the_float_model(residual: tuple[nn.Module, ExportedProgram]) -> None:
    model, program = residual
    with torch.no_grad():
        for x in IMAGES:
            assert sqnr(model(*x), reference.run(program, x)) > 30


class Concat(nn.Module):
    """Two branches of very different range into one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)
        self.c = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([self.a(x), self.b(x)], 1)
        return self.c(nn.functional.max_pool2d(y, 2))


def test_concatenation_and_movement_share_one_scale() -> None:
    torch.manual_seed(0)
    program = quantize(Concat().eval(), IMAGE, IMAGES)
    (cat,) = nodes(program, "aten.cat.default")
    params = {tuple(a.args[1:3]) for a in cat.args[0]}
    (reader,) = cat.users
    params.add(tuple(reader.args[1:3]))
    (pool,) = nodes(program, "aten.max_pool2d.default")
    params.add(tuple(next(iter(pool.users)).args[1:3]))
    assert len(params) == 1


def test_token_streams_stay_float_unless_asked() -> None:
    net = nets.load("encoder")
    data = net.calibration(2)
    automatic = quantize(net.model, net.args, data)
    assert all(str(a.target) != DQ for n in nodes(automatic, "aten.add.Tensor") for a in n.args)
    forced = quantize(net.model, net.args, data, config=Config(residual="int8"))
    assert all(str(a.target) == DQ for n in nodes(forced, "aten.add.Tensor") for a in n.args)
    expected = net.model(*net.args).detach()
    assert sqnr(expected, reference.run(automatic, net.args)) > 40
    assert sqnr(expected, reference.run(forced, net.args)) > 25


class DeadChannel(nn.Module):
    """A channel of almost zero weights and an ordinary bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 4, 1)
        with torch.no_grad():
            self.conv.weight[2] *= 1e-9

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def test_bias_of_a_dead_channel_fits_int32() -> None:
    torch.manual_seed(0)
    model = DeadChannel().eval()
    program = quantize(model, IMAGE, IMAGES)
    with torch.no_grad():
        assert sqnr(model(*IMAGE), reference.run(program, IMAGE)) > 30


def test_digits_accuracy() -> None:
    """At least 97 % in float, and int8 within half a point of it."""
    data = digits.load()
    model = digits.train(data)
    exact = digits.accuracy(model, data.test_images, data.test_labels)
    assert exact >= 0.97
    count = len(data.test_images)
    program = quantize(model, (data.test_images,), [(data.train_images[:count],)])
    logits = reference.run(program, (data.test_images,))
    accuracy = float((logits.argmax(1) == data.test_labels).float().mean())
    assert accuracy >= exact - 0.005


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("resnet18", 30.0), ("mobilenet_v2", 25.0)])
def test_noise_of_image_networks(name: str, least: float) -> None:
    net = nets.load(name)
    program = quantize(net.model, net.args, net.calibration(4))
    with torch.no_grad():
        assert sqnr(net.model(*net.args), reference.run(program, net.args)) >= least


@pytest.mark.parametrize("calibrator", ["minmax", "percentile", "mse"])
def test_calibrators(calibrator: str) -> None:
    torch.manual_seed(0)
    model = Residual().eval()
    config = Config(calibrator=calibrator, weight_calibrator="mse", percentile=99.9)
    program = quantize(model, IMAGE, IMAGES, config=config)
    with torch.no_grad():
        assert sqnr(model(*IMAGE), reference.run(program, IMAGE)) > 25


def test_per_tensor_weights() -> None:
    torch.manual_seed(0)
    model = Residual().eval()
    program = quantize(model, IMAGE, IMAGES, config=Config(per_channel=False))
    for conv in nodes(program, "aten.conv2d.default"):
        assert str(conv.args[1].target) == DQ
    with torch.no_grad():
        assert sqnr(model(*IMAGE), reference.run(program, IMAGE)) > 25


def test_torchao_flow_with_our_quantizer() -> None:
    """The quantiser works in torchao's own prepare and convert."""
    from asic.quantization.pt2e import convert_pt2e, prepare_pt2e

    torch.manual_seed(0)
    model = Residual().eval()
    prepared = prepare_pt2e(torch.export.export(model, IMAGE).module(), Quantizer("edge-tx1"))
    for x in IMAGES:
        prepared(*x)
    converted = convert_pt2e(prepared)
    with torch.no_grad():
        assert sqnr(model(*IMAGE), converted(*IMAGE)) > 30


def test_sample_is_bounded_and_independent_of_batching() -> None:
    values = torch.randn(40000, generator=torch.Generator().manual_seed(0))
    whole = observers.MseObserver(samples=1024)
    parts = observers.MseObserver(samples=1024)
    whole(values)
    for part in values.split(1000):
        parts(part)
    assert whole.values.numel() == parts.values.numel() == 1024
    a, b = whole.calculate_qparams()[0], parts.calculate_qparams()[0]
    assert abs(float(a / b) - 1) < 0.1


def test_mse_clips_an_outlier_and_minmax_does_not() -> None:
    values = torch.cat([torch.randn(50000), torch.tensor([60.0])])
    wide, tight = observers.MinMaxObserver(), observers.MseObserver()
    wide(values)
    tight(values)
    assert float(wide.calculate_qparams()[0]) > 0.2
    assert float(tight.calculate_qparams()[0]) < float(wide.calculate_qparams()[0])


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.0, 5.0), (-3.0, -1.0), (2.0, 4.0)])
def test_range_contains_zero(low: float, high: float) -> None:
    scale, zero = observers.affine(torch.tensor(low), torch.tensor(high))
    assert -128 <= int(zero) <= 127
    assert float(scale) * (-128 - int(zero)) <= min(low, 0.0) + float(scale)
    assert float(scale) * (127 - int(zero)) >= max(high, 0.0) - float(scale)


def test_no_calibration_data() -> None:
    with pytest.raises(CompileError, match=r"expected calibration data .* got None"):
        quantize(Residual().eval(), IMAGE, None)
    with pytest.raises(CompileError, match="got an empty iterable"):
        quantize(Residual().eval(), IMAGE, [])
    with pytest.raises(CompileError, match="expected calibration data for every quantised tensor"):
        convert(prepare(Residual().eval(), IMAGE))


def test_nan_in_calibration_data() -> None:
    bad = torch.full((1, 8, 6, 6), float("nan"))
    with pytest.raises(CompileError, match="got NaN or Inf in item 1, input 0"):
        quantize(Residual().eval(), IMAGE, [IMAGE, (bad,)])


def test_activation_that_becomes_infinite() -> None:
    class Overflow(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(torch.exp(x * 1000))

    with pytest.raises(CompileError, match="expected finite activations during calibration"):
        calibrate(prepare(Overflow().eval(), IMAGE), [IMAGE])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibrator": "kl"}, "expected calibrator to be one of"),
        ({"weights": "int3"}, "expected weights to be one of"),
        ({"percentile": 10.0}, "expected percentile in"),
        ({"samples": 3}, "expected at least 256 samples"),
        ({"residual": "int16"}, "expected residual to be one of"),
    ],
)
def test_config_is_validated(options: dict[str, object], message: str) -> None:
    with pytest.raises(CompileError, match=message):
        Config(**options)


def test_config_from_names() -> None:
    assert Config.of("int8") == Config.of(None) == Config()
    with pytest.raises(CompileError, match="expected quantize=None, 'int8'"):
        Config.of("int5")
