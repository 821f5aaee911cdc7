# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX nodes that torch-mlir lowers wrongly or not at all, as nodes that it lowers.

Shapes are known here, so that what depends on them, such as how many elements of a window lie
inside an image, is a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, helper
from onnx.reference import ReferenceEvaluator

from asic.frontend.messages import error
from asic.frontend.onnx.graph import OnnxGraph
from asic.tensors import Array

#: Operators whose definition by other operators is taken from ONNX.
_DEFINED = (
    "AffineGrid",
    "Attention",
    "CenterCropPad",
    "GroupNormalization",
    "LinearAttention",
    "MeanVarianceNormalization",
    "NegativeLogLikelihoodLoss",
    "RMSNormalization",
    "RotaryEmbedding",
    "SoftmaxCrossEntropyLoss",
    "SwiGLU",
)

#: Elements of a matrix that resizes a dimension, at most.
_MOST_WEIGHTS = 1 << 22


def define(graph: OnnxGraph) -> bool:
    """Puts the definitions of `_DEFINED` in their place; returns whether there was one."""
    if not any(node.op_type in _DEFINED for node in graph.nodes):
        return False
    typed = onnx.ModelProto()
    typed.CopyFrom(graph.model)
    # Definitions depend on the types of all inputs: of constants, and of those that are left out.
    for tensor in typed.graph.initializer:
        typed.graph.value_info.add().CopyFrom(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    typed.graph.value_info.add().CopyFrom(
        helper.make_tensor_value_info("", onnx.TensorProto.FLOAT, None)
    )
    names = [("", name) for name in _DEFINED]
    try:
        made = onnx.inliner.inline_selected_functions(typed, names, inline_schema_functions=True)
    except RuntimeError:  # ONNX cannot say what this form is; it is refused where it is lowered.
        return False
    if any(node.op_type == "Constant" and not node.attribute for node in made.graph.node):
        return False  # Of an attribute that is left out.
    graph.model = made
    graph.lift_constants()
    return True


def rewrite(graph: OnnxGraph) -> bool:
    """Rewrites every node that there is a rule for; returns whether there was one."""
    writer = _Writer(graph)
    return writer.run()


class _Writer:
    """Replaces nodes one by one; a rule returns False to leave its node alone."""

    def __init__(self, graph: OnnxGraph) -> None:
        self.graph = graph
        self.shapes = graph.shapes()
        self.nodes: list[NodeProto] = []
        self.node = NodeProto()
        self.options: dict[str, Any] = {}
        self.count = 0
        self.rules: dict[str, Callable[[], bool]] = {
            "AveragePool": self._average_pool,
            "DepthToSpace": self._depth_to_space,
            "LpNormalization": self._lp_normalization,
            "MatMul": self._vector_product,
            "Pad": self._pad,
            "ReduceLogSumExp": self._log_sum_exp,
            "ReduceProd": self._product,
            "Resize": self._resize,
            "SpaceToDepth": self._space_to_depth,
            "Swish": self._swish,
        }

    def run(self) -> bool:
        found = False
        for node in self.graph.nodes:
            self.node = node
            self.options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            rule = self.rules.get(node.op_type)
            known = all(None not in self.shapes.get(name, (None,)) for name in node.output[:1])
            if rule is not None and known and rule():
                found = True
            else:
                self.nodes.append(node)
        if found:
            self.graph.replace_nodes(self.nodes)
        return found

    def emit(self, kind: str, *inputs: str, last: bool = False, **attributes: Any) -> str:
        """A new node of the replaced one's name; the last one has its output."""
        output = self.node.output[0] if last else self._fresh()
        made = helper.make_node(kind, inputs, [output], self.node.name, **attributes)
        self.nodes.append(made)
        return output

    def constant(self, value: Any) -> str:
        """A new constant."""
        return self.graph.add(self._fresh(), np.asarray(value))

    def integers(self, *values: int) -> str:
        """A new vector of integers: a shape, axes or places."""
        return self.constant(np.asarray(values, np.int64))

    def _fresh(self) -> str:
        self.count += 1
        return f"{self.node.output[0]}.{self.node.op_type}.{self.count}"

    def array(self, position: int) -> Array | None:
        """The constant that the node reads there."""
        inputs = self.node.input
        return self.graph.arrays.get(inputs[position]) if position < len(inputs) else None

    @property
    def source(self) -> tuple[int, ...]:
        """Shape of the first input."""
        return tuple(d or 0 for d in self.shapes[self.node.input[0]])

    @property
    def result(self) -> tuple[int, ...]:
        """Shape of the output."""
        return tuple(d or 0 for d in self.shapes[self.node.output[0]])

    def _cast(self, value: Any) -> Array:
        """A constant of the first input's element type."""
        kind = self.graph.types()[self.node.input[0]]
        result: Array = np.asarray(value).astype(helper.tensor_dtype_to_np_dtype(kind))
        return result

    def _depth_to_space(self) -> bool:
        n, c, h, w = self.source
        b = self.options["blocksize"]
        if self.options.get("mode", b"DCR") == b"CRD":
            shape, order = (n, c // b**2, b, b, h, w), (0, 1, 4, 2, 5, 3)
        else:
            shape, order = (n, b, b, c // b**2, h, w), (0, 3, 4, 1, 5, 2)
        return self._rearranged(shape, order)

    def _space_to_depth(self) -> bool:
        n, c, h, w = self.source
        b = self.options["blocksize"]
        crd = self.options.get("mode", b"DCR") == b"CRD"
        order = (0, 1, 3, 5, 2, 4) if crd else (0, 3, 5, 1, 2, 4)
        return self._rearranged((n, c, h // b, b, w // b, b), order)

    def _rearranged(self, shape: tuple[int, ...], order: tuple[int, ...]) -> bool:
        x = self.emit("Reshape", self.node.input[0], self.integers(*shape))
        x = self.emit("Transpose", x, perm=order)
        self.emit("Reshape", x, self.integers(*self.result), last=True)
        return True

    def _average_pool(self) -> bool:
        """A last window that leaves the image is divided by what of it lies inside."""
        kernel, automatic = self.options["kernel_shape"], self.options.get("auto_pad", b"NOTSET")
        rank = len(kernel)
        dilations = self.options.get("dilations", [1] * rank)
        is_dense = all(step == 1 for step in dilations)
        if automatic != b"NOTSET" or (is_dense and not self.options.get("ceil_mode")):
            return False
        strides = self.options.get("strides", [1] * rank)
        pads = self.options.get("pads", [0] * 2 * rank)
        ends, counts = [], self._cast(np.ones(self.result[2:]))
        for d, (extent, places) in enumerate(zip(self.source[2:], self.result[2:], strict=True)):
            span = (kernel[d] - 1) * dilations[d] + 1
            ends.append(max(0, (places - 1) * strides[d] + span - extent - pads[d]))
            at = np.arange(places)[:, None] * strides[d] + np.arange(kernel[d]) * dilations[d]
            # Padding counts where it is asked for, what ceil_mode adds never does.
            whole = bool(self.options.get("count_include_pad"))
            low = 0 if whole else pads[d]
            high = pads[d] + extent + (pads[rank + d] if whole else 0)
            inside = ((at >= low) & (at < high)).sum(1)
            counts = counts * self._cast(inside.reshape(-1, *[1] * (rank - 1 - d)))
        around = (0, 0, *pads[:rank], 0, 0, *ends)
        zero = self.constant(self._cast(0))
        x = self.emit("Pad", self.node.input[0], self.integers(*around), zero)
        if is_dense:
            options = {"kernel_shape": kernel, "strides": strides}
            x = self.emit("AveragePool", x, count_include_pad=1, **options)
            factor = np.prod(kernel) / counts
        else:
            x = self._window_sums(x, kernel, strides, dilations)
            factor = 1 / counts
        self.emit("Mul", x, self.constant(self._cast(factor)), last=True)
        return True

    def _window_sums(
        self, x: str, kernel: list[int], strides: list[int], dilations: list[int]
    ) -> str:
        """Sums of dilated windows: one strided slice for each of their places."""
        axes = self.integers(*range(2, 2 + len(kernel)))
        steps, total = self.integers(*strides), ""
        for place in np.ndindex(*kernel):
            first = [p * d for p, d in zip(place, dilations, strict=True)]
            last = [
                f + (count - 1) * step + 1
                for f, count, step in zip(first, self.result[2:], strides, strict=True)
            ]
            part = self.emit("Slice", x, self.integers(*first), self.integers(*last), axes, steps)
            total = self.emit("Add", total, part) if total else part
        return total

    def _pad(self) -> bool:
        """Padding that wraps around is concatenation; negative padding is a slice."""
        pads, axes = self.array(1), self.array(3)
        if pads is None:
            return False
        rank = len(self.source)
        places = [int(axis) % rank for axis in (range(rank) if axes is None else axes)]
        around = {a: (int(pads[i]), int(pads[len(places) + i])) for i, a in enumerate(places)}
        wraps = self.options.get("mode", b"constant") == b"wrap"
        if not wraps and min(p for both in around.values() for p in both) >= 0:
            return False
        x, extents = self.node.input[0], list(self.source)
        for axis, (low, high) in around.items():
            if min(low, high) < 0:
                x = self._slice(x, axis, max(0, -low), extents[axis] - max(0, -high))
                extents[axis] += min(0, low) + min(0, high)
        left = {a: (max(0, low), max(0, high)) for a, (low, high) in around.items()}
        if not wraps:
            wanted = [left.get(a, (0, 0)) for a in range(rank)]
            flat = [low for low, _ in wanted] + [high for _, high in wanted]
            more = list(self.node.input[2:3])
            mode = self.options.get("mode", b"constant").decode()
            self.emit("Pad", x, self.integers(*flat), *more, last=True, mode=mode)
            return True
        for axis, (low, high) in left.items():
            extent = extents[axis]
            if max(low, high) > extent:
                raise error(
                    f"expected padding of at most {extent} that wraps around, got {max(low, high)} "
                    f"at node '{self.node.name}'; repeat the tensor first"
                )
            parts = [self._slice(x, axis, extent - low, extent)] if low else []
            parts += [x, *([self._slice(x, axis, 0, high)] if high else [])]
            x = self.emit("Concat", *parts, axis=axis)
        self.emit("Identity", x, last=True)
        return True

    def _slice(self, x: str, axis: int, first: int, last: int) -> str:
        return self.emit("Slice", x, *map(self.integers, (first, last, axis)))

    def _swish(self) -> bool:
        x = self.node.input[0]
        alpha = self.constant(self._cast(self.options.get("alpha", 1.0)))
        self.emit("Mul", x, self.emit("Sigmoid", self.emit("Mul", x, alpha)), last=True)
        return True

    def _lp_normalization(self) -> bool:
        """Nothing but zeros stays zeros."""
        axis = self.options.get("axis", -1)
        kind = "ReduceL1" if self.options.get("p", 2) == 1 else "ReduceL2"
        shape = [1 if d == axis % len(self.source) else e for d, e in enumerate(self.source)]
        axes = self.integers(axis)
        opset = next(o.version for o in self.graph.model.opset_import if not o.domain)
        if opset >= 18:
            norm = self.emit(kind, self.node.input[0], axes, keepdims=1)
        else:
            norm = self.emit(kind, self.node.input[0], axes=[axis], keepdims=1)
        is_zero = self.emit("Equal", norm, self.constant(self._cast(0)))
        norm = self.emit("Where", is_zero, self.constant(self._cast(np.ones(shape))), norm)
        self.emit("Div", self.node.input[0], norm, last=True)
        return True

    def _vector_product(self) -> bool:
        """Vectors become matrices of a row or a column."""
        left, right = (self.shapes.get(name) for name in self.node.input)
        if left is None or right is None or min(len(left), len(right)) > 1:
            return False
        a, b = self.node.input
        if len(left) == 1:
            a = self.emit("Unsqueeze", a, self.integers(0))
        if len(right) == 1:
            b = self.emit("Unsqueeze", b, self.integers(1))
        product = self.emit("MatMul", a, b)
        self.emit("Reshape", product, self.integers(*self.result), last=True)
        return True

    def _axes(self) -> list[int]:
        """The dimensions that a reduction takes."""
        given = self.options.get("axes", self.array(1))
        if given is None or not len(given):
            given = [] if self.options.get("noop_with_empty_axes") else range(len(self.source))
        return [int(axis) % len(self.source) for axis in given]

    def _product(self) -> bool:
        """A product along a dimension is one of its halves, and so on."""
        x, shape = self.node.input[0], list(self.source)
        if 0 in shape:
            return False
        for axis in self._axes():
            while shape[axis] > 1:
                half, rest = divmod(shape[axis], 2)
                parts = [self._slice(x, axis, i * half, (i + 1) * half) for i in range(2)]
                whole = self.emit("Mul", *parts)
                if rest:
                    last = self._slice(x, axis, 2 * half, 2 * half + 1)
                    whole = self.emit("Concat", whole, last, axis=axis)
                x, shape[axis] = whole, half + rest
        self.emit("Reshape", x, self.integers(*self.result), last=True)
        return True

    def _log_sum_exp(self) -> bool:
        """The largest value is taken out, so that nothing overflows."""
        x, axes = self.node.input[0], self._axes()
        if 0 in self.source:
            return False
        order = [d for d in range(len(self.source)) if d not in axes] + axes
        kept = [self.source[d] for d in order[: len(order) - len(axes)]]
        x = self.emit("Transpose", x, perm=order)
        x = self.emit("Reshape", x, self.integers(*kept, -1))
        last = self.integers(len(kept))
        most, _ = self._top(x, len(kept))
        # Of minus infinity alone nothing can be taken out.
        low = self.constant(self._cast(np.finfo(self._cast(0).dtype).min))
        most = self.emit("Max", most, low)
        exp = self.emit("Exp", self.emit("Sub", x, most))
        total = self.emit("Log", self.emit("ReduceSum", exp, last, keepdims=1))
        total = self.emit("Add", total, most)
        self.emit("Reshape", total, self.integers(*self.result), last=True)
        return True

    def _top(self, x: str, axis: int) -> tuple[str, str]:
        """The largest value along a dimension, kept."""
        values, places, one = self._fresh(), self._fresh(), self.integers(1)
        self.nodes.append(
            helper.make_node("TopK", [x, one], [values, places], self.node.name, axis=axis)
        )
        return values, places

    def _resize(self) -> bool:
        """Interpolation as a product with a matrix for each dimension, where it is unusual."""
        options = self.options
        mode = options.get("mode", b"nearest")
        where = options.get("coordinate_transformation_mode", b"half_pixel")
        scales, sizes = self.array(2), self.array(3)
        unusual = (
            options.get("antialias")
            or options.get("exclude_outside")
            or "axes" in options
            or (mode == b"cubic" and options.get("cubic_coeff_a", -0.75) != -0.75)
            or (where == b"align_corners" and mode == b"nearest")
        )
        if not unusual or where == b"tf_crop_and_resize" or len(self.node.input) < 3:
            return False
        axes = [a % len(self.source) for a in options.get("axes") or range(len(self.source))]
        if options.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
            assert sizes is not None, "a policy without sizes"
            choose = min if options["keep_aspect_ratio_policy"] == b"not_larger" else max
            one = choose(int(s) / self.source[a] for a, s in zip(axes, sizes, strict=True))
            scales = np.full(len(axes), one, np.float32)
        x = self.node.input[0]
        for i, axis in enumerate(axes):
            if self.source[axis] == self.result[axis]:
                continue
            # Corners are those of whole elements, as ONNX Runtime and PyTorch have it.
            factor = None
            if scales is not None and scales.size and where != b"align_corners":
                factor = scales[i : i + 1]
            matrix = self._weights(self.source[axis], self.result[axis], factor)
            if matrix is None:
                return False
            order = [d for d in range(len(self.source)) if d != axis] + [axis]
            x = self.emit("Transpose", x, perm=order)
            x = self.emit("MatMul", x, self.constant(self._cast(matrix)))
            x = self.emit("Transpose", x, perm=[int(d) for d in np.argsort(order)])
        self.emit("Identity", x, last=True)
        return True

    def _weights(self, extent: int, wanted: int, scale: Array | None) -> Array | None:
        """What each element of a line gives to each of the resized one, by ONNX's reference."""
        if extent * wanted > _MOST_WEIGHTS:
            return None
        kept = {
            key: value
            for key, value in self.options.items()
            if key not in ("axes", "keep_aspect_ratio_policy")
        }
        inputs = ["x", "", "s"] if scale is not None else ["x", "", "", "s"]
        node = helper.make_node("Resize", inputs, ["y"], **kept)
        lines = helper.make_graph(
            [node],
            "line",
            [
                helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [extent]),
                helper.make_tensor_value_info(
                    "s",
                    onnx.TensorProto.FLOAT if scale is not None else onnx.TensorProto.INT64,
                    [1],
                ),
            ],
            [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        )
        model = helper.make_model(lines, opset_imports=self.graph.model.opset_import)
        reference: Any = ReferenceEvaluator(model)
        size = np.asarray([wanted], np.int64) if scale is None else scale
        rows = [reference.run(None, {"x": row, "s": size})[0] for row in np.eye(extent, dtype="f4")]
        matrix: Array = np.stack(rows)
        return matrix if matrix.shape == (extent, wanted) else None
