# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX nodes that are rewritten before torch-mlir sees them, and ONNX's own cases of single nodes."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asic

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

Array = np.ndarray[Any, Any]


def compare(
    tmp_path: Path, kind: str, shape: list[int], constants: dict[str, Any], **options: Any
) -> None:
    """A node of x and constants, on this computer and on an accelerator, against ONNX Runtime."""
    target = options.pop("target", "edge-tx1")
    opset = options.pop("opset", 20)
    names = [*options.pop("inputs", ["x", *constants])]
    graph = helper.make_graph(
        [helper.make_node(kind, names, ["y"], "node", **options)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    sets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=sets, ir_version=10), tmp_path / "m.onnx")
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (want,) = session.run(None, {"x": x})
    for machine, tolerance in (("cpu", 1e-5), (target, 2e-2)):
        have = np.asarray(asic.compile(tmp_path / "m.onnx", target=machine)(x))
        np.testing.assert_allclose(have, want, tolerance, tolerance)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize(("channels", "block"), [(4, 2), (12, 2), (27, 3), (9, 3)])
def test_depth_to_space(channels: int, block: int, mode: str, tmp_path: Path) -> None:
    compare(tmp_path, "DepthToSpace", [2, channels, 2, 3], {}, blocksize=block, mode=mode)


def test_space_to_depth(tmp_path: Path) -> None:
    compare(tmp_path, "SpaceToDepth", [2, 3, 4, 6], {}, blocksize=2)


@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ([1, 2, 6], {"kernel_shape": [3], "strides": [2]}),
        ([2, 2, 6, 7], {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 1]}),
        ([1, 1, 9, 9], {"kernel_shape": [3, 3], "strides": [3, 2], "dilations": [2, 1]}),
        ([1, 2, 5, 5, 4], {"kernel_shape": [2, 2, 3], "strides": [2, 2, 2]}),
    ],
    ids=["signal", "image", "dilated", "volume"],
)
def test_average_pools_that_leave_the_image(
    shape: list[int], options: dict[str, Any], include: int, tmp_path: Path
) -> None:
    compare(tmp_path, "AveragePool", shape, {}, ceil_mode=1, count_include_pad=include, **options)


@pytest.mark.parametrize(
    ("pads", "mode"),
    [
        ([0, 0, 1, 2, 0, 0, 3, 0], "wrap"),
        ([0, 0, -1, 2, 0, 1, 0, -2], "constant"),
        ([0, 0, -1, 0, 0, -1, -1, -1], "constant"),
        ([0, 0, -1, 2, 0, 0, 1, -1], "reflect"),
    ],
)
def test_pads(pads: list[int], mode: str, tmp_path: Path) -> None:
    constants = {"pads": np.int64(pads)}
    compare(tmp_path, "Pad", [1, 2, 4, 5], constants, mode=mode)


@pytest.mark.parametrize(
    ("kind", "shape", "axes"),
    [
        ("ReduceProd", [2, 7, 3], [1]),
        ("ReduceProd", [2, 3, 4], [-1, 0]),
        ("ReduceLogSumExp", [2, 7, 3], [1]),
        ("ReduceLogSumExp", [3, 4], [0, 1]),
    ],
)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions(
    kind: str, shape: list[int], axes: list[int], keepdims: int, tmp_path: Path
) -> None:
    compare(tmp_path, kind, shape, {"axes": np.int64(axes)}, keepdims=keepdims)


def test_normalisation(tmp_path: Path) -> None:
    """Of zeros: zeros."""
    compare(tmp_path, "LpNormalization", [3, 4], {}, axis=0)
    x = np.float32([[1, 0, 3, 0], [2, 0, 0, 0], [2, 0, 4, 0]])
    have = asic.compile(tmp_path / "m.onnx", target="cpu")(x)
    np.testing.assert_allclose(have, np.float32([[1, 0, 1.8, 0], [2, 0, 0, 0], [2, 0, 2.4, 0]]) / 3)


