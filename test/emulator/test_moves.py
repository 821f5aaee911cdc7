# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Copies and fills, random and directed, against the reference machine."""

from __future__ import annotations

import numpy as np
import pytest
from machine_tools import ALL_MODES, compare, machine, random_image, strides_for
from reference_machine import Lane, Op, inst

#: Two rows of three runs.
GRID = {
    "src_space": "sram",
    "dst_space": "sram",
    "src_addr": 1001,
    "dst_addr": 4003,
    "run_bytes": 5,
    "n0": 3,
    "src_s0": 8,
    "dst_s0": 6,
    "n1": 2,
    "src_s1": -30,
    "dst_s1": 30,
}


@pytest.mark.parametrize("seed", range(12))
def test_copy(seed):
    rng = np.random.default_rng(seed)
    counts = [int(rng.integers(1, 4)) for _ in range(4)]
    run = int(rng.integers(1, 9))
    source, end = strides_for(rng, counts, run, 64)
    for d in range(4):
        if rng.random() < 0.2:
            source[d] = 0  # broadcast
    target, _ = strides_for(rng, counts, run, end)
    fields = {f"n{d}": counts[d] for d in range(4)}
    fields |= {f"src_s{d}": source[d] for d in range(4)}
    fields |= {f"dst_s{d}": target[d] for d in range(4)}
    body = [
        inst(
            "copy",
            src_space="sram",
            dst_space="sram",
            src_addr=64,
            dst_addr=end,
            run_bytes=run,
            **fields,
        )
    ]
    compare(body, [], random_image(rng), modes=ALL_MODES, check=True)


def test_copy_runs_backwards():
    body = [
        inst(
            "copy",
            src_space="sram",
            dst_space="sram",
            src_addr=100,
            dst_addr=4000,
            n0=10,
            src_s0=-4,
            dst_s0=8,
            run_bytes=4,
        )
    ]
    compare(body, [], random_image(np.random.default_rng(0)))


@pytest.mark.parametrize("row", [0, 1, 4, 5, -1, -(2**31), 2**31 - 1])
@pytest.mark.parametrize(("src_stride", "dst_stride"), [(48, 0), (0, 48), (-40, 24), (5, -3)])
def test_indexed_copy(row, src_stride, dst_stride):
    """A row of the source, of the destination, of both; sliding rows; one that is not there."""
    image = random_image(np.random.default_rng(abs(row)))
    image[:4] = np.frombuffer(np.int32(row).tobytes(), np.uint8)
    body = [
        inst(
            "copy",
            **GRID,
            index_n=5,
            index_src_s=src_stride,
            index_dst_s=dst_stride,
        )
    ]
    compare(body, [], image, modes=ALL_MODES, check=True)


@pytest.mark.parametrize("rows", [[0, 4, 2], [3, 3, 3], [1, -1, 5], [-1, 5, 9], [2**31 - 1, 0, 0]])
@pytest.mark.parametrize(("src_stride", "dst_stride"), [(48, 0), (0, 48), (-40, 24), (5, -3)])
@pytest.mark.parametrize("step", [4, 12, -8])
def test_an_index_per_row(rows, src_stride, dst_stride, step):
    """In order: the last of the rows that meet stays, one whose index is outside moves nothing."""
    image = random_image(np.random.default_rng(abs(rows[0])))
    for i, row in enumerate(rows):
        image[64 + step * i : 68 + step * i] = np.frombuffer(np.int32(row).tobytes(), np.uint8)
    body = [
        inst(
            "copy",
            **GRID,
            n3=3,
            src_s3=100,
            dst_s3=dst_stride and 7,
            index_addr=64,
            index_n=5,
            index_src_s=src_stride,
            index_dst_s=dst_stride,
            index_s=step,
        )
    ]
    compare(body, [], image, modes=ALL_MODES, check=True)


