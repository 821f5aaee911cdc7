# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From rows to docs/architectures.md: functions of the rows and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

Row = dict[str, Any]

#: Largest error against PyTorch in f32 that counts as right, by what computes.
TOLERANCE = {"cpu": 1e-4, "float": 5e-2, "int8": 3e-1}
#: Largest difference between the emulator and this computer in the target's arithmetic.
TWIN_TOLERANCE = 2e-2
#: Share of multiply-accumulates on the accelerator that counts as running there.
MAC_SHARE = 0.99

_PHASES = ("build", "import", "cpu", "accelerator")


def is_refused(row: Row) -> bool:
    """Whether a model that cannot be compiled was refused, with the reason expected."""
    expected, entry = row.get("refused"), row.get("import") or {}
    return bool(expected) and not entry.get("ok", True) and expected in entry["message"]


def imports(row: Row) -> bool:
    """Whether the front end took the model."""
    return bool((row.get("import") or {}).get("ok"))


def runs_on_cpu(row: Row) -> bool:
    """Whether the model runs here, as right as f32 sums in another order are."""
    entry = row.get("cpu") or {}
    return bool(entry.get("ok")) and entry["error"] <= TOLERANCE["cpu"]


def runs_on_accelerator(row: Row) -> bool:
    """Whether the emulator's answer is right, with nearly all of the work on the accelerator."""
    entry = row.get("accelerator") or {}
    return (
        bool(entry.get("ok"))
        and entry["error"] <= TOLERANCE[row["mode"]]
        and entry["twin_error"] <= TWIN_TOLERANCE
        and (entry["mac_share"] is None or entry["mac_share"] >= MAC_SHARE)
    )


def verdict(row: Row) -> str:
    """The row in a line for the terminal."""
    parts = []
    for phase in _PHASES:
        entry = row.get(phase)
        if entry is None:
            continue
        text = phase
        if not entry["ok"]:
            text += f" failed: {entry['message']}"
        elif "error" in entry:
            text += f" {entry['error']:.1e}"
        if "twin_error" in entry:
            text += f", {_share(entry)} of MACs, {entry['steps']} steps"
            text += f", {entry['twin_error']:.0e} from the host"
        parts.append(f"{text} ({entry['seconds']:g} s)")
    if row.get("crash"):
        parts.append(row["crash"])
    return "; ".join(parts)


