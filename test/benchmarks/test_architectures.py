# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The table of architectures: its registry, its rows, its page."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.architectures import ARCHITECTURES
from benchmarks.architectures import measure as measuring
from benchmarks.architectures.page import is_refused, page, runs_on_accelerator, runs_on_cpu
from benchmarks.architectures.sweep import _describe, read, sweep

ROOT = Path(__file__).parents[2]
DATA = ROOT / "docs/data/architectures.json"
PAGE = ROOT / "docs/architectures.md"


def test_page_is_what_the_rows_say() -> None:
    assert PAGE.read_text() == page(read(DATA), list(ARCHITECTURES))


def test_rows_are_of_the_registry() -> None:
    assert {row["name"] for row in read(DATA)} <= set(ARCHITECTURES)


def test_page_speaks_of_no_machine() -> None:
    text = PAGE.read_text()
    assert "site-packages" not in text
    assert re.findall(r"(?<![\w:/.<])/\w+/", text) == []


def test_listing_imports_no_library() -> None:
    code = (
        "import sys; from benchmarks.architectures import ARCHITECTURES;"
        "print([m for m in ('torchvision', 'timm', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_enough_architectures_of_every_kind() -> None:
    families = {a.family for a in ARCHITECTURES.values()}
    assert len(ARCHITECTURES) >= 66
    assert len(families) >= 8
    assert {a.source for a in ARCHITECTURES.values()} == {
        "own",
        "torchvision",
        "timm",
        "transformers",
    }


OWN = [name for name, a in ARCHITECTURES.items() if a.source == "own"]


@pytest.mark.parametrize("name", [n for n in OWN if n not in ("resnet18", "gpt2_block")])
def test_own_architecture_runs_and_is_the_same_again(name: str) -> None:
    first, second = (ARCHITECTURES[name].load() for _ in range(2))
    assert not first.module.training
    with torch.no_grad():
        results = [m.module(*m.args, **m.kwargs) for m in (first, second)]
    expected = measuring._leaves(results[0])
    assert measuring.largest_error(expected, results[1]) == 0.0
    assert all(np.isfinite(leaf).all() for leaf in expected)


def test_calibration_varies_floats_and_keeps_integers() -> None:
    architecture = ARCHITECTURES["pointpillars"]
    model = architecture.load()
    items = architecture.calibration(model, 2)
    assert not torch.equal(items[0][0], items[1][0])
    assert torch.equal(items[0][1], model.args[1])


@pytest.mark.parametrize("name", ["lane_rows", "gru", "moe_dense", "unet_transposed"])
def test_small_architecture_end_to_end(name: str) -> None:
    row = measuring.measure(ARCHITECTURES[name], lambda row: None)
    assert runs_on_cpu(row), row["cpu"]
    assert runs_on_accelerator(row), row["accelerator"]


def test_refusal_is_a_row_with_its_reason() -> None:
    row = measuring.measure(ARCHITECTURES["moe_select"], lambda row: None)
    assert is_refused(row)
    assert "instead" in row["import"]["message"]


def test_error_is_relative_and_strict_about_kind_and_nan() -> None:
    error = measuring.largest_error
    want = [np.array([1.0, -4.0], np.float32)]
    assert error(want, torch.tensor([1.0, -3.0])) == 0.25
    assert error(want, torch.tensor([float("nan"), -4.0])) == float("inf")
    assert error(want, torch.tensor([1, -4])) == float("inf")
    assert error(want, torch.tensor([[1.0, -4.0]])) == float("inf")
    assert error(want, (torch.tensor([1.0, -4.0]), torch.tensor([1.0]))) == float("inf")
    assert error([np.array([1, 2, 3, 4])], torch.tensor([1, 2, 3, 5])) == 0.25


ROW: dict[str, Any] = {
    "name": "net",
    "family": "kind",
    "source": "own",
    "mode": "float",
    "refused": "",
    "build": {"ok": True, "parameters": 1500, "inputs": [[1]], "seconds": 0.1},
    "import": {"ok": True, "seconds": 0.1},
    "cpu": {"ok": True, "error": 1e-6, "seconds": 0.1},
    "accelerator": {
        "ok": True,
        "error": 1e-3,
        "twin_error": 0.0,
        "mac_share": 0.9996,
        "macs": 2_000_000,
        "steps": 3,
        "host_steps": 1,
        "cycles": 10,
        "compile_seconds": 0.5,
        "fallbacks": [{"op": "a.b", "reason": "x <y>; do z", "count": 2, "location": "f.py:1"}],
        "seconds": 1.0,
    },
}


def changed(**changes: Any) -> dict[str, Any]:
    row = copy.deepcopy(ROW)
    for path, value in changes.items():
        *parents, last = path.split("__")
        entry = row
        for parent in parents:
            entry = entry[parent]
        entry[last] = value
    return row


def test_page_names_what_has_no_row() -> None:
    assert "Not measured yet: other." in page([ROW], ["net", "other"])
    assert "Not measured yet" not in page([ROW], ["net"])


def test_page_shows_a_good_row_plainly() -> None:
    text = page([ROW])
    assert "| net | own | 1.5 k | yes | 1.0e-06 | float | 1.0e-03 | 2 M | 99.9 % | 3 |" in text
    assert "1 of 1 (100%)" in text
    assert text.endswith("None.\n")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"cpu__error": 0.01}, "**1.0e-02**"),
        ({"accelerator__error": float("inf")}, "**inf**"),
        ({"accelerator__twin_error": 0.5}, "**1.0e-03**"),
        ({"accelerator__mac_share": 0.5}, "2 × `a.b`: x &lt;y>; do z."),
        ({"cpu": {"ok": False, "message": "[host] no", "seconds": 1}}, "cpu: [host] no"),
        ({"crash": "ended by SIGSEGV in cpu"}, "ended by SIGSEGV in cpu."),
    ],
)
def test_page_marks_what_falls_short(changes: dict[str, Any], shown: str) -> None:
    assert shown in page([changed(**changes)])


def test_crash_and_hang_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.json"
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'python'}:{ROOT}")
    (hung,) = sweep([ARCHITECTURES["mlp"]], path, seconds=0)
    assert hung["crash"].startswith("took more than 0 s in ")
    assert read(path) == [hung]
    # What the file has is not measured again.
    assert sweep([ARCHITECTURES["mlp"]], path) == [hung]


def test_ends_are_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n\nlast words\n")
    assert _describe(0, log, 9) == ""
    assert _describe(-11, log, 9) == "ended by SIGSEGV: last words"
    assert _describe(-24, log, 9) == "took more than 9 s"
    assert _describe(3, tmp_path / "none", 9) == "ended with status 3"


def test_messages_name_no_folder_of_this_machine() -> None:
    root = Path(measuring.__file__).resolve().parents[2]
    text = f"at /opt/env/lib/python3.11/site-packages/timm/models/vit.py:3 and {root}/benchmarks/x.py:4"
    assert measuring.portable(text) == "at timm/models/vit.py:3 and benchmarks/x.py:4"
