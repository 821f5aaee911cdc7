# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One test per fault, each beside a near miss that must run."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from machine_tools import ACC, SRAM, TARGET, container, fault_of, machine, target_yaml, tensor
from reference_machine import Lane, Op, inst

from asic import _core

HALT = inst("halt")
ZEROS = (0, bytes(4096))  # constants at DRAM 0


def fill(address: int, count: int, **more):
    return inst("fill", dst_space="sram", dst_addr=address, elem_bytes=1, run=count, **more)


def copy_out(address: int, count: int, dst: int = 8192, **more):
    return inst(
        "copy",
        src_space="sram",
        dst_space="dram",
        src_addr=address,
        dst_addr=dst,
        run_bytes=count,
        **more,
    )


def contract(**more):
    f = {
        "a_type": "i8",
        "w_type": "i8",
        "acc_type": "i32",
        "a_addr": 0,
        "w_addr": 64,
        "k0": 4,
        "a_k0": 1,
        "w_k0": 1,
    } | more
    return inst("contract", **f)


IDENTITY = Lane((0,), 0)


def move(**more):
    """i32 words from SRAM 0 to SRAM 1024."""
    f = {
        "n0": 4,
        "s0_type": "i32",
        "s0_space": "sram",
        "s0_d0": 4,
        "s7_type": "i32",
        "s7_space": "sram",
        "s7_addr": 1024,
        "s7_d0": 4,
    } | more
    return inst("map", **f)


def expect(
    name: str,
    bad: list,
    good: list,
    lanes=(),
    *,
    pc: int | None = None,
    check: bool = True,
    **kwargs,
) -> dict:
    """`bad` faults with `name` (at `pc`) in every mode, `good` runs in every mode."""
    fault = None
    for mode in ("functional", "timed", "async"):
        fault = fault_of([*bad, HALT], lanes, check=check, mode=mode, **kwargs)
        assert fault is not None, f"expected {name}"
        assert fault["fault"] == name, fault["text"]
        if pc is not None:
            assert fault["pc"] == pc, fault["text"]
        passed = fault_of([*good, HALT], lanes, check=check, mode=mode, **kwargs)
        assert passed is None, passed["text"]
    return fault


def test_every_fault_is_tested():
    source = Path(__file__).read_text()
    for row in _core.isa_tables()["faults"]:
        if row["name"] != "Accounting":  # needs an emulator that is wrong
            assert f'"{row["name"]}"' in source, row["name"]


def test_illegal_engine_of_this_target():
    bad = inst("nop", "dma0")
    raw = bytearray(bad.encode())
    raw[1] = 6  # dma3; the target has three
    good = bytearray(raw)
    good[1] = 5
    text = f".bytes {raw.hex()}\nhalt.ctrl"
    assert fault_of(text)["fault"] == "IllegalEncoding"
    assert fault_of(f".bytes {good.hex()}\nhalt.ctrl") is None


def test_illegal_bits():
    raw = bytearray(fill(0, 4).encode())
    raw[255] = 1
    fault = fault_of(f"fill.dma0 elem_bytes=1 dst_space=sram\n.bytes {raw.hex()}\nhalt.ctrl")
    assert (fault["fault"], fault["pc"]) == ("IllegalEncoding", 1)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (contract(a_type="bf16", w_type="f16", acc_type="f32", a_k0=2, w_k0=2), contract()),
        (contract(a_type="i8", w_type="i16"), contract(a_type="i16", w_type="i8", a_k0=2)),
    ],
)
def test_illegal_mode(bad, good):
    prepare = [fill(0, 128, post=[(0, 1)])]
    bad.waits = good.waits = [(0, 1)]
    expect("IllegalEncoding", [*prepare, bad], [*prepare, good], pc=1)


def test_illegal_depthwise_without_a_path():
    description = yaml.safe_load(TARGET)
    del description["engines"]["mxu"]["depthwise_macs_per_cycle"]
    program = [fill(0, 128, post=[(0, 1)]), contract(wait=[(0, 1)], n=2, a_n=1, acc_n=4), HALT]
    fault = fault_of(program, target=yaml.safe_dump(description))
    assert fault["fault"] == "IllegalEncoding"
    assert fault_of(program) is None


