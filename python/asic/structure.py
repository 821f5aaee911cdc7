# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nested inputs and outputs (pytrees), as text in a file and back."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asic.errors import ProgramError
from asic.tensors import is_array

#: Letters of a nesting that a message shows.
_LONGEST = 120


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
        positional: names of the first of them in `forward`'s order, which may be given by place
            whether they were at compile time or not; empty when the order is not known.
    """

    inputs: Any = None
    outputs: Any = None
    fixed_inputs: dict[int, Any] = field(default_factory=dict)
    fixed_outputs: dict[int, Any] = field(default_factory=dict)
    fixed_names: dict[int, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    positional: tuple[str, ...] = ()

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
                "positional": list(self.positional),
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
            positional=tuple(texts.get("positional", ())),
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

        leaves, spec = pytree.tree_flatten((tuple(args), kwargs))
        if spec == self.inputs:
            return self._tensors(leaves)
        bound = self.as_compiled(args, kwargs)
        leaves, spec = pytree.tree_flatten(bound)
        if spec == self.inputs:
            return self._tensors(leaves)
        for name, want, got in zip(
            self._names(), _entries(self.inputs), _entries(spec), strict=False
        ):
            if want != got:
                raise ProgramError(
                    f"expected '{name}' nested as {_describe(want)}, got {_describe(got)}; call the "
                    "compiled model as the model was called at compile time"
                )
        raise ProgramError(
            f"expected inputs nested as {_describe(self.inputs)}, got {_describe(spec)}; "
            "call the compiled model as the model was called at compile time"
        )

    def as_compiled(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The same inputs by place and by name as at compile time.

        Raises:
            ProgramError: one is missing, given twice or not known.
        """
        names = self._names()
        if self.inputs is None or len(names) != len(_entries(self.inputs)):
            return tuple(args), kwargs  # Nothing is known of them but their nesting.
        keywords = self._keywords(self.inputs)
        first = names[: len(names) - len(keywords)]
        by_place = self.positional if len(self.positional) > len(first) else first
        if len(args) > len(by_place):
            raise _misfit(
                f"at most {len(by_place)} inputs by place ({', '.join(by_place)})"
                if by_place
                else "inputs by name only",
                f"{len(args)} by place",
                names,
            )
        given = {**dict(zip(by_place, args, strict=False)), **kwargs}
        for name in kwargs:
            if name in by_place[: len(args)]:
                raise _misfit(f"'{name}' once", "it by place and by name", names)
            if name not in names:
                raise _misfit(f"inputs {', '.join(names)}", f"an unknown one, '{name}'", names)
        for name in names:
            if name not in given:
                raise _misfit(f"the input '{name}'", "a call without it", names)
        return tuple(given[name] for name in first), {name: given[name] for name in keywords}

    def _names(self) -> list[str]:
        """Names of all inputs, those by place first and the others as they are nested."""
        keywords = self._keywords(self.inputs) if self.inputs is not None else []
        return [*(name for name in self.parameters if name not in keywords), *keywords]

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


def positional_names(
    model: Any, args: Sequence[Any] | None, kwargs: dict[str, Any] | None
) -> tuple[str, ...]:
    """The first parameters of a module's `forward` that example inputs were given for, in order."""
    given = dict(kwargs or {})
    names: list[str] = []
    if not hasattr(model, "forward") or not isinstance(args, (tuple, list, type(None))):
        return ()  # What is wrong with `args` is said where they are used.
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except ValueError:  # Of TorchScript.
        return ()
    for place, parameter in enumerate(parameters):
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            break
        if place >= len(args or ()) and parameter.name not in given:
            break
        names.append(parameter.name)
    return tuple(names)


def _misfit(expected: str, found: str, names: Sequence[str]) -> ProgramError:
    call = ", ".join(f"{name}=..." for name in names)
    return ProgramError(f"expected {expected}, got {found}; call the compiled model with ({call})")


def _entries(spec: Any) -> list[Any]:
    """Specs of the inputs by place and by name, in order."""
    return [child for part in spec.children() for child in part.children()]


def _describe(spec: Any) -> str:
    """The nesting as a person writes it: args (*, *), kwargs {mask: *}."""
    from torch.utils import _pytree as pytree

    tree = pytree.tree_unflatten(["*"] * spec.num_leaves, spec)
    text = str(tree).replace("'*'", "*")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({spec.num_leaves} values)"
