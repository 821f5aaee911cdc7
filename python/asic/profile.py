# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A timed run of a compiled model: every instruction, every layer."""

from __future__ import annotations

import html
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asic.compiled import Compiled
    from asic.machine import Timing


@dataclass(frozen=True)
class Profile:
    """What the machine's clock said.

    Attributes:
        compiled: the model that ran.
        runs: name of each program in order, and its timing.
        padding: of a model of dynamic shape, what this call wasted (`asic.buckets.Waste`).
    """

    compiled: Compiled
    runs: tuple[tuple[str, Timing], ...]
    padding: dict[str, Any] | None = None

    @property
    def cycles(self) -> int:
        """Cycles of all programs, one after the other."""
        return sum(timing.cycles for _, timing in self.runs)

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Name, source, engine, cycles, macs and bytes of each layer."""
        return [dict(layer) for _, timing in self.runs for layer in timing.layers]

    def trace(self, path: str | os.PathLike[str]) -> None:
        """Writes a trace that ui.perfetto.dev opens: one row per engine."""
        events: list[dict[str, Any]] = []
        clock = float(self.compiled.target.clock_mhz) if self.compiled.target else 1.0
        start = 0.0
        for number, (name, timing) in enumerate(self.runs):
            events.append(
                {"ph": "M", "name": "process_name", "pid": number, "args": {"name": name}}
            )
            for event in json.loads(timing.trace)["traceEvents"]:
                event["pid"] = number
                if "ts" in event:
                    event["ts"] += start
                events.append(event)
            start += timing.cycles / clock
        Path(path).write_text(
            json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}), encoding="utf-8"
        )

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Writes one page without links to anywhere: engines and layers as bars."""
        Path(path).write_text(self._page(), encoding="utf-8")

    def __str__(self) -> str:
        lines = [f"{self.cycles:,} cycles"]
        if self.padding is not None:
            lines.append(
                f"{self.padding['useful_elements']:,} of {self.padding['padded_elements']:,} "
                f"elements used, {self.padding['share']:.0%} padding"
            )
        for layer in self.layers:
            lines.append(f"{layer['cycles']:>12,}  {layer['engine']:<5} {layer['name']}")
        return "\n".join(lines)

    def _page(self) -> str:
        target = self.compiled.target
        title = f"{target.name if target else 'cpu'}: {self.cycles:,} cycles"
        engines = "".join(
            self._bar(f"{name} {engine}", times["busy"], timing.cycles, times)
            for name, timing in self.runs
            for engine, times in timing.engines.items()
        )
        most = max((layer["cycles"] for layer in self.layers), default=1)
        layers = "".join(
            self._bar(
                f"{layer['name']} ({layer['engine']})",
                layer["cycles"],
                most,
                {k: layer[k] for k in ("cycles", "macs", "bytes", "source")},
            )
            for layer in self.layers
        )
        return _PAGE.format(title=html.escape(title), engines=engines, layers=layers)

    @staticmethod
    def _bar(label: str, value: int, whole: int, details: dict[str, Any]) -> str:
        share = 100 * value / max(whole, 1)
        hint = html.escape(", ".join(f"{key} {value}" for key, value in details.items()))
        return (
            f'<tr title="{hint}"><td>{html.escape(label)}</td><td class="n">{value:,}</td>'
            f'<td class="b"><div style="width:{share:.2f}%"></div></td></tr>\n'
        )


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px system-ui, sans-serif; margin: 2em; max-width: 70em; }}
table {{ border-collapse: collapse; width: 100%; }}
td {{ padding: 2px 8px; }}
.n {{ text-align: right; font-variant-numeric: tabular-nums; }}
.b {{ width: 50%; background: #eee; }}
.b div {{ background: #3b6ea5; height: 1em; }}
</style>
<h1>{title}</h1>
<h2>Engines: busy cycles</h2><table>{engines}</table>
<h2>Layers: cycles of the busiest engine</h2><table>{layers}</table>
</html>
"""
