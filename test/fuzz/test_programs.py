# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seeded, bounded fuzzing of whole programs: a result or a fault, never a crash, and the same
in every mode."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
from machine_tools import ACC, SRAM, machine, tensor
from reference_machine import TABLE, Inst, Lane, Op, inst

LANES = [
    Lane((0,), 0),
    Lane((0, 1), 9, [Op("addi", 8, (0, 1)), Op("red.addi", 9, (8,), {"init": 5})]),
    Lane((0,), 3, [Op("exp", 1, (0,)), Op("divsi", 2, (0, 1)), Op("fptosi", 3, (2,))]),
]


def wild(rng: random.Random) -> Inst:
    """Plausible types and small counts most of the time, anything now and then."""
    mnemonic = rng.choice(["copy", "fill", "contract", "map"])
    i = inst(mnemonic)
    for name, bits, signed in TABLE[mnemonic][1]:
        if name.endswith("flags") or (mnemonic == "map" and name[0] == "s" and name[1] in "3456"):
            continue
        if name.endswith("_type"):
            value = rng.choice([3, 3, 4, 5, 6, 9]) if rng.random() < 0.95 else rng.randrange(18)
        elif name.endswith("_space"):
            value = rng.choice([1, 1, 1, 2]) if mnemonic == "map" else rng.randrange(2)
        elif name == "program":
            value = rng.randrange(3)
        elif name == "elem_bytes":
            value = rng.choice([1, 2, 4])
        elif rng.random() < 0.03:
            value = rng.randrange(1 << bits) - ((1 << (bits - 1)) if signed else 0)
        elif name.endswith("addr"):
            value = rng.randrange(0, ACC, 4)
        elif bits == 1:
            value = rng.randrange(2)
        elif rng.random() < 0.5:
            value = i[name]
        else:
            value = rng.randrange(-8 if signed else 0, 17) * rng.choice([1, 4])
        i.f[name] = value
    if mnemonic == "map":
        inputs = LANES[i["program"]].inputs
        for s in (0, 1, 2):
            if s not in inputs:
                for name in [f for f in i.f if f.startswith(f"s{s}_")]:
                    i.f[name] = 0
        for d in range(5):
            if i["reduce"] >> d & 1:
                i.f[f"s7_d{d}"] = 0
    return i


@pytest.mark.parametrize("seed", range(4))
def test_wild_instructions(seed):
    rng = random.Random(seed)
    image = np.random.default_rng(seed).integers(0, 256, SRAM, dtype=np.uint8)
    ran = faults = 0
    for _ in range(150):
        body = [wild(rng) for _ in range(2)]
        load = inst("copy", src_space="dram", dst_space="sram", run_bytes=SRAM)
        store = inst("copy", src_space="sram", dst_space="dram", dst_addr=32768, run_bytes=SRAM)
        stream = [load, *body, store]
        for k in range(1, len(stream)):
            stream[k - 1].posts, stream[k].waits = [(k, 1)], [(k, 1)]
        lanes_text = [*LANES]
        program = machine(
            [*stream, inst("halt")],
            lanes_text,
            constants=[(0, image.tobytes())],
            outputs=[tensor("y", 32768, SRAM)],
        )
        results = [
            program.run({}, mode=mode, check=check, seed=seed, max_work=10**6)
            for mode in ("functional", "timed", "async")
            for check in (False, True)
        ]
        kinds = [r["fault"] and r["fault"]["fault"] for r in results]
        assert kinds[0] == kinds[2] == kinds[4], kinds
        assert kinds[1] == kinds[3] == kinds[5], kinds
        if kinds[0] is None:
            ran += 1
            outputs = [r["outputs"]["y"] for r in results[::2]]
            assert all(np.array_equal(outputs[0], o) for o in outputs)
        else:
            faults += 1
    assert ran
    assert faults


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes(seed):
    """Random 256-byte strings are instructions or clean faults."""
    rng = random.Random(seed)
    opcodes = [TABLE[m][0] for m in TABLE]
    for _ in range(200):
        raw = bytearray(wild(rng).encode())
        raw[0] = rng.choice(opcodes)
        for _ in range(rng.randrange(4)):
            raw[rng.randrange(256)] ^= 1 << rng.randrange(8)
        text = "\n".join(
            [*(lane.text(k) for k, lane in enumerate(LANES)), f".bytes {raw.hex()}", "halt.ctrl"]
        )
        result = machine(text).run({}, check=rng.random() < 0.5, max_work=10**6)
        assert result["fault"] is None or result["fault"]["message"]


LAST_BUFFER = 6
SQUARE = [Lane((0,), 0), Lane((0,), 1, [Op("muli", 1, (0, 0))])]


