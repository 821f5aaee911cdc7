# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Faults of indexed copies, each beside a near miss that must run."""

from __future__ import annotations

import pytest
from machine_tools import SRAM, fault_of
from reference_machine import inst
from test_faults import HALT, ZEROS, copy_out, expect, fill


def word(value: int, address: int = 0, **more):
    """A 32-bit word in SRAM."""
    f = {"dst_space": "sram", "dst_addr": address, "elem_bytes": 4, "run": 1} | more
    return inst("fill", value=value & 0xFFFFFFFF, **f)


ROWS = fill(256, 64)  # four rows of 16 bytes


def look_up(engine: str = "dma0", **more):
    """A row of `ROWS` to SRAM 512; the index is at SRAM 0."""
    f = {
        "src_space": "sram",
        "dst_space": "sram",
        "src_addr": 256,
        "dst_addr": 512,
        "run_bytes": 16,
        "index_n": 4,
        "index_src_s": 16,
    } | more
    return inst("copy", engine, **f)


def test_index_of_an_empty_copy_is_not_read():
    for nothing in ({"n0": 0}, {"n3": 0}, {"run_bytes": 0}):
        for address in (0, 2, SRAM):
            assert fault_of([word(9), look_up(index_addr=address, **nothing), HALT]) is None


def test_index_address():
    prepare = [ROWS, word(1), word(1, SRAM - 4)]
    for name, bad in (("Misaligned", 2), ("OutOfBounds", SRAM)):
        for good in (0, SRAM - 4):
            expect(
                name,
                [*prepare, look_up(index_addr=bad)],
                [*prepare, look_up(index_addr=good)],
                pc=3,
            )


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"src_addr": SRAM - 63}, {"src_addr": SRAM - 64}),
        ({"src_addr": 47, "index_src_s": -16}, {"src_addr": 48, "index_src_s": -16}),
        ({"dst_addr": SRAM - 63, "index_dst_s": 16}, {"dst_addr": SRAM - 64, "index_dst_s": 16}),
    ],
)
def test_every_index_is_in_bounds(bad, good):
    """Looked for before anything runs, whatever the index is."""
    prepare = [fill(0, SRAM), word(0, 1024)]
    expect(
        "OutOfBounds",
        [*prepare, look_up(index_addr=1024, **bad)],
        [*prepare, look_up(index_addr=1024, **good)],
        pc=2,
        check=False,
    )


def test_every_index_has_been_written():
    expect(
        "UninitializedRead",
        [fill(256, 63), word(0), look_up()],
        [fill(256, 64), word(0), look_up()],
        pc=2,
    )
    assert fault_of([ROWS, look_up(), HALT])["message"].startswith("expected operand index")


def test_what_some_index_writes_is_written():
    scatter = [ROWS, word(0), look_up(index_dst_s=16)]
    expect("UninitializedRead", [*scatter, copy_out(512, 65)], [*scatter, copy_out(512, 64)], pc=3)


def test_race_with_a_row_that_is_not_selected():
    """The index is 0 and the reader wants row 3: another index would meet it."""
    prepare = [ROWS, fill(512, 64), word(0, post=[(0, 1)])]
    wait = {"wait": [(0, 1)], "index_dst_s": 16}
    fault = expect(
        "RaceReadAfterWrite",
        [*prepare, look_up("dma1", **wait), copy_out(560, 16)],
        [*prepare, look_up("dma1", **wait, post=[(1, 1)]), copy_out(560, 16, wait=[(1, 1)])],
        pc=4,
    )
    assert fault["other_pc"] == 3
    beside = [*prepare, look_up("dma1", **wait), copy_out(256, 16), HALT]
    assert fault_of(beside) is None


