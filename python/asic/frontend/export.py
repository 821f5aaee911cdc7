# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whatever the user has, as an exported program; everything wrong with it, as one error."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch._export.verifier import SpecViolationError
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from asic.errors import CompileError
from asic.frontend import meta
from asic.frontend.aliases import join, separated
from asic.frontend.attributes import followed
from asic.frontend.guards import remedy_for
from asic.frontend.locations import whole_stacks
from asic.frontend.messages import error, export_error, first_line, is_violation, quiet
from asic.frontend.swift import run_decompositions

_TRAINING = (
    torch.nn.modules.batchnorm._BatchNorm,
    torch.nn.modules.dropout._DropoutNd,
)


def capture(
    model: Any,
    args: tuple[Any, ...] | None,
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> tuple[ExportedProgram, tuple[Any, ...], dict[str, Any]]:
    """The exported program with the example inputs it was made with.

    Args:
        model: an `nn.Module`, an `ExportedProgram`, or the path of a `.pt2` file.
        args: positional example inputs; may be None when the program carries its own.

    Raises:
        CompileError: see the messages in this file.
    """
    if isinstance(model, (str, os.PathLike)):
        model = load(Path(model))
    if isinstance(model, ExportedProgram):
        if args is None:
            args, kwargs = model.example_inputs or (None, None)
        if args is None:
            raise error("expected example inputs, got none in the exported program; pass args")
        _check_fit(model, args, kwargs)
        meta.check_program(model.state_dict)
        check_weights(model.state_dict, dict(model.named_parameters()))
        return model, tuple(args), dict(kwargs or {})
    if not isinstance(model, torch.nn.Module):
        is_class = isinstance(model, type) and issubclass(model, torch.nn.Module)
        found = f"the class {model.__name__}" if is_class else type(model).__name__
        remedy = "pass an instance of it" if is_class else "wrap functions in an nn.Module"
        raise error(
            "expected an nn.Module, an ExportedProgram or the path of a .pt2, .onnx or .mlir file, "
            f"got {found}; {remedy}"
        )
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            inside = f" in '{name}'" if name else ""
            raise error(
                f"expected an nn.Module, got one of TorchScript{inside}, which torch.export does not "
                "take; pass the module that it was made of"
            )
    args, kwargs = _check_args(model, args, kwargs)
    _check_eval(model)
    check_weights(model.state_dict(), dict(model.named_parameters()))
    args, kwargs = pytree.tree_map(_alone, meta.on_cpu((args, kwargs)))
    with meta.stand_ins(model):
        return export(model, args, kwargs, dynamic_shapes), args, kwargs


def export(
    model: torch.nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> ExportedProgram:
    """`torch.export.export` whose failures are `CompileError`s about the user's source."""
    try:
        program, assigned = _traced(model, args, kwargs, dynamic_shapes)
    except CompileError:
        raise
    except Exception as problem:
        if dynamic_shapes is not None and isinstance(problem, IndexError):
            given = inspect.signature(model.forward).bind(*args, **(kwargs or {})).arguments
            _check_dimensions(given, dynamic_shapes)
        raise export_error(problem) from problem
    read = set(program.graph_signature.inputs_to_lifted_tensor_constants.values())
    for name in sorted(assigned & read):
        raise _unregistered(name)
    if assigned:
        warnings.warn(
            f"forward assigns tensors to the attributes {', '.join(sorted(assigned))}, which are "
            "no buffers; the compiled model does not keep them",
            stacklevel=2,
        )
    return forget_origins(program)


def _traced(
    model: torch.nn.Module, args: tuple[Any, ...], kwargs: Any, dynamic_shapes: Any
) -> tuple[ExportedProgram, set[str]]:
    """What `torch.export` makes of a model, and what `followed` says of it."""

    def trace(**options: Any) -> tuple[ExportedProgram, set[str]]:
        with torch.no_grad(), quiet(), whole_stacks(), followed(model) as assigned:
            program = torch.export.export(
                model, args, kwargs or {}, dynamic_shapes=dynamic_shapes, strict=False, **options
            )
        return program, assigned

    try:
        return trace()
    except Exception as problem:
        if dynamic_shapes is None or not is_violation(problem):
            raise
        remedy: str | None = None
        with contextlib.suppress(Exception):
            result = trace(prefer_deferred_runtime_asserts_over_guards=True)
            remedy = remedy_for(result[0])
        if remedy == "":
            return result
        raise export_error(problem, remedy) from problem


def forget_origins(program: ExportedProgram) -> ExportedProgram:
    """Takes from every node what it was in the traces before, in place; returns the program.

    A trace copies that history of each node into all nodes that it becomes, so that its size would
    double with each trace. Where an op comes from is told by `stack_trace` and `nn_module_stack`.
    """
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)
    return program


def decompose(program: ExportedProgram, table: dict[Any, Callable[..., Any]]) -> ExportedProgram:
    """`run_decompositions`: a functional program of fewer ops.

    Raises:
        CompileError: the program writes to a tensor that is no buffer, or to one that
            has two names.
    """

    def run(program: ExportedProgram) -> ExportedProgram:
        result: ExportedProgram
        try:
            result = run_decompositions(program, table)
        except SpecViolationError:  # PyTorch takes one value for one buffer only.
            with separated(program):
                result = run_decompositions(program, table)
        return result

    try:
        with torch.no_grad(), quiet():
            return forget_origins(join(program, run))
    except (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError) as problem:
        constant = re.match(r"Constant (\S+) is mutated", str(problem))
        if constant:
            raise _unregistered(constant[1]) from None
        raise export_error(problem) from problem
    except AssertionError as problem:
        names = _same_memory({**program.state_dict, **program.constants})
        if names:
            raise error(
                "expected written buffers of their own, got "
                f"'{names[0]}' and '{names[1]}' in one memory; register the buffer once, or "
                "clone() it"
            ) from problem
        raise export_error(problem) from problem


def _unregistered(name: str) -> CompileError:
    return error(
        f"expected state in registered buffers, got a model that writes to its attribute "
        f"'{name}'; register it with register_buffer('{name.rpartition('.')[2]}', tensor)"
    )


def _same_memory(state: dict[str, Any]) -> tuple[str, str] | None:
    """Names of two tensors that share their memory, if there are any."""
    seen: dict[int, str] = {}
    for name, tensor in state.items():
        if isinstance(tensor, torch.Tensor) and tensor.numel():
            first = seen.setdefault(tensor.untyped_storage().data_ptr(), name)
            if first != name:
                return first, name
    return None


def load(path: Path) -> ExportedProgram:
    """The program in a `.pt2` file."""
    if path.suffix != ".pt2":
        # A text without a function may be long.
        found = path.name if "\n" not in str(path) else "a text that is no MLIR module"
        raise error(
            f"expected a .pt2, .onnx or .mlir file, got {found}; save the model with "
            "torch.export.save"
        )
    if not path.is_file():
        raise error(f"expected a .pt2 file, got no file at {path}")
    try:
        with quiet():
            return torch.export.load(path)
    except Exception as problem:
        raise error(
            f"cannot read {path}: {first_line(problem)}; save it again with the "
            f"installed torch {torch.__version__}",
            str(problem),
        ) from problem


def _check_fit(program: ExportedProgram, args: Any, kwargs: dict[str, Any] | None) -> None:
    """Example inputs are of the shapes and dtypes that the program was exported for."""
    _check_tuple(args)
    specs = program.graph_signature.input_specs
    names = [spec.arg.name for spec in specs if spec.kind is InputKind.USER_INPUT]
    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    expected = [values.get(name) for name in names]
    given = pytree.tree_leaves((tuple(args), dict(kwargs or {})))
    if len(given) == len(expected) and all(map(_alike, expected, given)):
        return
    wanted = ", ".join(
        f"{name} {_shown(value)}" for name, value in zip(names, expected, strict=True)
    )
    found = ", ".join(map(_shown, given)) or "no inputs"
    raise error(
        f"expected args that the program was exported for, {wanted}, got {found}; leave args out, "
        "or export the model again with these"
    )


def _alike(expected: Any, given: Any) -> bool:
    """Whether an example may stand for an input; sizes that are no numbers may be any."""
    if not isinstance(expected, torch.Tensor) or not isinstance(given, torch.Tensor):
        return True
    sizes = zip(expected.shape, given.shape, strict=False)
    same = expected.dtype == given.dtype and expected.dim() == given.dim()
    return same and all(a == b for a, b in sizes if isinstance(a, int))


def _shown(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return f"{value!r:.40}"
    return f"{str(value.dtype).removeprefix('torch.')}[{', '.join(map(str, value.shape))}]"


def _check_tuple(args: Any) -> None:
    if args is not None and not isinstance(args, (tuple, list)):
        raise error(f"expected args to be a tuple, got {type(args).__name__}; write args=(x,)")


def _check_args(
    model: torch.nn.Module, args: Any, kwargs: dict[str, Any] | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Example inputs fit `forward`'s signature."""
    kwargs = dict(kwargs or {})
    if args is None and not kwargs:
        raise error(
            "expected example inputs, got args=None; pass args=(tensor, ...) with the "
            "shapes and dtypes that the model is to be compiled for"
        )
    _check_tuple(args)
    args = tuple(args or ())
    for leaf in pytree.tree_leaves((args, kwargs)):
        if isinstance(leaf, (np.ndarray, np.generic)):
            raise error(
                f"expected torch tensors in args, got {type(leaf).__name__}; pass "
                "torch.from_numpy(array), the compiled model takes both"
            )
    try:
        inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError as problem:
        raise error(
            f"args do not fit {type(model).__name__}.forward{inspect.signature(model.forward)}"
            f": {problem}; pass one example per parameter"
        ) from None
    return args, kwargs


def _alone(example: Any) -> Any:
    """An example with memory of its own: a trace gives views sizes that depend on their base."""
    is_plain = isinstance(example, torch.Tensor) and not is_traceable_wrapper_subclass(example)
    return example.detach().clone() if is_plain and example._is_view() else example


def _check_dimensions(given: dict[str, Any], shapes: Any) -> None:
    """Every dimension that `dynamic_shapes` declares is one of its tensor's."""
    by_name = shapes if isinstance(shapes, dict) else dict(zip(given, shapes, strict=False))
    for name, dims in by_name.items():
        tensor = given.get(name)
        if not isinstance(tensor, torch.Tensor) or not isinstance(dims, dict):
            continue
        for dim in dims:
            if not 0 <= dim < tensor.dim():
                raise error(
                    f"dynamic_shapes do not fit the inputs: expected dimensions 0 to "
                    f"{tensor.dim() - 1} of '{name}', got {dim}; its shape is {list(tensor.shape)}"
                )


def _check_eval(model: torch.nn.Module) -> None:
    for name, module in model.named_modules():
        if module.training and isinstance(module, _TRAINING):
            raise error(
                f"expected an inference model, got {type(module).__name__} '{name}' in "
                "training mode; call model.eval() first"
            )


def _parts(name: str, tensor: Any) -> dict[str, Any]:
    """What a tensor consists of that is a wrapper, as torchao's codes and scales are."""
    if not is_traceable_wrapper_subclass(tensor):
        return {}
    parts, _ = tensor.__tensor_flatten__()
    return {f"{name}.{part}": getattr(tensor, part) for part in parts}


def check_weights(state: dict[str, Any], parameters: dict[str, Any]) -> None:
    """No parameter or buffer holds NaN, no parameter holds Inf.

    Buffers may hold infinities: attention masks do.
    """
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue
        if parts := _parts(name, tensor):
            check_weights(parts, {})
            continue
        if tensor.numel() == 0 or not meta.has_data(tensor):
            continue
        values = tensor.detach()
        if values.element_size() < 2:
            values = values.float()
        if bool(torch.isnan(values).any()):
            raise error(
                f"expected finite weights, got NaN in '{name}'; check the checkpoint or "
                "the training run"
            )
        if name in parameters and bool(torch.isinf(values).any()):
            raise error(
                f"expected finite weights, got Inf in '{name}'; check the checkpoint or "
                "the training run"
            )
