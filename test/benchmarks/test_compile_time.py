# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile times of LSTMs and how they grow."""

from __future__ import annotations

import pytest

from benchmarks import compile_time


def test_exponents_of_known_growth() -> None:
    steps = (10, 20, 40)
    seconds = [{"linear": 0.01 * n, "square": 0.01 * n**2, "short": 1e-4 * n} for n in steps]
    found = compile_time.exponents(steps, seconds)
    assert found == {"linear": pytest.approx(1), "square": pytest.approx(2)}


def test_lstm_has_a_record_per_length() -> None:
    records = compile_time.lstm("edge-tx1", steps=(1, 2))
    assert [r.net for r in records] == ["lstm, 1 steps", "lstm, 2 steps"]
    for record in records:
        assert record.ours > 0
        assert record.quantize is None
        assert "import" in record.details["phase_seconds"]
    small, large = (r.report["cycles"] for r in records)
    assert small < large


def test_nets_are_still_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_time.main(["--net", "mlp", "--quantize", "none"]) == 0
    assert "mlp" in capsys.readouterr().out
    assert compile_time.main([]) == 2
