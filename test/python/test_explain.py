# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every operation that is not where it runs best has a record that a person can act on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

import asic
from asic import cli
from asic.explain import grouped
from asic.tables import source_text


class LookUp(nn.Module):
    """Linear layers around a look-up and elementwise ops next to it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 32)
        self.second = nn.Linear(32, 32)

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        y = torch.relu(self.first(x))
        z = y.gather(1, rows[..., None].expand(-1, -1, 32))
        return self.second(z) + y


class Tail(nn.Module):
    """Elementwise ops between a look-up and one that no lane computes."""

    def forward(self, x: Tensor, rows: Tensor) -> Tensor:
        return torch.atan(x[rows].reshape(4, 2, 8).amax(1) * 2)


class Truth(nn.Module):
    """A truth value with two readers between two contractions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(32, 32)
        self.second = nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        positive = y > 0
        return self.second(torch.where(positive, y, y * 0.1)) + torch.where(positive, y, -y)


def _look_up() -> tuple[nn.Module, tuple[Tensor, ...]]:
    torch.manual_seed(0)
    return LookUp().eval(), (torch.randn(2, 8, 32), torch.randint(0, 8, (2, 8)))


def test_a_refusal_says_what_where_and_what_to_do() -> None:
    model, args = _look_up()
    compiled = asic.compile(model, args)
    (record,) = compiled.report().to_dict()["fallbacks"]
    assert record["kind"] == "refused"
    assert record["op"] == "aten.gather"
    assert "look-up" in record["reason"]
    assert "start or end" in record["remedy"]
    assert record["source"].endswith(f"test_explain.py:{_line('= y.gather')}")
    # The look-up's table goes to the host and the rows that it picked come back.
    assert record["crossing_bytes"] == 2 * 2 * 8 * 32 * 4
    assert record["crossing_cycles"] == -(-2 * record["crossing_bytes"] * 10 // 512)
    assert record["crossing_ms"] == pytest.approx(record["crossing_cycles"] / 1e6)
    summary = compiled.explain().summary
    assert (summary["host_ops"], summary["host_steps"], summary["crossings"]) == (1, 1, 2)
    text = str(compiled.report())
    assert "not in the latency" in text
    assert "aten.gather" in text


def test_what_is_cheaper_on_the_host_goes_along_with_a_record() -> None:
    torch.manual_seed(0)
    args = (torch.randn(16, 8), torch.randint(0, 16, (8,)))
    compiled = asic.compile(Tail().eval(), args)
    assert [step.on_host for step in compiled.steps] == [True]
    records = compiled.report().to_dict()["fallbacks"]
    moved = [record for record in records if record["kind"] == "moved"]
    assert moved
    assert all("moved along with" in record["reason"] and record["remedy"] for record in moved)
    assert len(records) == compiled.explain().summary["host_ops"]


def test_truth_values_do_not_cross_the_border() -> None:
    torch.manual_seed(0)
    model, x = Truth().eval(), torch.randn(4, 32)
    compiled = asic.compile(model, (x,), fallback="error")
    torch.testing.assert_close(compiled(x), model(x), rtol=0.03, atol=0.03)


def test_records_survive_a_file(tmp_path: Path) -> None:
    model, args = _look_up()
    compiled = asic.compile(model, args)
    compiled.save(tmp_path / "model.asic")
    loaded = asic.load(tmp_path / "model.asic")
    assert loaded.explain() == compiled.explain()


def _row(**changes: object) -> dict[str, Any]:
    row = {"op": "aten.sort", "kind": "refused", "reason": "expected 3, got 5", "remedy": "mend"}
    place = {"region": "host_0", "source": "net.py:1", "module": "layers.0"}
    cost = {"crossing_bytes": 100, "crossing_cycles": 10, "crossing_ms": 0.5}
    return {**row, **place, **cost, **changes}


def test_records_of_one_cause_are_one_group() -> None:
    """A region is paid for once, numbers become ranges, places are listed."""
    again = _row(source="net.py:7", module="layers.1", reason="expected 3, got 12")
    elsewhere = _row(region="host_1", module="layers.2")
    (group,) = grouped([_row(), _row(), again, elsewhere])
    assert (group.count, group.operations) == (4, ("aten.sort",))
    assert (group.bytes, group.cycles, group.ms) == (200, 20, 1.0)
    assert group.reason == "expected 3, got 5–12"
    assert group.sources == ("net.py:1", "net.py:7")
    assert group.modules == ("layers.0", "layers.1", "layers.2")


@pytest.mark.parametrize(
    "change", [{"op": "aten.topk"}, {"remedy": "other"}, {"reason": "got i64"}, {"kind": "moved"}]
)
def test_another_cause_is_another_group(change: dict[str, str]) -> None:
    assert len(grouped([_row(reason="got i32"), _row(**{"reason": "got i32", **change})])) == 2


def test_the_most_costly_group_is_first() -> None:
    rows = [_row(), _row(op="aten.topk", region="host_1", crossing_cycles=11)]
    assert [group.operations for group in grouped(rows)] == [("aten.topk",), ("aten.sort",)]


def test_what_went_along_is_one_group_and_costs_nothing_of_its_own() -> None:
    moved = {"kind": "moved", "reason": "moved along with 'aten.sort'"}
    rows = [_row(**moved, op="aten.add"), _row(**moved, op="aten.mul"), _row()]
    refused, along = grouped(rows)
    assert (refused.cycles, along.cycles) == (10, 0)
    assert along.operations == ("aten.add", "aten.mul")
    (alone,) = grouped(rows[:2])
    assert alone.cycles == 10


def _ranked(x: Tensor) -> Tensor:
    return torch.gather(x, -1, (x > 0).to(torch.int64))


class Mixer(nn.Module):
    """A layer whose look-up is in a helper function."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + _ranked(x)


class Deep(nn.Module):
    """A stack of them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Mixer() for _ in range(12)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer(x)
        return x


@pytest.fixture(scope="module")
def deep() -> asic.Compiled:
    torch.manual_seed(0)
    return asic.compile(Deep().eval(), (torch.randn(4, 8),))


def _line(text: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_a_deep_model_has_one_row_per_cause(deep: asic.Compiled) -> None:
    explanation = deep.explain()
    (look_up,) = explanation.groups
    assert "look-up" in look_up.reason
    assert look_up.count == len(explanation.records) == 12
    assert look_up.sources == (f"{__file__}:{_line('torch.gather(x, -1')}",)
    assert look_up.modules == tuple(f"layers.{i}" for i in range(12))
    assert look_up.cycles == explanation.summary["crossing_cycles"]
    assert len(list(explanation.lines())) == 1


def test_tables_fit_100_columns(deep: asic.Compiled) -> None:
    for text in (str(deep.explain()), str(deep.report())):
        assert max(len(line) for line in text.splitlines()) <= 100
        assert "12 x aten" in text
        assert "layers.0 and 11 more" in text


class Masked(nn.Module):
    """A truth value that the user passes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.linear(x)
        return self.linear(torch.where(mask, y, -y))


def test_a_conversion_of_an_input_names_the_operator_that_reads_it() -> None:
    args = torch.randn(4, 8), torch.rand(4, 8) > 0.5
    (record,) = asic.compile(Masked().eval(), args).facts.fallbacks
    assert record["op"] == "aten.where"
    assert record["source"] == f"{__file__}:{_line('torch.where(mask, y')}"


@pytest.mark.parametrize(
    ("target", "text"), [("edge-tx1", "where it runs best"), ("cpu", "compiled for this computer")]
)
def test_nothing_to_explain_is_said(target: str, text: str) -> None:
    model = nn.Sequential(nn.Linear(8, 8)).eval()
    assert text in str(asic.compile(model, (torch.randn(2, 8),), target=target).explain())


def test_sources_are_short() -> None:
    installed = "/env/lib/python3.11/site-packages/transformers/models/bert.py:3"
    assert source_text(installed) == "transformers/models/bert.py:3"
    assert source_text(installed, 20) == "…/models/bert.py:3"
    assert source_text(installed, 5) == "…/bert.py:3"
    assert source_text(f"{Path.cwd()}/net.py:1", 20) == "net.py:1"


def _target(tmp_path: Path, **engines: object) -> str:
    text = asic.Target.resolve("npu-256").canonical_json
    described = yaml.safe_load(text)
    described["name"] = "small"
    for path, value in engines.items():
        engine, key = path.split("_", 1)
        described["engines"][engine][key] = value
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(described))
    return str(path)


def _quantized(target: str) -> asic.Compiled:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    data = [(torch.randn(1, 3, 8, 8),) for _ in range(2)]
    compiled = asic.compile(model.eval(), data[0], target=target, quantize="int8", calibration=data)
    assert asic.verify(compiled, data)
    return compiled


def test_a_contraction_without_a_mode_is_a_slow_path(tmp_path: Path) -> None:
    compiled = _quantized(_target(tmp_path, mxu_modes=[["i4", "i4", "i32", 1.0]]))
    report = compiled.report().to_dict()
    assert report["fallbacks"] == []
    assert {record["kind"] for record in report["slow_paths"]} == {"slow path"}
    assert len(report["slow_paths"]) == 2
    assert "16 multiply-accumulates per cycle against 256" in report["slow_paths"][0]["reason"]


class Dots(nn.Module):
    """Products that are summed by hand, in float32: in step, and with one factor used again."""

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return (x * y).sum(-1), (x * y[:1]).sum(-1)


def test_sums_of_products_stay_on_the_vector_unit() -> None:
    args = torch.randn(8, 24), torch.randn(8, 24)
    compiled = asic.compile(Dots().eval(), args, target="edge-tx1")
    for got, want in zip(compiled(*args), Dots()(*args), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    report = compiled.report().to_dict()
    assert report["fallbacks"] == []
    (slow,) = report["slow_paths"]  # The other would be no faster as a matrix product.
    assert "got f32 x f32 -> f32: the vector unit computes it" in slow["reason"]
    assert slow["lost_cycles"] == 8 * 24 // 64
    assert slow["remedy"] == "write it as a matrix product, whose factors are rounded to bf16"


def test_a_vector_unit_without_accumulators_falls_back(tmp_path: Path) -> None:
    compiled = _quantized(_target(tmp_path, vpu_formats=["i8"]))
    reasons = {record["reason"] for record in compiled.report().to_dict()["fallbacks"]}
    assert any("format of the vector unit of 'small', got i32" in reason for reason in reasons)


def test_the_command_explains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.py"
    file.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.atan(x)\n"
        "def make():\n"
        "    return Net().eval(), (torch.ones(2, 4),)\n"
    )
    assert cli.main([f"{file}:make", "--explain"]) == 0
    text = capsys.readouterr().out
    assert "operations on the accelerator" in text
    assert "aten.atan" in text
    sys.path.remove(str(tmp_path))
