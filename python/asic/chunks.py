# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that have parts in common, stored once.

Data is cut where a hash of the bytes in front says so, not at fixed places, so that equal
stretches give equal pieces wherever they lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from asic.errors import ProgramError

#: Bytes that decide about a cut, the least size of a piece, and what is added on average
#: as a power of two.
_WINDOW = 8
_LEAST = 1 << 10
_MEAN_BITS = 12
#: An odd multiplier of 64 bits (Knuth, The Art of Computer Programming 3.3.4).
_FACTOR = np.uint64(6364136223846793005)


def cut(data: bytes) -> list[bytes]:
    """Pieces of `data` in order; equal stretches of two files give mostly equal pieces."""
    found: list[Any] = []
    for offset in range(min(_WINDOW, len(data) - _WINDOW + 1)):
        words = np.frombuffer(data, "<u8", (len(data) - offset) // _WINDOW, offset)
        # Not 0: zeros would be cut everywhere.
        hits = np.flatnonzero((words * _FACTOR) >> np.uint64(64 - _MEAN_BITS) == 1)
        found.append(offset + _WINDOW * (hits + 1))
    ends = np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)
    borders = [0]
    for end in ends.tolist():
        if end - borders[-1] >= _LEAST:
            borders.append(end)
    if borders[-1] != len(data):
        borders.append(len(data))
    return [data[a:b] for a, b in zip(borders, borders[1:], strict=False)]


def pack(files: Mapping[str, bytes]) -> tuple[bytes, dict[str, Any]]:
    """One store for all files and what is where in it."""
    store = bytearray()
    places: dict[bytes, tuple[int, int]] = {}
    index: dict[str, Any] = {}
    for name, data in files.items():
        found: list[list[int]] = []
        for piece in cut(data):
            key = hashlib.sha256(piece).digest()
            if key not in places:
                places[key] = (len(store), len(piece))
                store += piece
            start, size = places[key]
            if found and found[-1][0] + found[-1][1] == start:
                found[-1][1] += size
            else:
                found.append([start, size])
        index[name] = found
    return bytes(store), index


def unpack(store: bytes, index: Mapping[str, Any]) -> dict[str, bytes]:
    """The files again.

    Raises:
        ProgramError: the index names places that the store does not have.
    """
    files = {}
    for name, places in index.items():
        pieces = [store[start : start + size] for start, size in places]
        if [len(piece) for piece in pieces] != [size for _, size in places]:
            raise ProgramError(f"expected all of '{name}' in the file, got a part; save it again")
        files[name] = b"".join(pieces)
    return files
