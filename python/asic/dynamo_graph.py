# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A graph of TorchDynamo as a module that can be exported: weights are buffers again."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.amp import autocast_mode


class _Interpreter(fx.Interpreter):
    """Runs a graph so that an export sees what its nodes mean."""

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Autocast is entered; the function in the graph tells a trace of it and does nothing."""
        if target is autocast_mode._enter_autocast:
            mode = torch.autocast(*args, **kwargs)
            mode.__enter__()  # type: ignore[no-untyped-call]
            return mode
        if target is autocast_mode._exit_autocast:
            return args[0].__exit__(None, None, None)
        return super().call_function(target, args, kwargs)

    def call_method(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A float that came as a tensor is one already (see `is_number`)."""
        if target == "item" and isinstance(args[0], float):
            return args[0]
        return super().call_method(target, args, kwargs)


class WithConstants(nn.Module):
    """The graph with its weights as parameters and buffers, and numbers filled in."""

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
        self._fixed = {i: a for i, a in enumerate(args) if not isinstance(a, Tensor)}
        self._paths, self._others = paths, frozenset(others)
        for position, path in paths.items():
            owner: nn.Module = self
            *parents, name = path.split(".")
            for parent in parents:
                if parent not in owner._modules:
                    owner.add_module(parent, nn.Module())
                owner = owner.get_submodule(parent)
            owner.register_buffer(name, args[position].detach())

    def run(self, *inputs: Tensor) -> tuple[Any, ...]:
        """The tensors among the graph's results."""
        given = iter(inputs)
        args = [
            self.get_buffer(self._paths[i])
            if i in self._paths
            else (self._fixed[i] if i in self._fixed else next(given))
            for i in range(len(placeholders(*self._graph)))
        ]
        # The nodes' stack traces are the user's lines.
        with fx.traceback.preserve_node_meta():
            results = _Interpreter(*self._graph).run(*args)
        return tuple(r for i, r in enumerate(results) if i not in self._others)


def with_names(parameters: list[str]) -> type[WithConstants]:
    """The class with a `forward` of these parameters, which name the inputs."""
    arguments, scope = ", ".join(parameters), dict[str, Any]()
    exec(f"def forward(self, {arguments}): return self.run({arguments})", scope)
    return type("Graph", (WithConstants,), {"forward": scope["forward"]})


def names(module: fx.GraphModule, sources: list[str]) -> list[str]:
    """The user's name of each input, as far as it is one and the only one."""
    found = [re.findall(r"\['(\w+)'\]|\.(\w+)", source) for source in sources]
    last = ["".join(parts[-1]) if parts else "" for parts in found]
    return [
        name if name.isidentifier() and name != "self" and last.count(name) == 1 else node.name
        for name, node in zip(last, placeholders(module), strict=True)
    ]


def placeholders(module: fx.GraphModule) -> list[fx.Node]:
    """The inputs of a graph."""
    return [node for node in module.graph.nodes if node.op == "placeholder"]


def is_tensor(node: fx.Node) -> bool:
    """Whether an input or result is a tensor."""
    return isinstance(node.meta.get("example_value"), Tensor)


def is_number(node: fx.Node) -> bool:
    """Whether an input is a float of the user's, which TorchDynamo passes as a tensor of float64."""
    return bool(getattr(node.meta.get("grapharg"), "pass_arg_as_tensor", False))


def source_of_input(node: fx.Node) -> str:
    """Where an input comes from, "L['x']"; "" when TorchDynamo does not say."""
    source = getattr(node.meta.get("grapharg"), "source", None)
    if source is None:
        return ""
    return str(source.name() if callable(source.name) else source.name)


def weight_path(source: str) -> str | None:
    """Gives "model.layer.weight" of an input that is a parameter or buffer, else None."""
    if not re.search(r"\._(parameters|buffers)\['\w+'\]$", source):
        return None
    # L['m']._modules['layer']._parameters['weight'], or without the variable's name. Below
    # "model" a name of the user's cannot be one of `WithConstants`.
    return "model." + ".".join(re.findall(r"\['?(\w+)'?\]", re.sub(r"^L\['\w+'\]", "", source)))


def other_results(module: fx.GraphModule, args: tuple[Any, ...]) -> dict[int, Any]:
    """Results that are no tensors; they follow from the shapes."""
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    results: Any = output.args[0]
    if all(isinstance(r, fx.Node) and is_tensor(r) for r in results):
        return {}
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, torch.no_grad():
        fake = [mode.from_tensor(a) if isinstance(a, Tensor) else a for a in args]
        values = _Interpreter(module).run(*fake)
    return {i: v for i, v in enumerate(values) if not isinstance(v, Tensor)}
