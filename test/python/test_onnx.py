# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX files, judged by ONNX's own reference evaluator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import asic
from asic.cli import main

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from asic.frontend.onnx import import_onnx  # noqa: E402

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _same_numbers_whatever_ran_before() -> None:
    global RNG
    RNG = np.random.default_rng(0)


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.standard_normal(shape).astype(np.float32)


def write(
    path: Path,
    nodes: list[Any],
    inputs: dict[str, Any],
    output: str,
    constants: dict[str, Any],
    opset: int = 18,
    **options: Any,
) -> Path:
    """A model file; the types of values follow from the inputs."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.save(model, path, **options)
    return path


def check(path: Path, *args: np.ndarray[Any, Any], tolerance: float = 2e-2) -> asic.Compiled:
    """The file on both machines is what the reference says; returns the accelerator's."""
    names = [i.name for i in ReferenceEvaluator(str(path)).proto_.graph.input]
    (want,) = ReferenceEvaluator(str(path)).run(None, dict(zip(names, args, strict=False)))
    np.testing.assert_allclose(asic.compile(path, args, target="cpu")(*args), want, 1e-5, 1e-5)
    compiled = asic.compile(path, args, target="edge-tx1")
    # bf16 products of numbers around one.
    np.testing.assert_allclose(compiled(*args), want, tolerance, tolerance)
    return compiled


def convolutions(path: Path, **options: Any) -> Path:
    """Convolutions with batch norms, one without a convolution in front, and a Gemm."""
    norm = ["scale", "shift", "mean", "variance"]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c0", *norm], ["n0"], "norm0"),
        helper.make_node("Relu", ["n0"], ["r0"]),
        helper.make_node("BatchNormalization", ["r0", *norm], ["n1"], "norm1", epsilon=0.1),
        helper.make_node("MaxPool", ["n1"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["p"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["y"], "head", transB=1),
    ]
    constants = {
        "w0": f32(8, 3, 3, 3) * 0.2,
        "scale": f32(8),
        "shift": f32(8),
        "mean": f32(8),
        "variance": f32(8) ** 2 + 0.5,
        "w1": f32(5, 8) * 0.3,
        "b1": f32(5),
    }
    return write(path, nodes, {"x": ["batch", 3, 8, 8]}, "y", constants, **options)


def test_convolutions_and_batch_norms(tmp_path: Path) -> None:
    compiled = check(convolutions(tmp_path / "m.onnx"), f32(2, 3, 8, 8))
    assert compiled.input_names == ("x",)
    assert compiled.output_names == ("y",)
    report = compiled.report().to_dict()
    assert report["fallbacks"] == []
    assert report["macs"] == 2 * (8 * 8 * 8 * 27 + 5 * 8)
    assert "rsqrt" not in compiled.stages["import"]
    assert "conv" in {layer["name"] for layer in report["layers"]}


def test_weights_are_named_and_not_in_the_text(tmp_path: Path) -> None:
    imported = import_onnx(convolutions(tmp_path / "m.onnx"), (f32(2, 3, 8, 8),))
    assert {"w0.1", "w1"} <= set(imported.weights)
    assert "dialect_resources" not in imported.mlir
    assert len(imported.mlir) < 20_000


def test_data_outside_the_file_is_mapped(tmp_path: Path) -> None:
    big = f32(64, 64)
    path = write(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": [2, 64]},
        "y",
        {"w": big},
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
    )
    imported = import_onnx(path)
    assert isinstance(imported.weights["w"], np.memmap)
    check(path, f32(2, 64), tolerance=0.1)
    (tmp_path / "m.data").unlink()
    refuse(r"cannot read the data of 'w' of .*keep the files", path)


def test_transformer_pieces(tmp_path: Path) -> None:
    """Products with weights keep two dimensions; softmax, layer norm and GELU stay whole."""
    nodes = [
        helper.make_node("LayerNormalization", ["x", "g", "b"], ["n"], "norm", epsilon=1e-6),
        helper.make_node("MatMul", ["n", "wq"], ["q0"], "q"),
        helper.make_node("Add", ["bq", "q0"], ["q"], "bias"),
        helper.make_node("MatMul", ["n", "wk"], ["k"], "k"),
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "kt"], ["s"], "scores"),
        helper.make_node("Softmax", ["s"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "n"], ["a"], "mix"),
        helper.make_node("Gelu", ["a"], ["e"]),
        helper.make_node("Gelu", ["e"], ["y"], approximate="tanh"),
    ]
    constants = {
        "bq": f32(32),
        "g": f32(32),
        "b": f32(32),
        "wq": f32(32, 32) * 0.1,
        "wk": f32(32, 32) * 0.1,
    }
    path = write(tmp_path / "m.onnx", nodes, {"x": [2, 10, 32]}, "y", constants, opset=20)
    compiled = check(path, f32(2, 10, 32), tolerance=5e-2)
    text = compiled.stages["import"]
    for composite in ("aten._softmax", "aten.native_layer_norm", "aten.gelu"):
        assert f"@asic.{composite}." in text
    assert text.count("linalg.matmul") == 2
    # The bias is added before the batch comes back, so that it is part of the product.
    shapes = re.findall(r"arith.addf .*\n.*yield.*\n.*-> (tensor<[\dx]+f32>)", text)
    assert "tensor<20x32xf32>" in shapes
    assert text.count("linalg.batch_matmul") == 2
    report = compiled.report().to_dict()
    assert report["fallbacks"] == []
    assert report["macs"] == 2 * 20 * 32 * 32 + 2 * 2 * 10 * 10 * 32


