# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights alone as int8: against NumPy, on the emulator, on this computer, and on targets without
the mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import asic
from asic.errors import CompileError
from asic.quantization import Config, quantize_weights
from asic.quantization.weights import quantize_tensor

Array = np.ndarray[Any, Any]


def codes_of(weight: Array) -> tuple[Array, Array]:
    """int8 codes and scales of the rows of a matrix, as the contract says."""
    bound = np.abs(weight.astype(np.float64)).max(1)
    scale = (bound / 127).astype(np.float32)
    scale[bound == 0] = 1
    codes = np.clip(np.rint(weight.astype(np.float32) / scale[:, None]), -127, 127)
    return codes.astype(np.int8), scale


def contract(x: Array, codes: Array, scale: Array, bias: Array | None, kind: Any) -> Array:
    """(m, k) by (n, k): products in float32, summed in order, scaled, biased; every step rounded."""
    x = x.astype(kind).astype(np.float32)
    total = np.zeros((len(x), len(codes)), np.float32)
    for k in range(x.shape[1]):
        total = total + x[:, k, None] * codes[None, :, k].astype(np.float32)
    total = total * scale
    return total if bias is None else total + bias


def bits_equal(left: Array, right: Array) -> bool:
    return left.dtype == right.dtype and left.tobytes() == right.tobytes()


def tensor(array: Array) -> Tensor:
    return torch.from_numpy(array)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 64, 64), (1, 300, 7), (5, 1, 33), (3, 130, 1)])
def test_linear_equals_numpy(m: int, k: int, n: int, bias: bool) -> None:
    torch.manual_seed(m + k)
    model = nn.Linear(k, n, bias).eval()
    with torch.no_grad():
        model.weight[0] = 0  # a channel without a range
    x = torch.randn(m, k)
    codes, scale = codes_of(model.weight.detach().numpy())
    offset = model.bias.detach().numpy() if bias else None
    compiled = asic.compile(model, (x,), quantize="int8-weight")
    assert not compiled.facts.fallbacks
    expected = contract(x.numpy(), codes, scale, offset, ml_dtypes.bfloat16)
    assert bits_equal(compiled(x.numpy()), expected)
    assert bits_equal(compiled.on_host()(x.numpy()), expected)


def test_linear_on_this_computer() -> None:
    """float32 activations: products are rounded or fused, so equal to one rounding per step."""
    torch.manual_seed(6)
    model = nn.Linear(300, 17).eval()
    x = torch.randn(2, 300)
    compiled = asic.compile(model, (x,), target="cpu", quantize="int8-weight")
    codes, scale = codes_of(model.weight.detach().numpy())
    wide = x.double().numpy() @ (codes * scale[:, None].astype(np.float64)).T
    bound = 301 * 2**-23 * (x.abs().double().numpy() @ np.abs(codes * scale[:, None]).T + 1)
    assert (np.abs(compiled(x.numpy()) - wide - model.bias.detach().numpy()) < bound).all()


def test_bfloat16_model_stays_bfloat16() -> None:
    torch.manual_seed(0)
    model = nn.Linear(96, 40, bias=False, dtype=torch.bfloat16).eval()
    x = torch.randn(2, 96, dtype=torch.bfloat16)
    compiled = asic.compile(model, (x,), quantize="int8-weight")
    codes, scale = codes_of(model.weight.detach().float().numpy())
    expected = contract(x.float().numpy(), codes, scale, None, np.float32)
    assert compiled(x).dtype == torch.bfloat16
    assert torch.equal(compiled(x), tensor(expected).bfloat16())


