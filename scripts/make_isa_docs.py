#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the tables of docs/isa from the .def files; `--check` only compares.

A page holds `<!-- table: NAME -->` … `<!-- end -->` lines; what stands between them is made
here, the rest is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "isa"


def instruction_tables() -> dict[str, str]:
    """Mnemonic → Markdown table of its fields."""
    text = (ROOT / "runtime/isa/Instructions.def").read_text().replace("\\\n", " ")
    text = re.sub(r'"\s*\n\s*"', "", text)
    text = re.sub(r",\s*\n\s+\"", ', "', text)
    stream = re.search(r"#define STREAM_FIELDS\(i\)(.*)", text)
    assert stream, "no STREAM_FIELDS in Instructions.def"
    rows: dict[str, list[tuple[str, int, str, str]]] = {}
    mnemonics: dict[str, str] = {}
    heads: dict[str, str] = {}
    field = re.compile(r'FIELD\((\w+), (\S+), (\d+), (\w), "(.*?)"\)')
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if match := re.match(r'INSTRUCTION\((\w+), (\w+), (0x\w+), (\w+), "(.*)"\)', line):
            name, mnemonic, opcode, engine, summary = match.groups()
            mnemonics[name], rows[mnemonic] = mnemonic, []
            heads[mnemonic] = f"`{mnemonic}` (opcode {opcode}, engine {engine}): {summary}."
        elif match := field.match(line):
            name, *rest = match.groups()
            rows[mnemonics[name]].append((rest[0], int(rest[1]), rest[2], rest[3]))
        elif match := re.match(r"STREAM_FIELDS\((\d)\)", line):
            for _, name, bits, kind, summary in field.findall(
                stream[1].replace('" #i "', match[1]).replace('" #i', match[1] + '"')
            ):
                rows["map"].append((name.replace("##i##", match[1]), int(bits), kind, summary))
    tables = {}
    for mnemonic, fields in rows.items():
        lines = [heads[mnemonic], "", "| bits | field | kind | meaning |", "|---|---|---|---|"]
        bit = 192
        for name, bits, kind, summary in fields:
            sign = "signed" if kind == "s" else "unsigned"
            lines.append(f"| {bit}–{bit + bits - 1} | `{name}` | {sign} {bits} | {summary} |")
            bit += bits
        lines.append(f"| {bit}–2047 | | | reserved, zero |")
        tables[mnemonic] = "\n".join(lines)
    return tables


def lane_table() -> str:
    """Markdown table of the lane operations."""
    text = (ROOT / "runtime/isa/LaneOps.def").read_text()
    text = re.sub(r",\s*\n\s+\"", ', "', text)
    lines = ["| opcode | operation | sources | rate | meaning |", "|---|---|---|---|---|"]
    pattern = r'^LANE_OP\(\w+, ([\w.]+), (0x\w+), (\d), (\w+), "(.*)"\)'
    for name, opcode, sources, rate, summary in re.findall(pattern, text, re.MULTILINE):
        summary = summary.replace("|", "\\|")
        lines.append(f"| {opcode} | `{name}` | {sources} | {rate} | {summary} |")
    return "\n".join(lines)


def fault_table() -> str:
    """Markdown table of the faults."""
    text = (ROOT / "emulator/Fault.def").read_text()
    lines = ["| id | name | mode | found at | when |", "|---|---|---|---|---|"]
    pattern = r'^FAULT\((\w+), "(\w+)", (\w+), (\w+), "(.*)"\)'
    for name, ident, mode, stage, summary in re.findall(pattern, text, re.MULTILINE):
        lines.append(f"| {ident} | {name} | {mode} | {stage} | {summary} |")
    return "\n".join(lines)


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with every table up to date."""
    return re.sub(
        r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}{tables[m[2]]}\n{m[3]}",
        page,
        flags=re.DOTALL,
    )


def main(arguments: list[str]) -> int:
    """Updates the pages; with --check returns 1 when one is out of date."""
    tables = instruction_tables() | {"lane-ops": lane_table(), "faults": fault_table()}
    stale = []
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text()
        new = filled(page, tables)
        if new != page:
            stale.append(path.name)
            if "--check" not in arguments:
                path.write_text(new)
    if stale and "--check" in arguments:
        print(f"expected up-to-date tables in {', '.join(stale)}; run scripts/make_isa_docs.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
