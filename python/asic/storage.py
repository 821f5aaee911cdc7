# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models as files.

A model that runs on the accelerator alone is a program container, which `asic-run` takes
too; names, nesting and report data are an extra part of its metadata. A model with host
parts, with several programs or with state is a zip archive of containers, the host
functions as MLIR text, their constants, and the state: its first values and, where they
differ, its values at the time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from asic import _core
from asic.compiled import Compiled
from asic.errors import AsicError, ProgramError
from asic.facts import Facts, Step
from asic.machine import Machine
from asic.state import State
from asic.structure import Structure
from asic.tensors import TensorSpec, raw

#: Version of the manifest that this module writes and the newest that it reads.
VERSION = 1
_MANIFEST = "manifest.json"
_HOST = "host.mlir"
_INITIAL = "state/initial/"
_CURRENT = "state/current/"
#: Key of the manifest in a container's metadata.
_KEY = "python"


def save(compiled: Compiled, path: str | os.PathLike[str]) -> None:
    """Writes `compiled`; see `Compiled.save`."""
    try:
        with _atomic(Path(path)) as file:
            write(compiled, file)
    except OSError as problem:
        raise ProgramError(
            f"cannot write {os.fspath(path)}: {problem.strerror}; nothing was changed"
        ) from problem


def write(compiled: Compiled, file: IO[bytes]) -> None:
    """Writes `compiled` as `load` and `from_bytes` take it."""
    from asic.buckets import DynamicCompiled
    from asic.bucketstore import archive

    if isinstance(compiled, DynamicCompiled):
        file.write(archive(compiled, VERSION, to_bytes))
        return
    manifest = _manifest(compiled)
    machines = list(compiled.machines.values())
    if len(machines) == 1 and not compiled.host_text and not compiled.state:
        file.write(machines[0].serialize(_KEY, json.dumps(manifest)))
    else:
        _write_archive(compiled, manifest, file)


