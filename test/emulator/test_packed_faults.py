# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults of packed copies, each beside a near miss that must run."""

from __future__ import annotations

import pytest
import yaml
from machine_tools import SRAM, fault_of, machine, target_yaml
from reference_machine import inst
from test_faults import HALT, expect, fill

CODES = fill(0, 64)


def widen(**more):
    """15 codes of 8 bytes at SRAM 0 to SRAM 512."""
    f = {"src_space": "sram", "dst_space": "sram", "dst_addr": 512, "run_bytes": 15} | more
    return inst("copy", **{"packed_type": "i4"} | f)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"src_addr": SRAM - 7}, {"src_addr": SRAM - 8}),
        ({"src_addr": SRAM - 8, "run_bytes": 17}, {"src_addr": SRAM - 8, "run_bytes": 16}),
        ({"dst_addr": SRAM - 14}, {"dst_addr": SRAM - 15}),
        ({"src_addr": 2, "n0": 2, "src_s0": -3}, {"src_addr": 3, "n0": 2, "src_s0": -3}),
    ],
)
def test_bounds_of_both_sides(bad, good):
    rows = {"dst_s0": 20}
    expect(
        "OutOfBounds",
        [fill(0, SRAM), widen(**rows, **bad)],
        [fill(0, SRAM), widen(**rows, **good)],
        pc=1,
        check=False,
    )


def test_every_packed_byte_has_been_written():
    """The last byte counts, although only half of it is moved."""
    expect("UninitializedRead", [fill(0, 7), widen()], [fill(0, 8), widen()], pc=1)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"dst_addr": 7}, {"dst_addr": 8}),  # the last source byte is written
        ({"n0": 2, "dst_s0": 14}, {"n0": 2, "dst_s0": 15}),  # rows that overlap
    ],
)
def test_overlap(bad, good):
    expect("SelfOverlap", [CODES, widen(**bad)], [CODES, widen(**good)], pc=1)


def write_beside(address):
    """Another engine writes a byte while the codes are read."""
    writer = fill(address, 1)
    writer.engine, writer.waits = "dma1", [(0, 1)]
    codes = fill(0, 64)
    codes.posts = [(0, 1)]
    return [codes, widen(), writer]


def test_races_with_what_is_packed():
    """The last byte of the source belongs to the copy, the one behind it does not."""
    expect("RaceWriteAfterRead", write_beside(7), write_beside(8), pc=2)


@pytest.mark.parametrize("unpack", [[], ["u4"], ["i4", "u4"]])
@pytest.mark.parametrize("packed", ["i4", "u4"])
def test_a_target_widens_what_it_lists(unpack, packed):
    description = yaml.safe_load(target_yaml())
    description["engines"]["dma"]["unpack"] = unpack
    program = machine([CODES, widen(packed_type=packed), HALT], target=yaml.safe_dump(description))
    fault = program.run({})["fault"]
    if packed in unpack:
        assert fault is None
    else:
        assert fault["fault"] == "IllegalEncoding"
        assert f"unpacks, got {packed}" in fault["message"]


def test_types_that_are_not_packed():
    for number in (*range(3, 20), 255):
        copy = widen()
        copy.f["packed_type"] = number
        fault = fault_of([CODES, copy, HALT])
        assert (fault["fault"], fault["pc"]) == ("IllegalEncoding", 1)
        assert "expected packed_type i4, u4 or none" in fault["message"]
    for number in (0, 1, 2):
        copy = widen()
        copy.f["packed_type"] = number
        assert fault_of([CODES, copy, HALT]) is None
