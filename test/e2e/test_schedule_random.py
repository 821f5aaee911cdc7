# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random straight-line tile programs: whatever the scheduler does with order, addresses and
semaphores, the emulator must give what NumPy gives one operation after the other."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from asic import _core
from test.e2e.test_tiles import BIN
from test.e2e.tile_modules import TileModule, Writer, function, memref

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (8, 32)
ADD = """^bb0(%a: i8, %b: i8):
    %s = arith.addi %a, %b : i8
    asic.yield %s : i8
  }"""


class RandomProgram:
    """Writes operations and does them on arrays at the same time."""

    def __init__(self, seed: int, operations: int, live: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.writer = Writer()
        self.live = live
        self.x = self.rng.integers(-128, 128, (4, *SHAPE), dtype=np.int8)
        self.x_kind = memref(self.x.shape, "i8", "dram")
        self.y = np.zeros((operations, *SHAPE), np.int8)
        self.y_value, self.y_kind = self.writer.alloc(self.y.shape, "i8", "dram")
        scratch = self.writer.alloc(SHAPE, "i8", "dram")
        self.scratch = (*scratch, np.zeros(SHAPE, np.int8))
        self.buffers: list[tuple[str, str, NDArray[np.int8]]] = []
        self.load()
        self.store_scratch()
        for number in range(operations):
            self.step(number)

    def block(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sizes and offsets of a random part of a buffer."""
        sizes = tuple(int(self.rng.integers(1, n + 1)) for n in SHAPE)
        return sizes, self.offsets(sizes)

    def offsets(self, sizes: tuple[int, int]) -> tuple[int, int]:
        return tuple(
            int(self.rng.integers(0, n - s + 1)) for n, s in zip(SHAPE, sizes, strict=True)
        )

    def part(
        self,
        buffer: tuple[str, str, NDArray[np.int8]],
        sizes: tuple[int, int],
        offsets: tuple[int, int],
        space: str = "sram",
    ) -> tuple[tuple[str, str], NDArray[np.int8]]:
        view = self.writer.view(buffer[0], buffer[1], SHAPE, offsets, sizes, "i8", space)
        rows, columns = (slice(o, o + s) for o, s in zip(offsets, sizes, strict=True))
        return view, buffer[2][rows, columns]

    def pick(self) -> tuple[str, str, NDArray[np.int8]]:
        return self.buffers[int(self.rng.integers(len(self.buffers)))]

    def load(self) -> None:
        """A new buffer, whole, from the input; the oldest one is forgotten."""
        which = int(self.rng.integers(len(self.x)))
        source = self.writer.name()
        kind = f"memref<{SHAPE[0]}x{SHAPE[1]}xi8, strided<[{SHAPE[1]}, 1], offset: {which * self.x[0].size}>, #asic.space<dram>>"
        self.writer.add(
            f"{source} = memref.subview %x[{which}, 0, 0][1, {SHAPE[0]}, {SHAPE[1]}][1, 1, 1] "
            f": {self.x_kind} to {kind}"
        )
        value = self.writer.load((source, kind), SHAPE, "i8")
        self.buffers.append((*value, self.x[which].copy()))
        del self.buffers[: -self.live]

    def store_scratch(self) -> None:
        buffer = self.pick()
        self.writer.copy(buffer[:2], self.scratch[:2])
        self.scratch[2][:] = buffer[2]

    def step(self, number: int) -> None:
        kind = self.rng.choice(["load", "map", "map", "map", "move", "fill", "scratch", "reload"])
        if kind == "load":
            self.load()
        elif kind == "map":
            sizes, offsets = self.block()
            left, a = self.part(self.pick(), sizes, offsets)
            right, b = self.part(self.pick(), sizes, self.offsets(sizes))
            out = self.writer.alloc(SHAPE, "i8", "sram")
            self.writer.add(f"asic.fill {number % 100} : i8, {out[0]} : {out[1]}")
            fresh = (*out, np.full(SHAPE, number % 100, np.int8))
            target, c = self.part(fresh, sizes, self.offsets(sizes))
            self.writer.add(
                f"asic.map ins({left[0]}, {right[0]} : {left[1]}, {right[1]}) outs({target[0]} : {target[1]}) "
                "attributes {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, "
                'affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} {'
            )
            self.writer.add(ADD)
            c[:] = a + b
            self.buffers.append(fresh)
            del self.buffers[: -self.live]
        elif kind in ("move", "reload"):
            sizes, offsets = self.block()
            space, origin = ("dram", self.scratch) if kind == "reload" else ("sram", self.pick())
            target_buffer = self.pick()
            if target_buffer[0] != origin[0]:
                source, a = self.part(origin, sizes, offsets, space)
                target, b = self.part(target_buffer, sizes, self.offsets(sizes))
                self.writer.copy(source, target)
                b[:] = a
        elif kind == "fill":
            target, b = self.part(self.pick(), *self.block())
            value = int(self.rng.integers(-128, 128))
            self.writer.add(f"asic.fill {value} : i8, {target[0]} : {target[1]}")
            b[:] = value
        else:
            self.store_scratch()
        # Every step leaves a trace in the output.
        shown = self.pick()
        target = self.writer.name()
        kind = f"memref<{SHAPE[0]}x{SHAPE[1]}xi8, strided<[{SHAPE[1]}, 1], offset: {number * shown[2].size}>, #asic.space<dram>>"
        self.writer.add(
            f"{target} = memref.subview {self.y_value}[{number}, 0, 0]"
            f"[1, {SHAPE[0]}, {SHAPE[1]}][1, 1, 1] : {self.y_kind} to {kind}"
        )
        self.writer.copy(shown[:2], (target, kind))
        self.y[number] = shown[2]

    def module(self) -> TileModule:
        text = function("x", self.x_kind, "y", self.y_value, self.y_kind, self.writer)
        return TileModule(text, {"x": self.x}, {"y": self.y})


def machine_of(module: TileModule, target: str | Path) -> _core.Machine:
    lowered = subprocess.run(
        [BIN / "asic-opt", "-", f"--asic-pipeline=target={target} from=asic until=isa"],
        input=module.text.encode(),
        capture_output=True,
        check=False,
    )
    assert lowered.returncode == 0, lowered.stderr.decode()[:2000]
    encoded = subprocess.run(
        [BIN / "asic-translate", "--mlir-to-program", "-"],
        input=lowered.stdout,
        capture_output=True,
        check=True,
    )
    return _core.Machine.load(encoded.stdout)


def check(machine: _core.Machine, module: TileModule) -> None:
    for options in (
        {"mode": "functional", "check": True},
        {"mode": "timed", "check": True},
        {"mode": "async", "seed": 1},
        {"mode": "async", "seed": 2},
    ):
        result = machine.run(module.inputs, **options)
        assert result["fault"] is None, (options, result["fault"])
        np.testing.assert_array_equal(result["outputs"]["y"], module.expected["y"])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("target", ["npu-256", "edge-tx1", "gemmini-default"])
def test_random_programs(seed: int, target: str) -> None:
    module = RandomProgram(seed, operations=40, live=4).module()
    check(machine_of(module, target), module)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("buffers", [6, 8])
def test_tight_memory(seed: int, buffers: int, tmp_path: Path) -> None:
    """Hardly more memory than program order needs, and semaphores that count to 3."""
    text = (ROOT / "targets" / "npu-256.yaml").read_text()
    path = tmp_path / "tight.yaml"
    path.write_text(shrink(text, buffers * SHAPE[0] * SHAPE[1]))
    module = RandomProgram(100 + seed, operations=30, live=3).module()
    check(machine_of(module, path), module)


def shrink(text: str, sram_bytes: int) -> str:
    """The target with another amount of SRAM and shallow semaphores."""
    import yaml

    target = yaml.safe_load(text)
    target["name"] = "tight"
    target["memories"]["sram"]["bytes"] = sram_bytes
    target.setdefault("sync", {})["max_value"] = 3
    return yaml.safe_dump(target)
