# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The pages under docs/isa show what the tables say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from asic import _core

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("make_isa_docs", ROOT / "scripts/make_isa_docs.py")
assert SPEC
assert SPEC.loader
make_isa_docs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_isa_docs)


def test_tables_are_up_to_date():
    assert make_isa_docs.main(["--check"]) == 0, "run scripts/make_isa_docs.py"


def test_pages_hold_every_instruction_operation_and_fault():
    """Against the tables of the built library, field by field."""
    pages = "".join(path.read_text() for path in (ROOT / "docs/isa").glob("*.md"))
    tables = _core.isa_tables()
    for row in tables["instructions"]:
        assert f"`{row['mnemonic']}` (opcode {row['opcode']:#04x}" in pages
        for field in row["fields"]:
            last = field["bit"] + field["bits"] - 1
            sign = "signed" if field["signed"] else "unsigned"
            line = (
                f"| {field['bit']}–{last} | `{field['name']}` | {sign} {field['bits']} "
                f"| {field['summary']} |"
            )
            assert line in pages, line
    for row in tables["lane_ops"]:
        assert re.search(rf"\| {row['opcode']:#04x} \| `{re.escape(row['mnemonic'])}` \|", pages)
    for row in tables["faults"]:
        assert f"| {row['id']} | {row['name']} |" in pages
