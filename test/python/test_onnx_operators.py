# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantised operators of ONNX: files of ONNX Runtime's quantiser, judged by ONNX Runtime; and
single operators, judged by ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asic

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnxruntime import quantization as ortq  # noqa: E402
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer  # noqa: E402

Array = np.ndarray[Any, Any]
TARGETS = ["cpu", "edge-tx1", "npu-256"]


def random(*shape: int) -> Array:
    """Values from the normal distribution, the same ones every time."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def save(
    path: Path,
    nodes: list[Any],
    shape: list[int],
    constants: dict[str, Array],
    kind: int = TensorProto.FLOAT,
    opset: int = 18,
) -> Path:
    """A file whose input is x of float32 and whose output is y."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=sets, ir_version=10)
    onnx.save(model, path)
    return path


def run(path: Path, x: Array) -> Array:
    """What ONNX Runtime computes, node by node."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": x})
    return np.asarray(result)


class Data(ortq.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, *shape: int) -> None:
        self.left = [{"x": random(*shape)}]

    def get_next(self) -> Any:
        return self.left.pop() if self.left else None


def images(path: Path) -> tuple[Path, tuple[int, ...]]:
    """A residual block between a convolution with a stride and a classifier."""
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], "stem", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["c0"], ["r0"], "relu"),
        helper.make_node("Conv", ["r0", "w1", "b1"], ["c1"], "depth", pads=[1] * 4, group=8),
        helper.make_node("Add", ["c1", "r0"], ["s"], "sum"),
        helper.make_node("LeakyRelu", ["s"], ["l"], "leaky", alpha=0.1),
        helper.make_node("Sigmoid", ["l"], ["g"], "gate"),
        helper.make_node("Mul", ["l", "g"], ["m"], "swish"),
        helper.make_node("Concat", ["m", "r0"], ["j"], "join", axis=1),
        helper.make_node("MaxPool", ["j"], ["p"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["a"], "average"),
        helper.make_node("Flatten", ["a"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["y"], "head", transB=1),
    ]
    constants = {
        "w0": random(8, 3, 3, 3) * 0.3,
        "b0": random(8),
        "w1": random(8, 1, 3, 3) * 0.3,
        "b1": random(8) * 0.1,
        "w2": random(5, 16) * 0.3,
        "b2": random(5),
    }
    return save(path, nodes, [1, 3, 12, 12], constants), (1, 3, 12, 12)


def tokens(path: Path) -> tuple[Path, tuple[int, ...]]:
    """Two linear layers with a norm in front, over a sequence."""
    nodes = [
        helper.make_node("LayerNormalization", ["x", "scale", "shift"], ["n"], "norm", axis=-1),
        helper.make_node("MatMul", ["n", "w0"], ["p0"], "up"),
        helper.make_node("Add", ["p0", "b0"], ["h"], "bias"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "w1"], ["p1"], "down"),
        helper.make_node("Add", ["p1", "x"], ["y"], "sum"),
    ]
    constants = {
        "scale": random(40),
        "shift": random(40),
        "w0": random(40, 72) * 0.2,
        "b0": random(72),
        "w1": random(72, 40) * 0.2,
    }
    return save(path, nodes, [2, 7, 40], constants), (2, 7, 40)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("codes", ["QInt8", "QUInt8"])
def test_static_quantisation(codes: str, form: str, target: str, tmp_path: Path) -> None:
    path, shape = images(tmp_path / "float.onnx")
    quantised = tmp_path / "m.onnx"
    ortq.quantize_static(
        path,
        quantised,
        Data(*shape),
        quant_format=ortq.QuantFormat[form],
        activation_type=ortq.QuantType[codes],
        weight_type=ortq.QuantType.QInt8,
        per_channel=form == "QDQ",
    )
    compiled = asic.compile(quantised, target=target)
    x = random(*shape)
    want, have = run(quantised, x), np.asarray(compiled(x))
    # Sums of floats are rescaled as integers: a code may be off by one (docs/quantization.md §6).
    step = np.abs(want).max() / 127
    assert np.abs(have - want).max() <= 1.5 * step
    assert np.abs(want).max() > 10 * step
    if target == "edge-tx1":
        assert not compiled.facts.fallbacks


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("options", [{}, {"per_channel": True}, {"reduce_range": True}], ids=str)
@pytest.mark.parametrize("codes", ["QInt8", "QUInt8"])
def test_quantisation_at_run_time(
    codes: str, options: dict[str, bool], target: str, tmp_path: Path
) -> None:
    path, shape = tokens(tmp_path / "float.onnx")
    quantised = tmp_path / "m.onnx"
    ortq.quantize_dynamic(path, quantised, weight_type=ortq.QuantType[codes], **options)
    kinds = [node.op_type for node in onnx.load(quantised).graph.node]
    assert kinds.count("MatMulInteger") == 2
    compiled = asic.compile(quantised, target=target)
    x = random(*shape)
    want, have = run(quantised, x), np.asarray(compiled(x))
    # Sums of a norm have another order: a code of 255 may be off by one.
    np.testing.assert_allclose(have, want, 0, 2e-2 * np.abs(want).max())
    assert np.square(have - want).sum() < 1e-5 * np.square(want).sum()
    if target != "cpu":
        assert compiled.report().to_dict()["engines"]["mxu"]["busy"]


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize(
    ("bits", "block", "symmetric", "form"),
    [
        (4, 32, True, "QOperator"),
        (4, 16, False, "QOperator"),
        (8, 32, False, "QOperator"),
        (4, 32, True, "QDQ"),
        (4, 16, False, "QDQ"),
    ],
)
def test_blocks(
    bits: int, block: int, symmetric: bool, form: str, target: str, tmp_path: Path
) -> None:
    """40 and 72 rows are no whole number of blocks of 32, 72 no even one of 16."""
    path, shape = tokens(tmp_path / "float.onnx")
    quantiser = MatMulNBitsQuantizer(
        onnx.load(path), bits, block, symmetric, quant_format=ortq.QuantFormat[form]
    )
    quantiser.process()
    quantised = tmp_path / "m.onnx"
    quantiser.model.save_model_to_file(str(quantised))
    kinds = {node.op_type for node in onnx.load(quantised).graph.node}
    assert kinds & {"MatMulNBits", "DequantizeLinear"}
    x = random(*shape)
    want, have = run(quantised, x), np.asarray(asic.compile(quantised, target=target)(x))
    tolerance = 1e-5 if target == "cpu" else 2e-2  # Factors of bfloat16.
    np.testing.assert_allclose(have, want, 0, tolerance * np.abs(want).max())


def product(weight: Array, zero: Any, shape: list[int]) -> tuple[list[Any], dict[str, Array]]:
    """Codes of x times a weight, in int32."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], "quantize"),
        helper.make_node("MatMulInteger", ["q", "w", "z", *(["wz"] * (zero is not None))], ["y"]),
    ]
    constants = {"w": weight}
    if zero is not None:
        constants["wz"] = np.asarray(zero, weight.dtype)
    return nodes, constants