def page(rows: Sequence[Row], registered: Sequence[str] = ()) -> str:
    """The page: what was measured, the counts, one table per family, what failed and why.

    Names of `registered` that have no row are listed as such.
    """
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    lines = [_INTRODUCTION.strip(), "", *_summary(rows), "", _LEGEND.strip(), ""]
    measured = {row["name"] for row in rows}
    missing = [name for name in registered if name not in measured]
    if missing:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    for family, members in families.items():
        lines += [f"## {family[0].upper()}{family[1:]}", "", *_table(members), ""]
    lines += ["## Refusals and shortfalls", "", *_notes(rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def _summary(rows: Sequence[Row]) -> list[str]:
    wanted = [row for row in rows if not row.get("refused")]
    refused = [row for row in rows if row.get("refused")]
    crashed = [row for row in rows if row.get("crash") or _bugs(row)]

    def line(what: str, count: int, total: int) -> str:
        share = f" ({count / total:.0%})" if total else ""
        return f"| {what} | {count} of {total}{share} |"

    return [
        "| | architectures |",
        "|---|---:|",
        line("imported", sum(map(imports, wanted)), len(wanted)),
        line(
            f"right on `cpu` (error ≤ {TOLERANCE['cpu']:g})",
            sum(map(runs_on_cpu, wanted)),
            len(wanted),
        ),
        line(
            f"right on `edge-tx1` with ≥ {MAC_SHARE:.0%} of MACs on the accelerator",
            sum(map(runs_on_accelerator, wanted)),
            len(wanted),
        ),
        line(
            "refused, as they must be, with reason and remedy",
            sum(map(is_refused, refused)),
            len(refused),
        ),
        line("ended by a crash or an error that is no message", len(crashed), len(rows)),
    ]


def _bugs(row: Row) -> bool:
    return any((row.get(phase) or {}).get("bug") for phase in _PHASES)


def _table(rows: Iterable[Row]) -> list[str]:
    head = (
        "| architecture | from | parameters | import | cpu error | edge-tx1 | error | MACs "
        "| on accelerator | steps | compile |"
    )
    return [head, "|---|---|---:|:-:|---:|---|---:|---:|---:|---:|---:|", *map(_line, rows)]


def _line(row: Row) -> str:
    build, cpu, edge = (row.get(k) or {} for k in ("build", "cpu", "accelerator"))
    cells = [row["name"], row["source"], _count(build.get("parameters"))]
    if is_refused(row):
        return _join([*cells, "refused", "", "", "", "", "", "", ""])
    cells.append("yes" if imports(row) else "**no**")
    cells.append(_error(cpu, runs_on_cpu(row)))
    if not edge.get("ok"):
        return _join([*cells, f"{row['mode']}, **no**", "", "", "", "", ""])
    share = _share(edge)
    if edge["mac_share"] is not None and edge["mac_share"] < MAC_SHARE:
        share = f"**{share}**"
    right = edge["error"] <= TOLERANCE[row["mode"]] and edge["twin_error"] <= TWIN_TOLERANCE
    cells += [row["mode"], _error(edge, right), _count(edge["macs"]), share]
    cells += [str(edge["steps"]), f"{edge['compile_seconds']:g} s"]
    return _join(cells)


def _join(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _count(value: int | None) -> str:
    if value is None:
        return ""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)


def _error(entry: Row, is_right: bool) -> str:
    if not entry.get("ok"):
        return "**no**"
    text = f"{entry['error']:.1e}"
    return text if is_right else f"**{text}**"


def _share(entry: Row) -> str:
    share = entry["mac_share"]
    if share is None:
        return "none"
    # Never rounded up to all of them.
    return "100 %" if share == 1 else f"{int(share * 1000) / 10:g} %"


def _notes(rows: Sequence[Row]) -> list[str]:
    """One entry per row that is not all right: message, or reasons of the host's share."""
    notes = []
    for row in rows:
        reasons = list(_reasons(row))
        if reasons:
            notes.append(f"* **{row['name']}**: " + " ".join(reasons))
    return notes or ["None."]


def _reasons(row: Row) -> Iterable[str]:
    if row.get("crash"):
        yield f"{row['crash']}."
    for phase in _PHASES:
        entry = row.get(phase) or {}
        if not entry.get("ok", True):
            yield f"{phase}: {_plain(entry['message'])}"
    edge = row.get("accelerator") or {}
    if edge.get("ok") and (edge["mac_share"] or 1) < MAC_SHARE:
        for fallback in edge["fallbacks"][:2]:
            yield f"on the host, {fallback['count']} × `{fallback['op']}`: {_plain(fallback['reason'])}."


def _plain(message: str) -> str:
    """A message in a line, without the folders of the machine that it was made on."""
    text = re.sub(r"\s+", " ", message).strip()
    text = re.sub(r"(/[\w.+-]+)+/(site-packages|benchmarks)/", r"", text)
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


_INTRODUCTION = """
# Architectures

Networks with random weights from a fixed seed, each imported, run on this computer and compiled for `edge-tx1`, whose
emulator's answer is compared with PyTorch's. The page is written by

```
pip install "asic-mlir[zoo]"      # torchvision, timm, transformers
python -m benchmarks.architectures --json docs/data/architectures.json --markdown docs/architectures.md
```

Each architecture runs in a process of its own with limits of time and memory. Rows that the JSON file has are kept:
`--only NAME` with `--again` measures some anew, `--list` names all. Networks are small (images of 16 to 96 pixels, two layers
of a transformer), since the emulator computes every product; the layers and how they are joined are those of the papers.
"""

_LEGEND = """
* **cpu error**, **error**: largest difference to PyTorch's f32 result over all outputs, relative to the largest magnitude
  of the output. On `edge-tx1` it contains the rounding of the format: products of bf16 numbers with f32 sums ("float"), or
  int8 after calibration on four random inputs ("int8"; random weights are the worst case for it).
  The emulator's answer also has to equal that of this computer following the target's arithmetic, or the error is bold.
* **MACs**, **on accelerator**: multiply-accumulates of convolutions and matrix products, and the share of them on the
  accelerator. **steps**: programs and host functions one inference calls, in turn; 1 means that nothing leaves the accelerator.
* **Bold** is what falls short; below the tables it says why.
"""
