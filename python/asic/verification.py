# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does the compiled model say what the PyTorch model says?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from asic.compiled import Compiled
from asic.errors import ProgramError
from asic.structure import split_inputs
from asic.tensors import Array, is_array, to_array, to_torch

#: The reference that is PyTorch's own run of a float model.
_EAGER = "PyTorch"

#: What stands for the module that was compiled, as the user calls it.
_MODULE = "model(*args)"

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Difference:
    """The first element that differs.

    Attributes:
        reference: what the model was compared with.
        sample: number of the input.
        output: name of the output.
        index: position of the element.
        expected, actual: both values.
        count: elements of this output that differ.
        size: elements of this output.
    """

    reference: str
    sample: int
    output: str
    index: tuple[int, ...]
    expected: Any
    actual: Any
    count: int
    size: int

    def __str__(self) -> str:
        place = ", ".join(str(i) for i in self.index)
        return (
            f"{self.reference}: sample {self.sample}, output '{self.output}'[{place}]: expected "
            f"{self.expected}, got {self.actual} ({self.count} of {self.size} elements differ)"
        )


@dataclass(frozen=True)
class Verification:
    """Outcome of `verify`; true when every output was equal.

    Attributes:
        samples: number of inputs.
        references: what the model was compared with.
        first: the first difference.
        sqnr_db: signal to error over all outputs.
        remedy: what to do about the difference, where that is known.
    """

    samples: int
    references: tuple[str, ...]
    first: Difference | None = None
    sqnr_db: float = float("inf")
    remedy: str = ""

    def __bool__(self) -> bool:
        return self.first is None

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.samples} samples agree with {' and '.join(self.references)}"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.first}; signal to error {self.sqnr_db:.1f} dB{remedy}"