def test_shapes_that_are_computed(tmp_path: Path) -> None:
    """What older exporters write for x.view(x.shape[0], -1)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["d"]),
        helper.make_node("Unsqueeze", ["d", "axis"], ["u"]),
        helper.make_node("Concat", ["u", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    constants = {
        "zero": np.asarray(0, np.int64),
        "axis": np.asarray([0], np.int64),
        "rest": np.asarray([-1], np.int64),
        "w": f32(24, 4) * 0.2,
    }
    path = write(tmp_path / "m.onnx", nodes, {"x": ["n", 4, 6]}, "y", constants)
    check(path, f32(3, 4, 6))


@pytest.mark.parametrize(
    ("kind", "gates", "options"),
    [
        ("LSTM", 4, {}),
        ("LSTM", 4, {"direction": "bidirectional"}),
        ("GRU", 3, {"direction": "reverse", "linear_before_reset": 1}),
        ("GRU", 3, {}),
        ("RNN", 1, {}),
    ],
)
def test_recurrent_nodes(kind: str, gates: int, options: dict[str, Any], tmp_path: Path) -> None:
    """Judged by PyTorch, as ONNX's evaluator knows one direction and plain cells only."""
    torch.manual_seed(0)
    both = options.get("direction") == "bidirectional"
    cell = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}[kind](6, 8, bidirectional=both)
    order = {"LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2], "RNN": [0]}[kind]

    def gather(name: str) -> np.ndarray[Any, Any]:
        ends = ("", "_reverse") if both else ("",)
        tensors = [getattr(cell, f"{name}_l0{end}").detach().chunk(gates) for end in ends]
        return np.stack([torch.cat([t[i] for i in order]).numpy() for t in tensors])

    bias = np.concatenate([gather("bias_ih"), gather("bias_hh")], 1)
    constants = {"w": gather("weight_ih"), "r": gather("weight_hh"), "b": bias}
    node = helper.make_node(kind, ["x", "w", "r", "b"], ["y"], "cell", hidden_size=8, **options)
    path = write(tmp_path / "m.onnx", [node], {"x": [5, 2, 6]}, "y", constants)
    x = torch.randn(5, 2, 6)
    with torch.no_grad():
        if options.get("direction") == "reverse":
            want = cell(x.flip(0))[0].flip(0)
        else:
            want = cell(x)[0]
    want = want.reshape(5, 2, -1, 8).transpose(1, 2)
    if kind == "GRU" and not options:  # PyTorch resets behind the product.
        (want,) = map(
            torch.from_numpy, ReferenceEvaluator(str(path)).run(None, {"x": x.numpy()})[:1]
        )
    for target, tolerance in (("cpu", 1e-5), ("edge-tx1", 2e-2)):
        compiled = asic.compile(path, (x,), target=target)
        torch.testing.assert_close(compiled(x), want, rtol=tolerance, atol=tolerance)
    report = compiled.report().to_dict()
    # The first step's product with the state, zero, is computed before; not where a gate
    # multiplies the state first.
    reset = 2 * 8 * 8 if kind == "GRU" and not options else 0
    assert report["macs"] == (5 * 6 + 4 * 8) * 2 * 8 * gates * (2 if both else 1) + reset
    assert report["fallbacks"] == []


def test_recurrent_nodes_with_options_are_refused(tmp_path: Path) -> None:
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y"], "cell", hidden_size=8, clip=1.0)
    constants = {"w": f32(1, 32, 6), "r": f32(1, 32, 8)}
    path = write(tmp_path / "m.onnx", [node], {"x": [5, 2, 6]}, "y", constants)
    refuse("expected a plain LSTM, got clip at node 'cell'; export the model", path)


@pytest.mark.parametrize(
    "options",
    [
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {},
        {"mode": "linear"},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ],
)
def test_resize_by_whole_factors(options: dict[str, Any], tmp_path: Path) -> None:
    """Nearest neighbours and lines stay one operation, which the accelerator has."""
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], **options)
    scales = np.asarray([1, 1, 2, 3], np.float32)
    path = write(tmp_path / "m.onnx", [node], {"x": [1, 8, 4, 5]}, "y", {"s": scales})
    compiled = check(path, f32(1, 8, 4, 5))
    assert "@asic.aten.upsample" in compiled.stages["import"]
    assert compiled.report().to_dict()["fallbacks"] == []


