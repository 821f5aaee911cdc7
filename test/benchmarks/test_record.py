# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The JSON that a benchmark writes."""

import json

import pytest

from benchmarks.record import Record, write

KEYS = {"net", "target", "report", "peers", "ratio_to_best", "bound", "versions", "machine"}


def record(**changes):
    fields = {
        "net": "mlp",
        "target": "npu-256",
        "quantize": "int8",
        "report": {"cycles": 300},
        "ours": 300,
        "unit": "cycles",
        "bound": 200,
    }
    return Record(**{**fields, **changes})


def test_every_field_of_the_schema_is_there(tmp_path):
    write(tmp_path / "out" / "r.json", [record()])
    found = json.loads((tmp_path / "out" / "r.json").read_text())
    assert found.keys() >= KEYS
    assert found["report"]["cycles"] == 300
    assert "torch" in found["versions"]
    assert found["machine"]["cores"] >= 1


def test_several_runs_are_a_list(tmp_path):
    write(tmp_path / "r.json", [record(), record(net="resnet18")])
    assert [r["net"] for r in json.loads((tmp_path / "r.json").read_text())] == [
        "mlp",
        "resnet18",
    ]


def test_the_ratio_is_to_the_fastest_peer():
    assert record(peers={"a": 600, "b": 400}).ratio_to_best == pytest.approx(0.75)
    assert record().ratio_to_best is None


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "r.json"
    write(path, [record()])
    before = path.read_text()
    with pytest.raises(TypeError):
        write(path, [record(report={"unserialisable": object()})])
    assert path.read_text() == before