def verify(
    compiled: Compiled,
    data: Iterable[Any],
    reference: Callable[..., Any] | None = None,
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> Verification:
    """Compares a compiled model with what it should compute and prints the outcome.

    Args:
        compiled: the model.
        data: iterable of inputs: tuples; dicts of keyword inputs; or pairs of both. A model
            with state sees them in this order, from its state; its buffers are compared
            too, and are as before afterwards.
        reference: what is right: a PyTorch model or another `Compiled`. None takes
            PyTorch's own run of the model, of a quantised one the exact integer reference
            in PyTorch, and for an accelerator the model compiled for this computer with
            the accelerator's arithmetic too. A float module without state that is still there is
            called itself as well: what torch.export makes of it may differ.
        rtol, atol: as `numpy.allclose`. None asks for equal bits of a model that computes
            in integers. Float sums may be ordered and float functions be rounded
            differently, so that a float model is allowed 1e-3, and one of both kinds the
            hundredth part of the largest magnitude of an output: a float value on the
            border between two int8 codes moves by one step of 1/255. Against PyTorch's
            f32, an accelerator that multiplies bf16 is allowed the twentieth part: its
            factors have 8 bits, and layers add their errors up (to a hundredth at most in
            docs/architectures.md).

    Raises:
        ProgramError: there is nothing to compare, or nothing to compare with.
    """
    if not isinstance(compiled, Compiled):
        raise ProgramError(
            f"expected a compiled model, got a {type(compiled).__name__}; pass what asic.compile "
            "returned, and the PyTorch model, if it is to be compared with one, as reference"
        )
    references = _references(compiled) if reference is None else {"reference": reference}
    samples = [split_inputs(item, compiled.structure.takes_names) for item in _items(data)]
    if reference is None:
        samples = [compiled.structure.as_compiled(*sample) for sample in samples]
    if not samples:
        raise ProgramError("expected data to compare on, got none; pass input tuples")
    kind = arithmetic(compiled, samples[0])
    default = 1e-3 if kind == "float" else 0.0
    relative = 0.01 if kind == "mixed" else 0.0
    bounds = dict.fromkeys(references, (default, relative))
    if compiled.target is not None and _EAGER in references:
        bounds[_EAGER] = (default, 0.05)
    if atol is not None:
        bounds = dict.fromkeys(references, (atol, 0.0))
    rtol = default if rtol is None else rtol
    error, signal, first, remedy = 0.0, 0.0, None, ""
    if reference is None and (module := _module_of(compiled)) is not None:
        references[_MODULE] = module
        bounds[_MODULE] = bounds[_EAGER]
    names = [*compiled.output_names, *compiled.state]
    with _from_same_state(compiled, references.values()):
        for number, inputs in enumerate(samples):
            actual = [*_leaves(_call(compiled, inputs)), *compiled.state.values()]
            for title, call in references.items():
                expected = _leaves(_call(call, inputs))
                expected += _state_of(call, compiled.state).values()
                if len(expected) != len(actual):
                    raise ProgramError(f"expected {len(expected)} outputs, got {len(actual)}")
                for name, want, got in zip(names, expected, actual, strict=True):
                    error += float(np.sum((want.astype(np.float64) - got.astype(np.float64)) ** 2))
                    signal += float(np.sum(want.astype(np.float64) ** 2))
                    absolute, relative = bounds[title]
                    bound = absolute + relative * _magnitude(want)
                    first = first or _compare(title, number, name, want, got, rtol, bound)
    sqnr = 10 * np.log10(signal / error) if error > 0 and signal > 0 else float("inf")
    if first is not None and first.reference == _MODULE:
        remedy = _remedy(references[_MODULE], references[_EAGER], samples[first.sample])
    titles = tuple(title for title in references if title != _MODULE)
    outcome = Verification(len(samples), titles, first, float(sqnr), remedy)
    print(outcome)
    return outcome


def _items(data: Any) -> Iterator[Any]:
    try:
        return iter(data)
    except TypeError:
        raise ProgramError(
            f"expected data to be an iterable of input tuples, got {data!r:.60}; write [(x,)]"
        ) from None


def arithmetic(compiled: Compiled, inputs: Inputs) -> str:
    """How the model computes: "integer", "float" or "mixed", some of each."""
    if compiled.source is None or not compiled.source.quantized:
        return "float"
    from asic.quantization.reference import Reference

    exact = Reference(compiled.source.program)
    _call(exact, inputs)
    return "mixed" if exact.float_operations else "integer"


def _magnitude(array: Array) -> float:
    """The largest finite absolute value; 0 when there is none."""
    values = np.abs(array[np.isfinite(array)].astype(np.float64))
    return float(values.max()) if values.size else 0.0


def _references(compiled: Compiled) -> dict[str, Callable[..., Any]]:
    """Everything that the model can be compared with."""
    program = None if compiled.source is None else compiled.source.program
    references: dict[str, Callable[..., Any]] = {}
    if compiled.target is not None or program is None:
        references["cpu"] = compiled.on_host()
    if program is None:
        return references
    assert compiled.source is not None
    if compiled.source.quantized:
        from asic.quantization.reference import Reference

        rounding = compiled.target.requant.default if compiled.target else "sr"
        references["PyTorch integers"] = Reference(program, rounding)
    else:
        from asic.frontend.aliases import share
        from asic.frontend.state import own_state

        module = program.module()
        own_state(module)
        share(module, program)
        references[_EAGER] = module
    return references


def _is_quantized(compiled: Compiled) -> bool:
    return compiled.source is not None and compiled.source.quantized


def _module_of(compiled: Compiled) -> Callable[..., Any] | None:
    """The float module that was compiled, if it can be called again and do the same."""
    module: Any = compiled.module and compiled.module()
    program = None if compiled.source is None else compiled.source.program
    if module is None or program is None or compiled.state or _is_quantized(compiled):
        return None
    return None if any(m.training for m in module.modules()) else module


def _remedy(module: Callable[..., Any], program: Callable[..., Any], inputs: Inputs) -> str:
    """What to do where a module and the program that was exported from it differ."""
    import torch

    made = "the compiled model agrees with what torch.export makes of the module"
    mha = torch.backends.mha
    before = mha.get_fastpath_enabled()
    try:
        mha.set_fastpath_enabled(False)
        pairs = zip(_leaves(_call(module, inputs)), _leaves(_call(program, inputs)), strict=True)
        slow = all(np.allclose(a, b, rtol=1e-3, atol=1e-3, equal_nan=True) for a, b in pairs)
    finally:
        mha.set_fastpath_enabled(before)
    if slow:
        return (
            f"{made}, which is without PyTorch's fast path of transformer layers, where padding "
            "becomes zeros; to compare without it, call torch.backends.mha.set_fastpath_enabled(False)"
        )
    return f"{made}; if it has changed since, compile it again"


def _tensors(reference: Any) -> dict[str, Any]:
    """Tensors of a PyTorch model or of the integer reference, by path."""
    if isinstance(getattr(reference, "state", None), dict):
        return dict(reference.state)
    if hasattr(reference, "named_buffers"):
        return {**dict(reference.named_parameters()), **dict(reference.named_buffers())}
    return {}


def _state_of(reference: Any, paths: Iterable[str]) -> dict[str, Array]:
    """Values of the buffers with these paths.

    Raises:
        ProgramError: the reference does not have them.
    """
    tensors = reference.state if isinstance(reference, Compiled) else _tensors(reference)
    for path in paths:
        if path not in tensors:
            raise ProgramError(
                f"expected a reference with the state '{path}', got none there; pass the "
                "module that was compiled"
            )
    return {path: to_array(tensors[path]).copy() for path in paths}


def _set_state(reference: Any, values: dict[str, Array]) -> None:
    if isinstance(reference, Compiled):
        reference.state.update(values)
        return
    tensors = _tensors(reference)
    for path, value in values.items():
        tensors[path].data.copy_(to_torch(value.copy()))


@contextmanager
def _from_same_state(compiled: Compiled, references: Iterable[Any]) -> Iterator[None]:
    """Starts everybody from the compiled model's state; puts everything back afterwards."""
    holders = [compiled, *references] if compiled.state else []
    before = [_state_of(holder, compiled.state) for holder in holders]
    try:
        for holder in holders:
            _set_state(holder, before[0])
        yield
    finally:
        for holder, values in zip(holders, before, strict=True):
            _set_state(holder, values)


def _call(reference: Callable[..., Any], inputs: Inputs) -> Any:
    import torch
    from torch.utils import _pytree as pytree

    args, kwargs = inputs
    if isinstance(reference, Compiled):
        return reference(*args, **kwargs)
    args, kwargs = pytree.tree_map_only((np.ndarray, np.generic), torch.as_tensor, (args, kwargs))
    with torch.no_grad():
        return reference(*args, **kwargs)


def _leaves(value: Any) -> list[Array]:
    from torch.utils import _pytree as pytree

    return [to_array(leaf) for leaf in pytree.tree_leaves(value) if is_array(leaf)]


def _compare(
    reference: str, sample: int, name: str, want: Array, got: Array, rtol: float, atol: float
) -> Difference | None:
    if want.shape != got.shape:
        return Difference(reference, sample, name, (), want.shape, got.shape, got.size, want.size)
    if rtol or atol:
        equal = np.isclose(want, got, rtol=rtol, atol=atol, equal_nan=True)
    else:
        equal = (want == got) | ((want != want) & (got != got))
    if bool(equal.all()):
        return None
    index = tuple(int(i) for i in np.argwhere(~equal)[0])
    wrong = int(equal.size - np.count_nonzero(equal))
    return Difference(reference, sample, name, index, want[index], got[index], wrong, want.size)