def test_race_for_an_index():
    prepare = [ROWS, word(0, post=[(0, 1)])]
    fault = expect(
        "RaceWriteAfterRead",
        [*prepare, look_up("dma1", wait=[(0, 1)]), word(1)],
        [*prepare, look_up("dma1", wait=[(0, 1)], post=[(1, 1)]), word(1, wait=[(1, 1)])],
        pc=3,
    )
    assert fault["other_pc"] == 2


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        # Source and destination, for any two indices.
        ({"dst_addr": 304}, {"dst_addr": 320}),
        ({"dst_addr": 224, "index_dst_s": 16}, {"dst_addr": 192, "index_dst_s": 16}),
        # The index and the destination.
        ({"dst_addr": 3}, {"dst_addr": 4}),
        ({"dst_addr": 48, "index_dst_s": -16}, {"dst_addr": 52, "index_dst_s": -16}),
        # Rows of one index, but not those of two.
        (
            {"n0": 2, "src_s0": 0, "dst_s0": 15, "index_dst_s": 64},
            {"n0": 2, "src_s0": 0, "dst_s0": 16, "index_dst_s": 8},
        ),
        ({"n0": 2, "index_dst_s": 1}, {"n0": 1, "index_dst_s": 1}),
    ],
)
def test_self_overlap_of_indexed_copies(bad, good):
    prepare = [ROWS, word(3)]
    expect("SelfOverlap", [*prepare, look_up(**bad)], [*prepare, look_up(**good)], pc=2)


def test_indexed_copies_that_may_write_over_constants():
    to_dram = {"dst_space": "dram", "dst_addr": 4096}
    expect(
        "ReadOnlyWrite",
        [ROWS, word(0), look_up(**to_dram, index_dst_s=-1)],
        [ROWS, word(0), look_up(**to_dram, index_dst_s=1)],
        constants=[ZEROS],
        pc=2,
    )


#: Four rows to places of 16 bytes from 512 on, each with an index.
EACH = {"n3": 4, "src_s3": 16, "index_src_s": 0, "index_dst_s": 16, "index_s": 4}
INDICES = [word(3, 4 * i) for i in range(4)]


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("Misaligned", {"index_s": 2}, {"index_s": 8}),
        ("Misaligned", {"index_s": -2, "index_addr": 12}, {"index_s": -4, "index_addr": 12}),
        ("OutOfBounds", {"index_addr": SRAM - 12}, {"index_addr": SRAM - 16}),
        ("OutOfBounds", {"index_s": -4, "index_addr": 8}, {"index_s": -4, "index_addr": 12}),
        ("OutOfBounds", {"dst_addr": SRAM - 63}, {"dst_addr": SRAM - 64}),
    ],
)
def test_addresses_of_several_indices(name, bad, good):
    prepare = [fill(0, SRAM)]
    expect(
        name,
        [*prepare, look_up(**EACH | bad)],
        [*prepare, look_up(**EACH | good)],
        pc=1,
        check=False,
    )


def test_the_stride_of_one_index_does_not_matter():
    assert fault_of([ROWS, word(1), look_up(index_s=2), HALT]) is None


def test_every_one_of_several_indices_has_been_written():
    expect(
        "UninitializedRead",
        [ROWS, *INDICES[:3], look_up(**EACH)],
        [ROWS, *INDICES, look_up(**EACH)],
        pc=4,
    )


def test_race_for_the_last_of_several_indices():
    prepare = [ROWS, *INDICES[:3], word(0, 12, post=[(0, 1)])]
    wait = EACH | {"wait": [(0, 1)]}
    fault = expect(
        "RaceWriteAfterRead",
        [*prepare, look_up("dma1", **wait), word(1, 12)],
        [*prepare, look_up("dma1", **wait, post=[(1, 1)]), word(1, 12, wait=[(1, 1)])],
        pc=6,
    )
    assert fault["other_pc"] == 5


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        # The last index and the destination.
        ({"dst_addr": 15}, {"dst_addr": 16}),
        # The last row of the source and the destination of any index.
        ({"dst_addr": 319}, {"dst_addr": 320}),
        # Rows of one index, but not those of two: all indices here are 3.
        ({"n0": 2, "dst_s0": 15, "index_dst_s": 64}, {"n0": 2, "dst_s0": 16, "index_dst_s": 8}),
        ({"n2": 2}, {"n2": 1}),
    ],
)
def test_self_overlap_with_several_indices(bad, good):
    prepare = [ROWS, *INDICES]
    expect(
        "SelfOverlap",
        [*prepare, look_up(**EACH | bad)],
        [*prepare, look_up(**EACH | good)],
        pc=5,
    )