def test_illegal_lane_program_number():
    prepare = [fill(0, 16, post=[(0, 1)])]
    expect(
        "IllegalEncoding",
        [*prepare, move(wait=[(0, 1)], program=1)],
        [*prepare, move(wait=[(0, 1)])],
        [IDENTITY],
        pc=1,
    )


def test_missing_halt():
    assert fault_of([fill(0, 4)])["fault"] == "MissingHalt"
    assert fault_of([HALT, fill(0, 4), HALT])["fault"] == "MissingHalt"
    assert fault_of([])["fault"] == "MissingHalt"
    assert fault_of([fill(0, 4), HALT]) is None


def test_target_mismatch():
    """The description in a program must be the canonical one of a legal target."""
    data = container([HALT])
    assert _core.Machine.load(data).describe()["target"] == "test-machine"
    for old, new in [(b'"schema": 1', b'"schema": 9'), (b'"count": 3', b'"count": 0')]:
        assert data.count(old) >= 1
        with pytest.raises(ValueError, match="TargetMismatch"):
            _core.Machine.load(reseal(data.replace(old, new, 1)))


def reseal(data: bytes) -> bytes:
    """Recomputes both hashes, as someone who forges a file would."""
    offset, size = struct.unpack_from("<QQ", data, 96 + 8)
    data = bytearray(data)
    data[16:48] = hashlib.sha256(data[offset : offset + size]).digest()
    data[48:80] = hashlib.sha256(data[:48] + bytes(32) + data[80:]).digest()
    return bytes(data)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (
            inst("fill", dst_space="sram", dst_addr=6, elem_bytes=4, run=1),
            inst("fill", dst_space="sram", dst_addr=8, elem_bytes=4, run=1),
        ),
        (
            inst("fill", dst_space="sram", elem_bytes=2, run=1, n0=2, dst_s0=3),
            inst("fill", dst_space="sram", elem_bytes=2, run=1, n0=1, dst_s0=3),
        ),
    ],
)
def test_misaligned_fill(bad, good):
    expect("Misaligned", [bad], [good], pc=0)


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ({"acc_addr": 2}, {"acc_addr": 4}),
        ({"m0": 2, "acc_m0": 6}, {"m0": 2, "acc_m0": 8}),
        ({"has_bias": 1, "bias_addr": 2}, {"has_bias": 1, "bias_addr": 4}),
        ({"a_type": "i16", "a_k0": 3}, {"a_type": "i16", "a_k0": 2}),
    ],
)
def test_misaligned_contract(bad, good):
    prepare = [fill(0, 128, post=[(0, 1)])]
    expect(
        "Misaligned",
        [*prepare, contract(wait=[(0, 1)], **bad)],
        [*prepare, contract(wait=[(0, 1)], **good)],
        pc=1,
    )


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        (fill(SRAM - 4, 5), fill(SRAM - 4, 4)),
        (fill(0, 4, n0=2, dst_s0=SRAM - 3), fill(0, 4, n0=2, dst_s0=SRAM - 4)),
        (fill(8, 4, n0=2, dst_s0=-9), fill(8, 4, n0=2, dst_s0=-8)),
        (fill(0, 1, n0=2**24 - 1, dst_s0=2**39 - 1), fill(0, 1, n0=1, dst_s0=2**39 - 1)),
        (fill(2**40 - 1, 1), fill(2**40 - 1, 0)),
    ],
)
def test_out_of_bounds_fill(bad, good):
    fault = expect("OutOfBounds", [bad], [good], pc=0)
    assert fault["range"]["space"] == "sram"


def test_out_of_bounds_contract():
    prepare = [fill(0, 128, post=[(0, 1)])]
    for bad, good in [
        ({"acc_addr": ACC}, {"acc_addr": ACC - 4}),
        ({"a_addr": -1}, {"a_addr": 0}),
        ({"a_addr": SRAM - 3}, {"a_addr": 124}),
    ]:
        expect(
            "OutOfBounds",
            [*prepare, contract(wait=[(0, 1)], **bad)],
            [*prepare, contract(wait=[(0, 1)], **good)],
            pc=1,
        )