def codes(dtype: Any, *shape: int) -> Array:
    limits = np.iinfo(dtype)
    return np.random.default_rng(1).integers(limits.min, limits.max + 1, shape).astype(dtype)


#: Values with both signs, with one, without a range, and with halves between two codes.
VALUES: dict[str, Callable[[Array], Array]] = {
    "both": lambda x: x,
    "positive": lambda x: np.abs(x) + 1,
    "negative": lambda x: -np.abs(x) - 1,
    "zero": lambda x: x * 0,
    "halves": lambda x: np.clip(np.rint(x * 40) / 2, -127.5, 127.5),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize(
    ("weight", "zero"),
    [
        (codes(np.int8, 24, 16), None),
        (codes(np.int8, 24, 16), -7),
        (codes(np.uint8, 24, 16), 128),
        (codes(np.uint8, 24, 5), codes(np.uint8, 5)),
        (codes(np.uint8, 1, 3), None),
    ],
    ids=["int8", "zero point", "uint8", "columns", "one row"],
)
def test_products_are_exact(
    weight: Array, zero: Any, values: str, target: str, tmp_path: Path
) -> None:
    shape = [2, 9, len(weight)]
    nodes, constants = product(weight, zero, shape)
    path = save(tmp_path / "m.onnx", nodes, shape, constants, TensorProto.INT32)
    x = VALUES[values](random(*shape))
    compiled = asic.compile(path, target=target)
    np.testing.assert_array_equal(compiled(x), run(path, x))
    (want,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    np.testing.assert_array_equal(compiled(x), want)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("weight", "zero", "options"),
    [
        (codes(np.int8, 8, 6, 3, 3), None, {"pads": [1, 0, 2, 1]}),
        (codes(np.uint8, 8, 6, 3, 3), None, {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
        (codes(np.uint8, 8, 6, 3, 3), 131, {"dilations": [2, 1]}),
        (codes(np.int8, 6, 1, 3, 3), None, {"pads": [1, 1, 1, 1], "group": 6}),
        (codes(np.int8, 8, 3, 1, 1), 0, {"group": 2}),
        (codes(np.uint8, 6, 3, 2, 2), codes(np.uint8, 6), {"group": 2, "pads": [0, 1, 0, 1]}),
        (codes(np.int8, 8, 6, 3), None, {"pads": [1, 1]}),
    ],
    ids=["padded", "strided", "zero point", "depthwise", "groups", "zero points", "signal"],
)
def test_convolutions_are_exact(
    weight: Array, zero: Any, options: dict[str, Any], target: str, tmp_path: Path
) -> None:
    inputs = ["q", "w", "z", *["wz"] * (zero is not None)]
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("ConvInteger", inputs, ["y"], "conv", **options),
    ]
    constants = {"w": weight}
    if zero is not None:
        constants["wz"] = np.asarray(zero, weight.dtype)
    shape = [1, 6, *[9] * (weight.ndim - 2)]
    path = save(tmp_path / "m.onnx", nodes, shape, constants, TensorProto.INT32)
    x = random(*shape) + 0.3
    compiled = asic.compile(path, target=target)
    (want,) = ReferenceEvaluator(str(path)).run(None, {"x": x})
    np.testing.assert_array_equal(compiled(x), want)
    if np.size(zero) == 1:  # ONNX Runtime has not more.
        np.testing.assert_array_equal(run(path, x), want)
    if target != "cpu" and options.get("group") != 6:
        assert compiled.report().to_dict()["engines"]["mxu"]["busy"]


@pytest.mark.parametrize("target", TARGETS)
def test_networks_quantised_at_run_time(target: str, tmp_path: Path) -> None:
    path, shape = images(tmp_path / "float.onnx")
    quantised = tmp_path / "m.onnx"
    ortq.quantize_dynamic(path, quantised, weight_type=ortq.QuantType.QUInt8)
    kinds = {node.op_type for node in onnx.load(quantised).graph.node}
    assert {"ConvInteger", "MatMulInteger"} <= kinds
    x = random(*shape)
    want, have = run(quantised, x), np.asarray(asic.compile(quantised, target=target)(x))
    np.testing.assert_allclose(have, want, 0, 1e-2 * np.abs(want).max())


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_operators_of_codes(target: str, tmp_path: Path) -> None:
    """QLinearConv without a bias and QLinearMatMul with a scale per column."""
    scale, zero = {"s": np.float32(0.05)}, {"z": np.uint8(131)}
    conv = ["q", "s", "z", "w0", "ws", "wz", "s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("QLinearConv", conv, ["c"], "conv", pads=[1, 0, 1, 0], dilations=[2, 1]),
        helper.make_node("Reshape", ["c", "shape"], ["f"]),
        helper.make_node("QLinearMatMul", ["f", "s", "z", "w1", "cs", "cz", "s", "z"], ["p"]),
        helper.make_node("DequantizeLinear", ["p", "s", "z"], ["y"]),
    ]
    constants = {
        "w0": codes(np.int8, 4, 3, 3, 3),
        "ws": np.float32([0.001, 0.002, 0.003, 0.004]),
        "wz": np.zeros(4, np.int8),
        "shape": np.int64([-1, 12]),
        "w1": codes(np.int8, 12, 5),
        "cs": np.float32([0.001, 0.002, 0.003, 0.004, 0.005]),
        "cz": np.zeros(5, np.int8),
    }
    path = save(tmp_path / "m.onnx", nodes, [1, 3, 8, 8], {**scale, **zero, **constants})
    x = random(1, 3, 8, 8)
    have, want = np.asarray(asic.compile(path, target=target)(x)), run(path, x)
    assert np.abs(have - want).max() <= 0.051
    assert (have == want).mean() > 0.9
    assert len(np.unique(want)) > 20


def _convolution(**options: Any) -> list[Any]:
    return [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("ConvInteger", ["q", "w", "z", "wz"], ["y"], "conv", **options),
    ]


def _same() -> list[Any]:
    return _convolution(auto_pad="SAME_UPPER")


def _cast_codes() -> list[Any]:
    return [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("Cast", ["q"], ["y"], "cast", to=TensorProto.FLOAT),
    ]


def _plain_codes() -> list[Any]:
    return [
        helper.make_node("Cast", ["x"], ["q"], to=TensorProto.UINT8),
        helper.make_node("MatMulInteger", ["q", "w"], ["y"], "product"),
    ]


def _computed_weight() -> list[Any]:
    return [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "q", "z", "z"], ["y"], "product"),
    ]


