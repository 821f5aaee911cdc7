# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Composites and plain products in what torch-mlir makes of an ONNX graph.

The importer of PyTorch programs keeps composites whole while it imports; here the ops of
the torch dialect become the same calls. A product with a weight keeps two dimensions, so
that the weight is not copied per batch.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from asic.frontend.composites import declare, is_composite
from asic.frontend.pipeline import walk
from asic.frontend.skew import ir

_INT = "!torch.int"
_NONE = "!torch.none"
_OPSET = "torch.onnx_meta.opset_version"

#: Interpolation by its names before and after operator set 20.
_MODES = {"bilinear": 0, "linear": 0, "nearest": 1, "bicubic": 2, "cubic": 2}

_MOVES = (
    "torch.aten.permute",
    "torch.aten.t",
    "torch.aten.to.dtype",
    "torch.aten.transpose.int",
)

#: torch-mlir's names of the modes that repeat every pixel when the factor is whole.
_NEAREST = frozenset(
    {
        "nearest",
        "nearest_half_pixel,round_prefer_floor",
        "nearest_half_pixel,round_prefer_ceil",
    }
)


def raise_nodes(module: Any) -> None:
    """Makes composites of what torch-mlir would lower to something else, before it does.

    Of QuantizeLinear and DequantizeLinear it makes tensors of quantised types, which nothing
    behind it takes; samples outside of an image it reads first and masks afterwards.
    """
    rewriter = Rewriter(module)
    rules = {
        "onnx.DequantizeLinear": lambda op: rewriter.mark(op, "dequantize"),
        "onnx.GridSample": rewriter.sample,
        "onnx.QuantizeLinear": lambda op: rewriter.mark(op, "quantize"),
    }
    found: list[tuple[Any, Any]] = []

    def visit(op: Any) -> None:
        if op.name == "torch.operator":
            rule = rules.get(ir.StringAttr(op.attributes["name"]).value)
            if rule is not None:
                found.append((op, rule))

    walk(module, visit)
    for op, rule in found:
        rule(op)
    # The conversion looks for the operator set in every function.
    functions = list(module.body.operations)
    (main,) = (f for f in functions if _OPSET in f.attributes)
    for function in functions:
        function.attributes[_OPSET] = main.attributes[_OPSET]


