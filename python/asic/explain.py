# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Why every operation of a compiled model is where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from asic.tables import WIDTH, byte_text, count_text, new_table, source_text, time_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

    from asic.compiled import Compiled

#: Numbers of a text, not parts of names and types.
_NUMBER = re.compile(r"(?<![\w.<])\d+(?![\w.])")

#: Where the operators between float and integer are from.
_MARKER = "quantized_decomposed."

#: Columns of text that names and places take at most before they are folded.
_PLACE_WIDTH = 45

#: How a line of a log begins, by kind of record.
KINDS = {"refused": "on the host", "moved": "on the host", "slow path": "slow path"}


def record(
    entry: dict[str, Any], regions: dict[str, dict[str, Any]], clock: float
) -> dict[str, Any]:
    """A native record as the report has it.

    Args:
        entry: what the compiler says of one operation.
        regions: what each host region exchanges with the accelerator.
        clock: of the accelerator, in MHz.
    """
    source = f"{entry['file']}:{entry['line']}" if entry["file"] else ""
    crossing = regions.get(entry["region"], {"bytes_in": 0, "bytes_out": 0, "cycles": 0})
    return {
        "op": entry["torch_op"] or entry["op"],
        "location": ": ".join(part for part in (source, entry["layer"]) if part),
        "reason": entry["reason"],
        "kind": entry["kind"],
        "remedy": entry["remedy"],
        "ir_op": entry["op"],
        "source": source,
        "module": entry["layer"],
        "region": entry["region"],
        "crossing_bytes": crossing["bytes_in"] + crossing["bytes_out"],
        "crossing_cycles": crossing["cycles"],
        "crossing_ms": crossing["cycles"] / clock / 1e3,
        "lost_cycles": entry["lost_cycles"],
        "lost_ms": entry["lost_cycles"] / clock / 1e3,
    }


@dataclass(frozen=True)
class Group:
    """Operations that are where they are for one reason, with one remedy.

    Attributes:
        kind: "refused", "moved" or "slow path".
        reason, remedy: where texts differ in their numbers only, a range of each.
        count: how many operations there are.
        operations: their names, each once; the user's where they are known.
        sources: their lines, each once.
        modules: paths of the modules that they are in, each once.
        bytes, cycles: what crosses the border for them, both ways, with all of the host regions that they
            are in; of a slow path, the cycles above what the matrix unit takes at best.
        ms: the same time in milliseconds.
    """

    kind: str
    reason: str
    remedy: str
    count: int
    operations: tuple[str, ...]
    sources: tuple[str, ...]
    modules: tuple[str, ...]
    bytes: int
    cycles: int
    ms: float


def grouped(records: Iterable[dict[str, Any]]) -> list[Group]:
    """Records of one kind, operation, reason and remedy as one, the most costly first.

    What went to the host along with others is told apart by what it went with, not by operation. It
    costs nothing where something refused is in its region, which would be there without it.
    """
    records = list(records)
    refused = {entry["region"] for entry in records if entry["kind"] == "refused"}
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for entry in records:
        kind, moved = entry["kind"], entry["kind"] == "moved"
        texts = (_NUMBER.sub("0", entry[name]) for name in ("reason", "remedy"))
        groups.setdefault((kind, "" if moved else entry["op"], *texts), []).append(entry)
    result = [_group(rows, refused) for rows in groups.values()]
    return sorted(result, key=lambda group: -group.cycles)


def _group(rows: list[dict[str, Any]], refused: set[str]) -> Group:
    def distinct(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row[name] for row in rows if row[name]))

    kind, costs = rows[0]["kind"], rows
    if kind != "slow path":  # A region's crossing is paid for once.
        free = refused if kind == "moved" else ()
        costs = list({row["region"]: row for row in rows if row["region"] not in free}.values())
    return Group(
        kind=kind,
        reason=_merged([row["reason"] for row in rows]),
        remedy=_merged([row["remedy"] for row in rows]),
        count=len(rows),
        operations=distinct("op"),
        sources=distinct("source"),
        modules=distinct("module"),
        bytes=sum(row["crossing_bytes"] for row in costs),
        cycles=sum(row["crossing_cycles"] + row.get("lost_cycles", 0) for row in costs),
        ms=sum(row["crossing_ms"] + row.get("lost_ms", 0.0) for row in costs),
    )


def _merged(texts: list[str]) -> str:
    """Texts that differ in their numbers only as one, "3" and "5" as "3–5"."""
    numbers = zip(*(_NUMBER.findall(text) for text in dict.fromkeys(texts)), strict=True)
    spans = iter([sorted(set(column), key=int) for column in numbers])

    def span(_: re.Match[str]) -> str:
        column = next(spans)
        return column[0] if len(column) == 1 else f"{column[0]}–{column[-1]}"

    return _NUMBER.sub(span, texts[0])


