# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds containers for tests and runs them on the emulator and on the reference machine."""

from __future__ import annotations

import json

import numpy as np
import reference_machine as ref
import yaml
from reference_machine import Inst, Lane, inst

from asic import _core

SRAM, ACC, IMAGE = 16384, 4096, 8192
MODES = [
    ("i8", "i8", "i32"),
    ("u8", "i8", "i32"),
    ("i8", "u8", "i32"),
    ("u8", "u8", "i32"),
    ("i16", "i16", "i32"),
    ("i16", "i8", "i32"),
    ("bf16", "bf16", "f32"),
    ("bf16", "i8", "f32"),
    ("f16", "i8", "f32"),
    ("f32", "i8", "f32"),
    ("f16", "f16", "f32"),
    ("f32", "f32", "f32"),
]


def target_yaml(**changes: object) -> str:
    """A small machine that has everything; `lanes` and `max_value` can be changed."""
    description = yaml.safe_load(_core.preset_text("edge-tx1"))
    description["name"] = "test-machine"
    description["memories"]["sram"]["bytes"] = SRAM
    description["memories"]["acc"]["bytes"] = ACC
    description["memories"]["acc"]["align"] = 4
    engines = description["engines"]
    engines["mxu"].update(
        k_rows=8, n_cols=8, depthwise_macs_per_cycle=4, modes=[[*mode, 1.0] for mode in MODES]
    )
    del engines["mxu"]["block_scale"], engines["mxu"]["sparsity"]
    engines["vpu"]["formats"] = [
        "i8",
        "u8",
        "i16",
        "i32",
        "bf16",
        "f16",
        "f32",
        "e4m3",
        "e5m2",
        "cf8_143",
        "cf8_152",
    ]
    engines["vpu"]["lanes"] = changes.get("lanes", 8)
    engines["vpu"]["rate"] = {"exp": 8, "recip": 8, "rsqrt": 8, "tanh": 8, "erf": 8}
    description["sync"]["max_value"] = changes.get("max_value", 255)
    del description["energy_pj"]
    return yaml.safe_dump(description)


TARGET = target_yaml()


def tensor(name: str, address: int, count: int, dtype: str = "uint8", device: str = "u8") -> dict:
    """A one-dimensional io record."""
    return {
        "name": name,
        "shape": [count],
        "dtype": dtype,
        "device_type": device,
        "address": address,
        "strides": [1],
    }


def container(
    stream: list[Inst] | str,
    lanes: list[Lane] = (),
    *,
    inputs=(),
    outputs=(),
    state=(),
    constants=(),
    dram: int = 65536,
    debug=(),
    target: str = TARGET,
) -> bytes:
    """Container bytes; a stream of instructions is encoded by the reference."""
    if isinstance(stream, str):
        text = stream
    else:
        text = "\n".join(
            [
                *(lane.text(k) for k, lane in enumerate(lanes)),
                *(f".bytes {i.encode().hex()}" for i in stream),
            ]
        )
    io = {"inputs": list(inputs), "outputs": list(outputs)}
    if state:
        io["state"] = list(state)
    meta = {"dram_bytes": dram, "compiler_version": "test", "extra": {}}
    return _core.assemble_program(
        text, target, json.dumps(io), json.dumps(meta), json.dumps(list(debug)), list(constants)
    )


def machine(*args, **kwargs):
    return _core.Machine.load(container(*args, **kwargs))


def fault_of(
    stream, lanes=(), *, check: bool = True, mode: str = "functional", inputs=None, **kwargs
) -> dict | None:
    """The fault of a run, or None."""
    options = {k: kwargs.pop(k) for k in ("max_work", "max_instructions", "seed") if k in kwargs}
    loaded = machine(stream, lanes, **kwargs)
    return loaded.run(inputs or {}, mode=mode, check=check, **options)["fault"]


def around(body: list[Inst], lanes: list[Lane]) -> tuple[list[Inst], list[Lane]]:
    """A whole program around `body`: an image from DRAM 0 fills SRAM, words from SRAM fill ACC;
    at the end ACC goes to the upper half of DRAM and SRAM behind it. All in one chain of
    semaphores."""
    moves = Lane((0,), 0)
    copy_lane = len(lanes)
    acc = {
        "n0": ACC // 4,
        "s0_type": "i32",
        "s0_d0": 4,
        "s7_type": "i32",
        "s7_d0": 4,
        "program": copy_lane,
    }
    stream = [
        inst("copy", src_space="dram", dst_space="sram", run_bytes=SRAM),
        inst("map", **acc, s0_space="sram", s7_space="acc"),
        *body,
        inst("copy", src_space="sram", dst_space="dram", dst_addr=IMAGE * 4, run_bytes=SRAM),
        inst("map", **acc, s0_space="acc", s7_space="sram"),
        inst("copy", src_space="sram", dst_space="dram", dst_addr=IMAGE * 4 + SRAM, run_bytes=ACC),
    ]
    for k in range(1, len(stream)):
        stream[k - 1].posts.append((k % 64, 1))
        stream[k].waits.append((k % 64, 1))
    return [*stream, inst("halt")], [*lanes, moves]


def compare(
    body: list[Inst],
    lanes: list[Lane],
    image: np.ndarray,
    vpu_lanes: int = 8,
    modes=("functional",),
    check: bool = False,
) -> None:
    """Runs `body` on both machines from one SRAM image and compares SRAM and ACC."""
    stream, all_lanes = around(body, lanes)
    memory = ref.Memory({"dram": 65536, "sram": SRAM, "acc": ACC})
    memory.bytes["dram"][:SRAM] = image.tobytes()
    ref.run(stream, all_lanes, memory, vpu_lanes)
    want = np.frombuffer(bytes(memory.bytes["dram"][IMAGE * 4 :][: SRAM + ACC]), np.uint8)
    loaded = machine(
        stream,
        all_lanes,
        constants=[(0, image.tobytes())],
        outputs=[tensor("image", IMAGE * 4, SRAM + ACC)],
        target=target_yaml(lanes=vpu_lanes),
    )
    for mode in modes:
        result = loaded.run({}, mode=mode, check=check, seed=int(image[0]))
        assert result["fault"] is None, result["fault"]["text"]
        got = result["outputs"]["image"]
        different = np.flatnonzero(got != want)
        assert different.size == 0, (
            f"{mode}: byte {different[0]} of {different.size} is {got[different[0]]}, "
            f"expected {want[different[0]]}; {body}"
        )


ALL_MODES = ("functional", "timed", "async")


def random_image(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, SRAM, dtype=np.uint8)


def strides_for(rng, counts, element, start, dims=None):
    """Row-major strides of a random order of the dimensions, with gaps, from `start`.

    Returns (strides by dimension, one past the last byte)."""
    order = list(range(len(counts))) if dims is None else list(dims)
    rng.shuffle(order)
    strides, extent = [0] * len(counts), element
    for d in order:
        strides[d] = extent + element * int(rng.integers(0, 3)) * int(rng.random() < 0.3)
        extent = strides[d] * (counts[d] - 1) + extent
    return strides, start + extent