class Rewriter:
    """Rewrites one module of the torch dialect, in place."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._context = module.context
        self._symbols = ir.SymbolTable(module.operation)
        self._declared: dict[str, str] = {}

    def run(self) -> None:
        """Rewrites every op that there is a rule for."""
        rules = {
            "torch.aten.softmax.int": self._softmax,
            "torch.aten.__interpolate.size_list_scale_list": self._resize,
            "torch.aten.matmul": self._matmul,
        }
        found: list[tuple[Any, Any]] = []

        def visit(op: Any) -> None:
            if op.name in rules:
                found.append((op, rules[op.name]))
            elif (target := _overload(op.name)) is not None and is_composite(target):
                found.append((op, partial(self._composite, target=target)))

        walk(self._module, visit)
        for op, rule in found:
            rule(op)

    def mark(self, op: Any, verb: str) -> None:
        """Puts a marker in place of a node that quantises or dequantises to int8."""
        source, scale, zero_point = op.operands
        scalars: dict[str, Any] = {"quant_min": -128, "quant_max": 127}
        if _shape(scale) == []:
            name, operands = "per_tensor", {"scale": scale, "zero_point": zero_point}
        else:
            name, operands = "per_channel", {"scales": scale, "zero_points": zero_point}
            axis = ir.IntegerAttr(op.attributes["torch.onnx.axis"]).value
            scalars["axis"] = axis % len(_shape(source) or [1])
        self._call(
            op,
            f"quantized_decomposed.{verb}_{name}",
            "default",
            {"input": source, **operands},
            scalars,
        )

    def sample(self, op: Any) -> None:
        """Puts PyTorch's operator in place of a GridSample."""

        def option(name: str, default: str) -> str:
            key = f"torch.onnx.{name}"
            return str(ir.StringAttr(op.attributes[key]).value if key in op.attributes else default)

        corners = "torch.onnx.align_corners"
        scalars = {
            "interpolation_mode": _MODES[option("mode", "linear")],
            "padding_mode": ("zeros", "border", "reflection").index(
                option("padding_mode", "zeros")
            ),
            "align_corners": corners in op.attributes
            and bool(ir.IntegerAttr(op.attributes[corners]).value),
        }
        operands = dict(zip(("input", "grid"), op.operands, strict=True))
        self._call(op, "aten.grid_sampler", "default", operands, scalars)

    def _softmax(self, op: Any) -> None:
        dim = _integer(op.operands[1])
        if dim is None:
            return
        rank = len(_shape(op.operands[0]) or ())
        attributes = {"dim": dim % max(rank, 1), "half_to_float": False}
        self._call(op, "aten._softmax", "default", {"self": op.operands[0]}, attributes)

    def _composite(self, op: Any, target: Any) -> None:
        """A composite as PyTorch's programs have it; left alone where a scalar is computed."""
        operands: dict[str, Any] = {}
        scalars: dict[str, Any] = {}
        for argument, value in zip(target._schema.arguments, op.operands, strict=True):
            kind = str(value.type)
            if kind.startswith("!torch.vtensor"):
                operands[argument.name] = value
            elif "vtensor" in kind:
                for i, member in enumerate(value.owner.operands):
                    if str(member.type) != _NONE:
                        operands[f"{argument.name}.{i}"] = member
            elif kind != _NONE:
                scalars[argument.name] = _constant(value)
        rank = len(_shape(next(iter(operands.values()))) or ())
        if None in scalars.values() or "dtype" in scalars:
            return
        if isinstance(scalars.get("dim"), int):
            scalars["dim"] %= max(rank, 1)
        name = f"aten.{target._schema.name.split('::')[-1]}"
        self._call(op, name, target._overloadname, operands, scalars)

    def _resize(self, op: Any) -> None:
        """Images made larger by whole factors, where ONNX and PyTorch agree."""
        source, result = _shape(op.operands[0]), _shape(op.results[0])
        if source is None or result is None or len(source) != 4:
            return
        whole = all(after % before == 0 for before, after in zip(source, result, strict=True))
        corners = op.operands[4].owner
        mode = ir.StringAttr(op.operands[3].owner.attributes["value"]).value
        scalars: dict[str, Any] = {"output_size": result[2:]}
        if mode in _NEAREST and whole and source[:2] == result[:2]:
            name = "aten.upsample_nearest2d"
        elif mode == "bilinear" and whole and source[:2] == result[:2]:
            name = "aten.upsample_bilinear2d"
            scalars["align_corners"] = bool(ir.BoolAttr(corners.attributes["value"]).value)
        else:
            return
        self._call(op, name, "vec", {"input": op.operands[0]}, scalars)

    def _call(
        self, op: Any, name: str, overload: str, operands: dict[str, Any], scalars: dict[str, Any]
    ) -> None:
        """Puts a call of a composite in place of `op`, for those of its results that are read."""
        results = [r for r in op.results if _is_used(r)] or [op.results[0]]
        with op.location:
            attributes = {f"asic.{k}": _attribute(v) for k, v in scalars.items()}
            attributes["asic.operands"] = _attribute(list(operands))
            attributes["asic.op"] = _attribute(f"{name}.{overload}")
            attributes["asic.results"] = _attribute([r.result_number for r in results])
            values, types = list(operands.values()), [r.type for r in results]
            if str(values[0].type).endswith(",ui8>"):
                attributes["asic.unsigned"] = _attribute(True)
        callee = declare(
            self._module, self._symbols, self._declared, name, values, types, attributes
        )
        call = ir.Operation.create(
            "func.call",
            results=types,
            operands=values,
            attributes={"callee": ir.FlatSymbolRefAttr.get(callee, context=self._context)},
            loc=op.location,
            ip=ir.InsertionPoint(op),
        )
        for old, new in zip(results, call.results, strict=True):
            old.replace_all_uses_with(new)
        op.erase()

    def _matmul(self, op: Any) -> None:
        """[…, k] · [k, n] with a constant, and the bias behind it, in two dimensions."""
        left, right = op.operands
        x, w = _shape(left), _shape(right)
        if x is None or w is None or len(w) != 2 or len(x) < 3 or not _is_constant(right):
            return
        rows = 1
        for extent in x[:-1]:
            rows *= extent
        element = str(left.type).rpartition(",")[2].removesuffix(">")
        flat_type = _type([rows, w[1]], element, self._context)
        sum_op, bias = _bias_of(op)
        replaced = op if sum_op is None else sum_op
        with op.location, ir.InsertionPoint(replaced):
            flat = self._view(left, [rows, x[-1]], element)
            value = ir.Operation.create(
                "torch.aten.mm", results=[flat_type], operands=[flat, right]
            ).result
            if sum_op is not None:
                value = ir.Operation.create(
                    "torch.aten.add.Tensor",
                    results=[flat_type],
                    operands=[value, bias, sum_op.operands[2]],
                    loc=sum_op.location,
                ).result
            result = self._view(value, [*x[:-1], w[1]], element)
        replaced.results[0].replace_all_uses_with(result)
        replaced.erase()
        if sum_op is not None:
            op.erase()

    def _view(self, value: Any, shape: list[int], element: str) -> Any:
        integers = [
            ir.Operation.create(
                "torch.constant.int",
                results=[ir.Type.parse(_INT)],
                attributes={"value": ir.IntegerAttr.get(ir.IntegerType.get_signless(64), extent)},
            ).result
            for extent in shape
        ]
        sizes = ir.Operation.create(
            "torch.prim.ListConstruct",
            results=[ir.Type.parse(f"!torch.list<{_INT.removeprefix('!torch.')}>")],
            operands=integers,
        ).result
        return ir.Operation.create(
            "torch.aten.view",
            results=[_type(shape, element, self._context)],
            operands=[value, sizes],
        ).result


