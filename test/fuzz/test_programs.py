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


#: Bytes at the start of SRAM that begin as small integers, for indices.
SMALL_WORDS = 256


def wild(rng: random.Random) -> Inst:
    """Plausible types and small counts most of the time, anything now and then."""
    mnemonic = rng.choice(["copy", "fill", "contract", "map"])
    i = inst(mnemonic)
    for name, bits, signed in TABLE[mnemonic][1]:
        if name.endswith("flags") or (mnemonic == "map" and name[0] == "s" and name[1] in "3456"):
            continue
        if name == "packed_type":
            value = rng.choice([0, 1, 2]) if rng.random() < 0.95 else rng.randrange(18)
        elif name.endswith("_type"):
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
    if mnemonic == "copy":
        if i["packed_type"] and rng.random() < 0.9:
            i.f |= {"run_bytes": rng.randrange(1, 40), "n1": 1, "n2": 1, "n3": 1}
        index = [name for name in i.f if name.startswith("index")]
        if rng.random() < 0.5:
            i.f |= dict.fromkeys(index, 0)
        elif rng.random() < 0.9:
            i.f |= {"index_addr": rng.randrange(0, SMALL_WORDS, 4), "index_n": rng.randrange(1, 7)}
            if rng.random() < 0.5:
                i.f |= {"n1": 1, "n2": 1, "n3": rng.randrange(2, 5), "dst_s3": rng.choice([0, 4])}
                i.f["index_s"] = rng.choice([4, 8, -4])
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
    numbers = np.random.default_rng(seed)
    image = numbers.integers(0, 256, SRAM, dtype=np.uint8)
    image[:SMALL_WORDS].view(np.int32)[:] = numbers.integers(-1, 6, SMALL_WORDS // 4)
    ran = faults = indexed = packed = several = 0
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
            indexed += any(i["index_n"] for i in body)
            several += any(i["index_s"] and i["n3"] > 1 for i in body)
            packed += any(i["packed_type"] and i["run_bytes"] for i in body)
            outputs = [r["outputs"]["y"] for r in results[::2]]
            assert all(np.array_equal(outputs[0], o) for o in outputs)
        else:
            faults += 1
    assert ran
    assert faults
    assert indexed
    assert packed
    assert several


def look_up(rng: random.Random) -> Inst:
    """An indexed copy from one half of the small words to the other, the indices in the first."""
    half = SMALL_WORDS // 2
    here, there = rng.choice([(0, half), (half, 0)])
    run, rows = rng.choice([4, 8, 12]), rng.randrange(5, 9)
    steps, index_s = rng.choice([(1, 0), (3, 4), (4, -8)])
    indices = here + (steps - 1) * 8 + rng.randrange(0, half - steps * 16, 4)
    return inst(
        "copy",
        src_space="sram",
        dst_space="sram",
        src_addr=here + rng.randrange(0, 24, 4),
        dst_addr=there + rng.randrange(0, 24, 4),
        run_bytes=run,
        index_addr=indices,
        index_n=rows,
        index_src_s=rng.choice([0, 4, 8]),
        index_dst_s=rng.choice([0, 4, 8]),
        n3=steps,
        src_s3=rng.choice([0, 4]),
        dst_s3=rng.choice([0, 4]),
        index_s=index_s,
    )


def outcome(stream: list[Inst], words: np.ndarray) -> tuple[np.ndarray, int]:
    """The words after the look-ups, and how many of them had an index outside."""
    words, outside = words.copy(), 0
    for i in stream:
        for step in range(i["n3"]):
            row = int(words[(i["index_addr"] + step * i["index_s"]) // 4])
            if not 0 <= row < i["index_n"]:
                outside += 1
                continue
            src, dst = (
                (i[f"{side}_addr"] + row * i[f"index_{side}_s"] + step * i[f"{side}_s3"]) // 4
                for side in ("src", "dst")
            )
            run = i["run_bytes"] // 4
            words[dst : dst + run] = words[src : src + run]
    return words, outside


@pytest.mark.parametrize("seed", range(2))
def test_indices_that_move_indices(seed):
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    met = 0
    for _ in range(100):
        words = numbers.choice(
            np.arange(-1, 8, dtype=np.int32), SMALL_WORDS // 4, p=[0.02] + [0.1225] * 8
        )
        ends = {"run_bytes": SMALL_WORDS}
        stream = [
            inst("copy", src_space="dram", dst_space="sram", **ends),
            *(look_up(rng) for _ in range(8)),
            inst("copy", src_space="sram", dst_space="dram", dst_addr=32768, **ends),
            inst("halt"),
        ]
        want, outside = outcome(stream[1:-2], words)
        program = machine(
            stream,
            constants=[(0, words.tobytes())],
            outputs=[tensor("y", 32768, SMALL_WORDS // 4, "int32", "i32")],
        )
        for mode in ("functional", "timed", "async"):
            result = program.run({}, mode=mode, check=True, seed=seed)
            assert result["fault"] is None, result["fault"]["text"]
            assert np.array_equal(result["outputs"]["y"], want)
        met += outside
    assert met


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


def indexed_move(rng: random.Random, engine: str) -> tuple[Inst, set[int], set[int]]:
    """A copy from, to, or from and to one of two buffers that an index chooses, or two such copies
    one after the other, and the buffers that any index reads and writes. The indices stand behind
    the buffers."""
    steps = rng.choice([1, 2])
    src, dst = rng.choice([0, 1]), rng.choice([3, 4])
    reads, writes = rng.choice([(2, 1), (1, 2), (2, 2)])
    i = inst(
        "copy",
        engine,
        src_space="sram",
        dst_space="sram",
        src_addr=64 * src,
        dst_addr=64 * dst,
        run_bytes=64,
        n3=steps,
        index_addr=64 * LAST_BUFFER + 4 * rng.randrange(15),
        index_s=4 * (steps - 1),
        index_n=2,
        index_src_s=64 * (reads - 1),
        index_dst_s=64 * (writes - 1),
    )
    return i, set(range(src, src + reads)), set(range(dst, dst + writes))


def pipeline(rng: random.Random) -> tuple[list[Inst], list[tuple[int, int]]]:
    """Random moves between buffers on four engines, not yet ordered, and the pairs of
    conflicting instructions on different engines."""
    stream: list[Inst] = []
    touched: list[tuple[set[int], set[int]]] = []  # buffers read and written
    for _ in range(30):
        src, dst = rng.sample(range(LAST_BUFFER), 2)
        reads, writes = {src}, {dst}
        engine = rng.choice(["dma0", "dma1", "dma2", "vpu"])
        if engine != "vpu" and rng.random() < 0.3:
            i, reads, writes = indexed_move(rng, engine)
        elif engine == "vpu":
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
                packed_type=rng.choice(["none", "none", "i4", "u4"]),
            )
        stream.append(i)
        touched.append((reads, writes))
    conflicts = []
    for j, (s1, d1) in enumerate(touched):
        for i, (s0, d0) in enumerate(touched[:j]):
            conflict = d0 & (s1 | d1) or d1 & s0
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
    numbers = np.random.default_rng(seed)
    data = numbers.integers(0, 256, 4096, dtype=np.uint8)
    data[64 * LAST_BUFFER :][:64].view(np.int32)[:] = numbers.integers(0, 2, 16)
    image = data.tobytes()
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
