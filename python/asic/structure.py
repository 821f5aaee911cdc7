# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nested inputs and outputs (pytrees), as text in a file and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asic.errors import ProgramError
from asic.tensors import is_array


@dataclass(frozen=True)
class Structure:
    """How a model's inputs and outputs are nested.

    Attributes:
        inputs: torch's tree spec of (args, kwargs); None: flat positional arguments.
        outputs: torch's tree spec of the results; None: a tuple, or the tensor itself
            when there is one.
        fixed_inputs: position among the leaves → number, text or None that the model was
            compiled for.
        fixed_outputs: the same of what it returns beside tensors.
        fixed_names: position → name of that input, for messages.
        parameters: names of the parameters of `forward` that were given, positional ones first.
    """

    inputs: Any = None
    outputs: Any = None
    fixed_inputs: dict[int, Any] = field(default_factory=dict)
    fixed_outputs: dict[int, Any] = field(default_factory=dict)
    fixed_names: dict[int, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Both specs as text, and the values that are no tensors.

        Raises:
            ProgramError: the model returns a class that torch cannot write down.
        """
        from torch.utils import _pytree as pytree

        def dump(spec: Any) -> str | None:
            return None if spec is None else str(pytree.treespec_dumps(spec))

        try:
            return {
                "inputs": dump(self.inputs),
                "outputs": dump(self.outputs),
                "fixed_inputs": list(self.fixed_inputs.items()),
                "fixed_outputs": list(self.fixed_outputs.items()),
                "fixed_names": list(self.fixed_names.items()),
                "parameters": list(self.parameters),
            }
        except (NotImplementedError, TypeError, ValueError) as problem:
            raise ProgramError(
                f"cannot save how inputs and outputs are nested: {problem}; register the "
                "class with torch.utils._pytree, or return tuples, lists or dicts"
            ) from problem

    @staticmethod
    def from_json(texts: dict[str, Any]) -> Structure:
        """The inverse of `to_json`."""

        def read(text: str | None) -> Any:
            if text is None:
                return None
            from torch.utils import _pytree as pytree

            return pytree.treespec_loads(text)

        return Structure(
            read(texts.get("inputs")),
            read(texts.get("outputs")),
            fixed_inputs=dict(texts.get("fixed_inputs", ())),
            fixed_outputs=dict(texts.get("fixed_outputs", ())),
            fixed_names=dict(texts.get("fixed_names", ())),
            parameters=tuple(texts.get("parameters", ())),
        )

    def flatten(self, args: Sequence[Any], kwargs: dict[str, Any], count: int) -> list[Any]:
        """The input tensors in order.

        Raises:
            ProgramError: the arguments are not nested as at compile time, or one that is no
                tensor has another value than then.
        """
        if self.inputs is None:
            if kwargs or len(args) != count:
                raise ProgramError(
                    f"expected {count} positional inputs, got {len(args)} and "
                    f"{len(kwargs)} by keyword"
                )
            return list(args)
        from torch.utils import _pytree as pytree

        expected = self.inputs
        leaves, spec = pytree.tree_flatten((tuple(args), kwargs))
        if spec == expected:
            return self._tensors(leaves)
        bound = self._bind(args, kwargs)
        if bound is not None:
            leaves, spec = pytree.tree_flatten(bound)
            if spec == expected:
                return self._tensors(leaves)
            _, spec = pytree.tree_flatten((tuple(args), kwargs))
        raise ProgramError(
            f"expected inputs nested as {_describe(expected)}, got {_describe(spec)}; "
            "call the compiled model as the model was called at compile time"
        )

    def _bind(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """The arguments in the order of compile time; what was positional then may have its name."""
        keywords = self._keywords(self.inputs)
        positional = [name for name in self.parameters if name not in keywords]
        given = {**dict(zip(positional, args, strict=False)), **kwargs}
        if len(given) != len(args) + len(kwargs) or set(given) != {*positional, *keywords}:
            return None
        return tuple(given[name] for name in positional), {name: given[name] for name in keywords}

    def _tensors(self, leaves: Sequence[Any]) -> list[Any]:
        """The leaves that are no fixed value."""
        for position, value in self.fixed_inputs.items():
            given = leaves[position]
            if is_array(given) or given != value:
                found = f"a {type(given).__name__}" if is_array(given) else repr(given)
                name = self.fixed_names.get(position, f"input {position}")
                raise ProgramError(
                    f"expected {name}={value!r} as at compile time, got {found}; compile the "
                    "model again for another value"
                )
        return [leaf for i, leaf in enumerate(leaves) if i not in self.fixed_inputs]

    @staticmethod
    def _keywords(spec: Any) -> list[str]:
        return [str(name) for name in spec.child(1).context or ()]

    @property
    def takes_names(self) -> bool:
        """Whether the model was compiled with keyword inputs."""
        return self.inputs is not None and bool(self._keywords(self.inputs))

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        """The outputs as the model returns them, around its tensors."""
        if self.outputs is None:
            return leaves[0] if len(leaves) == 1 else tuple(leaves)
        from torch.utils import _pytree as pytree

        tensors = iter(leaves)
        fixed = self.fixed_outputs
        whole = [fixed[i] if i in fixed else next(tensors) for i in range(self.outputs.num_leaves)]
        return pytree.tree_unflatten(whole, self.outputs)


def split_inputs(item: Any, takes_names: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword inputs of an item of data.

    An item is a tuple, or a single input; for a model that takes keyword inputs it may be
    a dict of them or a pair of a tuple and a dict.
    """
    if takes_names and isinstance(item, dict):
        return (), item
    if takes_names and isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], dict):
        return tuple(item[0]), item[1]
    return (tuple(item) if isinstance(item, (tuple, list)) else (item,)), {}


def _describe(spec: Any) -> str:
    """The nesting as a person writes it: args (*, *), kwargs {mask: *}."""
    from torch.utils import _pytree as pytree

    tree = pytree.tree_unflatten(["*"] * spec.num_leaves, spec)
    return str(tree).replace("'*'", "*")
