# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arguments of ATen calls by the names of their schemas."""

from __future__ import annotations

from typing import Any

from torch.fx import Node


class UnknownForm(LookupError):
    """An operator called in a form that the code at hand does not know."""


def argument(node: Node, name: str) -> Any:
    """An argument of an ATen call by its schema name, defaults filled in.

    Raises:
        UnknownForm: the overload has no such argument.
    """
    for position, formal in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if formal.name == name:
            if position < len(node.args):
                return node.args[position]
            default = formal.default_value if formal.has_default_value() else None
            return node.kwargs.get(name, default)
    raise UnknownForm(f"{node.target} has no argument {name}")
