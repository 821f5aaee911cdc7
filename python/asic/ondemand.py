# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of this computer for a model of dynamic shape, made when a size first comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from asic.sizes import Dimensions

if TYPE_CHECKING:
    from asic.compiled import Compiled

#: Programs that are kept; the one that ran longest ago makes room.
MOST_PROGRAMS = 32

#: Compiles a flat module for one size of each symbol.
Make = Callable[[Mapping[str, int]], "Compiled"]


class OnDemand:
    """Makes and keeps programs of exact sizes, without padding.

    Args:
        dimensions: the model's.
        make: makes a program.
    """

    def __init__(self, dimensions: Dimensions, make: Make) -> None:
        self._dimensions = dimensions
        self._make = make
        self._kept: OrderedDict[tuple[int, ...], Compiled] = OrderedDict()

    def choose(self, sizes: Mapping[str, int]) -> Compiled:
        """The program for a call of `sizes`, made now if there is none."""
        key = tuple(sizes[symbol] for symbol in self._dimensions.ranges)
        if key not in self._kept:
            self._kept[key] = self._make(sizes)
            if len(self._kept) > MOST_PROGRAMS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
