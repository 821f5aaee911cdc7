# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`torch.compile(model, backend="asic", options={"target": "edge-tx1"})`.

TorchDynamo hands over one graph after the other. Each is compiled when it is first called,
for the shapes of that call; parameters and buffers are constants of it, and buffers that it
writes are written back. A graph that the compiler refuses runs in PyTorch, with a warning
that says why. `asic.reports()` lists the graphs.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn

from asic.compiled import Compiled
from asic.dynamo_graph import (
    is_number,
    names,
    other_results,
    placeholders,
    source_of_input,
    weight_path,
    with_names,
)
from asic.errors import CompileError
from asic.options import CompileOptions
from asic.target import Target
from asic.tensors import to_torch

#: Forms of one graph (shapes, values of weights) that are compiled before it is left to PyTorch.
FORM_LIMIT = 8

#: Sums that a weight is known by.
_LANES = 1021

_OPTIONS = frozenset({"target", "fallback", "options"})

_graphs: list[weakref.ref[Graph]] = []


@dataclass(frozen=True)
class GraphReport:
    """One graph of a model that went through `torch.compile`.

    Attributes:
        number: in the order of compilation, from 0.
        operations: calls in the graph.
        calls: how often it ran compiled.
        compiled: the program of each form that it was called in.
        reason: why it runs in PyTorch; None when it does not.
    """

    number: int
    operations: int
    calls: int
    compiled: tuple[Compiled, ...]
    reason: str | None

    def __str__(self) -> str:
        what = f"graph {self.number}, {self.operations} operations: "
        if self.reason is not None:
            return f"{what}in PyTorch, {self.reason}"
        forms = "; ".join(str(c) for c in self.compiled) or "not called yet"
        return f"{what}{self.calls} calls; {forms}"


def reports() -> list[GraphReport]:
    """The graphs that the backend has been given and that are still in use."""
    return [graph.report() for ref in _graphs if (graph := ref()) is not None]


def backend(
    module: fx.GraphModule,
    example_inputs: list[Any],
    *,
    options: dict[str, Any] | None = None,
    **others: Any,
) -> Callable[..., Any]:
    """The backend that `torch.compile` looks up by the name "asic".

    Args:
        module: a graph of TorchDynamo; weights are among its inputs.
        example_inputs: not used, the first call brings real ones.
        options: ``target`` as `asic.compile` takes it; ``fallback``: "host" (default) runs
            operations that the accelerator cannot run on the host and graphs that the
            compiler refuses in PyTorch, "error" raises instead; ``options``: an
            `asic.CompileOptions`.

    Raises:
        CompileError: an option is not known.
        TargetError: the target is unknown or malformed.
    """
    del example_inputs
    return Graph(module, _Settings.of({**(options or {}), **others}))


@dataclass(frozen=True)
class _Settings:
    target: Any = "edge-tx1"
    fallback: str = "host"
    options: CompileOptions | None = None

    @staticmethod
    def of(given: dict[str, Any]) -> _Settings:
        for name in sorted(set(given) - _OPTIONS):
            hint = ""
            if name in ("quantize", "calibration"):
                hint = "; quantise first and pass asic.quantization.convert(...).module()"
            raise CompileError(
                f"expected the options {', '.join(sorted(_OPTIONS))}, got '{name}'{hint}",
                phase="options",
            )
        settings = _Settings(**given)
        if settings.fallback not in ("host", "error"):
            raise CompileError(
                f"expected fallback='host' or fallback='error', got {settings.fallback!r}",
                phase="options",
            )
        if settings.target != "cpu":
            Target.resolve(settings.target)
        return settings


@dataclass
class _Form:
    """The graph compiled for one set of shapes and one state of the weights.

    Attributes:
        key: shapes of the inputs, values of numbers.
        weights: identity and fingerprint of every constant.
        others: results that are no tensors, by position.
    """

    key: Any
    weights: Any
    compiled: Compiled
    others: dict[int, Any] = field(default_factory=dict)


