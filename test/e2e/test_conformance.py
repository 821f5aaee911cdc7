# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases of the conformance list against eager PyTorch; ASIC_CONFORMANCE=all takes all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from benchmarks.conformance.case import Case, Family, Random, error
from benchmarks.conformance.cases import FAMILIES
from benchmarks.conformance.check import CRASH, WRONG, Outcome, run
from benchmarks.conformance.page import write_page

EVERYTHING = [(case, d) for family in FAMILIES for case in family.cases for d in case.dtypes]

#: What the families' modules choose: crashes and wrong values that were found, forms that
#: only one case reaches, and arithmetic of our own.
CHOSEN = {pair for family in FAMILIES for pair in family.tested}


def subset() -> list[tuple[Case, torch.dtype]]:
    if os.environ.get("ASIC_CONFORMANCE") == "all":
        return EVERYTHING
    return [(case, dtype) for case, dtype in EVERYTHING if (case.name, dtype) in CHOSEN]


def test_the_chosen_cases_exist() -> None:
    assert {(case.name, dtype) for case, dtype in EVERYTHING} >= CHOSEN


@pytest.mark.parametrize(
    ("case", "dtype"), subset(), ids=lambda v: v.name if isinstance(v, Case) else str(v)[6:]
)
def test_case(case: Case, dtype: torch.dtype) -> None:
    outcomes = run(case, dtype, ("cpu", "edge-tx1"))
    assert len(outcomes) == 2
    for outcome in outcomes:
        assert outcome.is_good, outcome


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for family in FAMILIES for case in family.cases]
    assert len(names) == len(set(names))


def test_error_is_in_units_of_the_last_place() -> None:
    want = torch.tensor([1.0, 8.0])
    assert error(want, want) == 0
    assert error(torch.tensor([1.0 + 2**-23, 8.0]), want) == 1
    assert error(torch.tensor([1.0, float("nan")]), want) == float("inf")
    assert error(want.double(), want) == float("inf")
    # As near to the exact value as eager PyTorch is wrong.
    assert error(torch.tensor([1.0, 9.0]), want, torch.tensor([1.0, 9.0])) == 0


def test_page_says_what_happened() -> None:
    family = Family("Few")
    family.add("relu", torch.relu, Random((4,)))
    outcomes = [
        Outcome("aten.relu", "float32", "edge-tx1", "accelerator", 0.0),
        Outcome("aten.relu", "bfloat16", "edge-tx1", WRONG, 3.0),
        Outcome("aten.relu", "float16", "edge-tx1", CRASH),
    ]
    page = write_page([family], outcomes)
    assert "| `relu` | A f32; wrong bf16 (3); crash f16 |" in page
    assert "| `edge-tx1` | 1 | 0 | 0 | 2 |" in page


def test_page_keeps_the_lines_of_cases_that_were_not_run() -> None:
    family = Family("Few")
    family.add("relu", torch.relu, Random((4,)))
    family.add("neg", torch.neg, Random((4,)), variant="other")
    family.add("erfinv", torch.erfinv, Random((4,)))
    family.add("sin", torch.sin, Random((4,)))
    outcomes = [
        Outcome("aten.relu", "float32", "cpu", "host", 2.5),
        Outcome("aten.relu", "bfloat16", "cpu", "wrong", 9.0),
        Outcome("aten.neg other", "float32", "cpu", "host", 0.0),
        Outcome("aten.erfinv", "float32", "cpu", "refused", reason="[import] no"),
        Outcome("aten.sin", "float32", "cpu", "refused", reason="[import] no sines"),
    ]
    page = write_page([family], outcomes)
    assert write_page([family], outcomes[:2], page) == page
    again = write_page([family], [Outcome("aten.erfinv", "float32", "cpu", "host", 1.0)], page)
    assert "| `cpu` | 0 | 3 | 1 | 1 |" in again
    assert "| `erfinv` | H f32 (1) |" in again
    assert "no sines" in again
    assert "`aten.erfinv`: [import] no\n" not in again
    assert "`neg`" not in write_page([], outcomes[:2], page)


def test_the_page_of_the_documentation_has_every_case() -> None:
    page = Path(__file__).parents[2] / "docs" / "conformance.md"
    text = page.read_text(encoding="utf-8")
    missing = [
        case.name
        for family in FAMILIES
        for case in family.cases
        if f"| {f'`{case.op[5:]}` {case.variant}'.strip()} |" not in text
    ]
    assert not missing, "run python -m benchmarks.conformance --markdown docs/conformance.md"