def pipeline(rng: random.Random) -> tuple[list[Inst], list[tuple[int, int]]]:
    """Random moves between buffers on four engines, not yet ordered, and the pairs of
    conflicting instructions on different engines."""
    stream: list[Inst] = []
    touched: list[tuple[int, int]] = []  # source and destination buffer
    for _ in range(30):
        src, dst = rng.sample(range(LAST_BUFFER), 2)
        engine = rng.choice(["dma0", "dma1", "dma2", "vpu"])
        if engine == "vpu":
            i = inst(
                "map",
                n0=16,
                s0_type="i32",
                s0_space="sram",
                s0_addr=64 * src,
                s0_d0=4,
                s7_type="i32",
                s7_space="sram",
                s7_addr=64 * dst,
                s7_d0=4,
                program=1,
            )
        else:
            i = inst(
                "copy",
                engine,
                src_space="sram",
                dst_space="sram",
                src_addr=64 * src,
                dst_addr=64 * dst,
                run_bytes=64,
            )
        stream.append(i)
        touched.append((src, dst))
    conflicts = []
    for j, (s1, d1) in enumerate(touched):
        for i, (s0, d0) in enumerate(touched[:j]):
            conflict = d0 in (s1, d1) or d1 == s0
            if conflict and stream[i].engine != stream[j].engine:
                conflicts.append((i, j))
    return stream, conflicts


def synchronise(stream: list[Inst], conflicts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Adds posts and waits, one semaphore per pair of engines; returns the pairs that they order.

    What a consumer needs of a producer only grows, so the k-th post meets the k-th wait."""
    semaphores: dict[tuple[str, str], int] = {}
    newest: dict[tuple[str, str], int] = {}
    pairs = []
    for j, consumer in enumerate(stream):
        needs: dict[str, int] = {}
        for i in (i for i, jj in conflicts if jj == j):
            needs[stream[i].engine] = max(needs.get(stream[i].engine, -1), i)
        for engine, i in needs.items():
            key = (engine, consumer.engine)
            if i <= newest.get(key, -1):
                continue
            newest[key] = i
            semaphore = semaphores.setdefault(key, len(semaphores))
            stream[i].posts.append((semaphore, 1))
            consumer.waits.append((semaphore, 1))
            pairs.append((i, j))
    return pairs


def is_ordered(stream, pairs, conflicts) -> bool:
    """True when every conflict is ordered by engine order and `pairs`: plain reachability."""
    after: dict[int, set[int]] = {}
    for i in reversed(range(len(stream))):
        later = {j for p, j in pairs if p == i}
        later |= {
            next((j for j in range(i + 1, len(stream)) if stream[j].engine == stream[i].engine), i)
        } - {i}
        after[i] = later.union(*(after[j] for j in later))
    return all(j in after[i] for i, j in conflicts)


def whole(middle: list[Inst], seed: int):
    image = np.random.default_rng(seed).integers(0, 256, 4096, dtype=np.uint8).tobytes()
    fence = inst("fence", engines=0xFFFF)
    load = inst("copy", src_space="dram", dst_space="sram", run_bytes=4096)
    store = inst("copy", src_space="sram", dst_space="dram", dst_addr=8192, run_bytes=4096)
    return machine(
        [load, fence, *middle, fence, store, inst("halt")],
        SQUARE,
        constants=[(0, image)],
        outputs=[tensor("y", 8192, 4096)],
    )


@pytest.mark.parametrize("seed", range(12))
def test_synchronised_programs_do_not_depend_on_time(seed):
    """Sequential, timed and asynchronous runs give the same bytes."""
    stream, conflicts = pipeline(random.Random(seed))
    pairs = synchronise(stream, conflicts)
    assert is_ordered(stream, pairs, conflicts)
    program = whole(stream, seed)
    want = program.run({}, check=True)
    assert want["fault"] is None, want["fault"]["text"]
    runs = [program.run({}, mode="timed", check=True)]
    runs += [program.run({}, mode="async", seed=s, check=s == 0) for s in range(20)]
    for run in runs:
        assert run["fault"] is None
        assert np.array_equal(run["outputs"]["y"], want["outputs"]["y"])


@pytest.mark.parametrize("seed", range(12))
def test_a_missing_order_is_a_race_exactly_when_it_is_one(seed):
    """Each post and its wait is deleted in turn; reachability in a graph says whether the rest
    still orders every conflict, and the emulator must agree."""
    stream, conflicts = pipeline(random.Random(seed))
    pairs = synchronise(stream, conflicts)
    races = 0
    for k, (i, j) in enumerate(pairs):
        (semaphore,) = {s for s, _ in stream[i].posts} & {s for s, _ in stream[j].waits}
        mutant = copy.deepcopy(stream)
        mutant[i].posts.remove((semaphore, 1))
        mutant[j].waits.remove((semaphore, 1))
        fault = whole(mutant, seed).run({}, check=True)["fault"]
        redundant = is_ordered(stream, pairs[:k] + pairs[k + 1 :], conflicts)
        assert (fault is None) == redundant
        if fault:
            assert fault["fault"].startswith("Race")
            races += 1
    assert races
