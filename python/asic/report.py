# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where every cycle and byte of a compiled model goes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asic.explain import crossing_text, placement, record_table
from asic.tables import WIDTH, byte_text, new_table, source_text, time_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

    from asic.compiled import Compiled
    from asic.machine import Timing


@dataclass(frozen=True)
class Report:
    """Latency, traffic and utilisation of one inference.

    The machine is timed without data: its programs are scheduled statically, so the
    numbers hold for every input. Print it, or take `to_dict()` / `to_json()`.
    """

    values: dict[str, Any]

    @staticmethod
    def of(compiled: Compiled) -> Report:
        """The report of a compiled model; programs that run one after the other add up."""
        timings = [machine.timing() for machine in compiled.machines.values()]
        facts, target = compiled.facts, compiled.target
        cycles = sum(t.cycles for t in timings) if target else None
        clock = float(target.clock_mhz) if target else None
        bound = facts.lower_bound_cycles if target else None
        return Report(
            {
                "target": target.name if target else "cpu",
                "clock_mhz": clock,
                "cycles": cycles,
                "latency_ms": None if cycles is None or not clock else cycles / clock / 1e3,
                "macs": facts.macs,
                "host_macs": facts.host_macs,
                "lower_bound_cycles": bound,
                "bound_ratio": cycles / bound if cycles and bound else None,
                "mac_utilization": _utilization(facts.macs, cycles, target),
                "dram_read_bytes": sum(t.dram_read_bytes for t in timings),
                "dram_write_bytes": sum(t.dram_write_bytes for t in timings),
                "sram_peak_bytes": max((t.sram_peak_bytes for t in timings), default=0),
                "program_bytes": sum(t.program_bytes for t in timings),
                "weights_bytes": facts.weights_bytes,
                "state_bytes": compiled.state.nbytes,
                "energy_uj": _total([t.energy_uj for t in timings]),
                "engines": _engines(timings),
                "layers": [dict(layer) for t in timings for layer in t.layers],
                "fallbacks": [dict(f) for f in facts.fallbacks],
                "slow_paths": [dict(f) for f in facts.slow_paths],
                "placement": placement(compiled),
                "compile_seconds": facts.compile_seconds,
                "phase_seconds": dict(facts.phase_seconds),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain Python values; the keys are the names of the attributes."""
        copy: dict[str, Any] = json.loads(self.to_json())
        return copy

    def to_json(self, indent: int | None = 2) -> str:
        """The same as JSON text."""
        return json.dumps(self.values, indent=indent)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._summary()
        if self.values.get("buckets"):
            yield self._bucket_table()
        if self.values["engines"]:
            yield self._engine_table()
        if self.values["layers"]:
            yield self._layer_table()
        records = [*self.values["fallbacks"], *self.values["slow_paths"]]
        if records:
            yield record_table(records)

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=WIDTH, color_system=None)
        with console.capture() as capture:
            console.print(self)
        return capture.get()

    def _summary(self) -> Table:
        v = self.values
        table = new_table(f"{v['target']}", ("", "left"), ("", "right"))
        table.show_header = False
        if v["cycles"] is not None:
            table.add_row("cycles", f"{v['cycles']:,}")
            table.add_row(f"latency at {v['clock_mhz']:g} MHz", time_text(v["latency_ms"]))
        if v["placement"]["host_steps"] and v["cycles"] is not None:
            table.add_row("host steps, not in the latency", f"{v['placement']['host_steps']}")
            table.add_row("crossings, not in the latency", crossing_text(v["placement"]))
        if v["bound_ratio"]:
            table.add_row("lower bound", f"{v['lower_bound_cycles']:,} cycles")
            table.add_row("cycles / lower bound", f"{v['bound_ratio']:.2f}")
            table.add_row("MAC utilisation", f"{v['mac_utilization']:.1%}")
        if v["macs"]:
            table.add_row("multiply-accumulates", f"{v['macs']:,}")
        if v["host_macs"]:
            table.add_row("multiply-accumulates on the host", f"{v['host_macs']:,}")
        for key in ("dram_read", "dram_write", "sram_peak", "program", "weights", "state"):
            if v[f"{key}_bytes"]:
                table.add_row(key.replace("_", " "), byte_text(v[f"{key}_bytes"]))
        if v["energy_uj"] is not None:
            table.add_row("energy", f"{v['energy_uj']:.2f} µJ")
        table.add_row("compiled in", f"{v['compile_seconds']:.2f} s")
        return table

    def _bucket_table(self) -> Table:
        padding = self.values["padding"]
        on_machine = self.values["cycles"] is not None
        columns = ("cycles", "latency", "MACs", "program") if on_machine else ("MACs",)
        table = new_table(
            f"buckets; {padding['calls']} calls, {padding['share']:.0%} of their elements padding",
            ("sizes", "left"),
            *((column, "right") for column in (*columns, "calls")),
        )
        for row in self.values["buckets"]:
            name = ", ".join(f"{label}={size}" for label, size in row["sizes"].items())
            cells = [f"{row['macs'] or row['host_macs']:,}"]
            if on_machine:
                cells = [f"{row['cycles']:,}", time_text(row["latency_ms"]), *cells]
                cells.append(byte_text(row["program_bytes"]))
            table.add_row(name, *cells, f"{padding['calls_by_bucket'].get(name, 0)}")
        return table

    def _engine_table(self) -> Table:
        table = new_table(
            "engines", ("engine", "left"), ("busy", "right"), ("stall", "right"), ("idle", "right")
        )
        for name, times in self.values["engines"].items():
            total = max(sum(times[k] for k in ("busy", "stall", "idle")), 1)
            table.add_row(
                name, *(f"{times[k]:,} ({times[k] / total:.0%})" for k in ("busy", "stall", "idle"))
            )
        return table

    def _layer_table(self) -> Table:
        table = new_table(
            "layers",
            ("layer", "left"),
            ("source", "left"),
            ("busy cycles by engine", "left"),
            ("MACs", "right"),
            ("bytes", "right"),
        )
        for layer in self.values["layers"]:
            table.add_row(
                layer["name"],
                source_text(layer["source"]),
                ", ".join(f"{n} {c:,}" for n, c in list(layer["engines"].items())[:3]),
                f"{layer['macs']:,}" if layer["macs"] else "",
                byte_text(layer["bytes"]),
            )
        return table


def _total(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _utilization(macs: int, cycles: int | None, target: Any) -> float | None:
    """MACs over what the array can do in that time, in its fastest mode."""
    if not cycles or target is None:
        return None
    mxu = target.engines.mxu
    rate = max(float(mode[3]) for mode in mxu.modes) * mxu.k_rows * mxu.n_cols
    return float(macs / (cycles * rate * target.cores))


def _engines(timings: list[Timing]) -> dict[str, dict[str, int]]:
    """Busy, stall and idle cycles of every engine, over programs one after the other."""
    result: dict[str, dict[str, int]] = {}
    for timing in timings:
        for name, times in timing.engines.items():
            entry = result.setdefault(name, {"busy": 0, "stall": 0, "idle": 0})
            for key in entry:
                entry[key] += times[key]
    return result
