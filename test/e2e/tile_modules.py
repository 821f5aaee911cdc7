# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Modules of tile operations written by hand, with NumPy integers as the oracle.

They enter the compiler at the end of the `asic` phase, so what they test is
schedule, isa and program alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MLIR_TYPES = {"int8": "i8", "int32": "i32", "float32": "f32"}


@dataclass
class TileModule:
    """MLIR text of one function, and what it must compute.

    `inputs` and `expected` are arrays by the names of the program's inputs and outputs.
    """

    text: str
    inputs: dict[str, NDArray]
    expected: dict[str, NDArray]


def memref(shape: tuple[int, ...], element: str, space: str) -> str:
    """Type of a contiguous buffer."""
    return f"memref<{'x'.join(map(str, shape))}x{element}, #asic.space<{space}>>"


@dataclass
class Writer:
    """Writes the body of one function, line by line."""

    lines: list[str] = field(default_factory=list)
    count: int = 0

    def name(self) -> str:
        """A fresh value."""
        self.count += 1
        return f"%v{self.count}"

    def add(self, text: str) -> None:
        self.lines.append("  " + text)

    def alloc(self, shape: tuple[int, ...], element: str, space: str) -> tuple[str, str]:
        """A buffer: its value and type."""
        value, kind = self.name(), memref(shape, element, space)
        self.add(f"{value} = memref.alloc() : {kind}")
        return value, kind

    def constant(self, array: NDArray) -> tuple[str, str]:
        """Constant data in dram."""
        element = MLIR_TYPES[str(array.dtype)]
        shape = "x".join(map(str, array.shape))
        value, kind = self.name(), memref(array.shape, element, "dram")
        self.add(
            f"{value} = asic.constant dense<{array.tolist()}> : tensor<{shape}x{element}> : {kind}"
        )
        return value, kind

    def view(
        self,
        value: str,
        kind: str,
        shape: tuple[int, ...],
        offsets: tuple[int, ...],
        sizes: tuple[int, ...],
        element: str,
        space: str,
    ) -> tuple[str, str]:
        """A block of a contiguous buffer of `shape`."""
        strides = [1] * len(shape)
        for i in reversed(range(len(shape) - 1)):
            strides[i] = strides[i + 1] * shape[i + 1]
        offset = sum(o * s for o, s in zip(offsets, strides, strict=True))
        result = self.name()
        view = (
            f"memref<{'x'.join(map(str, sizes))}x{element}, "
            f"strided<{strides}, offset: {offset}>, #asic.space<{space}>>"
        )
        self.add(
            f"{result} = memref.subview {value}{list(offsets)}{list(sizes)}{[1] * len(sizes)} "
            f": {kind} to {view}"
        )
        return result, view

    def copy(self, source: tuple[str, str], target: tuple[str, str]) -> None:
        self.add(f"asic.copy {source[0]}, {target[0]} : {source[1]} to {target[1]}")

    def load(
        self, source: tuple[str, str], shape: tuple[int, ...], element: str
    ) -> tuple[str, str]:
        """Copies `source` to a new buffer in sram."""
        tile = self.alloc(shape, element, "sram")
        self.copy(source, tile)
        return tile


def rescale(value: NDArray, multiplier: NDArray, shift: NDArray) -> NDArray:
    """Single-round rescale of docs/quantization.md in exact integers."""
    wide = value.astype(object) * multiplier.astype(object)
    rounded = (wide + (1 << (shift.astype(object) - 1))) >> shift.astype(object)
    return np.clip(rounded, -(2**31), 2**31 - 1)