def test_only_inside_points_of_a_window_are_accessed():
    """`a_addr` may lie before the buffer when the points there are outside."""
    window = {
        "m0": 4,
        "k0": 1,
        "a_m0": 1,
        "acc_m0": 4,
        "has_bounds": 1,
        "h": 1,
        "x_m0": 1,
        "a_addr": -2,
        "x0": -2,
    }
    prepare = [fill(0, 128, post=[(0, 1)])]
    expect(
        "OutOfBounds",
        [*prepare, contract(wait=[(0, 1)], **window | {"x0": -1}, w=4)],
        [*prepare, contract(wait=[(0, 1)], **window, w=4)],
        pc=1,
    )


def test_uninitialized_read():
    expect("UninitializedRead", [fill(0, 7), copy_out(0, 8)], [fill(0, 8), copy_out(0, 8)], pc=1)


def test_uninitialized_read_between_strided_runs():
    rows = fill(0, 4, n0=2, dst_s0=8)
    strided = {"n0": 2, "src_s0": 8, "dst_s0": 8}
    expect(
        "UninitializedRead",
        [rows, copy_out(0, 5, **strided)],
        [rows, copy_out(0, 4, **strided)],
        pc=1,
    )


def test_uninitialized_accumulator():
    prepare = [fill(0, 128, post=[(0, 1)])]
    expect(
        "UninitializedRead",
        [*prepare, contract(wait=[(0, 1)], accumulate=1)],
        [*prepare, contract(wait=[(0, 1)]), contract(accumulate=1)],
        pc=1,
    )


def test_uninitialized_output():
    outputs = [tensor("y", 8192, 8)]
    expect(
        "UninitializedRead",
        [fill(0, 8), copy_out(0, 7)],
        [fill(0, 8), copy_out(0, 8)],
        outputs=outputs,
    )


def test_not_checked_without_check():
    assert fault_of([copy_out(0, 8), HALT], check=False) is None


@pytest.mark.parametrize("distance", [0, 7])
def test_race_read_after_write(distance):
    """dma1 reads what dma0 writes; one byte of overlap is enough."""
    read = {
        "src_space": "sram",
        "dst_space": "dram",
        "src_addr": 64,
        "dst_addr": 8192,
        "run_bytes": 8,
    }
    prepare = [fill(64, 16, post=[(0, 1)]), inst("nop", "dma1", wait=[(0, 1)])]
    racing = [*prepare, fill(64 + distance, 1), inst("copy", "dma1", **read)]
    ordered = [
        *prepare,
        fill(64 + distance, 1, post=[(0, 1)]),
        inst("copy", "dma1", wait=[(0, 1)], **read),
    ]
    fault = expect("RaceReadAfterWrite", racing, ordered, pc=3)
    assert fault["other_pc"] == 2
    assert fault_of([*prepare, fill(72, 1), inst("copy", "dma1", **read), HALT]) is None


def test_race_write_after_read():
    prepare = [fill(0, 64, post=[(0, 1)])]
    read = inst(
        "copy",
        "dma1",
        wait=[(0, 1)],
        src_space="sram",
        dst_space="dram",
        dst_addr=8192,
        run_bytes=64,
    )
    ordered_read = inst(
        "copy",
        "dma1",
        wait=[(0, 1)],
        post=[(1, 1)],
        src_space="sram",
        dst_space="dram",
        dst_addr=8192,
        run_bytes=64,
    )
    fault = expect(
        "RaceWriteAfterRead",
        [*prepare, read, fill(63, 1)],
        [*prepare, ordered_read, fill(63, 1, wait=[(1, 1)])],
        pc=2,
    )
    assert fault["other_pc"] == 1
    assert fault_of([*prepare, read, fill(64, 1), HALT]) is None  # disjoint


def test_race_write_after_write():
    second = inst("fill", "dma1", dst_space="sram", dst_addr=60, elem_bytes=1, run=8)
    waiting = inst(
        "fill", "dma1", wait=[(0, 1)], dst_space="sram", dst_addr=60, elem_bytes=1, run=8
    )
    fault = expect(
        "RaceWriteAfterWrite", [fill(0, 64), second], [fill(0, 64, post=[(0, 1)]), waiting], pc=1
    )
    assert fault["other_pc"] == 0