def to_bytes(compiled: Compiled) -> bytes:
    """What `save` writes."""
    buffer = io.BytesIO()
    write(compiled, buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> Compiled:
    """The inverse of `to_bytes`."""
    return _from_archive(data) if data.startswith(b"PK") else _from_container(data)


def load(path: str | os.PathLike[str]) -> Compiled:
    """Reads what `Compiled.save` wrote.

    Raises:
        ProgramError: the file is missing, damaged, of another kind or too new.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as problem:
        raise ProgramError(f"cannot read {os.fspath(path)}: {problem.strerror}") from problem
    try:
        return from_bytes(data)
    except AsicError as problem:
        raise ProgramError(f"{os.fspath(path)}: {problem}") from problem
    except Exception as problem:  # Damage may look like anything to the zip reader.
        raise ProgramError(
            f"{os.fspath(path)}: expected a compiled model, got a damaged one ({problem}); "
            "compile and save it again"
        ) from problem


def _manifest(compiled: Compiled) -> dict[str, Any]:
    return {
        "version": VERSION,
        "target": None if compiled.target is None else compiled.target.canonical_json,
        "inputs": [dataclasses.asdict(spec) for spec in compiled.inputs],
        "outputs": [dataclasses.asdict(spec) for spec in compiled.outputs],
        "state": {
            path: dataclasses.asdict(compiled.state.specs[path]) for path in compiled.state_paths
        },
        "structure": compiled.structure.to_json(),
        "steps": [dataclasses.asdict(step) for step in compiled.steps],
        "results": list(compiled.results),
        "facts": dataclasses.asdict(compiled.facts),
        "programs": list(compiled.machines),
    }


def _check_version(version: int) -> None:
    if version > VERSION:
        raise ProgramError(
            f"expected a model of version {VERSION} or older, got version {version}; update "
            "asic-mlir"
        )


def _from_manifest(
    manifest: dict[str, Any],
    programs: dict[str, bytes],
    host_text: str,
    host_constants: dict[str, bytes],
    initial: dict[str, bytes],
    current: dict[str, bytes],
) -> Compiled:
    from asic.target import Target

    _check_version(manifest["version"])
    target = manifest["target"]
    facts = dict(manifest["facts"])
    for key in ("fallbacks", "slow_paths"):
        facts[key] = tuple(facts.get(key, ()))
    return Compiled(
        target=None if target is None else Target.from_yaml(target, "saved model"),
        inputs=_specs(manifest["inputs"]),
        outputs=_specs(manifest["outputs"]),
        structure=Structure.from_json(manifest["structure"]),
        steps=tuple(
            Step(s["function"], s["on_host"], tuple(s["inputs"]), tuple(s["outputs"]))
            for s in manifest["steps"]
        ),
        results=tuple(manifest["results"]),
        machines={name: Machine(program) for name, program in programs.items()},
        host_text=host_text,
        host_constants={n: np.frombuffer(b, np.uint8) for n, b in host_constants.items()},
        facts=Facts(**facts),
        state=_state(manifest.get("state", {}), initial, current),
    )


def _state(
    entries: dict[str, dict[str, Any]], initial: dict[str, bytes], current: dict[str, bytes]
) -> State:
    specs = dict(zip(entries, _specs(list(entries.values())), strict=True))

    def array(path: str, data: bytes) -> Any:
        return np.frombuffer(data, np.uint8).view(specs[path].numpy).reshape(specs[path].shape)

    state = State(tuple(specs), tuple(specs.values()), {p: array(p, initial[p]) for p in specs})
    state.update({path: array(path, data) for path, data in current.items()})
    return state


def _specs(entries: list[dict[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(e["name"], tuple(e["shape"]), e["dtype"]) for e in entries)


def _parts(compiled: Compiled, manifest: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and bytes of an archive's members, made one after the other."""
    yield _MANIFEST, json.dumps(manifest).encode()
    for name, machine in compiled.machines.items():
        yield f"programs/{name}", machine.serialize()
    if compiled.host_text:
        yield _HOST, compiled.host_text.encode()
    for name, constant in sorted(compiled.host_constants.items()):
        yield f"constants/{name}", constant.data
    for path, array in compiled.state.initial.items():
        initial, now = raw(array).tobytes(), raw(compiled.state[path]).tobytes()
        yield f"{_INITIAL}{path}", initial
        if now != initial:
            yield f"{_CURRENT}{path}", now


def _write_archive(compiled: Compiled, manifest: dict[str, Any], file: IO[bytes]) -> None:
    """Writes a zip archive; its bytes depend on nothing but the model."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in _parts(compiled, manifest):
            info = zipfile.ZipInfo(name)
            # State is mostly zeros; programs and weights do not get smaller.
            if name.startswith((_INITIAL, _CURRENT)):
                info.compress_type = zipfile.ZIP_DEFLATED
            info.file_size = len(data)
            with archive.open(info, "w") as part:
                part.write(data)


def _from_archive(data: bytes) -> Compiled:
    from asic import bucketstore

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise ProgramError(f"expected intact parts, got damage in '{damaged}'")
        names = archive.namelist()
        if bucketstore.INDEX in names:
            _check_version(json.loads(archive.read(bucketstore.INDEX))["version"])
            return bucketstore.read(archive, from_bytes)
        if _MANIFEST not in names:
            raise ProgramError("expected a compiled model, got another zip archive")
        manifest = json.loads(archive.read(_MANIFEST))

        def below(folder: str) -> dict[str, bytes]:
            return {n.removeprefix(folder): archive.read(n) for n in names if n.startswith(folder)}

        programs = below("programs/")
        host_text = archive.read(_HOST).decode() if _HOST in names else ""
        return _from_manifest(
            manifest, programs, host_text, below("constants/"), below(_INITIAL), below(_CURRENT)
        )


def _from_container(data: bytes) -> Compiled:
    extra = _core.Machine.load(data).describe()["meta"]
    extra = extra.get("extra", extra)
    if _KEY not in extra:
        raise ProgramError(
            "expected a program saved by asic, got one without the model's names; "
            "run it with asic-run"
        )
    manifest = extra[_KEY]
    (name,) = manifest["programs"]
    return _from_manifest(manifest, {name: data}, "", {}, {}, {})


@contextlib.contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when everything has been written."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
