# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State regions: what a program keeps in DRAM from run to run."""

from __future__ import annotations

import numpy as np
import pytest
from machine_tools import machine, tensor
from reference_machine import Inst, Lane, Op, inst

from asic import _core

COUNT = 8
INPUTS = [tensor("x", 64, COUNT), tensor("sum", 128, COUNT) | {"state": "total"}]
OUTPUTS = [tensor("sum", 128, COUNT) | {"state": "total"}, tensor("again", 128, COUNT)]
REGION = {"path": "total", "address": 128, "bytes": COUNT}


def stream() -> list[Inst]:
    """total += x, in place."""
    move = {"src_space": "dram", "dst_space": "sram", "run_bytes": COUNT}
    element = {"type": "u8", "space": "sram", "d0": 1}
    streams = {
        f"s{k}_{field}": value
        for k, at in ((0, 0), (1, 64), (7, 128))
        for field, value in (*element.items(), ("addr", at))
    }
    back = {"src_space": "sram", "dst_space": "dram", "src_addr": 128, "run_bytes": COUNT}
    return [
        inst("copy", src_addr=64, dst_addr=0, **move),
        inst("copy", src_addr=128, dst_addr=64, post=[(0, 1)], **move),
        inst("map", n0=COUNT, wait=[(0, 1)], post=[(1, 1)], **streams),
        inst("copy", wait=[(1, 1)], dst_addr=128, **back),
        inst("halt"),
    ]


ADD = Lane((0, 1), 2, [Op("addi", 2, (0, 1))])


def adding() -> _core.Machine:
    return machine(stream(), [ADD], inputs=INPUTS, outputs=OUTPUTS, state=[REGION])


def x(value: int) -> dict[str, np.ndarray]:
    return {"x": np.full(COUNT, value, np.uint8)}


@pytest.mark.parametrize("options", [{}, {"mode": "timed"}, {"mode": "async", "seed": 3}])
@pytest.mark.parametrize("check", [False, True])
def test_runs_in_a_row(options, check):
    loaded, total = adding(), 0
    state = loaded.empty_state()
    for value in (3, 5, 250):
        result = loaded.run(x(value), state=state, check=check, **options)
        assert result["fault"] is None, result["fault"]["text"]
        before, state, total = total, result["state"], (total + value) % 256
        assert (loaded.read_state(state, "total") == total).all()
        # An output that only reads the region is an output like any other.
        assert list(result["outputs"]) == ["again"]
        assert (result["outputs"]["again"] == total).all()
        # One run with arrays computes the same.
        array = np.full(COUNT, before, np.uint8)
        alone = loaded.run(x(value) | {"sum": array}, check=check, **options)
        assert (alone["outputs"]["sum"] == total).all()


def test_a_state_never_changes():
    loaded = adding()
    first = loaded.write_state(loaded.empty_state(), "total", np.arange(COUNT, dtype=np.uint8))
    loaded.run(x(1), state=first)
    loaded.write_state(first, "total", np.zeros(COUNT, np.uint8))
    assert (loaded.read_state(first, "total") == np.arange(COUNT)).all()


def test_two_machines_share_nothing():
    one, other = adding(), adding()
    after = one.run(x(7), state=one.empty_state())["state"]
    assert (one.read_state(after, "total") == 7).all()
    assert (other.read_state(other.empty_state(), "total") == 0).all()


def test_misuse():
    loaded = adding()
    state = loaded.empty_state()
    passed = loaded.run(x(1) | {"sum": np.zeros(COUNT, np.uint8)}, state=state)
    assert "expected inputs of the program, got 'sum'" in passed["fault"]["text"]
    assert "an input called 'sum'" in loaded.run(x(1))["fault"]["text"]
    foreign = machine([inst("halt")]).empty_state()
    assert "this program has made" in loaded.run(x(1), state=foreign)["fault"]["text"]
    with pytest.raises(ValueError, match="this program has made"):
        loaded.read_state(foreign, "total")
    with pytest.raises(ValueError, match="path of a state region, got 'other'"):
        loaded.read_state(state, "other")
    with pytest.raises(ValueError, match="shape"):
        loaded.write_state(state, "total", np.zeros(3, np.uint8))


def test_only_a_region_may_be_written():
    """The same program without the region writes to an input."""
    arguments = {"inputs": INPUTS, "outputs": OUTPUTS}
    arrays = x(1) | {"sum": np.zeros(COUNT, np.uint8)}
    loaded = machine(stream(), [ADD], **arguments)
    fault = loaded.run(arrays, check=True)["fault"]
    assert fault is not None
    assert fault["fault"] == "ReadOnlyWrite", fault