def test_interleaved_rows_do_not_race():
    """Footprints are exact: bounding boxes overlap, bytes do not."""
    even = fill(0, 4, n0=8, dst_s0=8)
    odd = inst("fill", "dma1", dst_space="sram", dst_addr=4, elem_bytes=1, run=4, n0=8, dst_s0=8)
    close = inst("fill", "dma1", dst_space="sram", dst_addr=3, elem_bytes=1, run=4, n0=8, dst_s0=8)
    expect("RaceWriteAfterWrite", [even, close], [even, odd], pc=1)


def test_order_is_transitive_and_through_fences():
    chain = [
        fill(0, 8, post=[(0, 1)]),
        inst("nop", "vpu", wait=[(0, 1)], post=[(1, 1)]),
        inst("fill", "dma1", wait=[(1, 1)], dst_space="sram", elem_bytes=1, run=8),
    ]
    assert fault_of([*chain, HALT]) is None
    other = inst("fill", "dma1", dst_space="sram", elem_bytes=1, run=8)
    fenced = [fill(0, 8), inst("fence", engines=1 << 3), other]
    wrong = [fill(0, 8), inst("fence", engines=1 << 4), other]
    expect("RaceWriteAfterWrite", wrong, fenced, pc=2)


def test_a_post_does_not_order_what_follows_it():
    bad = [
        fill(0, 8, post=[(0, 1)]),
        fill(8, 8),
        inst(
            "copy",
            "dma1",
            wait=[(0, 1)],
            src_space="sram",
            dst_space="dram",
            dst_addr=8192,
            run_bytes=9,
        ),
    ]
    good = [
        *bad[:2],
        inst(
            "copy",
            "dma1",
            wait=[(0, 1)],
            src_space="sram",
            dst_space="dram",
            dst_addr=8192,
            run_bytes=8,
        ),
    ]
    expect("RaceReadAfterWrite", bad, good, pc=2)


def test_self_overlap():
    prepare = fill(0, 256)
    overlap = {"src_space": "sram", "dst_space": "sram", "run_bytes": 16}
    expect(
        "SelfOverlap",
        [prepare, inst("copy", dst_addr=15, **overlap)],
        [prepare, inst("copy", dst_addr=16, **overlap)],
        pc=1,
    )
    expect("SelfOverlap", [fill(0, 8, n0=2, dst_s0=7)], [fill(0, 8, n0=2, dst_s0=8)], pc=0)
    expect("SelfOverlap", [fill(0, 8, n0=2)], [fill(0, 8, n0=1)], pc=0)


def test_self_overlap_of_maps():
    prepare = [fill(0, 256, post=[(0, 1)])]
    shifted = move(wait=[(0, 1)], s7_addr=4)
    in_place = move(wait=[(0, 1)], s7_addr=0)
    expect("SelfOverlap", [*prepare, shifted], [*prepare, in_place], [IDENTITY], pc=1)
    disjoint = move(wait=[(0, 1)], s0_d0=8, s7_d0=8, s7_addr=4)
    expect(
        "SelfOverlap",
        [*prepare, move(wait=[(0, 1)], s0_d0=8, s7_d0=8, s7_addr=8)],
        [*prepare, disjoint],
        [IDENTITY],
        pc=1,
    )


def test_self_overlap_of_accumulators():
    prepare = [fill(0, 128, post=[(0, 1)])]
    expect(
        "SelfOverlap",
        [*prepare, contract(wait=[(0, 1)], n=2, w_n=1)],
        [*prepare, contract(wait=[(0, 1)], n=2, w_n=1, acc_n=4)],
        pc=1,
    )


def test_read_only_write():
    put = fill(0, 8)
    expect(
        "ReadOnlyWrite",
        [put, copy_out(0, 8, dst=4089 - 1)],
        [put, copy_out(0, 8, dst=4096)],
        constants=[ZEROS],
        pc=1,
    )
    x = tensor("x", 4096, 16)
    zeros = {"x": np.zeros(16, np.uint8)}
    inside = machine([put, copy_out(0, 8, dst=4104), HALT], inputs=[x])
    behind = machine([put, copy_out(0, 8, dst=4112), HALT], inputs=[x])
    assert inside.run(zeros, check=True)["fault"]["fault"] == "ReadOnlyWrite"
    assert behind.run(zeros, check=True)["fault"] is None


