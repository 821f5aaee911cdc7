# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`torch.compile(model, backend="asic", options={"target": "edge-tx1"})`.

TorchDynamo hands over one graph after the other. Each is compiled when it is first called,
for the shapes of that call; parameters and buffers are constants of it, and buffers that it
writes are written back. A graph that the compiler refuses runs in PyTorch, with a warning
that says why. `asic.reports()` lists the graphs.
"""

from __future__ import annotations

import re
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from asic.compiled import Compiled
from asic.errors import CompileError
from asic.options import CompileOptions
from asic.target import Target
from asic.tensors import to_torch

#: Forms of one graph (shapes, values of weights) that are compiled before it is left to PyTorch.
FORM_LIMIT = 8

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
        key: shapes of the inputs, values of integers.
        weights: identity and version of every constant.
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
        sources = [_source(node) for node in _placeholders(module)]
        self._paths = {
            position: path
            for position, source in enumerate(sources)
            if (path := _weight_path(source)) is not None
        }
        self._names = _names(module, sources)
        _graphs.append(weakref.ref(self))

    def report(self) -> GraphReport:
        """What there is to know at the moment."""
        calls = sum(node.op.startswith("call") for node in self._module.graph.nodes)
        compiled = tuple(form.compiled for form in self._forms)
        return GraphReport(self._number, calls, self._calls, compiled, self._reason)

    def __call__(self, *args: Any) -> Any:
        form = None if self._reason is not None else self._find(args)
        if form is None:
            return self._module(*args)
        self._calls += 1
        return self._run(form, args)

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
                self._warn(f"more than {FORM_LIMIT} shapes of inputs or changes of weights")
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
        others = _other_results(self._module, args)
        positions = self._inputs(args)
        names = [self._names[i] for i in positions]
        module = _with_names(names)(self._module, self._paths, args, others)
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

    def _weights(self, args: tuple[Any, ...], compiled: Compiled) -> Any:
        """Identity and version of the constants; state may change."""
        constants = [args[i] for i, path in self._paths.items() if path not in compiled.state]
        own = [*self._module.parameters(), *self._module.buffers()]
        return [(id(t), 0 if t.is_inference() else t._version) for t in (*constants, *own)]


class _Constants(nn.Module):
    """The graph with its weights as parameters and buffers, and integers filled in."""

    def __init__(
        self,
        module: fx.GraphModule,
        paths: dict[int, str],
        args: tuple[Any, ...],
        others: dict[int, Any],
    ) -> None:
        super().__init__()
        # In a tuple, so that what the graph holds does not become a submodule.
        self._graph = (module,)
        self._fixed = tuple(None if isinstance(a, Tensor) else a for a in args)
        self._paths, self._others = paths, frozenset(others)
        for position, path in paths.items():
            owner: nn.Module = self
            *parents, name = path.split(".")
            for parent in parents:
                if not hasattr(owner, parent):
                    owner.add_module(parent, nn.Module())
                owner = getattr(owner, parent)
            owner.register_buffer(name, args[position].detach())

    def run(self, *inputs: Tensor) -> tuple[Any, ...]:
        """The tensors among the graph's results."""
        given = iter(inputs)
        args = [
            self.get_buffer(self._paths[i])
            if i in self._paths
            else (next(given) if _is_tensor(node) else self._fixed[i])
            for i, node in enumerate(_placeholders(*self._graph))
        ]
        # The nodes' stack traces are the user's lines.
        with fx.traceback.preserve_node_meta():
            results = fx.Interpreter(*self._graph).run(*args)
        return tuple(r for i, r in enumerate(results) if i not in self._others)


def _with_names(names: list[str]) -> type[_Constants]:
    """The class with a `forward` of these parameters, which name the inputs."""
    arguments, scope = ", ".join(names), dict[str, Any]()
    exec(f"def forward(self, {arguments}): return self.run({arguments})", scope)
    return type("Graph", (_Constants,), {"forward": scope["forward"]})


def _names(module: fx.GraphModule, sources: list[str]) -> list[str]:
    """The user's name of each input, as far as it is one and the only one."""
    found = [re.findall(r"\['(\w+)'\]|\.(\w+)", source) for source in sources]
    last = ["".join(parts[-1]) if parts else "" for parts in found]
    return [
        name if name.isidentifier() and name != "self" and last.count(name) == 1 else node.name
        for name, node in zip(last, _placeholders(module), strict=True)
    ]


def _placeholders(module: fx.GraphModule) -> list[fx.Node]:
    return [node for node in module.graph.nodes if node.op == "placeholder"]


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("example_value"), Tensor)


def _source(node: fx.Node) -> str:
    """Where an input comes from, "L['x']"; "" when TorchDynamo does not say."""
    source = getattr(node.meta.get("grapharg"), "source", None)
    if source is None:
        return ""
    return str(source.name() if callable(source.name) else source.name)


def _weight_path(source: str) -> str | None:
    """Gives "layer.weight" of an input that is a parameter or buffer of a module, else None."""
    if not re.search(r"\._(parameters|buffers)\['\w+'\]$", source):
        return None
    # L['m']._modules['layer']._parameters['weight'], or without the variable's name.
    return ".".join(re.findall(r"\['?(\w+)'?\]", re.sub(r"^L\['\w+'\]", "", source)))


def _other_results(module: fx.GraphModule, args: tuple[Any, ...]) -> dict[int, Any]:
    """Results that are no tensors; they follow from the shapes."""
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    results: Any = output.args[0]
    if all(isinstance(r, fx.Node) and _is_tensor(r) for r in results):
        return {}
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        fake = [mode.from_tensor(a) if isinstance(a, Tensor) else a for a in args]
        values = fx.Interpreter(module).run(*fake)
    return {i: v for i, v in enumerate(values) if not isinstance(v, Tensor)}


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
