# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Accelerators as data: presets and the user's own YAML files.

>>> import asic
>>> target = asic.Target.from_name("edge-tx1")
>>> target.engines.mxu.k_rows
64
>>> target.replace({"memories.sram.bytes": 1 << 20}).memories.sram.bytes
1048576

The schema and its checks are in C++ (`target/TargetSchema.h`); docs/adding-a-target.md
explains it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from asic import _core
from asic.errors import TargetError

TargetLike: TypeAlias = "Target | str | os.PathLike[str]"


class Section(Mapping[str, Any]):
    """A mapping of a target, read-only, whose keys are attributes too."""

    def __init__(self, path: str, values: Mapping[str, Any]) -> None:
        self._path = path
        self._values = values

    def __getitem__(self, key: str) -> Any:
        value = self._values[key]
        if isinstance(value, dict):
            return Section(f"{self._path}.{key}".lstrip("."), value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_") or key not in self._values:
            raise AttributeError(
                f"expected a field of '{self._path}' ({', '.join(self)}), got '{key}'"
            )
        return self[key]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self})

    def __repr__(self) -> str:
        return f"Section({self._path or 'target'}: {', '.join(self)})"


@dataclass(frozen=True)
class Target:
    """One accelerator. Equal targets describe the same machine.

    Sections of the schema are attributes: ``target.memories.sram.bytes`` (bytes),
    ``target.engines.mxu.k_rows``, ``target.clock_mhz`` (MHz), ... Fields that the file
    leaves out have their defaults.

    Attributes:
        name: the target's name.
        canonical_json: every field as JSON, keys sorted; what programs store.
        hash: SHA-256 of `canonical_json`, in hexadecimal.
        text: the YAML that the target was read from.
        origin: name of the file or preset, for messages.
        sources: tags of where numbers come from, by field path.
    """

    name: str
    canonical_json: str
    hash: str
    text: str = field(repr=False, compare=False)
    origin: str = field(repr=False, compare=False)
    sources: Mapping[str, str] = field(repr=False, compare=False)

    @classmethod
    def from_yaml(cls, text: str, origin: str = "<yaml>") -> Target:
        """Reads YAML (or JSON) text.

        Raises:
            TargetError: the text is not a legal target; one line per problem, each
                with its place, the field, what was expected and the remedy.
        """
        parsed = _core.parse_target(text, origin)
        if "text" in parsed:
            raise TargetError(parsed["text"])
        return cls(
            name=parsed["name"],
            canonical_json=parsed["canonical"],
            hash=parsed["hash"].hex(),
            text=text,
            origin=origin,
            sources=parsed["sources"],
        )

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Target:
        """Reads a YAML file.

        Raises:
            TargetError: the file cannot be read or is not a legal target.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise TargetError(f"cannot read target file '{os.fspath(path)}': {reason}") from error
        return cls.from_yaml(text, os.fspath(path))

    @classmethod
    def from_name(cls, name: str) -> Target:
        """The preset called `name` (see `targets`).

        Raises:
            TargetError: there is no such preset.
        """
        if name not in targets():
            raise TargetError(
                f"unknown target '{name}'; expected one of {', '.join(targets())}, "
                "or the path of a .yaml file"
            )
        directory = _source_presets()
        if directory is not None:
            return cls.from_file(directory / f"{name}.yaml")
        text = _core.preset_text(name)
        assert text is not None
        return cls.from_yaml(text, name)

    @classmethod
    def resolve(cls, target: TargetLike) -> Target:
        """A target from itself, a preset name, or the path of a YAML file.

        A string is a path when it has a path separator or the suffix .yaml, .yml or
        .json.
        """
        if isinstance(target, Target):
            return target
        if not isinstance(target, (str, os.PathLike)):
            raise TargetError(
                "expected the name of a preset, the path of a .yaml file or an asic.Target, "
                f"got {type(target).__name__}"
            )
        text = os.fspath(target)
        is_path = "/" in text or text.endswith((".yaml", ".yml", ".json"))
        if is_path or not isinstance(target, str):
            return cls.from_file(text)
        return cls.from_name(text)

    def replace(self, changes: Mapping[str, Any]) -> Target:
        """This target with other values, e.g. ``{"engines.mxu.k_rows": 32}``.

        Fields that the file leaves out follow the change as their defaults say.

        Raises:
            TargetError: the result is not a legal target.
        """
        values = yaml.safe_load(self.text)
        for path, value in changes.items():
            *sections, key = path.split(".")
            section = values
            for name in sections:
                section = section.setdefault(name, {})
                if not isinstance(section, dict):
                    raise TargetError(f"{path}: expected a section, got '{name}'")
            section[key] = value
        described = ", ".join(f"{path}={value}" for path, value in changes.items())
        return Target.from_yaml(json.dumps(values), f"{self.name} with {described}")

    def to_dict(self) -> dict[str, Any]:
        """Every field, as plain Python values."""
        values: dict[str, Any] = json.loads(self.canonical_json)
        return values

    @property
    def fields(self) -> Section:
        """The whole target as a section."""
        return Section("", self.to_dict())

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):
            raise AttributeError(key)
        return getattr(self.fields, key)


def targets() -> list[str]:
    """Names of the presets, sorted."""
    directory = _source_presets()
    if directory is not None:
        return sorted(path.stem for path in directory.glob("*.yaml"))
    return list(_core.preset_names())


def _source_presets() -> Path | None:
    """The folder targets/ when running from a source tree: no rebuild after an edit."""
    root = Path(__file__).resolve().parents[2]
    directory = root / "targets"
    in_tree = (root / "python" / "asic" / "target.py").is_file()
    return directory if in_tree and directory.is_dir() else None