@pytest.mark.parametrize("weight", [(4,), (4, 3), (2, 4, 3)])
def test_products_of_vectors(weight: tuple[int, ...], tmp_path: Path) -> None:
    w = np.random.default_rng(1).standard_normal(weight).astype(np.float32)
    compare(tmp_path, "MatMul", [4], {"w": w})
    compare(tmp_path, "MatMul", [2, 3, 4], {"w": w.reshape(4, -1)[:, 0]})


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "linear", "antialias": 1},
        {"mode": "cubic", "antialias": 1},
        {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "align_corners",
            "nearest_mode": "floor",
        },
    ],
    ids=lambda o: "-".join(str(v) for v in o.values()),
)
@pytest.mark.parametrize("scale", [0.6, 1.7])
def test_unusual_interpolation(options: dict[str, Any], scale: float, tmp_path: Path) -> None:
    constants = {"scales": np.float32([1, 1, scale, scale])}
    compare(tmp_path, "Resize", [1, 2, 7, 9], constants, inputs=["x", "", "scales"], **options)


@pytest.mark.parametrize(("policy", "sizes"), [("not_larger", [10, 13]), ("not_smaller", [10, 11])])
def test_interpolation_of_some_dimensions(policy: str, sizes: list[int], tmp_path: Path) -> None:
    options = {"axes": [2, 3], "keep_aspect_ratio_policy": policy, "mode": "linear"}
    constants = {"sizes": np.int64(sizes)}
    compare(tmp_path, "Resize", [1, 2, 5, 6], constants, inputs=["x", "", "", "sizes"], **options)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_samples_outside_of_the_image(mode: str, padding: str, tmp_path: Path) -> None:
    grid = np.random.default_rng(1).uniform(-1.6, 1.6, (1, 3, 5, 2)).astype(np.float32)
    options = {"mode": mode, "padding_mode": padding, "align_corners": 1}
    compare(tmp_path, "GridSample", [1, 2, 6, 6], {"grid": grid}, **options)


@cache
def node_cases() -> dict[str, list[Any]]:
    """The first two cases of each operator in ONNX's own tests that are of tensors alone."""
    from onnx.backend.test.case.node import collect_testcases

    found: dict[str, list[Any]] = {}
    with warnings.catch_warnings(action="ignore"):
        cases = collect_testcases(None)
    for case in cases:
        values = [value for group in case.data_sets[0] for value in group]
        given = case.model.graph.input
        if not all(isinstance(v, np.ndarray) and v.dtype.kind in "biuf" for v in values):
            continue
        if not given or len(given) != len(case.data_sets[0][0]) or len(case.model.graph.node) > 1:
            continue
        kind = case.model.graph.node[0].op_type
        if len(found.setdefault(kind, [])) < 2:
            found[kind].append(case)
    return found


def outcome(case: Any, path: Path) -> str:
    """Compiles a case, with its vectors of integers as constants, and compares."""
    model, feeds = onnx.ModelProto(), []
    model.CopyFrom(case.model)
    inputs, wanted = case.data_sets[0]
    infos = list(case.model.graph.input)
    del model.graph.input[:]
    for number, (info, value) in enumerate(zip(infos, inputs, strict=True)):
        if number and value.dtype.kind == "i" and value.ndim < 2:
            model.graph.initializer.append(numpy_helper.from_array(value, info.name))
        else:
            model.graph.input.append(info)
            feeds.append(value)
    onnx.save(model, path)
    try:
        compiled = asic.compile(path, tuple(feeds), target="cpu")
    except asic.CompileError as problem:
        return (
            "refused" if re.match(r"\[import\] (expected|cannot)", str(problem)) else str(problem)
        )
    results = compiled(*feeds)
    results = results if isinstance(results, tuple) else (results,)
    for have, want in zip(map(np.asarray, results), wanted, strict=False):
        assert (have.shape, have.dtype) == (want.shape, want.dtype), case.name
        tolerance = 1e-2 if want.dtype.itemsize == 2 else 1e-4
        np.testing.assert_allclose(have, want, tolerance, tolerance, err_msg=case.name)
    return "equal"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_cases_of_onnx(part: int, tmp_path: Path) -> None:
    """Nothing is wrong: what does not compile is refused on import."""
    found: Counter[str] = Counter()
    for kind in sorted(node_cases())[part::4]:
        for case in node_cases()[kind]:
            found[outcome(case, tmp_path / "m.onnx")] += 1
    assert set(found) == {"equal", "refused"}, found
    assert found["equal"] > 2 * found["refused"], found