def test_indices_are_read_one_after_the_other():
    """The index of the second copy is what the first one moved."""
    image = random_image(np.random.default_rng(3))
    image[:16] = np.frombuffer(np.array([2, 1, 0, 3], np.int32).tobytes(), np.uint8)
    look_up = {"src_space": "sram", "dst_space": "sram", "run_bytes": 4, "index_n": 4}
    body = [
        inst("copy", **look_up, src_addr=0, dst_addr=64, index_src_s=4, index_addr=12),
        inst("copy", **look_up, src_addr=512, dst_addr=1024, index_dst_s=4, index_addr=64),
    ]
    compare(body, [], image, modes=ALL_MODES, check=True)


@pytest.mark.parametrize("packed", ["i4", "u4"])
@pytest.mark.parametrize("run", [1, 2, 7, 16])
@pytest.mark.parametrize("strides", [(0, 0), (3, -40), (-9, 16)])
def test_packed_copy(packed, run, strides):
    """Broadcast, sliding and backward rows; a run of an odd number ends inside a byte."""
    body = [
        inst(
            "copy",
            src_space="sram",
            dst_space="sram",
            src_addr=1001,
            dst_addr=4003,
            run_bytes=run,
            packed_type=packed,
            n0=5,
            n1=3,
            src_s0=strides[0],
            src_s1=strides[1],
            dst_s0=run,
            dst_s1=100,
        )
    ]
    compare(body, [], random_image(np.random.default_rng(run)), modes=ALL_MODES, check=True)


@pytest.mark.parametrize("row", [0, 3, 4])
def test_packed_copy_of_an_indexed_row(row):
    image = random_image(np.random.default_rng(row))
    image[:4] = np.frombuffer(np.int32(row).tobytes(), np.uint8)
    copy = {"src_space": "sram", "dst_space": "sram", "src_addr": 1001, "dst_addr": 4003}
    rows = {"run_bytes": 5, "index_n": 4, "index_src_s": 3, "index_dst_s": 5}
    body = [inst("copy", **copy, **rows, packed_type="i4")]
    compare(body, [], image, modes=ALL_MODES, check=True)


@pytest.mark.parametrize("empty", ["n0", "n3", "run_bytes"])
def test_copy_of_nothing(empty):
    fields = {"n0": 2, "run_bytes": 4, "src_addr": 2**40 - 1, empty: 0}
    body = [inst("copy", src_space="sram", dst_space="sram", **fields)]
    compare(body, [], random_image(np.random.default_rng(0)))


@pytest.mark.parametrize("mnemonic", ["copy", "fill", "contract", "map"])
def test_nothing_takes_no_time(mnemonic):
    """The other counts do not matter where one is 0."""
    f = {"dst_space": "sram", "n1": 0}
    if mnemonic == "copy":
        f |= {"src_space": "sram", "run_bytes": 4}
    elif mnemonic == "fill":
        f |= {"elem_bytes": 1, "run": 4}
    elif mnemonic == "contract":
        f = {"a_type": "i8", "w_type": "i8", "acc_type": "i32", "m0": 0, "m1": 2**24 - 1, "k0": 4}
    else:
        f = {"s7_type": "i32", "s7_space": "sram", "n1": 0}
    large = ["m2", "n"] if mnemonic == "contract" else ["n0", "n2", "n3"]
    body = [inst(mnemonic, **f, **dict.fromkeys(large, 2**24 - 1))]
    program = machine([*body, inst("halt")], [Lane((), 0, [Op("const", 0, (), {"imm": "1"})])])
    for mode in ALL_MODES:
        assert program.run({}, mode=mode, check=True)["fault"] is None


@pytest.mark.parametrize("size", [1, 2, 4])
def test_fill(size):
    body = [
        inst(
            "fill",
            dst_space="sram",
            dst_addr=8 * size,
            elem_bytes=size,
            value=0xA1B2C3D4,
            run=3,
            n0=2,
            n1=2,
            n2=2,
            n3=2,
            dst_s0=4 * size,
            dst_s1=8 * size,
            dst_s2=16 * size,
            dst_s3=64 * size,
        )
    ]
    compare(body, [], random_image(np.random.default_rng(size)), modes=ALL_MODES, check=True)
