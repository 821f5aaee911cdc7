# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole networks from PyTorch to the emulator, on every preset."""

from __future__ import annotations

import functools

import pytest
import torch

import asic
from asic.quantization import quantize, reference
from benchmarks import nets

PRESETS = ("edge-tx1", "fsd-nna", "gemmini-default", "kea1-like", "npu-256")


def inputs_of(args: tuple[torch.Tensor, ...], seed: int) -> tuple[torch.Tensor, ...]:
    """Other inputs of the same shapes."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randn(a.shape, generator=generator) if a.is_floating_point() else a for a in args
    )


@functools.cache
def quantized(name: str) -> tuple[torch.export.ExportedProgram, tuple[torch.Tensor, ...]]:
    """A network of the benchmarks with random weights, calibrated on random inputs."""
    model, args = nets.get(name)
    calibration = [inputs_of(args, seed) for seed in range(2)]
    return quantize(model, args, calibration, target="npu-256"), args


@functools.cache
def expected(name: str, rounding: str) -> torch.Tensor:
    program, args = quantized(name)
    result: torch.Tensor = reference.run(program, inputs_of(args, 7), rounding=rounding)
    return result


@pytest.mark.parametrize("target", PRESETS)
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_image_networks_are_exact_and_stay_on_the_accelerator(name: str, target: str) -> None:
    program, args = quantized(name)
    compiled = asic.compile(program, target=target, fallback="error")
    inputs = inputs_of(args, 7)
    rounding = asic.Target.resolve(target).requant.default
    assert torch.equal(compiled(*inputs), expected(name, rounding))
    report = compiled.report().to_dict()
    assert report["fallbacks"] == []
    assert report["cycles"] >= report["lower_bound_cycles"] > 0
    assert compiled.profile(*inputs).cycles == report["cycles"]


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2"])
def test_int8_is_close_to_float(name: str) -> None:
    model, args = nets.get(name)
    inputs = inputs_of(args, 7)
    with torch.no_grad():
        want = model(*inputs)
    error = want - expected(name, "sr")
    sqnr_db = 10 * torch.log10((want**2).sum() / (error**2).sum())
    # 34.9 and 28.0 dB measured; per-channel weights lose less than 25 dB allows.
    assert sqnr_db > 25


def test_a_deep_network_with_many_constants() -> None:
    program, args = quantized("resnet50")
    compiled = asic.compile(program, target="edge-tx1", fallback="error")
    inputs = inputs_of(args, 7)
    assert torch.equal(compiled(*inputs), expected("resnet50", "sr"))


@pytest.mark.parametrize("name", ["encoder", "lstm_cell"])
def test_int8_and_float_parts_on_one_accelerator(name: str) -> None:
    model, args = nets.get(name)
    compiled = asic.compile(
        model, args, target="edge-tx1", quantize="int8", calibration=[args], fallback="error"
    )
    assert asic.verify(compiled, [inputs_of(args, 7)])


@pytest.mark.parametrize("name", ["encoder", "lstm_cell"])
def test_a_target_without_float_sends_float_to_the_host(name: str) -> None:
    model, args = nets.get(name)
    compiled = asic.compile(model, args, target="npu-256", quantize="int8", calibration=[args])
    assert {step.on_host for step in compiled.steps} == {False, True}
    fallbacks = compiled.report().to_dict()["fallbacks"]
    assert fallbacks
    assert all(f["location"] for f in fallbacks)
    assert all("npu-256" in f["reason"] for f in fallbacks if f["kind"] == "refused")
    assert asic.verify(compiled, [inputs_of(args, 7)])


@pytest.mark.parametrize("name", ["encoder", "lstm_cell", "digits_cnn"])
def test_float_models_run_in_the_widest_float_format(name: str) -> None:
    model, args = nets.get(name)
    compiled = asic.compile(model, args, target="edge-tx1", fallback="error")
    assert asic.verify(compiled, [inputs_of(args, 7)], model, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("target", [*PRESETS, "npu-2048", "cpu"])
def test_without_quantisation_every_target_computes_in_float(target: str) -> None:
    model, args = nets.get("digits_cnn")
    compiled = asic.compile(model, args, target=target)
    assert asic.verify(compiled, [inputs_of(args, 7)], model, rtol=0.02, atol=0.02)
    if target == "cpu":
        return
    formats = asic.Target.from_name(target).engines.vpu.formats
    on_host = {step.on_host for step in compiled.steps}
    report = compiled.report().to_dict()
    assert (False in on_host) == ("f32" in formats)
    assert bool(report["fallbacks"]) == ("f32" not in formats)
    # Without a mode of floats the vector unit does what the array cannot.
    assert bool(report["slow_paths"]) == ("f32" in formats and "bf16" not in formats)


@pytest.mark.parametrize("target", PRESETS)
def test_batches(target: str) -> None:
    model, args = nets.get("digits_cnn")
    args = tuple(torch.cat([a] * 5) for a in args)
    compiled = asic.compile(
        model, args, target=target, quantize="int8", calibration=[inputs_of(args, 1)]
    )
    assert compiled.report().to_dict()["fallbacks"] == []
    assert asic.verify(compiled, [inputs_of(args, 7)])
