# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every operation that is not where it runs best has a record that a person can act on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor, nn

import asic
from asic import cli


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
    line = next(
        number
        for number, text in enumerate(Path(__file__).read_text().splitlines(), start=1)
        if "y.gather" in text
    )
    assert record["source"].endswith(f"test_explain.py:{line}")
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


def test_many_records_of_one_line_print_as_one() -> None:
    from asic.explain import grouped

    row = {"op": "a", "kind": "refused", "reason": "r", "location": "l", "region": "host_0"}
    groups = grouped([row] * 200 + [{**row, "op": "b"}, {**row, "reason": "s"}])
    assert [group.count for group in groups] == [201, 1]
    assert groups[0].operations == ("a", "b")


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
