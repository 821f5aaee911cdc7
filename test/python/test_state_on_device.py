# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State that stays in the accelerator's DRAM: one address, updated in place.

The oracles are the module itself and the same program run alone, its state passed as arrays.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import asic
from asic import _core
from asic.tensors import Array


class Plain(nn.Module):
    """Reads the old value, writes the new one, reads that."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(32, 32)
        self.register_buffer("h", torch.zeros(4, 32))

    def forward(self, x: Tensor) -> Tensor:
        self.h.copy_(torch.tanh(self.linear(x)) + 0.5 * self.h)
        return self.linear(self.h)


class Late(Plain):
    """Reads the old value after the update, and what depends on the new one with it."""

    def forward(self, x: Tensor) -> Tensor:
        old = self.h.clone()
        self.h.copy_(torch.tanh(self.linear(x)) + self.h)
        return self.linear(self.linear(self.h) + old) - 2 * old


class Window(nn.Module):
    """Moves its rows by one: every byte of the new value is another of the old one."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(32, 32)
        self.register_buffer("rows", torch.zeros(1, 8, 32))

    def forward(self, x: Tensor) -> Tensor:
        self.rows.copy_(torch.cat([self.rows[:, 1:], self.linear(x)[:, None]], 1))
        return self.linear(self.rows.sum(1))


class Given(Plain):
    """Hands out its state, the old and the new one."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        old = self.h.clone()
        self.h.copy_(torch.tanh(self.linear(x)) + self.h)
        return old, self.h


class Look(Plain):
    """A table on the host is read where the new state says."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.h.copy_(torch.tanh(self.linear(x)) + self.h)
        return self.table(self.h.argmax(-1))


class HostWrites(Plain):
    """The host makes the new value: integers of 64 bits are nothing for the accelerator."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(4, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add_(1)
        self.h.copy_(torch.tanh(self.linear(x)) + self.h)
        return self.linear(self.h) * self.seen.float()[:, None]


class Prompt(nn.Module):
    """New rows at the beginning, made in another order of dimensions; the others stay."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(32, 32)
        self.register_buffer("rows", torch.zeros(1, 4, 64, 8))

    def forward(self, x: Tensor) -> Tensor:
        new = self.linear(x).unflatten(-1, (4, 8)).transpose(1, 2)
        self.rows.copy_(torch.cat([new, self.rows[:, :, new.shape[2] :]], 2))
        return self.rows.sum((1, 2))


def square() -> tuple[Tensor, ...]:
    return (torch.randn(4, 32),)


def row() -> tuple[Tensor, ...]:
    return (torch.randn(1, 32),)


def build(make: Callable[[], nn.Module], example: Any, **options: Any) -> tuple[Any, nn.Module]:
    torch.manual_seed(0)
    model = make().eval()
    return asic.compile(copy.deepcopy(model), example, target="edge-tx1", **options), model


def io(compiled: asic.Compiled) -> dict[str, Any]:
    """What the container of the only program says about its border."""
    (data,) = compiled.programs.values()
    return dict(_core.Machine.load(data).describe()["io"])


def close(left: Any, right: Any) -> None:
    torch.testing.assert_close(left, right, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("make", "example"), [(Plain, square), (Late, square), (Window, row), (HostWrites, square)]
)
def test_one_address(make: Callable[[], nn.Module], example: Callable[[], Any]) -> None:
    compiled, model = build(make, example())
    found = io(compiled)
    assert [region["path"] for region in found["state"]] == list(compiled.state.on_device)
    for region in found["state"]:
        places = [
            record["address"]
            for record in found["inputs"] + found["outputs"]
            if record.get("state") == region["path"]
        ]
        assert places == [region["address"]] * 2
    for _ in range(5):
        args = example()
        with torch.no_grad():
            close(compiled(*args), model(*args))
        for path, value in compiled.state.items():
            close(torch.from_numpy(value.copy()), dict(model.named_buffers())[path])


def test_only_new_rows_are_written() -> None:
    x = torch.randn(1, 3, 32)
    compiled, model = build(Prompt, (x,))
    assert compiled.state.on_device == ("rows",)
    assert compiled.report().to_dict()["dram_write_bytes"] < compiled.state.nbytes / 4
    compiled.state["rows"] = torch.ones(1, 4, 64, 8)
    model.rows.fill_(1)
    with torch.no_grad():
        close(compiled(x), model(x))
    close(torch.from_numpy(compiled.state["rows"].copy()), model.rows)


def test_what_the_host_writes_it_carries() -> None:
    compiled, _ = build(HostWrites, square())
    assert list(compiled.state) == ["h", "seen"] or list(compiled.state) == ["seen", "h"]
    assert compiled.state.on_device == ("h",)