def _codes_out() -> list[Any]:
    return [helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"])]


def _last_channels() -> list[Any]:
    inputs = ["x", "s", "z", "s", "z"]
    options = {"channels_last": 1, "domain": "com.microsoft"}
    return [helper.make_node("QLinearGlobalAveragePool", inputs, ["y"], "pool", **options)]


def _fused() -> list[Any]:
    return [helper.make_node("FusedMatMul", ["x", "w"], ["y"], "fused", domain="com.microsoft")]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_same, "expected pads as numbers, got ConvInteger at node 'conv'"),
        (_cast_codes, "products of codes that are made at run time, got Cast at node 'cast'"),
        (_plain_codes, "expected DynamicQuantizeLinear in front of it, got MatMulInteger"),
        (_computed_weight, "expected constant weights, scales and zero points, got MatMulInteger"),
        (_codes_out, "expected outputs of floats, got codes of uint8 for 'y'"),
        (_last_channels, "channels in dimension 1, got QLinearGlobalAveragePool at node 'pool'"),
        (_fused, r"got com\.microsoft\.FusedMatMul at node 'fused'"),
    ],
)
def test_what_is_refused(build: Callable[[], list[Any]], message: str, tmp_path: Path) -> None:
    nodes = build()
    is_conv = nodes[-1].op_type == "ConvInteger"
    weight, shape = ((4, 1, 1, 1), [1, 2, 5, 5]) if is_conv else ((3, 3), [3, 3])
    constants = {"w": codes(np.int8, *weight), "s": np.float32(1), "z": np.uint8(0)}
    constants["wz"] = np.int8(1)
    path = save(tmp_path / "m.onnx", nodes, shape, constants)
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(path, target="edge-tx1")