@dataclass(frozen=True)
class Explanation:
    """Where a model's operations run, and why not elsewhere. Print it.

    Attributes:
        summary: target, operations and multiply-accumulates on either side, host steps,
            crossings with their bytes, cycles and milliseconds.
        records: one per operation on the host or on a slower engine: op (PyTorch's or ONNX's,
            where it is known), ir_op, kind, reason, remedy, source, module, region, what the region's
            crossing costs, and the cycles that a slower engine loses.
    """

    summary: dict[str, Any]
    records: tuple[dict[str, Any], ...]

    @staticmethod
    def of(compiled: Compiled) -> Explanation:
        """The explanation of a compiled model."""
        facts = compiled.facts
        return Explanation(placement(compiled), (*facts.fallbacks, *facts.slow_paths))

    @property
    def groups(self) -> list[Group]:
        """The records as a person reads them: one group per cause, the most costly first."""
        return grouped(self.records)

    def lines(self) -> Iterator[str]:
        """One line per group, for logs."""
        for group in self.groups:
            where = ": ".join(_places(group))
            yield (
                f"{KINDS[group.kind]}: {_operations(group)}{f' ({where})' if where else ''}: "
                f"{group.reason}; {group.remedy}"
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield summary_table(self.summary)
        if self.records:
            yield record_table(self.records)
        elif self.summary["target"] == "cpu":
            yield "compiled for this computer, where every operation runs"
        else:
            yield "every operation runs where it runs best"

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=WIDTH, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get()


def placement(compiled: Compiled) -> dict[str, Any]:
    """Operations, MACs and crossings of a compiled model."""
    facts, target = compiled.facts, compiled.target
    found = facts.placement
    regions = found.get("regions", [])
    cycles = sum(region["cycles"] for region in regions)
    return {
        "target": target.name if target else "cpu",
        "accelerator_ops": found.get("accelerator_ops", 0),
        "host_ops": found.get("host_ops", 0),
        "accelerator_macs": facts.macs,
        "host_macs": facts.host_macs,
        "host_steps": sum(step.on_host for step in compiled.steps),
        "crossings": found.get("crossings", 0),
        "crossing_bytes": sum(r["bytes_in"] + r["bytes_out"] for r in regions),
        "crossing_cycles": cycles,
        "crossing_ms": cycles / float(target.clock_mhz) / 1e3 if target else 0.0,
    }


def summary_table(summary: dict[str, Any]) -> Table:
    """Shares on the accelerator, and what crosses the border."""
    result = new_table("placement", ("", "left"), ("", "right"))
    result.show_header = False
    for title, key in (("operations", "ops"), ("multiply-accumulates", "macs")):
        inside, outside = summary[f"accelerator_{key}"], summary[f"host_{key}"]
        if inside + outside:
            share = inside / (inside + outside)
            text = f"{share:.1%} ({inside:,} of {inside + outside:,})"
            result.add_row(f"{title} on the accelerator", text)
    result.add_row("host steps", f"{summary['host_steps']}")
    result.add_row("crossings", crossing_text(summary))
    return result


def crossing_text(summary: dict[str, Any]) -> str:
    """How often control crosses the border, and with what."""
    if not summary["crossings"]:
        return "0"
    return (
        f"{summary['crossings']} ({byte_text(summary['crossing_bytes'])}, "
        f"{count_text(summary['crossing_cycles'], 'cycle')} of DRAM, "
        f"{time_text(summary['crossing_ms'])})"
    )


def record_table(records: Iterable[dict[str, Any]]) -> Table:
    """One row per group: what and where, why and what to do, and the price."""
    from rich.text import Text

    groups = grouped(records)
    count = sum(group.count for group in groups)
    result = new_table(
        f"not where it runs best: {count_text(count, 'operation')}, "
        f"{count_text(len(groups), 'cause')}",
        ("operation, where", "left"),
        ("why, and what to do", "left"),
        ("cost", "right"),
    )
    result.show_lines = True
    for column in (result.columns[0], result.columns[2]):
        column.no_wrap = True
    if any(group.bytes for group in groups):
        result.caption = (
            "cost: what crosses the border, both ways, with the host steps that they are in"
        )
        result.caption_justify = "left"
    for group in groups:
        lines = (_operations(group), *_places(group, _PLACE_WIDTH))
        where = "\n".join(part for line in lines for part in wrap(line, _PLACE_WIDTH))
        why = f"{KINDS[group.kind]}: {group.reason}\n→ {group.remedy}"
        result.add_row(*map(Text, (where, why, _cost(group))))
    return result


def _operations(group: Group) -> str:
    count = f"{group.count} x " if group.count > 1 else ""
    return count + _first([name.removeprefix(_MARKER) for name in group.operations], 3)


def _places(group: Group, width: int | None = None) -> list[str]:
    """Source lines, of at most `width` columns each, and modules, as far as they are known."""
    sources, file = [], ""
    for source in (source_text(source, width) for source in group.sources):
        before, (file, _, line) = file, source.rpartition(":")
        sources.append(line if file == before else source)
    return [text for text in (_first(sources, 3), _first(group.modules, 1)) if text]


def _first(names: Sequence[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _cost(group: Group) -> str:
    if not group.cycles:
        return ""
    first = byte_text(group.bytes) if group.bytes else "about"
    return f"{first}\n{count_text(group.cycles, 'cycle')}\n{time_text(group.ms)}"