@pytest.mark.parametrize("make", [Plain, Late, Given])
def test_bit_for_bit_as_if_carried(make: Callable[[], nn.Module]) -> None:
    """The program run alone, with arrays for its state, in every mode and with checks."""
    compiled, _ = build(make, square())
    (machine,) = compiled.machines.values()
    (step,) = compiled.steps
    names = [record["name"] for record in io(compiled)["inputs"]]
    outputs = [record["name"] for record in io(compiled)["outputs"]]
    h = np.zeros((4, 32), np.float32)
    for number in range(3):
        (x,) = square()
        compiled(x)
        arrays: dict[str, Array] = {"x": x.numpy(), "h": h}
        modes = [{"mode": "functional"}, {"mode": "timed"}, {"mode": "async", "seed": number}]
        for options in modes:
            result = machine._native.run({n: arrays[n] for n in names}, check=True, **options)
            assert result["fault"] is None, result["fault"]["text"]
            new = result["outputs"][outputs[[*step.outputs].index(compiled.results[-1])]]
            assert new.tobytes() == compiled.state["h"].tobytes()
        h = new


def test_the_host_passes_no_state(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, _ = build(Plain, square())
    (machine,) = compiled.machines.values()
    passed = []
    run = machine._run

    def spy(arrays: list[Array], **options: Any) -> Any:
        passed.append([array.shape for array in arrays])
        result = run(arrays, **options)
        assert list(result["outputs"]) == ["output"]
        return result

    monkeypatch.setattr(machine, "_run", spy)
    compiled(*square())
    compiled(*square())
    assert passed == [[(4, 32)]] * 2


def test_old_and_new_state_as_outputs() -> None:
    compiled, model = build(Given, square())
    for _ in range(3):
        args = square()
        with torch.no_grad():
            (old, new), (old_wanted, new_wanted) = compiled(*args), model(*args)
        close(old, old_wanted)
        close(new, new_wanted.clone())
        # What is handed out is the caller's.
        new.add_(100)
        old.add_(100)
        close(torch.from_numpy(compiled.state["h"].copy()), model.h)


def test_two_compilations_and_two_copies_share_nothing(tmp_path: Path) -> None:
    one, _ = build(Plain, square())
    other, _ = build(Plain, square())
    (x,) = square()
    first = one(x)
    assert (other.state["h"] == 0).all()
    one.save(tmp_path / "m.asic")
    loaded, again = asic.load(tmp_path / "m.asic"), asic.load(tmp_path / "m.asic")
    assert loaded.state.on_device == ("h",)
    second = one(x)
    assert torch.equal(loaded(x), second)
    assert torch.equal(again(x), second)
    assert torch.equal(other(x), first)
    loaded.reset_state()
    assert torch.equal(loaded(x), first)


def test_assigned_values_wait_for_the_next_call() -> None:
    compiled, model = build(Plain, square())
    value = torch.full((4, 32), 1 / 3)
    compiled.state["h"] = value
    assert np.array_equal(compiled.state["h"], value.numpy())
    model.h.copy_(value)
    (x,) = square()
    with torch.no_grad():
        close(compiled(x), model(x))
    assert not np.array_equal(compiled.state["h"], value.numpy())
    with pytest.raises(ValueError, match="read-only"):
        compiled.state["h"][0] = 1
    compiled.reset_state()
    assert (compiled.state["h"] == 0).all()
    compiled.profile(x)
    assert (compiled.state["h"] == 0).all()


def test_a_later_step_that_fails_leaves_the_state() -> None:
    """The accelerator has run already when the host's look-up is outside its table."""
    compiled, _ = build(lambda: Look(32), square())
    assert [step.on_host for step in compiled.steps][-1]
    assert compiled.state.on_device == ("h",)
    compiled(*square())
    small, _ = build(lambda: Look(1), square())
    for value in (None, torch.full((4, 32), 0.25)):
        if value is not None:
            small.state["h"] = value
        before = small.state["h"].copy()
        with pytest.raises(asic.ProgramError):
            small(*square())
        assert np.array_equal(small.state["h"], before)


def test_verify_and_quantised() -> None:
    data = [square() for _ in range(16)]
    compiled, model = build(Plain, data[0], quantize="int8", calibration=data)
    assert asic.verify(compiled, data[:4])
    float_model, _ = build(Late, data[0])
    assert asic.verify(float_model, data[:3], rtol=2e-2, atol=2e-2)
    with torch.no_grad():
        torch.testing.assert_close(compiled(*data[0]), model(*data[0]), rtol=0.2, atol=0.2)