def test_acc_type_mix():
    prepare = [fill(0, 128, post=[(0, 1)])]
    to_sram = {"s0_space": "acc", "n0": 1}
    ints = contract(wait=[(0, 1)], post=[(1, 1)])
    floats = move(wait=[(1, 1)], **to_sram, s0_type="f32")
    expect(
        "AccTypeMix",
        [*prepare, ints, floats],
        [*prepare, ints, move(wait=[(1, 1)], **to_sram)],
        [IDENTITY],
        pc=2,
    )


def test_semaphore_overflow():
    target = target_yaml(max_value=3)
    posts = [inst("nop", "dma0", post=[(0, 1)]) for _ in range(4)]
    waits = [inst("nop", "vpu", wait=[(0, 1)]) for _ in range(4)]
    mixed = [x for pair in zip(posts, waits, strict=True) for x in pair]
    expect(
        "SemaphoreOverflow",
        [*posts, *waits],
        [*posts[:3], waits[0], waits[1], waits[2]],
        pc=3,
        target=target,
    )
    # A queue of 16 lets the consumer lag by all four.
    assert fault_of([*mixed, HALT], target=target)["fault"] == "SemaphoreOverflow"


def test_semaphore_leak():
    post, wait = inst("nop", "dma0", post=[(0, 2)]), inst("nop", "vpu", wait=[(0, 1)])
    expect("SemaphoreLeak", [post, wait], [post, wait, wait], pc=0)


def test_semaphore_sharing():
    post, wait = inst("nop", "dma0", post=[(0, 1)]), inst("nop", "vpu", wait=[(0, 1)])
    foreign = inst("nop", "dma1", post=[(0, 1)])
    expect("SemaphoreSharing", [post, wait, foreign, wait], [post, wait, post, wait], pc=2)
    elsewhere = inst("nop", "mxu", wait=[(0, 1)])
    expect("SemaphoreSharing", [post, post, wait, elsewhere], [post, post, wait, wait], pc=3)


def test_deadlock():
    post, wait = inst("nop", "dma0", post=[(0, 1)]), inst("nop", "vpu", wait=[(0, 2)])
    expect("Deadlock", [post, wait], [post, post, wait], pc=1, check=False)


def test_wait_before_post():
    post, wait = inst("nop", "dma0", post=[(0, 1)]), inst("nop", "vpu", wait=[(0, 1)])
    expect("WaitBeforePost", [wait, post], [post, wait], pc=0, check=False)


def test_acc_overflow():
    """127 * 127 * k leaves int32 at k = 133144; a start value brings it near."""
    start = [
        inst("fill", dst_space="sram", elem_bytes=1, value=127, run=8, post=[(0, 1)]),
        inst("fill", dst_space="sram", dst_addr=64, elem_bytes=1, value=127, run=8),
        inst(
            "fill",
            dst_space="sram",
            dst_addr=128,
            elem_bytes=4,
            run=1,
            post=[(1, 1)],
            value=2**31 - 1 - 4 * 127 * 127 + 1,
        ),
    ]
    fits = [
        *start[:2],
        inst(
            "fill",
            dst_space="sram",
            dst_addr=128,
            elem_bytes=4,
            run=1,
            post=[(1, 1)],
            value=2**31 - 1 - 4 * 127 * 127,
        ),
    ]
    body = contract(wait=[(0, 1), (1, 1)], has_bias=1, bias_addr=128)
    fault = expect("AccOverflow", [*start, body], [*fits, body], pc=3)
    assert fault["range"] == {"space": "acc", "begin": 0, "end": 4}
    # Without checks the sum wraps.
    assert fault_of([*start, body, HALT], check=False) is None


def words(values, address=0):
    """Fills that put 32-bit words into SRAM; the last one posts semaphore 0."""
    fills = [
        inst(
            "fill",
            dst_space="sram",
            dst_addr=address + 4 * k,
            elem_bytes=4,
            run=1,
            value=int(v) & 0xFFFFFFFF,
        )
        for k, v in enumerate(values)
    ]
    fills[-1].posts = [(0, 1)]
    return fills


