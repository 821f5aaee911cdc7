# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Networks as the quantize phase leaves them, with what they must compute (NumPy integers)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MLIR_TYPES = {"int8": "i8", "int32": "i32", "float32": "f32"}


def tensor(shape: tuple[int, ...], element: str) -> str:
    """Type of a tensor."""
    return f"tensor<{'x'.join([*map(str, shape), element])}>"


def rescale(x: NDArray, multiplier: NDArray, shift: NDArray, zero: int) -> NDArray:
    """Single-round rescale, zero point and clamp to int8, in exact integers."""
    product = x.astype(object) * multiplier.astype(object)
    half = np.array([1 << (int(s) - 1) for s in np.ravel(shift)], dtype=object)
    scaled = (product + half.reshape(np.shape(shift))) // np.array(
        [1 << int(s) for s in np.ravel(shift)], dtype=object
    ).reshape(np.shape(shift))
    return np.clip(scaled.astype(np.int64) + zero, -128, 127).astype(np.int8)


@dataclass
class Tensor:
    """A value of the network: its name, type and the array it must hold."""

    name: str
    array: NDArray

    @property
    def kind(self) -> str:
        return tensor(self.array.shape, MLIR_TYPES[str(self.array.dtype)])


@dataclass
class Network:
    """Writes one accelerator function and computes it in NumPy on the way."""

    seed: int = 0
    #: Smallest and largest weight.
    codes: tuple[int, int] = (-127, 127)
    lines: list[str] = field(default_factory=list)
    inputs: dict[str, NDArray] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    # -- values -----------------------------------------------------------------

    def fresh(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def add(self, text: str) -> None:
        self.lines.append("    " + text)

    def argument(self, *shape: int) -> Tensor:
        """A random int8 input."""
        name = f"x{len(self.inputs)}"
        self.inputs[name] = self.random.integers(-128, 128, shape, dtype=np.int8)
        return Tensor("%" + name, self.inputs[name])

    def constant(self, array: NDArray) -> Tensor:
        """Constant data, as hexadecimal so that large ones parse quickly."""
        name, element = self.fresh(), MLIR_TYPES[str(array.dtype)]
        data = (
            f'dense<"0x{array.tobytes().hex().upper()}">'
            if array.size > 1
            else (f"dense<{array.ravel()[0]}>")
        )
        self.add(f"{name} = arith.constant {data} : {tensor(array.shape, element)}")
        return Tensor(name, array)

    def weights(self, *shape: int) -> Tensor:
        low, high = self.codes
        return self.constant(self.random.integers(low, high + 1, shape, dtype=np.int8))

    def empty(self, shape: tuple[int, ...], element: str) -> str:
        name = self.fresh()
        self.add(f"{name} = tensor.empty() : {tensor(shape, element)}")
        return name

    def generic(
        self,
        maps: list[str],
        dims: str,
        reductions: int,
        inputs: list[Tensor],
        init: str,
        result: NDArray,
        body: list[str],
    ) -> Tensor:
        """A linalg.generic; `maps` are right-hand sides, `body` uses %a, %b, … and %o."""
        iterators = dims.count(",") + 1
        kinds = ['"parallel"'] * (iterators - reductions) + ['"reduction"'] * reductions
        indexing = ", ".join(f"affine_map<({dims}) -> ({m})>" for m in maps)
        out = Tensor(self.fresh(), result)
        arguments = [
            f"%{'abcdefg'[i]}: {MLIR_TYPES[str(t.array.dtype)]}" for i, t in enumerate(inputs)
        ]
        arguments.append(f"%o: {MLIR_TYPES[str(result.dtype)]}")
        self.add(
            f"{out.name} = linalg.generic {{indexing_maps = [{indexing}], "
            f"iterator_types = [{', '.join(kinds)}]}} "
            f"ins({', '.join(t.name for t in inputs)} : {', '.join(t.kind for t in inputs)}) "
            f"outs({init} : {out.kind}) {{"
        )
        self.add(f"^bb0({', '.join(arguments)}):")
        for line in body:
            self.add("  " + line)
        self.add(f"}} -> {out.kind}")
        return out

    def pad(self, x: Tensor, low: list[int], high: list[int], value: int) -> Tensor:
        array = np.pad(x.array, list(zip(low, high, strict=True)), constant_values=value)
        name, scalar, out = self.fresh(), self.fresh(), Tensor(self.fresh(), array)
        del name
        indices = ", ".join(f"%i{i}: index" for i in range(array.ndim))
        self.add(f"{scalar} = arith.constant {value} : i8")
        self.add(f"{out.name} = tensor.pad {x.name} low{low} high{high} {{")
        self.add(f"^bb0({indices}):")
        self.add(f"  tensor.yield {scalar} : i8")
        self.add(f"}} : {x.kind} to {out.kind}")
        return out

    # -- layers -----------------------------------------------------------------

    PRODUCT = (
        "%z = arith.constant {zero} : i32",
        "%ae = arith.extsi %a : i8 to i32",
        "%as = arith.subi %ae, %z : i32",
        "%be = arith.extsi %b : i8 to i32",
        "%m = arith.muli %as, %be : i32",
        "%s = arith.addi %o, %m : i32",
        "linalg.yield %s : i32",
    )

    def start(self, shape: tuple[int, ...], bias: Tensor | None) -> str:
        """Zeros, or the bias along the last dimension."""
        empty = self.empty(shape, "i32")
        kind = tensor(shape, "i32")
        if bias is None:
            zero, name = self.fresh(), self.fresh()
            self.add(f"{zero} = arith.constant 0 : i32")
            self.add(f"{name} = linalg.fill ins({zero} : i32) outs({empty} : {kind}) -> {kind}")
            return name
        dims = ", ".join(f"d{i}" for i in range(len(shape)))
        array = np.broadcast_to(bias.array, shape)
        return self.generic(
            [f"d{len(shape) - 1}", dims], dims, 0, [bias], empty, array, ["linalg.yield %a : i32"]
        ).name

    def requantize(self, acc: Tensor, zero: int, scale: float = 0.002) -> Tensor:
        """Per-channel rescale to int8."""
        channels = acc.array.shape[-1]
        multiplier = (self.random.uniform(0.5, 1.0, channels) * 2**31).astype(np.int32)
        shift = np.full(channels, 31 - round(np.log2(scale)), dtype=np.int8)
        m, s = self.constant(multiplier), self.constant(shift)
        dims = ", ".join(f"d{i}" for i in range(acc.array.ndim))
        channel = f"d{acc.array.ndim - 1}"
        result = rescale(acc.array, multiplier, shift, zero)
        return self.generic(
            [dims, channel, channel, dims],
            dims,
            0,
            [acc, m, s],
            self.empty(result.shape, "i8"),
            result,
            [
                "%lo = arith.constant -128 : i32",
                "%hi = arith.constant 127 : i32",
                f"%z = arith.constant {zero} : i32",
                "%r = asic.rescale %a, %b, %c rounding <sr> : i32",
                "%r1 = arith.addi %r, %z : i32",
                "%r2 = arith.maxsi %r1, %lo : i32",
                "%r3 = arith.minsi %r2, %hi : i32",
                "%t = arith.trunci %r3 : i32 to i8",
                "linalg.yield %t : i8",
            ],
        )

    def product(self, zero: int) -> list[str]:
        return [line.format(zero=zero) for line in self.PRODUCT]

    def convolution(
        self,
        x: Tensor,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        dilation: int = 1,
        zero: int = -5,
        bias: bool = True,
    ) -> Tensor:
        """Sums of an NHWC convolution."""
        if pad:
            x = self.pad(x, [0, pad, pad, 0], [0, pad, pad, 0], zero)
        n, h, w, c = x.array.shape
        weights = self.weights(kernel, kernel, c, filters)
        reach = dilation * (kernel - 1)
        oh, ow = (h - reach - 1) // stride + 1, (w - reach - 1) // stride + 1
        b = (
            self.constant(self.random.integers(-5000, 5000, filters, dtype=np.int32))
            if bias
            else None
        )
        sums = np.zeros((n, oh, ow, filters), np.int32)
        if b is not None:
            sums += b.array
        shifted = x.array.astype(np.int32) - zero
        for y in range(kernel):
            for z in range(kernel):
                part = shifted[:, y * dilation :, z * dilation :][
                    :, : (oh - 1) * stride + 1 : stride, : (ow - 1) * stride + 1 : stride
                ]
                sums += part @ weights.array[y, z].astype(np.int32)
        return self.generic(
            [
                f"n, oh * {stride} + kh * {dilation}, ow * {stride} + kw * {dilation}, ic",
                "kh, kw, ic, oc",
                "n, oh, ow, oc",
            ],
            "n, oh, ow, oc, kh, kw, ic",
            3,
            [x, weights],
            self.start(sums.shape, b),
            sums,
            self.product(zero),
        )

    def grouped(
        self, x: Tensor, groups: int, filters: int, kernel: int, *, pad: int = 0, zero: int = 3
    ) -> Tensor:
        """Sums of a grouped convolution on [n, h, w, g, ic]."""
        if pad:
            x = self.pad(x, [0, pad, pad, 0, 0], [0, pad, pad, 0, 0], zero)
        n, h, w, g, c = x.array.shape
        assert g == groups
        weights = self.weights(kernel, kernel, g, c, filters)
        oh, ow = h - kernel + 1, w - kernel + 1
        shifted = x.array.astype(np.int32) - zero
        sums = np.zeros((n, oh, ow, g, filters), np.int32)
        for y in range(kernel):
            for z in range(kernel):
                sums += np.einsum(
                    "nhwgc,gcf->nhwgf",
                    shifted[:, y : y + oh, z : z + ow],
                    weights.array[y, z].astype(np.int32),
                )
        return self.generic(
            ["n, oh + kh, ow + kw, g, ic", "kh, kw, g, ic, oc", "n, oh, ow, g, oc"],
            "n, oh, ow, g, oc, kh, kw, ic",
            3,
            [x, weights],
            self.start(sums.shape, None),
            sums,
            self.product(zero),
        )

    def depthwise(
        self,
        x: Tensor,
        kernel: int,
        *,
        stride: int = 1,
        pad: int = 0,
        zero: int = 4,
        bias: bool = True,
    ) -> Tensor:
        """Sums of an NHWC depthwise convolution."""
        if pad:
            x = self.pad(x, [0, pad, pad, 0], [0, pad, pad, 0], zero)
        n, h, w, c = x.array.shape
        weights = self.weights(kernel, kernel, c)
        oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
        b = self.constant(self.random.integers(-500, 500, c, dtype=np.int32)) if bias else None
        sums = np.zeros((n, oh, ow, c), np.int32)
        if b is not None:
            sums += b.array
        shifted = x.array.astype(np.int32) - zero
        for y in range(kernel):
            for z in range(kernel):
                sums += (
                    shifted[:, y:, z:][
                        :, : (oh - 1) * stride + 1 : stride, : (ow - 1) * stride + 1 : stride
                    ]
                    * weights.array[y, z]
                )
        return self.generic(
            [f"n, oh * {stride} + kh, ow * {stride} + kw, c", "kh, kw, c", "n, oh, ow, c"],
            "n, oh, ow, c, kh, kw",
            2,
            [x, weights],
            self.start(sums.shape, b),
            sums,
            self.product(zero),
        )

    def matmul(self, x: Tensor, columns: int, zero: int = 2) -> Tensor:
        """Sums of x @ w + b."""
        weights = self.weights(x.array.shape[1], columns)
        b = self.constant(self.random.integers(-5000, 5000, columns, dtype=np.int32))
        sums = (x.array.astype(np.int32) - zero) @ weights.array.astype(np.int32) + b.array
        return self.generic(
            ["m, k", "k, n", "m, n"],
            "m, n, k",
            1,
            [x, weights],
            self.start(sums.shape, b),
            sums.astype(np.int32),
            self.product(zero),
        )

    def batched(self, x: Tensor, y: Tensor, zero: int = 1) -> Tensor:
        """Sums of x @ y over two batch dimensions."""
        sums = np.matmul(x.array.astype(np.int32) - zero, y.array.astype(np.int32))
        return self.generic(
            ["b, h, m, k", "b, h, k, n", "b, h, m, n"],
            "b, h, m, n, k",
            1,
            [x, y],
            self.start(sums.shape, None),
            sums.astype(np.int32),
            self.product(zero),
        )

    def maximum_pool(self, x: Tensor, kernel: int, stride: int, pad: int) -> Tensor:
        if pad:
            x = self.pad(x, [0, pad, pad, 0], [0, pad, pad, 0], -128)
        n, h, w, c = x.array.shape
        oh, ow = (h - kernel) // stride + 1, (w - kernel) // stride + 1
        result = np.full((n, oh, ow, c), -128, np.int8)
        for y in range(kernel):
            for z in range(kernel):
                result = np.maximum(
                    result,
                    x.array[:, y:, z:][
                        :, : (oh - 1) * stride + 1 : stride, : (ow - 1) * stride + 1 : stride
                    ],
                )
        window = Tensor(self.empty((kernel, kernel), "i8"), np.zeros((kernel, kernel), np.int8))
        kind = tensor(result.shape, "i8")
        low, init, empty = self.fresh(), self.fresh(), self.empty(result.shape, "i8")
        self.add(f"{low} = arith.constant -128 : i8")
        self.add(f"{init} = linalg.fill ins({low} : i8) outs({empty} : {kind}) -> {kind}")
        return self.generic(
            [f"n, oh * {stride} + kh, ow * {stride} + kw, c", "kh, kw", "n, oh, ow, c"],
            "n, oh, ow, c, kh, kw",
            2,
            [x, window],
            init,
            result,
            ["%s = arith.maxsi %o, %a : i8", "linalg.yield %s : i8"],
        )

    def mean_sums(self, x: Tensor) -> Tensor:
        """Sums over height and width: [n, c]."""
        sums = x.array.astype(np.int32).sum((1, 2), dtype=np.int32)
        return self.generic(
            ["n, h, w, c", "n, c"],
            "n, c, h, w",
            2,
            [x],
            self.start(sums.shape, None),
            sums,
            [
                "%e = arith.extsi %a : i8 to i32",
                "%s = arith.addi %o, %e : i32",
                "linalg.yield %s : i32",
            ],
        )

    def saturating_sum(self, x: Tensor, y: Tensor) -> Tensor:
        """Clamped int8 x + y, elementwise."""
        result = np.clip(x.array.astype(int) + y.array, -128, 127).astype(np.int8)
        dims = ", ".join(f"d{i}" for i in range(result.ndim))
        return self.generic(
            [dims] * 3,
            dims,
            0,
            [x, y],
            self.empty(result.shape, "i8"),
            result,
            [
                "%lo = arith.constant -128 : i32",
                "%hi = arith.constant 127 : i32",
                "%ae = arith.extsi %a : i8 to i32",
                "%be = arith.extsi %b : i8 to i32",
                "%s = arith.addi %ae, %be : i32",
                "%m = arith.maxsi %s, %lo : i32",
                "%n = arith.minsi %m, %hi : i32",
                "%t = arith.trunci %n : i32 to i8",
                "linalg.yield %t : i8",
            ],
        )

    def transpose(self, x: Tensor, order: tuple[int, ...]) -> Tensor:
        result = np.ascontiguousarray(x.array.transpose(order))
        dims = ", ".join(f"d{i}" for i in range(result.ndim))
        source = ["" for _ in order]
        for position, axis in enumerate(order):
            source[axis] = f"d{position}"
        return self.generic(
            [", ".join(source), dims],
            dims,
            0,
            [x],
            self.empty(result.shape, "i8"),
            result,
            ["linalg.yield %a : i8"],
        )

    def concatenate(self, parts: list[Tensor], axis: int) -> Tensor:
        out = Tensor(self.fresh(), np.concatenate([p.array for p in parts], axis))
        self.add(
            f"{out.name} = tensor.concat dim({axis}) {', '.join(p.name for p in parts)} : "
            f"({', '.join(p.kind for p in parts)}) -> {out.kind}"
        )
        return out

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        """Collapses to or expands from one dimension."""
        out = Tensor(self.fresh(), x.array.reshape(shape))
        dims = lambda t: "[[" + ", ".join(map(str, range(t.array.ndim))) + "]]"  # noqa: E731
        if len(shape) == 1:
            self.add(
                f"{out.name} = tensor.collapse_shape {x.name} {dims(x)} : {x.kind} into {out.kind}"
            )
            return out
        flat = x if x.array.ndim == 1 else self.reshape(x, x.array.size)
        self.add(
            f"{out.name} = tensor.expand_shape {flat.name} {dims(out)} output_shape "
            f"[{', '.join(map(str, shape))}] : {flat.kind} into {out.kind}"
        )
        return out

    # -- module -----------------------------------------------------------------

    def module(self, *results: Tensor) -> str:
        """MLIR text; results are called y0, y1, …"""
        arguments = ", ".join(
            f'%{n}: {tensor(a.shape, "i8")} {{asic.name = "{n}"}}' for n, a in self.inputs.items()
        )
        kinds = ", ".join(f'{r.kind} {{asic.name = "y{i}"}}' for i, r in enumerate(results))
        body = "\n".join(self.lines)
        return (
            f"func.func @net({arguments}) -> ({kinds}) "
            f'attributes {{asic.region = "accelerator"}} {{\n{body}\n'
            f"    return {', '.join(r.name for r in results)} : "
            f"{', '.join(r.kind for r in results)}\n}}\n"
        )