@pytest.mark.parametrize("index", [2, -1, [1, 2, 3], [-2, -1]])
def test_reads_of_constant_places_are_slices(index: Any, tmp_path: Path) -> None:
    node = helper.make_node("Gather", ["x", "i"], ["g"], "pick", axis=1)
    head = helper.make_node("ReduceSum", ["g", "a"], ["y"], keepdims=0)
    constants = {"i": np.asarray(index, np.int64), "a": np.asarray([-1], np.int64)}
    path = write(tmp_path / "m.onnx", [node, head], {"x": [3, 4, 8]}, "y", constants)
    compiled = check(path, f32(3, 4, 8), tolerance=5e-2)
    assert compiled.report().to_dict()["fallbacks"] == []


def test_constants_in_other_fields_and_odd_names(tmp_path: Path) -> None:
    """Data in float_data, a Constant node, names that MLIR would have to quote."""
    nodes = [
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Mul", ["in put", "two"], ["a/b::c"]),
        helper.make_node("Add", ["a/b::c", 'w"1>'], ["y z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "a graph",
        [helper.make_tensor_value_info("in put", TensorProto.FLOAT, [4, 8])],
        [helper.make_tensor_value_info("y z", TensorProto.FLOAT, [4, 8])],
        [helper.make_tensor('w"1>', TensorProto.FLOAT, [4, 8], f32(32).tolist())],
    )
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    assert check(path, f32(4, 8)).input_names == ("in put",)


def test_pytorch_exporter(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8), nn.SiLU(), nn.Flatten())
    model.append(nn.Linear(48, 5)).eval()
    x = torch.randn(1, 3, 8)
    path = tmp_path / "m.onnx"
    torch.onnx.export(model, (x,), path, dynamo=True, opset_version=18, verbose=False)
    compiled = asic.compile(path, target="cpu")
    torch.testing.assert_close(compiled(x), model(x).detach(), rtol=1e-5, atol=1e-5)


def test_command(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": [2, 32]},
        "y",
        {"w": f32(32, 8)},
    )
    assert main([str(path), "-o", str(tmp_path / "m.asic")]) == 0
    assert asic.load(tmp_path / "m.asic").input_names == ("x",)


def test_command_with_shapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = convolutions(tmp_path / "m.onnx")
    output = ["-o", str(tmp_path / "m.asic")]
    assert main([str(path), "--shape", "x=2,3,8,8", *output]) == 0
    assert asic.load(tmp_path / "m.asic").inputs[0].shape == (2, 3, 8, 8)
    for shapes, message in (
        ([], "pass args with example inputs"),
        (["--shape", "y=1"], "expected inputs of .* (x), got 'y'"),
        (["--shape", "x=a"], "write --shape x=1,3,224,224"),
    ):
        assert main([str(path), *shapes, *output]) == 2
        assert re.search(message.replace("(x)", r"\(x\)"), capsys.readouterr().err)


def refuse(pattern: str, path: Any, args: Any = None, **options: Any) -> None:
    with pytest.raises(asic.CompileError, match=pattern):
        asic.compile(path, args, target="cpu", **options)


def one_node(tmp_path: Path, node: Any, opset: int = 18, **constants: Any) -> Path:
    return write(tmp_path / "m.onnx", [node], {"x": [2, 32]}, "y", constants, opset)


def test_files_that_are_none(tmp_path: Path) -> None:
    refuse("expected an ONNX file, got no file at", tmp_path / "missing.onnx")
    (tmp_path / "m.onnx").write_bytes(b"something else")
    refuse("expected an ONNX file, got other bytes", tmp_path / "m.onnx")


def test_older_operator_sets_are_updated(tmp_path: Path) -> None:
    """Softmax was along all dimensions from `axis` on, Squeeze had its axes as an attribute."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["s"], axis=1),
        helper.make_node("Unsqueeze", ["s"], ["u"], axes=[0]),
        helper.make_node("Squeeze", ["u"], ["y"], axes=[0]),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": [2, 3, 4]}, "y", {}, 9)
    x = f32(2, 3, 4)
    want = np.exp(x) / np.exp(x).sum((1, 2), keepdims=True)
    np.testing.assert_allclose(asic.compile(path, target="cpu")(x), want, 1e-5)


def test_operator_sets_that_cannot_be_updated(tmp_path: Path) -> None:
    node = helper.make_node("Crop", ["x"], ["y"], border=[0, 0, 0, 0])
    refuse("operator set 13 or newer in .*, got 1; export", one_node(tmp_path, node, 1))


def test_foreign_operator(tmp_path: Path) -> None:
    node = helper.make_node("Fused", ["x"], ["y"], "odd", domain="com.example")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    sets = [helper.make_opsetid("", 18), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=sets), tmp_path / "m.onnx")
    refuse(r"got com\.example\.Fused at node 'odd'; export", tmp_path / "m.onnx")


def test_inputs_that_do_not_fit(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "m.onnx")
    refuse("got 'batch' for dimension 0 of input 'x'; pass args with example", path)
    refuse(r"shape \['\?', 3, 8, 8\] for input 'x', got \[2, 3, 9, 8\]", path, (f32(2, 3, 9, 8),))
    refuse("expected float32 for input 'x', got float64", path, (np.zeros((2, 3, 8, 8)),))
    refuse(r"expected 1 inputs \(x\), got 2 args", path, (f32(2, 3, 8, 8), f32(1)))
    refuse("inputs with elements", path, (f32(0, 3, 8, 8),))


def test_what_is_not_lowered_is_named(tmp_path: Path) -> None:
    path = write(
        tmp_path / "m.onnx",
        [helper.make_node("DeformConv", ["x", "w", "o"], ["y"], "warp")],
        {"x": [1, 2, 4, 4]},
        "y",
        {"w": f32(2, 2, 2, 2), "o": f32(1, 8, 3, 3)},
        opset=19,
    )
    refuse("cannot lower .*deform_conv2d at node 'warp'; replace it", path)


def test_records_name_the_operator_and_the_node(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Exp", ["x"], ["e"], name="power"),
        helper.make_node("Atan", ["e"], ["y"], name="angle"),
    ]
    path = write(tmp_path / "m.onnx", nodes, {"x": (2, 4)}, "y", {})
    (record,) = asic.compile(str(path)).facts.fallbacks
    assert record["op"] == "onnx.Exp + onnx.Atan"
    assert (record["location"], record["source"]) == ("angle", "")


def test_shapes_that_depend_on_values(tmp_path: Path) -> None:
    node = helper.make_node("Compress", ["x", "c"], ["y"], "select")
    path = one_node(tmp_path, node, c=np.asarray([True, False]))
    refuse("an unknown one for 'y' of Compress at node 'select'; keep that part", path)


def test_quantisation(tmp_path: Path) -> None:
    path = one_node(tmp_path, helper.make_node("Relu", ["x"], ["y"], "relu"))
    refuse("got an ONNX file; compile the nn.Module", path, quantize="int8")


def test_without_the_package(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import asic\n"
        "try: asic.compile('m.onnx', target='cpu')\n"
        "except asic.CompileError as e: print(e)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install asic-mlir[onnx]" in run.stdout, run.stderr
