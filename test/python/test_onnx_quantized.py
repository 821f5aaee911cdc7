# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX models in QDQ form, judged by ONNX's own reference evaluator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asic

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

Array = np.ndarray[Any, Any]


class Graph:
    """A quantised graph in the making: activations of type `codes`, weights of type `weights`."""

    def __init__(
        self, codes: Any = np.int8, weights: Any = np.int8, per_channel: bool = True
    ) -> None:
        self.codes, self.weights, self.per_channel = codes, weights, per_channel
        self.random = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self.scales: dict[str, Any] = {}

    def constant(self, name: str, values: Any) -> str:
        self.constants[name] = np.asarray(values)
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def quantize(self, x: str, scale: float, zero: int) -> tuple[str, str, str]:
        """Codes of x, and the names of their parameters; `zero` as of int8."""
        stem = f"{x}.{len(self.nodes)}"
        zero = zero if self.codes is np.int8 else zero + 128
        scale_name = self.constant(f"{stem}.scale", np.float32(scale))
        zero_name = self.constant(f"{stem}.zero", self.codes(zero))
        return self.node("QuantizeLinear", x, scale_name, zero_name), scale_name, zero_name

    def pair(self, x: str, scale: float, zero: int = 0) -> str:
        """x through codes and back."""
        result = self.node("DequantizeLinear", *self.quantize(x, scale, zero))
        self.scales[result] = np.float32(scale)
        return result

    def weight(self, *shape: int, axis: int = 0) -> tuple[str, Array]:
        values = self.random.standard_normal(shape).astype(np.float32) * np.float32(0.2)
        others = tuple(d for d in range(len(shape)) if d != axis)
        largest = np.abs(values).max(others if self.per_channel else None)
        scale = np.asarray(largest / 127, np.float32)
        wide = np.expand_dims(scale, others) if scale.ndim else scale
        codes = np.clip(np.rint(values / wide), -127, 127)
        zero = 128 if self.weights is np.uint8 else 0
        stem = f"w{len(self.nodes)}"
        name = self.node(
            "DequantizeLinear",
            self.constant(f"{stem}.codes", (codes + zero).astype(self.weights)),
            self.constant(f"{stem}.scale", scale),
            self.constant(f"{stem}.zero", np.full(scale.shape, zero, self.weights)),
            axis=axis - len(shape) if axis else axis,
        )
        return name, scale

    def bias(self, count: int, scale: Array) -> str:
        """Codes of int32, as quantisers write them."""
        values = self.random.standard_normal(count).astype(np.float32) * np.float32(0.1)
        codes = np.rint(values / scale).astype(np.int32)
        stem = f"b{len(self.nodes)}"
        names = self.constant(f"{stem}.codes", codes), self.constant(f"{stem}.scale", scale)
        return self.node("DequantizeLinear", *names, axis=0)

    def layer(self, kind: str, x: str, *shape: int, **attributes: Any) -> str:
        weight, scale = self.weight(*shape)
        return self.node(kind, x, weight, self.bias(shape[0], scale * self.scales[x]), **attributes)

    def save(
        self,
        path: Path,
        inputs: dict[str, Any],
        output: str,
        opset: int = 21,
        kind: int = TensorProto.FLOAT,
    ) -> Path:
        nodes = [*self.nodes, helper.make_node("Identity", [output], ["y"], "end")]
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [helper.make_tensor_value_info("y", kind, None)],
            [numpy_helper.from_array(a, n) for n, a in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", opset)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
        return path


def check(path: Path, x: Array, scale: float, share: float, **options: Any) -> asic.Compiled:
    """At most `share` of the outputs differ from ONNX's, by one code of `scale`."""
    expected = ReferenceEvaluator(onnx.load(path)).run(None, {"x": x})[0]
    compiled = asic.compile(path, **options)
    result = compiled(x)
    assert isinstance(result, np.ndarray)
    assert np.abs(result - expected).max() <= scale * 1.01
    differ = float((result != expected).mean())
    assert differ <= share, differ
    assert len(np.unique(expected)) > 10
    return compiled


@pytest.mark.parametrize("codes", [np.int8, np.uint8])
@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
def test_a_residual_block(codes: Any, target: str, tmp_path: Path) -> None:
    """Convolutions, one of them depthwise, their sum, and pooling of its codes."""
    g = Graph(codes)
    x = g.pair("x", 0.03, 3)
    stem = g.pair(g.node("Relu", g.layer("Conv", x, 8, 3, 3, 3, pads=[1, 1, 1, 1])), 0.02, -128)
    deep = g.pair(g.layer("Conv", stem, 8, 1, 3, 3, pads=[1, 1, 1, 1], group=8), 0.02, 5)
    total = g.quantize(g.node("Add", deep, stem), 0.04, -20)
    pooled = g.node("MaxPool", total[0], kernel_shape=[2, 2], strides=[2, 2])
    y = g.node("DequantizeLinear", pooled, *total[1:])
    path = g.save(tmp_path / "m.onnx", {"x": [2, 3, 8, 8]}, y)
    images = g.random.standard_normal((2, 3, 8, 8)).astype(np.float32)
    fallback = "host" if target == "cpu" else "error"
    # A sum rounds both terms to its own scale; ONNX rounds the float sum.
    check(path, images, 0.04, 0.3, target=target, fallback=fallback)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("weights", [np.int8, np.uint8])
@pytest.mark.parametrize("codes", [np.int8, np.uint8])
@pytest.mark.parametrize("target", ["edge-tx1", "npu-256", "cpu"])
def test_layers(codes: Any, weights: Any, per_channel: bool, target: str, tmp_path: Path) -> None:
    """A convolution, pooling and moves of codes, and a linear layer: ONNX's bits."""
    g = Graph(codes, weights, per_channel)
    x = g.pair("x", 0.03, 3)
    stem = g.quantize(g.node("Relu", g.layer("Conv", x, 8, 3, 3, 3, pads=[1, 1, 1, 1])), 0.02, -128)
    pooled = g.node("MaxPool", stem[0], kernel_shape=[2, 2], strides=[2, 2])
    flat = g.node("DequantizeLinear", g.node("Flatten", pooled), *stem[1:])
    g.scales[flat] = np.float32(0.02)
    y = g.pair(g.layer("Gemm", flat, 10, 128, transB=1), 0.05, -8)
    path = g.save(tmp_path / "m.onnx", {"x": [2, 3, 8, 8]}, y)
    images = g.random.standard_normal((2, 3, 8, 8)).astype(np.float32)
    fallback = "host" if target == "cpu" else "error"
    compiled = check(path, images, 0.05, 0.05, target=target, fallback=fallback)
    if target != "cpu":
        codes_of_weights = 8 * 27 + 10 * 128
        assert compiled.report().to_dict()["weights_bytes"] < 1.2 * codes_of_weights


def test_products_and_weights_quantised_in_the_graph(tmp_path: Path) -> None:
    g = Graph(np.uint8)
    x = g.pair("x", 0.03, 3)
    raw = g.constant("raw", g.random.standard_normal((16, 16)).astype(np.float32))
    left = g.pair(g.node("MatMul", x, g.pair(raw, 0.02, 0)), 0.1, 0)
    scores = g.node("MatMul", left, g.node("Transpose", left, perm=[0, 2, 1]))
    y = g.pair(scores, 0.8, -3)
    path = g.save(tmp_path / "m.onnx", {"x": [2, 5, 16]}, y)
    rows = g.random.standard_normal((2, 5, 16)).astype(np.float32)
    check(path, rows, 0.8, 0.05, target="edge-tx1", fallback="error")


def test_older_operator_sets(tmp_path: Path) -> None:
    """Without a zero point codes are uint8; the reference evaluator begins with set 19."""
    results = []
    for opset in (13, 21):
        g = Graph(np.uint8)
        scale = g.constant("scale", np.float32(0.03))
        x = g.node("DequantizeLinear", g.node("QuantizeLinear", "x", scale), scale)
        g.scales[x] = np.float32(0.03)
        y = g.pair(g.layer("Gemm", x, 6, 12, transB=1), 0.05, -8)
        path = g.save(tmp_path / f"{opset}.onnx", {"x": [4, 12]}, y, opset)
        rows = np.abs(g.random.standard_normal((4, 12)).astype(np.float32))
        if opset == 21:
            check(path, rows, 0.05, 0.0, target="npu-256", fallback="error")
        results.append(asic.compile(path, target="npu-256")(rows))
    assert (results[0] == results[1]).all()


def _computed(g: Graph) -> str:
    return g.node("QuantizeLinear", "x", g.node("ReduceMax", "x", keepdims=0))


def _wide(g: Graph) -> str:
    zero = g.constant("zero", np.int16(0))
    return g.node("QuantizeLinear", "x", g.constant("scale", np.float32(1)), zero)


def _in_codes(g: Graph) -> str:
    codes = g.quantize("x", 0.1, 0)[0]
    return g.node("Cast", codes, to=TensorProto.FLOAT)


def _ends_in_codes(g: Graph) -> str:
    return g.quantize("x", 0.1, 0)[0]


@pytest.mark.parametrize(
    ("build", "kind", "message"),
    [
        (
            _computed,
            TensorProto.UINT8,
            "expected constant scales and zero points, got QuantizeLinear at node 'n1'",
        ),
        (
            _wide,
            TensorProto.INT16,
            "expected codes of int8 or uint8, not int16, got QuantizeLinear at node 'n0'",
        ),
        (
            _in_codes,
            TensorProto.FLOAT,
            "expected floats to compute with, got Cast at node 'n1'; dequantise",
        ),
        (
            _ends_in_codes,
            TensorProto.UINT8,
            "expected outputs of floats, got codes of uint8 for 'y'",
        ),
    ],
)
def test_what_is_refused(build: Any, kind: int, message: str, tmp_path: Path) -> None:
    g = Graph(np.uint8)
    path = g.save(tmp_path / "m.onnx", {"x": [2, 3]}, build(g), kind=kind)
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(path, target="edge-tx1")


def _no_zero_point(g: Graph) -> str:
    """A zero point that is left out is 0 of the codes' own type."""
    codes = g.node("QuantizeLinear", "x", _scale(g), g.constant("zero", np.int8(0)))
    return g.node("DequantizeLinear", codes, _scale(g))


def _output_type(g: Graph) -> str:
    codes = g.node("QuantizeLinear", "x", _scale(g), output_dtype=TensorProto.INT8)
    return g.node("DequantizeLinear", codes, _scale(g))


def _table(g: Graph) -> str:
    """An embedding of codes: looked up, moved, then dequantised; and added to x."""
    table = g.constant("table", g.random.integers(0, 255, (30, 5)).astype(np.uint8))
    rows = g.node("Gather", table, g.node("Cast", "x", to=TensorProto.INT64))
    flat = g.node("Squeeze", rows, g.constant("axes", np.int64([0])))
    zero = g.constant("zero", np.uint8(130))
    return g.node("DequantizeLinear", g.node("Transpose", flat, perm=[1, 0, 2]), _scale(g), zero)


def _moved_weight(g: Graph) -> str:
    codes = g.constant("w", g.random.integers(-127, 127, (6, 5)).astype(np.int8))
    weight = g.node("DequantizeLinear", g.node("Transpose", codes, perm=[1, 0]), _scale(g))
    return g.node("MatMul", "x", weight)


def _joined(g: Graph) -> str:
    codes, *parameters = g.quantize("x", 0.05, 3)
    more = g.constant("more", g.random.integers(0, 255, (1, 4, 5)).astype(np.uint8))
    both = g.node("Concat", codes, more, axis=1)
    return g.node("DequantizeLinear", both, *parameters)


def _other_use(g: Graph) -> str:
    """A table of uint8 that is no table of codes."""
    table = g.constant("table", g.random.integers(0, 255, (30,)).astype(np.uint8))
    rows = g.node("Gather", table, g.node("Cast", "x", to=TensorProto.INT64))
    return g.pair(g.node("Cast", rows, to=TensorProto.FLOAT), 1.0, -128)


def _scale(g: Graph) -> str:
    return g.constant("scale", np.float32(0.05))


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize(
    "build", [_no_zero_point, _output_type, _table, _moved_weight, _joined, _other_use]
)
def test_where_codes_come_from(build: Any, target: str, tmp_path: Path) -> None:
    g = Graph(np.uint8)
    looks_up = build in (_table, _other_use)
    path = g.save(tmp_path / "m.onnx", {"x": [1, 4, 5]}, build(g))
    x = g.random.integers(0, 30, (1, 4, 5)) if looks_up else g.random.standard_normal((1, 4, 5))
    # Of bf16 factors, or of codes.
    share = 1.0 if build is _moved_weight else 0.0
    check(path, x.astype(np.float32), 0.05, share, target=target)


def _codes_from_outside(g: Graph) -> str:
    codes = g.node("Transpose", g.node("Cast", "x", to=TensorProto.UINT8), perm=[1, 0])
    return g.node("DequantizeLinear", codes, _scale(g), g.constant("zero", np.uint8(1)))


def _integers(g: Graph) -> str:
    codes = g.quantize(g.node("Cast", "x", to=TensorProto.INT32), 0.05, 3)
    return g.node("DequantizeLinear", *codes)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_codes_from_outside, "expected codes that the graph makes, got DequantizeLinear"),
        (_integers, "expected float32 to quantise, got QuantizeLinear"),
    ],
)
def test_codes_of_nowhere(build: Any, message: str, tmp_path: Path) -> None:
    g = Graph(np.uint8)
    path = g.save(tmp_path / "m.onnx", {"x": [2, 3]}, build(g))
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(path, target="edge-tx1")