def convolution(
    seed: int,
    *,
    size: int = 6,
    channels: int = 4,
    filters: int = 8,
    kernel: int = 3,
    stride: int = 1,
    pad: int = 1,
    row_tiles: int = 2,
    filter_tiles: int = 1,
    resident: bool = False,
) -> TileModule:
    """An int8 convolution with bias and per-channel requantisation, tile by tile.

    NHWC input of `size` x `size` pixels; `resident` loads the weights once.
    """
    rng = np.random.default_rng(seed)
    out = (size + 2 * pad - kernel) // stride + 1
    x = rng.integers(-128, 128, (1, size, size, channels), dtype=np.int8)
    w = rng.integers(-127, 128, (kernel, kernel, channels, filters), dtype=np.int8)
    bias = rng.integers(-2000, 2000, (filters,), dtype=np.int32)
    mult = rng.integers(2**30, 2**31, (filters,), dtype=np.int64).astype(np.int32)
    shift = rng.integers(38, 42, (filters,)).astype(np.int8)
    zero, out_zero = int(rng.integers(-20, 20)), int(rng.integers(-20, 20))

    padded = np.full((size + 2 * pad, size + 2 * pad, channels), zero, np.int64)
    padded[pad : pad + size, pad : pad + size] = x[0]
    acc = np.zeros((out, out, filters), np.int64) + bias
    for ky in range(kernel):
        for kx in range(kernel):
            patch = (
                padded[ky : ky + stride * out : stride, kx : kx + stride * out : stride][:out, :out]
                - zero
            )
            acc += np.einsum("yxc,cn->yxn", patch, w[ky, kx].astype(np.int64))
    y = np.clip(rescale(acc, mult, shift) + out_zero, -128, 127).astype(np.int8)[None]

    writer = Writer()
    x_kind = memref(x.shape, "i8", "dram")
    y_value, y_kind = writer.alloc(y.shape, "i8", "dram")
    constants = {
        "w": writer.constant(w),
        "bias": writer.constant(bias),
        "mult": writer.constant(mult),
        "shift": writer.constant(shift),
    }

    def weights(first: int, count: int) -> list[tuple[str, str]]:
        shape = (kernel, kernel, channels, filters)
        source = writer.view(
            *constants["w"],
            shape,
            (0, 0, 0, first),
            (kernel, kernel, channels, count),
            "i8",
            "dram",
        )
        tiles = [writer.load(source, (kernel, kernel, channels, count), "i8")]
        for name, element in (("bias", "i32"), ("mult", "i32"), ("shift", "i8")):
            source = writer.view(*constants[name], (filters,), (first,), (count,), element, "dram")
            tiles.append(writer.load(source, (count,), element))
        return tiles

    rows, columns = -(-out // row_tiles), -(-filters // filter_tiles)
    loaded: dict[int, list[tuple[str, str]]] = {}
    for top in range(0, out, rows):
        height = min(rows, out - top)
        first = max(top * stride - pad, 0)
        last = min((top + height - 1) * stride - pad + kernel, size)
        source = writer.view(
            "%x", x_kind, x.shape, (0, first, 0, 0), (1, last - first, size, channels), "i8", "dram"
        )
        a = writer.load(source, (1, last - first, size, channels), "i8")
        for left in range(0, filters, columns):
            width = min(columns, filters - left)
            tiles = loaded.get(left) or weights(left, width)
            if resident:
                loaded[left] = tiles
            shape = (1, height, out, width)
            sums = writer.alloc(shape, "i32", "acc")
            writer.add(
                f"asic.contract ins({a[0]}, {tiles[0][0]} : {a[1]}, {tiles[0][1]}) "
                f"bias({tiles[1][0]} : {tiles[1][1]}) outs({sums[0]} : {sums[1]}) "
                "{indexing_maps = ["
                f"affine_map<(n, y, x, o, u, v, c) -> (n, y * {stride} + u, x * {stride} + v, c)>, "
                "affine_map<(n, y, x, o, u, v, c) -> (u, v, c, o)>, "
                "affine_map<(n, y, x, o, u, v, c) -> (n, y, x, o)>], iterator_types = ["
                '"parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"], '
                f"a_zero = {zero} : i64, pad = array<i64: 0, {first - (top * stride - pad)}, {pad}, 0>}}"
            )
            result = writer.alloc(shape, "i8", "sram")
            writer.add(
                f"asic.map ins({sums[0]}, {tiles[2][0]}, {tiles[3][0]} : {sums[1]}, {tiles[2][1]}, "
                f"{tiles[3][1]}) outs({result[0]} : {result[1]}) attributes {{indexing_maps = ["
                "affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (d)>, "
                "affine_map<(a, b, c, d) -> (d)>, affine_map<(a, b, c, d) -> (a, b, c, d)>], "
                'iterator_types = ["parallel", "parallel", "parallel", "parallel"]} {'
            )
            writer.add(f"""^bb0(%s: i32, %m: i32, %h: i8):
    %z = arith.constant {out_zero} : i32
    %lo = arith.constant -128 : i32
    %hi = arith.constant 127 : i32
    %r = asic.rescale %s, %m, %h rounding <sr> : i32
    %a = arith.addi %r, %z : i32
    %b = arith.maxsi %a, %lo : i32
    %c = arith.minsi %b, %hi : i32
    %t = arith.trunci %c : i32 to i8
    asic.yield %t : i8
  }}""")
            target = writer.view(y_value, y_kind, y.shape, (0, top, 0, left), shape, "i8", "dram")
            writer.copy(result, target)
    return TileModule(function("x", x_kind, "y", y_value, y_kind, writer), {"x": x}, {"y": y})


def function(
    input_name: str,
    input_kind: str,
    output_name: str,
    output: str,
    output_kind: str,
    writer: Writer,
) -> str:
    """The text of a module with one accelerator function."""
    body = "\n".join(writer.lines)
    return (
        f'func.func @net(%x: {input_kind} {{asic.name = "{input_name}"}}) -> '
        f'({output_kind} {{asic.name = "{output_name}"}}) '
        f'attributes {{asic.region = "accelerator"}} {{\n{body}\n  return {output} : {output_kind}\n}}\n'
    )


def reduction(seed: int, *, rows: int = 12, columns: int = 40, tiles: int = 3) -> TileModule:
    """Row sums of int8 products and a second map on them: `sum(x * x) - max(x)`."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (rows, columns), dtype=np.int8)
    wide = x.astype(np.int64)
    y = ((wide * wide).sum(1) - wide.max(1)).astype(np.int32)
    writer = Writer()
    x_kind = memref(x.shape, "i8", "dram")
    y_value, y_kind = writer.alloc(y.shape, "i32", "dram")
    step = -(-rows // tiles)
    maps = (
        "indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], "
        'iterator_types = ["parallel", "reduction"]'
    )
    for top in range(0, rows, step):
        height = min(step, rows - top)
        source = writer.view("%x", x_kind, x.shape, (top, 0), (height, columns), "i8", "dram")
        a = writer.load(source, (height, columns), "i8")
        squares = writer.alloc((height,), "i32", "sram")
        writer.add(
            f"asic.map ins({a[0]} : {a[1]}) outs({squares[0]} : {squares[1]}) "
            f"attributes {{{maps}, init = 0 : i32}} {{"
        )
        writer.add("""^bb0(%e: i8, %s: i32):
    %w = arith.extsi %e : i8 to i32
    %p = arith.muli %w, %w : i32
    %r = arith.addi %s, %p : i32
    asic.yield %r : i32
  }""")
        largest = writer.alloc((height,), "i8", "sram")
        writer.add(
            f"asic.map ins({a[0]} : {a[1]}) outs({largest[0]} : {largest[1]}) "
            f"attributes {{{maps}, init = -128 : i8}} {{"
        )
        writer.add("""^bb0(%e: i8, %s: i8):
    %r = arith.maxsi %s, %e : i8
    asic.yield %r : i8
  }""")
        result = writer.alloc((height,), "i32", "sram")
        writer.add(
            f"asic.map ins({squares[0]}, {largest[0]} : {squares[1]}, {largest[1]}) "
            f"outs({result[0]} : {result[1]}) attributes {{indexing_maps = ["
            "affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], "
            'iterator_types = ["parallel"]} {'
        )
        writer.add("""^bb0(%p: i32, %q: i8):
    %w = arith.extsi %q : i8 to i32
    %r = arith.subi %p, %w : i32
    asic.yield %r : i32
  }""")
        target = writer.view(y_value, y_kind, y.shape, (top,), (height,), "i32", "dram")
        writer.copy(result, target)
    return TileModule(function("x", x_kind, "y", y_value, y_kind, writer), {"x": x}, {"y": y})