def lane_of(op: Op, sources: int):
    """A one-point map whose sources are the words at 0, 4, 8."""
    f = {"s7_type": "i32", "s7_space": "sram", "s7_addr": 1024, "n0": 1}
    for s in range(sources):
        f |= {f"s{s}_type": "i32", f"s{s}_space": "sram", f"s{s}_addr": 4 * s}
    return inst("map", wait=[(0, 1)], **f), Lane(tuple(range(sources)), 9, [op])


@pytest.mark.parametrize(
    ("mode", "bad", "good"),
    [
        ("sr", (2**29, 1, 30), (2**29 - 1, 1, 30)),
        ("sr", (-(2**29) - 1, 1, 30), (-(2**29), 1, 30)),
        ("dr", (5, -1, 30), (5, 0, 30)),
        ("rne", (5, 1, 63), (5, 1, 62)),
        ("rne", (5, 1, 1), (5, 1, 2)),
        ("f32", (5, -1, 30), (5, 0, 30)),
        ("f32", (5, 1, 63), (5, 1, 62)),
    ],
)
def test_requant_domain(mode, bad, good):
    body, lane = lane_of(Op("rescale", 9, (0, 1, 2), {"mode": mode}), 3)
    expect("RequantDomain", [*words(bad), body], [*words(good), body], [lane], pc=3)


def test_invalid_conversion():
    body, lane = lane_of(Op("fptosi", 9, (0,)), 1)
    expect(
        "InvalidConversion",
        [*words([0x7FC00000]), body],
        [*words([0x7F800000]), body],
        [lane],
        pc=1,
    )


@pytest.mark.parametrize("name", ["divsi", "remsi"])
def test_division_by_zero(name):
    body, lane = lane_of(Op(name, 9, (0, 1)), 2)
    expect(
        "DivisionByZero", [*words([5, 0]), body], [*words([5, -1]), body], [lane], pc=2, check=False
    )


def test_watchdog():
    program = [fill(0, 100), fill(0, 100), HALT]
    assert fault_of(program, max_instructions=2)["fault"] == "Watchdog"
    assert fault_of(program, max_instructions=3) is None
    assert fault_of(program, max_work=199)["fault"] == "Watchdog"
    assert fault_of(program, max_work=200) is None


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        ({}, "expected an input called 'x'"),
        ({"x": np.zeros(4, np.int8)}, "dtype"),
        ({"x": np.zeros(5, np.uint8)}, "shape"),
        ({"x": np.zeros((4, 1), np.uint8)}, "shape"),
        ({"x": np.zeros(4, np.uint8), "z": np.zeros(4, np.uint8)}, "'z'"),
    ],
)
def test_host_misuse(inputs, part):
    loaded = machine([HALT], inputs=[tensor("x", 0, 4)])
    fault = loaded.run(inputs)["fault"]
    assert fault["fault"] == "HostMisuse"
    assert part in fault["message"]
    assert loaded.run({"x": np.zeros(4, np.uint8)})["fault"] is None


def test_host_value_out_of_range():
    loaded = machine([HALT], inputs=[tensor("x", 0, 2, "int64", "i32")])
    assert loaded.run({"x": np.array([2**31 - 1, -(2**31)])})["fault"] is None
    fault = loaded.run({"x": np.array([2**31, 0])})["fault"]
    assert fault["fault"] == "HostMisuse"


def test_fault_says_where():
    """Layer, source line, cycle and disassembly travel with a fault."""
    debug = [{"tag": 7, "layer": "net.conv1", "location": "loc(x)", "source": "net.py:12"}]
    bad = [fill(0, 4), copy_out(0, 8, tag=7), HALT]
    fault = machine(bad, debug=debug).run({}, check=True)["fault"]
    assert fault["layer"] == "net.conv1"
    assert fault["source"] == "net.py:12"
    assert fault["instruction"].startswith("copy.dma0 tag=7")
    assert "E07" in fault["text"]
    assert "pc 1" in fault["text"]
    assert json.loads(json.dumps(fault)) == fault
