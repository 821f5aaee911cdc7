# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of this computer for a model of dynamic shape, made when a size first comes.

The first sizes have programs of their own. A model that goes on meeting new ones would
compile for ever: from then on a new size runs in the program of the next power of two,
padded and masked as on an accelerator.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from asic.errors import CompileError
from asic.sizes import Dimensions, Hidden

if TYPE_CHECKING:
    from asic.compiled import Compiled

#: Sizes that get programs of their own.
MOST_EXACT = 32

#: Compiles a flat module for one size of each symbol.
Make = Callable[[Mapping[str, int]], "Compiled"]
#: A program: its sizes, itself, the inputs that it takes behind the user's.
Choice = tuple[Mapping[str, int], "Compiled", tuple[Hidden, ...]]


class OnDemand:
    """Makes and keeps programs.

    Args:
        dimensions: the model's.
        exact: makes a program without masks.
        padded: gives what makes a program with masks, and its hidden inputs; raises
            CompileError where padding cannot be masked. None to have exact programs only.
    """

    def __init__(
        self,
        dimensions: Dimensions,
        exact: Make,
        padded: Callable[[], tuple[Make, tuple[Hidden, ...]]] | None = None,
    ) -> None:
        self.dimensions = dimensions
        self._exact = exact
        self._padded = padded
        self._masked: tuple[Make, tuple[Hidden, ...]] | None = None
        self._kept: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()
        self._buckets: dict[tuple[int, ...], Compiled] = {}

    def choose(self, sizes: Mapping[str, int]) -> Choice:
        """The program for a call of `sizes`, made now if there is none."""
        key = self._key(sizes)
        if key not in self._kept and len(self._kept) >= MOST_EXACT and self._can_mask():
            return self._bucket(sizes)
        if key not in self._kept:
            self._kept[key] = self._exact(sizes)
            if len(self._kept) > MOST_EXACT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return sizes, self._kept[key], ()

    def _bucket(self, sizes: Mapping[str, int]) -> Choice:
        assert self._masked is not None, "a bucket of a model that cannot be masked"
        make, hidden = self._masked
        bucket = {
            symbol: min(1 << (sizes[symbol] - 1).bit_length(), high)
            for symbol, (_, high) in self.dimensions.ranges.items()
        }
        key = self._key(bucket)
        if key not in self._buckets:
            self._buckets[key] = make(bucket)
        return bucket, self._buckets[key], hidden

    def _can_mask(self) -> bool:
        if self._masked is None and self._padded is not None:
            try:
                self._masked = self._padded()
            except CompileError:  # Exact programs do without, the oldest are forgotten.
                self._padded = None
        return self._masked is not None

    def _key(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(sizes[symbol] for symbol in self.dimensions.ranges)
