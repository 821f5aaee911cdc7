# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Why every operation of a compiled model is where it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asic.tables import byte_text, new_table, time_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

    from asic.compiled import Compiled

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
    }


@dataclass(frozen=True)
class Group:
    """Operations of one source line that are where they are for one reason.

    Attributes:
        first: the record of the first one.
        count: how many there are.
        operations: their names, each once; the user's where they are known.
    """

    first: dict[str, Any]
    count: int
    operations: tuple[str, ...]


def grouped(records: Iterable[dict[str, Any]]) -> list[Group]:
    """Records with the same kind, reason, source and module as one, in order."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for entry in records:
        key = tuple(entry.get(name) for name in ("kind", "reason", "location", "region"))
        groups.setdefault(key, []).append(entry)
    return [
        Group(
            rows[0],
            len(rows),
            tuple(dict.fromkeys(row["op"] for row in rows)),
        )
        for rows in groups.values()
    ]


@dataclass(frozen=True)
class Explanation:
    """Where a model's operations run, and why not elsewhere. Print it.

    Attributes:
        summary: target, operations and multiply-accumulates on either side, host steps,
            crossings with their bytes, cycles and milliseconds.
        records: one per operation on the host or on a slower engine: op (PyTorch's, where it
            is known), ir_op, kind,
            reason, remedy, source, module, region and what the region's crossing costs.
    """

    summary: dict[str, Any]
    records: tuple[dict[str, Any], ...]

    @staticmethod
    def of(compiled: Compiled) -> Explanation:
        """The explanation of a compiled model."""
        facts = compiled.facts
        return Explanation(placement(compiled), (*facts.fallbacks, *facts.slow_paths))

    def lines(self) -> Iterator[str]:
        """One line per group, for logs."""
        for group in grouped(self.records):
            entry = group.first
            count = f"{group.count} x " if group.count > 1 else ""
            where = f" ({entry['location']})" if entry["location"] else ""
            yield (
                f"{KINDS[entry['kind']]}: {count}{', '.join(group.operations)}{where}: "
                f"{entry['reason']}; {entry['remedy']}"
            )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield summary_table(self.summary)
        if self.records:
            yield record_table(self.records)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=140, color_system=None)
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
        f"{summary['crossing_cycles']:,} cycles of DRAM traffic, "
        f"{time_text(summary['crossing_ms'])})"
    )


def record_table(records: Iterable[dict[str, Any]]) -> Table:
    """One row per group: what, where, why, what to do, and the price."""
    result = new_table(
        "not where it runs best",
        ("", "right"),
        ("operation", "left"),
        ("where", "left"),
        ("why", "left"),
        ("remedy", "left"),
        ("crossing of the region", "right"),
    )
    for group in grouped(records):
        entry = group.first
        price = ""
        if entry.get("crossing_bytes"):
            price = f"{byte_text(entry['crossing_bytes'])}, {time_text(entry['crossing_ms'])}"
        result.add_row(
            f"{group.count} x" if group.count > 1 else "",
            ", ".join(group.operations),
            entry["location"],
            entry["reason"],
            entry["remedy"],
            price,
        )
    return result
