# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of dynamic shape as files: a zip archive with the archives of all buckets, which
share what they have in common."""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from asic.buckets import Bucket, DynamicCompiled
from asic.chunks import pack, unpack
from asic.compiled import Compiled
from asic.sizes import Dimensions, DynamicTensor, Hidden
from asic.structure import Structure

#: The part that says what the others are.
INDEX = "dynamic.json"
_STORE = "store"


def archive(compiled: DynamicCompiled, version: int, write: Callable[[Compiled], bytes]) -> bytes:
    """The file; `write` makes that of one bucket."""
    files = {str(n): write(bucket.compiled) for n, bucket in enumerate(compiled.buckets)}
    store, places = pack(files)
    index = {
        "version": version,
        "dimensions": dataclasses.asdict(compiled.dimensions),
        "hidden": [dataclasses.asdict(hidden) for hidden in compiled.hidden],
        "structure": compiled.structure.to_json(),
        "buckets": [bucket.sizes for bucket in compiled.buckets],
        "places": places,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo(INDEX), json.dumps(index))
        file.writestr(zipfile.ZipInfo(_STORE), store)
    return buffer.getvalue()


def read(file: zipfile.ZipFile, load: Callable[[bytes], Compiled]) -> DynamicCompiled:
    """The inverse of `archive`; `load` reads one bucket."""
    index = json.loads(file.read(INDEX))
    files = unpack(file.read(_STORE), index["places"])
    buckets = tuple(
        Bucket(dict(sizes), load(files[str(number)]))
        for number, sizes in enumerate(index["buckets"])
    )
    return DynamicCompiled(
        target=buckets[-1].compiled.target,
        dimensions=_dimensions(index["dimensions"]),
        hidden=tuple(Hidden(**entry) for entry in index["hidden"]),
        buckets=buckets,
        # That of all programs is in the file of each.
        state=buckets[-1].compiled.state,
        structure=Structure.from_json(index["structure"]),
    )


def _dimensions(entry: dict[str, Any]) -> Dimensions:
    def tensors(entries: list[dict[str, Any]]) -> tuple[DynamicTensor, ...]:
        return tuple(DynamicTensor(e["name"], tuple(e["shape"]), e["dtype"]) for e in entries)

    return Dimensions(
        ranges={symbol: (low, high) for symbol, (low, high) in entry["ranges"].items()},
        labels=dict(entry["labels"]),
        inputs=tensors(entry["inputs"]),
        outputs=tensors(entry["outputs"]),
    )