class Graph:
    """A graph and what it has been compiled to; call it as the graph is called."""

    def __init__(self, module: fx.GraphModule, settings: _Settings) -> None:
        self._module = module
        self._settings = settings
        self._forms: list[_Form] = []
        self._compilations = 0
        self._is_full = False
        self._calls = 0
        self._reason: str | None = None
        self._number = len(_graphs)
        # Position of each placeholder that is a weight, and its path in the module.
        sources = [source_of_input(node) for node in placeholders(module)]
        self._paths = {
            position: path
            for position, source in enumerate(sources)
            if (path := weight_path(source)) is not None
        }
        self._names = names(module, sources)
        self._numbers = {i for i, node in enumerate(placeholders(module)) if is_number(node)}
        _graphs.append(weakref.ref(self))

    def report(self) -> GraphReport:
        """What there is to know at the moment."""
        calls = sum(node.op.startswith("call") for node in self._module.graph.nodes)
        compiled = tuple(form.compiled for form in self._forms)
        return GraphReport(self._number, calls, self._calls, compiled, self._reason)

    def __call__(self, *args: Any) -> Any:
        values = tuple(a.item() if i in self._numbers else a for i, a in enumerate(args))
        form = None if self._reason is not None else self._find(values)
        if form is None:
            return self._module(*args)
        self._calls += 1
        return self._run(form, values)

    def _run(self, form: _Form, args: tuple[Any, ...]) -> Any:
        compiled = form.compiled
        written = {p: args[i] for i, p in self._paths.items() if p in compiled.state}
        compiled.state.update(written)
        inputs = [args[i] for i in self._inputs(args)]
        with torch.no_grad():
            leaves = [to_torch(array) for array in compiled.run_flat(inputs)]
            for path, tensor in written.items():
                tensor.copy_(to_torch(compiled.state[path].copy()))
        results = iter(leaves)
        count = len(leaves) + len(form.others)
        return tuple(form.others[i] if i in form.others else next(results) for i in range(count))

    def _inputs(self, args: tuple[Any, ...]) -> list[int]:
        """Positions of what the user passes."""
        return [i for i, a in enumerate(args) if isinstance(a, Tensor) and i not in self._paths]

    def _find(self, args: tuple[Any, ...]) -> _Form | None:
        """The form for these arguments, compiled when it is new; None: not compilable."""
        key = tuple((a.shape, a.dtype) if isinstance(a, Tensor) else a for a in args)
        for form in self._forms:
            if form.key == key and form.weights == self._weights(args, form.compiled):
                return form
        reason = _unsuitable(args)
        if reason is None and self._compilations == FORM_LIMIT:
            if not self._is_full:
                self._is_full = True
                self._warn(
                    f"more than {FORM_LIMIT} shapes of inputs, values of numbers or changes of weights"
                )
            return None
        try:
            if reason is not None:
                raise CompileError(reason, phase="options")
            # A form of weights that have changed is of no use any more.
            self._forms = [form for form in self._forms if form.key != key]
            return self._compile(key, args)
        except CompileError as problem:
            if self._settings.fallback == "error":
                raise
            self._reason = str(problem).split("\nreplay with")[0]
        self._warn(self._reason)
        return None

    def _warn(self, reason: str) -> None:
        warnings.warn(
            f"graph {self._number} of torch.compile(backend='asic') runs in PyTorch: {reason}",
            stacklevel=4,
        )

    def _compile(self, key: Any, args: tuple[Any, ...]) -> _Form:
        from asic.compiler import compile

        self._compilations += 1
        others = other_results(self._module, args)
        positions = self._inputs(args)
        parameters = [self._names[i] for i in positions]
        module = with_names(parameters)(self._module, self._paths, args, others)
        compiled = compile(
            module.eval(),
            tuple(args[i] for i in positions),
            target=self._settings.target,
            fallback=self._settings.fallback,
            options=self._settings.options,
        )
        form = _Form(key, self._weights(args, compiled), compiled, others)
        self._forms.append(form)
        return form

    def _weights(self, args: tuple[Any, ...], compiled: Compiled) -> list[tuple[Any, Any]]:
        """Every constant and what it holds; state may change."""
        constants = [args[i] for i, path in self._paths.items() if path not in compiled.state]
        own = [*self._module.parameters(), *self._module.buffers()]
        return [(_Identity(t), _fingerprint(t)) for t in (*constants, *own)]


class _Identity(weakref.ref):  # type: ignore[type-arg]
    """A reference that keeps nothing alive; equal to another one of the same living object."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self() is not None and self() is other()

    __hash__ = weakref.ref.__hash__


def _fingerprint(tensor: Tensor) -> Any:
    """What differs when values do. PyTorch's count of writes misses those through `.data` and NumPy.

    Sums of every 1021st 64-bit word: a prime, so that rows that change places change sums.
    """
    if type(tensor) not in (Tensor, nn.Parameter):  # Of other memory than its own.
        return 0 if tensor.is_inference() else tensor._version
    with torch.no_grad():
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        if data.storage_offset() % 8:
            data = data.clone()
        whole = data.numel() // (8 * _LANES) * 8 * _LANES
        sums = data[:whole].view(torch.int64).reshape(-1, _LANES).sum(0)
        return sums.numpy().tobytes() + data[whole:].numpy().tobytes()


def _unsuitable(args: tuple[Any, ...]) -> str | None:
    """Why these arguments are left to PyTorch; None when they are not."""
    tensors = [a for a in args if isinstance(a, Tensor)]
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        return (
            "expected inference, got tensors that require gradients; call the model under "
            "torch.no_grad() or torch.inference_mode()"
        )
    for tensor in tensors:
        if tensor.device.type != "cpu":
            return f"expected tensors of this computer's memory, got one on {tensor.device}"
    return None
