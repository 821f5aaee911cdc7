# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models of dynamic shape: one program per bucket of sizes, chosen at run time.

An accelerator's programs have fixed shapes. Inputs are padded to the smallest bucket that
holds them, results are cut back, and masks in the programs keep the padding from mixing
with the rest (docs/dynamic-shapes.md). On this computer the largest bucket's program takes
all sizes and stops where a call's end; where padding cannot be masked, programs are made when
sizes come (`asic.ondemand`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from asic.compiled import Compiled
from asic.errors import CompileError, ProgramError
from asic.facts import Facts
from asic.ondemand import OnDemand
from asic.sizes import Dimensions, Hidden, Sizes, default_sizes
from asic.structure import Structure
from asic.tensors import Array, check_dtype, to_array

if TYPE_CHECKING:
    from asic.machine import Machine
    from asic.profile import Profile
    from asic.reading import Source
    from asic.report import Report
    from asic.state import State
    from asic.target import Target

#: Programs that one compilation makes at most.
MOST_BUCKETS = 64


@dataclass(frozen=True)
class Bucket:
    """A program for one size of each dynamic dimension.

    Attributes:
        sizes: size by the name of the dimension.
        compiled: the program; it takes and gives flat, padded tensors.
    """

    sizes: dict[str, int]
    compiled: Compiled


@dataclass
class Waste:
    """Elements of inputs that calls had, and that programs worked on instead."""

    calls: int = 0
    useful: int = 0
    padded: int = 0
    by_bucket: dict[str, int] = field(default_factory=dict)

    def add(self, bucket: str, useful: int, padded: int) -> None:
        """Counts a call."""
        self.calls += 1
        self.useful += useful
        self.padded += padded
        self.by_bucket[bucket] = self.by_bucket.get(bucket, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `share` is the part of the work that was for padding."""
        share = 1 - self.useful / self.padded if self.padded else 0.0
        return {
            "calls": self.calls,
            "useful_elements": self.useful,
            "padded_elements": self.padded,
            "share": share,
            "calls_by_bucket": dict(self.by_bucket),
        }


def bucket_sizes(
    dimensions: Dimensions, given: Mapping[str, Sequence[int]] | None
) -> list[dict[str, int]]:
    """Sizes of every bucket by symbol, small ones first.

    Raises:
        CompileError: `given` does not fit the dimensions.
    """
    given = dict(given or {})
    chosen: dict[str, tuple[int, ...]] = {}
    for symbol, (low, high) in dimensions.ranges.items():
        label = dimensions.labels[symbol]
        sizes = given.pop(label, None)
        if sizes is None:
            chosen[symbol] = default_sizes(low, high)
            continue
        sizes = tuple(sorted(set(sizes)))
        if not sizes or sizes[-1] != high or sizes[0] < low:
            raise CompileError(
                f"expected buckets of '{label}' between {low} and {high}, the last one {high}, "
                f"got {sizes}; change the buckets or the Dim",
                phase="options",
            )
        chosen[symbol] = sizes
    if given:
        raise CompileError(
            f"expected buckets of {', '.join(map(repr, dimensions.labels.values()))}, got "
            f"'{next(iter(given))}'; use the names of the Dims",
            phase="options",
        )
    result = [
        dict(zip(chosen, sizes, strict=True)) for sizes in itertools.product(*chosen.values())
    ]
    if len(result) > MOST_BUCKETS:
        raise CompileError(
            f"expected at most {MOST_BUCKETS} combinations of buckets, got {len(result)}; give "
            "fewer sizes in CompileOptions.buckets",
            phase="options",
        )
    return result


class DynamicCompiled(Compiled):
    """A compiled model of dynamic shape. Call it as the model is called.

    Attributes:
        dimensions: the dynamic sizes, their names and bounds.
        buckets: the programs, small ones first; on this computer one, for all sizes, or none
            where they are made size by size.
        state: of all programs; a value moves when another program than the one before runs.
        waste: what padding has cost in all calls so far.
        inputs, outputs: as of any `Compiled`, at the largest sizes.
    """

    def __init__(
        self,
        *,
        target: Target | None,
        dimensions: Dimensions,
        hidden: tuple[Hidden, ...],
        buckets: tuple[Bucket, ...],
        structure: Structure,
        state: State | None = None,
        programs: OnDemand | None = None,
        host: Callable[[], DynamicCompiled] | None = None,
        source: Source | None = None,
    ) -> None:
        largest = {symbol: high for symbol, (_, high) in dimensions.ranges.items()}
        super().__init__(
            target=target,
            inputs=tuple(t.at(largest) for t in dimensions.inputs),
            outputs=tuple(t.at(largest) for t in dimensions.outputs),
            structure=structure,
            steps=(),
            results=(),
            machines={},
            host_text="",
            host_constants={},
            facts=buckets[-1].compiled.facts if buckets else Facts(),
            state=state,
            source=source,
        )
        self.dimensions = dimensions
        self.hidden = hidden
        self.buckets = buckets
        self.waste = Waste()
        self._programs = programs
        self._host_maker = host
        #: The program that ran last: what it keeps in its DRAM is the state.
        self._last: Compiled | None = None
        if buckets:
            self.stages = buckets[-1].compiled.stages
            kept = [bucket.compiled.kept_on_device for bucket in buckets]
            self.state.keep_on_device(frozenset.intersection(*kept))
        for bucket in buckets:
            bucket.compiled.share_state(self.state)

    def run_flat(self, leaves: list[Any], sizes: Sizes | None = None) -> list[Array]:
        """Runs the program that fits; returns results of the true sizes."""
        arrays, sizes = self._accept(leaves)
        bucket, compiled, hidden = self._choose(sizes)
        padded = self._pad(arrays, sizes, bucket, hidden)
        # An accelerator's programs work on the padding, too; here they stop where sizes end.
        is_exact = self.target is None
        outputs = compiled.run_flat(list(padded), sizes if is_exact else None)
        if self.state and self._last not in (None, compiled):
            self._last.free_regions()
        self._last = compiled
        worked = arrays if is_exact else padded
        self.waste.add(self.name_of(bucket), *_elements(arrays, worked))
        return self._cut(outputs, sizes)

    def profile(self, *args: Any, **kwargs: Any) -> Profile:
        """Runs the program that fits with the machine's clock; see `Compiled.profile`."""
        from dataclasses import replace

        leaves = self.structure.flatten(args, kwargs, len(self.inputs))
        arrays, sizes = self._accept(leaves)
        bucket, compiled, hidden = self._choose(sizes)
        padded = self._pad(arrays, sizes, bucket, hidden)
        waste = Waste()
        waste.add(self.name_of(bucket), *_elements(arrays, padded))
        return replace(compiled.profile(*padded), padding=waste.to_dict())

    def report(self) -> Report:
        """Where every cycle and byte of the largest bucket goes, and a row per bucket.

        `buckets` has each program, whose own `report` says all of it.
        """
        from asic.report import Report

        if not self.buckets:
            return Report({**Report.of(self).values, **self._dynamic_values([])})
        reports = [bucket.compiled.report().values for bucket in self.buckets]
        rows = [
            {
                "sizes": self._labelled(bucket.sizes),
                **{key: values[key] for key in ("cycles", "latency_ms", "macs", "host_macs")},
                **{key: values[key] for key in ("dram_read_bytes", "program_bytes")},
                "fallbacks": len(values["fallbacks"]),
                "compile_seconds": values["compile_seconds"],
            }
            for bucket, values in zip(self.buckets, reports, strict=True)
        ]
        seconds = sum(values["compile_seconds"] for values in reports)
        return Report({**reports[-1], **self._dynamic_values(rows), "compile_seconds": seconds})

    def _dynamic_values(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        bounds = {self.dimensions.labels[s]: list(r) for s, r in self.dimensions.ranges.items()}
        return {"dimensions": bounds, "buckets": rows, "padding": self.waste.to_dict()}

    def explain(self) -> Any:
        """Where every operation of the largest bucket runs; see `Compiled.explain`."""
        return self.buckets[-1].compiled.explain() if self.buckets else super().explain()

    @property
    def machines(self) -> dict[str, Machine]:
        """The programs of all buckets, by sizes and region."""
        return {
            f"{self.name_of(bucket.sizes)}/{name}": machine
            for bucket in self.buckets
            for name, machine in bucket.compiled.machines.items()
        }

    def on_host(self) -> Compiled:
        """The same model compiled for this computer: exact sizes, no padding.

        Raises:
            ProgramError: the model was loaded from a file.
        """
        if self._host_maker is None:
            return super().on_host()
        return self._host_maker()

    def _expect_storable(self) -> None:
        if not self.buckets:
            raise ProgramError(
                "expected a program for all sizes, got a model that this computer makes size by "
                "size, since its padding cannot be masked or its largest inputs need 4 GiB; give "
                "CompileOptions.buckets, or Dims with a smaller max"
            )

    def name_of(self, sizes: Mapping[str, int]) -> str:
        """Gives "batch=4, seq=128"."""
        return ", ".join(f"{label}={size}" for label, size in self._labelled(sizes).items())

    def _labelled(self, sizes: Mapping[str, int]) -> dict[str, int]:
        return {self.dimensions.labels[symbol]: size for symbol, size in sizes.items()}

    def _accept(self, leaves: Sequence[Any]) -> tuple[list[Array], dict[str, int]]:
        if len(leaves) != len(self.inputs):
            raise ProgramError(f"expected {len(self.inputs)} inputs, got {len(leaves)}")
        arrays = [to_array(leaf) for leaf in leaves]
        for array, spec in zip(arrays, self.inputs, strict=True):
            check_dtype(array, spec)
        return arrays, self.dimensions.sizes_of([array.shape for array in arrays])

    def _choose(
        self, sizes: Mapping[str, int]
    ) -> tuple[Mapping[str, int], Compiled, tuple[Hidden, ...]]:
        """The sizes, the program and the hidden inputs of the smallest bucket that holds `sizes`."""
        if self._programs is not None:
            compiled = self._programs.choose(sizes)
            compiled.share_state(self.state)
            return sizes, compiled, ()
        fitting = [
            bucket
            for bucket in self.buckets
            if all(bucket.sizes[symbol] >= size for symbol, size in sizes.items())
        ]
        best = min(fitting, key=lambda b: tuple(b.sizes[s] for s in self.dimensions.ranges))
        return best.sizes, best.compiled, self.hidden

    def _pad(
        self,
        arrays: Sequence[Array],
        sizes: Mapping[str, int],
        bucket: Mapping[str, int],
        hidden: Sequence[Hidden],
    ) -> list[Array]:
        """The arrays with zeros behind, and the hidden inputs."""
        padded = []
        for array, tensor in zip(arrays, self.dimensions.inputs, strict=True):
            shape = tensor.at(bucket).shape
            if shape != array.shape:
                whole = np.zeros(shape, array.dtype)
                whole[tuple(slice(0, size) for size in array.shape)] = array
                array = whole
            padded.append(array)
        return padded + [made.value(sizes, bucket) for made in hidden]

    def _cut(self, outputs: Sequence[Array], sizes: Mapping[str, int]) -> list[Array]:
        result = []
        for array, tensor in zip(outputs, self.dimensions.outputs, strict=True):
            shape = tensor.at(sizes).shape
            cut = array[tuple(slice(0, size) for size in shape)]
            # `ascontiguousarray` gives a number a dimension.
            result.append(np.asarray(cut, order="C"))
        return result

    def __repr__(self) -> str:
        target = "cpu" if self.target is None else self.target.name
        bounds = ", ".join(
            f"{self.dimensions.labels[symbol]}: {low} to {high}"
            for symbol, (low, high) in self.dimensions.ranges.items()
        )
        return f"DynamicCompiled({bounds}, target={target}, {len(self.buckets)} buckets)"


def _elements(arrays: Sequence[Array], padded: Sequence[Array]) -> tuple[int, int]:
    useful = sum(array.size for array in arrays)
    return useful, sum(array.size for array in padded[: len(arrays)])
