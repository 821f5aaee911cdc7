# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The mutation check of scripts/mutation_check.py on scheduled tile modules."""

from __future__ import annotations

import torch
from torch import nn

import asic
from scripts.mutation_check import (
    Checker,
    Summary,
    candidates,
    conflicts,
    is_redundant,
    parse,
    random_inputs,
)
from test.e2e.test_tiles import encode
from test.e2e.tile_modules import convolution, reduction

MODULES = (
    convolution(5, size=10, channels=8, filters=16, row_tiles=5, filter_tiles=2),
    convolution(6, size=9, channels=4, filters=8, stride=2, row_tiles=3, resident=True),
    reduction(7, rows=24, tiles=6),
)


def test_mutants_are_caught() -> None:
    whole = Summary()
    for module in MODULES:
        checker = Checker(encode(module, "gemmini-default"), module.inputs)
        summary = checker.run(count=60, seed=0)
        whole.counts += summary.counts
        whole.survivors += summary.survivors
        whole.redundant += summary.redundant
    assert sum(whole.counts.values()) >= 100
    assert whole.caught_share >= 0.99, whole.survivors


def test_mutants_of_a_compiled_network_are_caught() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=1, groups=24),
        nn.Conv2d(24, 40, 1, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(40, 10),
    ).eval()
    x = torch.randn(1, 3, 24, 24)
    compiled = asic.compile(model, (x,), target="edge-tx1", quantize="int8", calibration=[(x,)])
    (step,) = compiled.steps
    program = compiled.programs[step.function]
    checker = Checker(program, *(random_inputs(program, seed) for seed in range(4)))
    summary = checker.run(count=500, seed=0)
    assert sum(summary.counts.values()) == 500
    assert summary.caught_share >= 0.99, summary.survivors


def test_no_scheduled_wait_is_redundant() -> None:
    module = MODULES[0]
    checker = Checker(encode(module, "npu-256"), module.inputs)
    summary = checker.run(count=200, seed=1)
    assert not [line for line in summary.redundant if line.startswith("edge")]


def test_schedules_order_every_conflict() -> None:
    for module in MODULES:
        checker = Checker(encode(module, "npu-256"), module.inputs)
        assert is_redundant(checker.stream, checker.pairs)


def test_analysis_sees_an_unordered_conflict() -> None:
    text = """
copy.dma0 src_space=dram dst_space=sram run_bytes=16 n0=1 n1=1 n2=1 n3=1
copy.dma1 src_space=sram dst_space=dram src_addr=8 dst_addr=64 run_bytes=8 n0=1 n1=1 n2=1 n3=1
"""
    _, stream = parse(text)
    assert conflicts(stream) == [(0, 1)]
    assert not is_redundant(stream, conflicts(stream))
    stream[0].posts.append((0, 1))
    assert not is_redundant(stream, conflicts(stream))
    stream[1].waits.append((0, 1))
    assert is_redundant(stream, conflicts(stream))


def test_analysis_sees_what_an_index_may_reach() -> None:
    look_up = (
        "copy.dma0 src_space=sram dst_space=sram src_addr=64 dst_addr=512 run_bytes=16 "
        "n0=1 n1=1 n2=1 n3=1 index_addr=32 index_n=4 index_src_s=16"
    )
    fill = "fill.dma1 dst_space=sram elem_bytes=1 dst_addr={} run=1 n0=1 n1=1 n2=1 n3=1"
    conflicting = {
        address
        for address in (31, 32, 35, 36, 63, 64, 127, 128, 511, 512, 527, 528)
        if conflicts(parse(f"{look_up}\n{fill.format(address)}")[1])
    }
    assert conflicting == {32, 35, 64, 127, 512, 527}
    places = candidates(parse(look_up)[1], alignment=16)["address"]
    assert {number for _, number, _ in places} == {0, 1, 2}
    places = candidates(parse(look_up.split(" index_addr")[0])[1], alignment=16)["address"]
    assert {number for _, number, _ in places} == {0, 1}


def test_analysis_sees_every_index() -> None:
    write = (
        "copy.dma0 src_space=sram dst_space=sram src_addr=64 dst_addr=512 run_bytes=16 n0=1 n1=1 "
        "n2=1 n3=2 src_s3=16 index_addr=32 index_n=4 index_dst_s=16 index_s=8"
    )
    fill = "fill.dma1 dst_space=sram elem_bytes=1 dst_addr={} run=1 n0=1 n1=1 n2=1 n3=1"
    conflicting = {
        address
        for address in (31, 32, 35, 36, 40, 43, 44, 63, 64, 95, 96, 511, 512, 575, 576)
        if conflicts(parse(f"{write}\n{fill.format(address)}")[1])
    }
    assert conflicting == {32, 35, 40, 43, 64, 95, 512, 575}


def test_analysis_counts_packed_bytes() -> None:
    widen = (
        "copy.dma0 src_space=sram dst_space=sram src_addr=64 dst_addr=512 run_bytes=15 "
        "n0=1 n1=1 n2=1 n3=1 packed_type=i4"
    )
    fill = "fill.dma1 dst_space=sram elem_bytes=1 dst_addr={} run=1 n0=1 n1=1 n2=1 n3=1"
    conflicting = {
        address
        for address in (63, 64, 71, 72, 511, 512, 526, 527)
        if conflicts(parse(f"{widen}\n{fill.format(address)}")[1])
    }
    assert conflicting == {64, 71, 512, 526}