def _type(shape: list[int], element: str, context: Any) -> Any:
    return ir.Type.parse(f"!torch.vtensor<[{','.join(map(str, shape))}],{element}>", context)


def _bias_of(op: Any) -> tuple[Any, Any]:
    """The only reader of a product, when it adds a constant per column, and that constant."""
    uses = list(op.results[0].uses)
    if len(uses) != 1 or uses[0].owner.name != "torch.aten.add.Tensor":
        return None, None
    total = uses[0].owner
    left, right, factor = total.operands
    bias = right if left == op.results[0] else left
    shape = _shape(op.results[0])
    if _integer(factor) != 1 or shape is None or not _is_constant(bias):
        return None, None
    if _shape(bias) != shape[-1:]:
        return None, None
    return total, bias


def _shape(value: Any) -> list[int] | None:
    """Extents of a tensor of the torch dialect; None when one is not known."""
    text = str(value.type)
    if not text.startswith("!torch.vtensor<["):
        return None
    inside = text.partition("[")[2].partition("]")[0]
    parts = inside.split(",") if inside else []
    return None if "?" in parts else [int(part) for part in parts]


def _is_constant(value: Any) -> bool:
    """A literal, or one that is transposed or cast."""
    owner = value.owner
    name = getattr(owner, "name", "")
    if name in _MOVES:
        return _is_constant(owner.operands[0])
    return bool(name == "torch.vtensor.literal")


def _overload(name: str) -> Any:
    """PyTorch's operator of an op of the torch dialect; None of anything else."""
    parts = name.split(".")
    if parts[:2] != ["torch", "aten"] or len(parts) not in (3, 4):
        return None
    # Lists of tensors without gaps have a name of their own.
    overload = parts[3] if len(parts) == 4 and parts[3] != "hacked_twin" else "default"
    return getattr(getattr(torch.ops.aten, parts[2], None), overload, None)


def _constant(value: Any) -> Any:
    """The number, truth value, text or list of numbers that a value is; None if it is computed."""
    owner = value.owner
    name = getattr(owner, "name", "")
    if name == "torch.prim.ListConstruct":
        members = [_constant(member) for member in owner.operands]
        return None if None in members else members
    readers: dict[str, Any] = {
        "torch.constant.int": ir.IntegerAttr,
        "torch.constant.float": ir.FloatAttr,
        "torch.constant.bool": ir.BoolAttr,
        "torch.constant.str": ir.StringAttr,
    }
    return readers[name](owner.attributes["value"]).value if name in readers else None


def _is_used(value: Any) -> bool:
    return any(True for _ in value.uses)


def _integer(value: Any) -> int | None:
    number = _constant(value)
    return number if isinstance(number, int) else None


def _attribute(value: Any) -> ir.Attribute:
    if isinstance(value, bool):
        return ir.BoolAttr.get(value)
    if isinstance(value, int):
        return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)
    if isinstance(value, float):
        return ir.FloatAttr.get_f64(value)
    if isinstance(value, list):
        return ir.ArrayAttr.get([_attribute(v) for v in value])
    return ir.StringAttr.get(value)
