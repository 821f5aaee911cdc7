# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules that `torchao.quantize_` has rewritten, against themselves in PyTorch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn
from torchao.quantization import (
    Int8DynamicActivationInt8WeightConfig,
    Int8DynamicActivationIntxWeightConfig,
    Int8WeightOnlyConfig,
    IntxWeightOnlyConfig,
    PerAxis,
    PerGroup,
    quantize_,
)

import asic
from benchmarks.nets.transformer import EncoderLayer

CONFIGS = {
    "int8-weight": Int8WeightOnlyConfig(),
    "int8-dynamic": Int8DynamicActivationInt8WeightConfig(),
    "int8-rows": IntxWeightOnlyConfig(weight_dtype=torch.int8, granularity=PerAxis(0)),
    "int4-rows": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerAxis(0)),
    "int4-groups": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)),
    "int8-int4": Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int4),
}


def quantized(model: nn.Module, config: str, seed: int = 0) -> nn.Module:
    """The model with its linear layers quantised."""
    quantize_(model.eval(), CONFIGS[config])
    return model


def mlp(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(128, 96), nn.ReLU(), nn.Linear(96, 64)).to(dtype)


def compare(model: nn.Module, x: torch.Tensor, target: str, bound: float) -> asic.Compiled:
    """Compiles the model and compares it with PyTorch, relative to the largest value."""
    with torch.no_grad():
        expected = model(x)
    compiled = asic.compile(model, (x,), target=target)
    result = compiled(x)
    assert result.dtype == expected.dtype
    error = (result.float() - expected.float()).abs().max() / expected.float().abs().max()
    assert float(error) <= bound
    return compiled


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
def test_linear_layers(config: str, target: str) -> None:
    torch.manual_seed(1)
    # bf16 has 8 bits; dynamic codes are those of PyTorch, so that their products are, too.
    bound = 0.0 if config == "int8-dynamic" else 1e-6 if target == "cpu" else 2e-2
    for rows in (1, 5):
        compare(quantized(mlp(), config), torch.randn(rows, 128), target, bound)


@pytest.mark.parametrize("config", ["int8-weight", "int8-dynamic", "int8-rows", "int4-rows"])
def test_codes_stay_int8(config: str) -> None:
    compiled = compare(quantized(mlp(), config), torch.randn(2, 128), "edge-tx1", 2e-2)
    report = compiled.report().to_dict()
    assert report["fallbacks"] == []
    codes = 128 * 96 + 96 * 64
    stored = codes // 2 if config == "int4-rows" else codes
    assert stored <= report["weights_bytes"] < stored + 0.25 * codes


def odd_mlp() -> nn.Module:
    """Rows and columns of odd numbers."""
    layers = [nn.Linear(255, 301), nn.ReLU(), nn.Linear(301, 77), nn.ReLU(), nn.Linear(77, 33)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("shape", ["small", "odd", "large"])
def test_int4_rows_lie_two_to_a_byte(shape: str, rows: int) -> None:
    """The same bits as from a target whose copies widen nothing, from half the weight bytes."""
    torch.manual_seed(2)
    models = {"small": mlp, "odd": odd_mlp, "large": lambda: nn.Linear(1024, 3000, bias=False)}
    model = quantized(models[shape](), "int4-rows")
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    x = torch.randn(rows, layers[0].in_features)
    codes = sum(m.in_features * m.out_features for m in layers)
    packs = asic.Target.from_name("edge-tx1")
    bytewise = packs.replace({"engines.dma.unpack": []})
    compiled = {t: asic.compile(model, (x,), target=t) for t in (packs, bytewise)}
    outputs = {t: c(x) for t, c in compiled.items()}
    assert torch.equal(outputs[packs], outputs[bytewise])
    facts = {t: c.report().to_dict() for t, c in compiled.items()}
    saved = codes // 2
    for fact in ("weights_bytes", "dram_read_bytes"):
        assert abs(facts[bytewise][fact] - facts[packs][fact] - saved) <= 64
    assert facts[packs]["lower_bound_cycles"] < facts[bytewise]["lower_bound_cycles"]
    assert facts[packs]["cycles"] < facts[bytewise]["cycles"]
    sizes = {t: sum(len(p) for p in c.programs.values()) for t, c in compiled.items()}
    assert 0.9 * saved < sizes[bytewise] - sizes[packs] < 1.1 * saved


@pytest.mark.parametrize("target", ["edge-tx1", "cpu"])
@pytest.mark.parametrize("config", ["int8-weight", "int8-rows", "int4-rows", "int4-groups"])
def test_bfloat16(config: str, target: str) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 128).bfloat16()
    compiled = compare(quantized(mlp(torch.bfloat16), config), x, target, 3e-2)
    codes = 128 * 96 + 96 * 64
    limit = {"int4-groups": 2.25 * codes, "int4-rows": 0.75 * codes}.get(config, 1.25 * codes)
    assert compiled.report().to_dict()["weights_bytes"] < limit


@pytest.mark.parametrize("config", ["int8-weight", "int8-dynamic", "int4-groups"])
def test_an_encoder_layer(config: str) -> None:
    torch.manual_seed(0)
    model, x = quantized(EncoderLayer(64, 4, 128), config), torch.randn(1, 16, 64)
    compiled = compare(model, x, "edge-tx1", 3e-2)
    assert compiled.report().to_dict()["fallbacks"] == []
    # A float on the border between two dynamic codes moves by one of them.
    assert asic.verify(compiled, [(x,)], atol=0.01 if config == "int8-dynamic" else None)


def test_a_library_that_comes_late() -> None:
    """Operators that are registered after the first compilation are known, too."""
    code = """
import torch, asic
model, x = torch.nn.Linear(32, 32).eval(), torch.randn(2, 32)
asic.compile(model, (x,), target="cpu")
import torchao.quantization as q
q.quantize_(model, q.Int8DynamicActivationInt8WeightConfig())
print((asic.compile(model, (x,), target="cpu")(x) - model(x)).abs().max().item())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "0.0", run.stderr


class Product(nn.Module):
    """The product through uint8 that torchao writes, and what is near it."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        generator = torch.Generator().manual_seed(0)
        codes = torch.randint(-128, 128, (32, 8), generator=generator)
        self.register_buffer("weight", codes.to(torch.int8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        codes = (x.to(torch.int32) + 128).to(torch.uint8)
        product = torch._int_mm(codes, self.weight)
        if self.form == "int32":
            return product - 128 * self.weight.sum(0, dtype=torch.int32)
        if self.form == "int64":
            return (product - 128 * self.weight.sum(0)) * 2**30
        if self.form == "narrow":
            return product - 128 * self.weight.sum(0, dtype=torch.int8)
        if self.form == "scaled":
            return torch.sub(product, 128 * self.weight.sum(0), alpha=2)
        return product


@pytest.mark.parametrize("form", ["int32", "int64", "narrow", "scaled", "plain"])
def test_integer_products(form: str) -> None:
    x = torch.randint(-128, 128, (20, 32), generator=torch.Generator().manual_seed(1))
    model, x = Product(form), x.to(torch.int8)
    result, expected = asic.compile(model, (x,), target="cpu")(x), model(x)
    assert result.dtype == expected.dtype
    assert torch.equal(result, expected)


def test_what_is_wrong_in_a_part_of_a_weight() -> None:
    model: Any = quantized(mlp(), "int8-weight")
    model[0].weight.scale[3] = torch.nan
    with pytest.raises(asic.CompileError, match=r"got NaN in '0.weight.scale'"):
        asic.compile(model, (torch.zeros(1, 128),), target="cpu")