class Products(nn.Module):
    """A matrix as torch multiplies it: (inputs, outputs); GPT-2 stores its weights so."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(24, 40))
        self.second = nn.Parameter(torch.randn(40, 9))
        self.bias = nn.Parameter(torch.randn(9))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x @ self.first, self.second)


def test_products_with_a_constant_matrix() -> None:
    torch.manual_seed(1)
    model = Products().eval()
    x = torch.randn(3, 24)
    compiled = asic.compile(model, (x,), quantize="int8-weight")
    first, second, bias = (p.detach().numpy() for p in (model.first, model.second, model.bias))
    hidden = contract(x.numpy(), *codes_of(first.T), None, ml_dtypes.bfloat16)
    expected = contract(hidden, *codes_of(second.T), bias, ml_dtypes.bfloat16)
    assert bits_equal(compiled(x.numpy()), expected)
    assert compiled.facts.weights_bytes < 24 * 40 + 40 * 9 + 4 * (40 + 9 + 9) + 64


def test_convolution_equals_its_dequantised_self() -> None:
    """Sums in another order than torch's: equal to the rounding of 27 f32 additions."""
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU()).eval()
    x = torch.randn(2, 3, 9, 9).bfloat16().float()
    compiled = asic.compile(model, (x,), quantize="int8-weight")
    assert not compiled.facts.fallbacks
    codes, scales = quantize_tensor(model[0].weight, 0, Config(activations="float"))
    reference = torch.nn.functional.conv2d(
        x.double(),
        codes.double() * scales.double()[:, None, None, None],
        model[0].bias.double(),
        2,
        1,
    ).relu()
    scale = float(reference.detach().abs().max())
    assert float((compiled(x) - reference.detach()).abs().max()) < 27 * 2**-23 * scale


@pytest.mark.parametrize("per_channel", [True, False])
def test_targets_without_the_mode_get_float_weights(tmp_path: Path, per_channel: bool) -> None:
    torch.manual_seed(3)
    text = Path("targets/edge-tx1.yaml").read_text()
    lines = [line for line in text.splitlines() if "[bf16, i8, f32" not in line]
    assert len(lines) < len(text.splitlines())
    target = tmp_path / "plain.yaml"
    target.write_text("\n".join(lines))
    model = nn.Linear(48, 20, bias=False).eval()
    x = torch.randn(2, 48)
    config = Config(activations="float", per_channel=per_channel)
    compiled = asic.compile(model, (x,), target=target, quantize=config)
    codes, scale = codes_of(model.weight.detach().numpy())
    if not per_channel:
        scale[:] = scale.max()
        codes = np.rint(model.weight.detach().numpy() / scale[:, None]).astype(np.int8)
    weight = (codes.astype(np.float32) * scale[:, None]).astype(ml_dtypes.bfloat16)
    ones = np.ones(20, np.float32)
    expected = contract(x.numpy(), weight.astype(np.float32), ones, None, ml_dtypes.bfloat16)
    assert bits_equal(compiled(x.numpy()), expected)


def test_mse_scales_lose_less() -> None:
    torch.manual_seed(4)
    weight = torch.randn(8, 4096)
    weight[:, 0] = 6
    errors = {}
    for kind in ("minmax", "mse"):
        config = Config(activations="float", weight_calibrator=kind)
        codes, scales = quantize_tensor(weight, 0, config)
        errors[kind] = float(((codes * scales[:, None] - weight) ** 2).sum())
    assert errors["mse"] < errors["minmax"]


def test_shared_weights_are_quantised_once() -> None:
    layer = nn.Linear(32, 32, bias=False)
    model = nn.Sequential(layer, nn.Tanh(), layer).eval()
    compiled = asic.compile(model, (torch.randn(1, 32),), quantize="int8-weight")
    assert compiled.facts.weights_bytes <= 32 * 32 + 2 * 4 * 32


def test_what_cannot_be_quantised() -> None:
    x = torch.randn(1, 4)
    with pytest.raises(CompileError, match="expected convolutions, linear layers"):
        asic.compile(nn.ReLU().eval(), (x,), quantize="int8-weight")
    with pytest.raises(CompileError, match="expected no calibration data"):
        asic.compile(nn.Linear(4, 4).eval(), (x,), quantize="int8-weight", calibration=[(x,)])
    with pytest.raises(CompileError, match="expected int8 activations"):
        asic.quantization.prepare(nn.Linear(4, 4).eval(), (x,), config="int8-weight")
    with torch.device("meta"):
        model = nn.Linear(4, 4).eval()
    with pytest.raises(CompileError, match=r"expected weights with data .* 'weight'"):
        quantize_weights(model, (x.to("meta"),))
