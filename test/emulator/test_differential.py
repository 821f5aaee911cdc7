# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Contractions, maps and lane programs, random and directed, against the reference machine."""

from __future__ import annotations

import numpy as np
import pytest
from machine_tools import ACC, ALL_MODES, SRAM, compare, random_image, strides_for
from reference_machine import SIZE, Lane, Op, inst


def float_image(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Values of moderate size with some special ones."""
    count = SRAM // SIZE[kind]
    values = rng.standard_normal(count).astype(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, 3e38, -1.0], np.float32)
    places = rng.random(count) < 0.02
    values[places] = rng.choice(special, places.sum())
    if kind == "f16":
        with np.errstate(over="ignore"):
            return np.frombuffer(values.astype(np.float16).tobytes(), np.uint8).copy()
    if kind == "bf16":
        top = (values.view(np.uint32) >> 16).astype(np.uint16)
        return np.frombuffer(top.tobytes(), np.uint8).copy()
    return np.frombuffer(values.tobytes(), np.uint8).copy()


def random_contract(rng, a_type, w_type):
    """A contract with random extents and strides; bounds, bias and zero points at random."""
    floats = a_type in ("bf16", "f16", "f32")
    m = [int(rng.integers(1, 5)), int(rng.integers(1, 4)), int(rng.integers(1, 3))]
    k = [int(rng.integers(1, 6)), int(rng.integers(1, 4)), int(rng.integers(1, 4))]
    n = int(rng.integers(1, 10))
    depthwise = rng.random() < 0.25
    f = {"a_type": a_type, "w_type": w_type, "acc_type": "f32" if floats else "i32", "n": n}
    f |= {f"m{d}": m[d] for d in range(3)} | {f"k{d}": k[d] for d in range(3)}
    pixel = (n if depthwise else k[0]) * SIZE[a_type]
    row = pixel * 16
    f |= {
        "a_addr": 4096,
        "a_m0": pixel * 2,
        "a_m1": row * 2,
        "a_m2": SIZE[a_type] * 8,
        "a_k0": 0 if depthwise else SIZE[a_type],
        "a_k1": pixel,
        "a_k2": row,
        "a_n": SIZE[a_type] if depthwise else 0,
    }
    if rng.random() < 0.6:
        f |= {
            "has_bounds": 1,
            "x0": int(rng.integers(-2, 2)),
            "y0": int(rng.integers(-2, 2)),
            "w": int(rng.integers(0, 9)),
            "h": int(rng.integers(0, 7)),
            "x_m0": 2,
            "y_m1": 2,
            "x_k1": 1,
            "y_k2": 1,
        }
    w_strides, end = strides_for(rng, [*k, n], SIZE[w_type], 8192)
    f |= {
        "w_addr": 8192,
        "w_k0": w_strides[0],
        "w_k1": w_strides[1],
        "w_k2": w_strides[2],
        "w_n": w_strides[3],
    }
    if rng.random() < 0.4:
        f["w_m2"] = (end - 8192 + 3) // 4 * 4
    acc, _ = strides_for(rng, [*m, n], 4, 0)
    f |= {"acc_addr": 16, "acc_m0": acc[0], "acc_m1": acc[1], "acc_m2": acc[2], "acc_n": acc[3]}
    choice = rng.integers(0, 3)
    if choice == 1:
        f["accumulate"] = 1
    if choice == 2:
        f |= {"has_bias": 1, "bias_addr": 12288}
    if not floats:
        low, high = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767)}[a_type]
        f["a_zero"] = int(rng.integers(low, high + 1)) if rng.random() < 0.6 else 0
        low, high = {"i8": (-128, 127), "u8": (0, 255), "i16": (-32768, 32767)}[w_type]
        f["w_zero"] = int(rng.integers(low, high + 1)) if rng.random() < 0.4 else 0
    return inst("contract", **f)


@pytest.mark.parametrize(
    "types", [("i8", "i8"), ("u8", "i8"), ("i8", "u8"), ("u8", "u8"), ("i16", "i16"), ("i16", "i8")]
)
@pytest.mark.parametrize("seed", range(8))
def test_integer_contract(types, seed):
    rng = np.random.default_rng(seed)
    image = random_image(rng)
    if rng.random() < 0.7:  # small accumulators: no wrap from the start
        image[:ACC].view(np.int32)[:] %= 1000
    compare([random_contract(rng, *types)], [], image)


@pytest.mark.parametrize("kind", ["bf16", "f16", "f32"])
@pytest.mark.parametrize("seed", range(8))
def test_float_contract(kind, seed):
    rng = np.random.default_rng(seed)
    image = float_image(rng, kind)
    image[:ACC] = float_image(rng, "f32")[:ACC]
    compare([random_contract(rng, kind, kind)], [], image)


@pytest.mark.parametrize("kind", ["bf16", "f16", "f32"])
@pytest.mark.parametrize("seed", range(8))
def test_float_contract_with_integer_weights(kind, seed):
    rng = np.random.default_rng(seed)
    image = float_image(rng, kind)
    image[:ACC] = float_image(rng, "f32")[:ACC]
    image[ACC + 8192 : ACC + 12288] = rng.integers(0, 256, 4096)
    contract = random_contract(rng, kind, "i8")
    compare([contract], [], image)


def test_contract_larger_than_a_block():
    """More rows, columns and steps than the vector loops take at once."""
    rng = np.random.default_rng(5)
    body = [
        inst(
            "contract",
            a_type="i8",
            w_type="i8",
            acc_type="i32",
            a_addr=4096,
            w_addr=8192,
            m0=37,
            k0=70,
            n=21,
            a_m0=70,
            a_k0=1,
            w_k0=21,
            w_n=1,
            acc_m0=84,
            acc_n=4,
        )
    ]
    compare(body, [], random_image(rng), modes=ALL_MODES, check=True)


def test_contract_accumulates_over_split_k():
    """Two halves of K give what the whole gives, also in float."""
    rng = np.random.default_rng(6)
    common = {
        "a_type": "f32",
        "w_type": "f32",
        "acc_type": "f32",
        "m0": 3,
        "n": 5,
        "a_m0": 64,
        "a_k0": 4,
        "w_k0": 20,
        "w_n": 4,
        "acc_m0": 20,
        "acc_n": 4,
    }
    parts = [
        inst("contract", **common, a_addr=4096, w_addr=8192, k0=8),
        inst("contract", **common, a_addr=4096 + 32, w_addr=8192 + 160, k0=8, accumulate=1),
        inst("contract", **common | {"acc_addr": 1024}, a_addr=4096, w_addr=8192, k0=16),
    ]
    compare(parts, [], float_image(rng, "f32"))


# ---- map -----------------------------------------------------------------------

INTEGER = [
    ("addi", 2),
    ("subi", 2),
    ("muli", 2),
    ("minsi", 2),
    ("maxsi", 2),
    ("minui", 2),
    ("maxui", 2),
    ("andi", 2),
    ("ori", 2),
    ("xori", 2),
    ("shli", 2),
    ("shrsi", 2),
    ("shrui", 2),
    ("sext8", 1),
    ("sext16", 1),
    ("select", 3),
    ("sitofp", 1),
]
FLOAT = [
    ("addf", 2),
    ("subf", 2),
    ("mulf", 2),
    ("fma", 3),
    ("divf", 2),
    ("minimumf", 2),
    ("maximumf", 2),
    ("negf", 1),
    ("absf", 1),
    ("roundeven", 1),
    ("floor", 1),
    ("ceil", 1),
    ("fptosi", 1),
    ("sqrt", 1),
]
CMPI = ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"]
CMPF = [
    "false",
    "oeq",
    "ogt",
    "oge",
    "olt",
    "ole",
    "one",
    "ord",
    "ueq",
    "ugt",
    "uge",
    "ult",
    "ule",
    "une",
    "uno",
    "true",
]


def elementwise(op: Op, image: np.ndarray, streams: int, count: int = 100) -> None:
    """One operation on up to three i32 streams (their bits) of `count` points."""
    lane = Lane(tuple(range(streams)), 8, [op])
    fields = {"n0": count, "s7_type": "i32", "s7_space": "sram", "s7_addr": 8192, "s7_d0": 4}
    for s in range(streams):
        fields |= {f"s{s}_type": "i32", f"s{s}_space": "sram", f"s{s}_addr": 400 * s, f"s{s}_d0": 4}
    compare([inst("map", **fields)], [lane], image)


@pytest.mark.parametrize(("name", "sources"), INTEGER)
def test_integer_operation(name, sources):
    rng = np.random.default_rng(1)
    words = rng.choice(
        np.array([0, 1, -1, 2, 31, 32, 33, 127, 128, -128, 2**31 - 1, -(2**31)], np.int64),
        SRAM // 4,
    )
    mixed = np.where(rng.random(SRAM // 4) < 0.5, words, rng.integers(-(2**31), 2**31, SRAM // 4))
    image = np.frombuffer(mixed.astype(np.int32).tobytes(), np.uint8).copy()
    elementwise(Op(name, 8, tuple(range(sources))), image, sources)


@pytest.mark.parametrize(("name", "sources"), FLOAT)
def test_float_operation(name, sources):
    rng = np.random.default_rng(2)
    specials = np.array(
        [
            0,
            0x80000000,
            0x7F800000,
            0xFF800000,
            0x7FC00000,
            0xFFC12345,
            1,
            0x80000001,
            0x7F7FFFFF,
            0x3F800000,
            0x3F000000,
            0xBF000000,
            0x4B000000,
            0x4F000000,
            0xCF000000,
            0x4EFFFFFF,
        ],
        np.uint32,
    )
    count = SRAM // 4
    words = np.where(
        rng.random(count) < 0.4,
        rng.choice(specials, count),
        rng.integers(0, 2**32, count, dtype=np.uint32),
    )
    near = (rng.standard_normal(count) * 4).astype(np.float32).view(np.uint32)
    words = np.where(rng.random(count) < 0.4, near, words).astype(np.uint32)
    elementwise(
        Op(name, 8, tuple(range(sources))), np.frombuffer(words.tobytes(), np.uint8).copy(), sources
    )


@pytest.mark.parametrize("pred", CMPI)
def test_integer_comparison(pred):
    rng = np.random.default_rng(3)
    words = rng.choice(np.array([0, 1, -1, 5, -(2**31), 2**31 - 1], np.int64), SRAM // 4)
    image = np.frombuffer(words.astype(np.int32).tobytes(), np.uint8).copy()
    elementwise(Op("cmpi", 8, (0, 1), {"pred": pred}), image, 2)


@pytest.mark.parametrize("pred", CMPF)
def test_float_comparison(pred):
    rng = np.random.default_rng(4)
    words = rng.choice(
        np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], np.float32), SRAM // 4
    )
    elementwise(
        Op("cmpf", 8, (0, 1), {"pred": pred}), np.frombuffer(words.tobytes(), np.uint8).copy(), 2
    )


@pytest.mark.parametrize("kind", ["bf16", "f16", "f32"])
def test_round_to_format(kind):
    rng = np.random.default_rng(5)
    words = rng.integers(0, 2**32, SRAM // 4, dtype=np.uint32)
    ties = (rng.integers(0, 2**16, SRAM // 4, dtype=np.uint32) << 16) | 0x8000
    halves = rng.integers(0x33000000, 0x48000000, SRAM // 4, dtype=np.uint32) & 0xFFFFF000
    words = np.choose(rng.integers(0, 3, SRAM // 4), [words, ties, halves]).astype(np.uint32)
    elementwise(
        Op("round", 8, (0,), {"type": kind}), np.frombuffer(words.tobytes(), np.uint8).copy(), 1
    )


@pytest.mark.parametrize("mode", ["sr", "dr", "rne", "f32"])
@pytest.mark.parametrize("name", ["rescale", "requant"])
def test_rescale(mode, name):
    rng = np.random.default_rng(6)
    count = 100
    image = random_image(rng)
    words = image.view(np.int32)
    shifts = rng.integers(2, 63, count)
    words[:count] = rng.integers(-(2**31), 2**31, count)
    words[100 : 100 + count] = rng.integers(0, 2**31, count)
    words[100:120] = [0, 1, 2**30, 2**31 - 1] * 5
    # Exact ties: a * 2^(s-1) with odd a.
    words[:20] = rng.integers(-100, 100, 20) * 2 + 1
    words[100:110] = 2**30
    shifts[:10] = 31
    words[200 : 200 + count] = shifts
    imm = {"mode": mode}
    if name == "requant":
        imm |= {"zero": -7, "lo": -128, "hi": 120}
    elementwise(Op(name, 8, (0, 1, 2), imm), image, 3)


def test_division():
    rng = np.random.default_rng(7)
    image = random_image(rng)
    words = image.view(np.int32)
    words[100:200] = np.where(words[100:200] == 0, 7, words[100:200])
    words[:3], words[100:103] = -(2**31), [-1, 1, 3]
    for name in ("divsi", "remsi"):
        elementwise(Op(name, 8, (0, 1)), image, 2)


RED_INTEGER = [
    ("red.addi", 1),
    ("red.muli", 1),
    ("red.minsi", 1),
    ("red.maxsi", 1),
    ("red.andi", 1),
    ("red.ori", 1),
    ("red.maci", 2),
]
RED_FLOAT = [
    ("red.addf", 1),
    ("red.mulf", 1),
    ("red.minimumf", 1),
    ("red.maximumf", 1),
    ("red.macf", 2),
]


def random_map(rng, reduce, op: Op, in_type, out_type, streams, counts):
    """A reduction over random strided streams, its result scaled by the index in the end."""
    parallel = [d for d in range(5) if not reduce >> d & 1]
    f = {f"n{d}": counts[d] for d in range(5)} | {"reduce": reduce}
    for s in range(streams):
        strides, end = strides_for(rng, counts, SIZE[in_type], 4096 * s)
        for d in range(5):
            if rng.random() < 0.2:
                strides[d] = 0
        assert end < 4096 * (s + 1) + 2048
        f |= {f"s{s}_type": in_type, f"s{s}_space": "sram", f"s{s}_addr": 4096 * s}
        f |= {f"s{s}_d{d}": strides[d] for d in range(5)}
    strides, _ = strides_for(rng, counts, SIZE[out_type], 12288, parallel)
    f |= {"s7_type": out_type, "s7_space": "sram", "s7_addr": 12288}
    f |= {f"s7_d{d}": strides[d] for d in parallel}
    return inst("map", **f)


@pytest.mark.parametrize("reduce", [0, 1, 2, 0b101, 0b10110, 0b11111])
@pytest.mark.parametrize("seed", range(3))
def test_integer_reduction(reduce, seed):
    rng = np.random.default_rng(seed * 100 + reduce)
    for name, sources in RED_INTEGER:
        counts = [int(rng.integers(1, 13)), *(int(rng.integers(1, 4)) for _ in range(4))]
        op = Op(name, 9, tuple(range(sources)), {"init": int(rng.integers(0, 2**31))})
        lane = Lane(
            tuple(range(sources)),
            11,
            [op, Op("index", 10, (), {"dim": int(rng.integers(0, 5))})],
            [Op("addi", 11, (9, 10)), Op("xori", 11, (11, 0))],
        )
        body = [
            random_map(rng, reduce, op, rng.choice(["i8", "i16", "u8"]), "i32", sources, counts)
        ]
        compare(body, [lane], random_image(rng))


@pytest.mark.parametrize("reduce", [0, 1, 2, 0b101, 0b01110])
@pytest.mark.parametrize("vpu_lanes", [3, 8])
def test_float_reduction(reduce, vpu_lanes):
    rng = np.random.default_rng(reduce * 10 + vpu_lanes)
    for name, sources in RED_FLOAT:
        counts = [int(rng.integers(1, 23)), *(int(rng.integers(1, 3)) for _ in range(4))]
        op = Op(name, 9, tuple(range(sources)), {"init": hex(0x3F800000)})
        lane = Lane(tuple(range(sources)), 9, [op])
        kind = str(rng.choice(["bf16", "f16"]))
        body = [random_map(rng, reduce, op, kind, "f32", sources, counts)]
        compare(body, [lane], float_image(rng, kind), vpu_lanes)


@pytest.mark.parametrize("count", [64, 67, 130, 300])
def test_long_inner_reduction(count):
    """Strips run along d0; the result does not depend on how they are cut."""
    rng = np.random.default_rng(count)
    lane = Lane(
        (0,),
        9,
        [
            Op("red.addf", 9, (0,), {"init": 0}),
            Op("red.maximumf", 10, (0,), {"init": hex(0xFF800000)}),
        ],
        [Op("subf", 9, (9, 10)), Op("addf", 9, (9, 0))],
    )
    f = {
        "n0": count,
        "n1": 3,
        "n2": 2,
        "reduce": 0b101,
        "s0_type": "f16",
        "s0_space": "sram",
        "s0_d0": 2,
        "s0_d1": 2 * count,
        "s0_d2": 6 * count,
        "s7_type": "f32",
        "s7_space": "sram",
        "s7_addr": 12288,
        "s7_d1": 4,
    }
    for vpu_lanes in (5, 8):
        compare([inst("map", **f)], [lane], float_image(rng, "f16"), vpu_lanes)


def test_map_over_many_points():
    """More points than a strip, rows that are no multiple of it, two output types."""
    rng = np.random.default_rng(8)
    lane = Lane((0, 1), 2, [Op("addi", 2, (0, 1))])
    for out in ("i8", "i16"):
        f = {
            "n0": 37,
            "n1": 20,
            "s0_type": "i8",
            "s0_space": "sram",
            "s0_d0": 1,
            "s0_d1": 40,
            "s1_type": "u8",
            "s1_space": "sram",
            "s1_addr": 2000,
            "s1_d1": 1,
            "s7_type": out,
            "s7_space": "sram",
            "s7_addr": 8192,
            "s7_d0": SIZE[out],
            "s7_d1": 40 * SIZE[out],
        }
        compare([inst("map", **f)], [lane], random_image(rng), modes=ALL_MODES, check=True)


def test_map_in_place():
    rng = np.random.default_rng(9)
    lane = Lane((0,), 1, [Op("muli", 1, (0, 0))])
    f = {
        "n0": 300,
        "s0_type": "i32",
        "s0_space": "sram",
        "s0_addr": 64,
        "s0_d0": 8,
        "s7_type": "i32",
        "s7_space": "sram",
        "s7_addr": 64,
        "s7_d0": 8,
    }
    compare([inst("map", **f)], [lane], random_image(rng), modes=ALL_MODES, check=True)


@pytest.mark.parametrize("empty", [0, 1])
def test_empty_reduction_gives_the_initial_value(empty):
    lane = Lane((0,), 2, [Op("red.addi", 1, (0,), {"init": 77})], [Op("addi", 2, (1, 0))])
    f = {
        "n0": 3,
        "n1": 3,
        "reduce": 1 << empty,
        f"n{empty}": 0,
        "s0_type": "i8",
        "s0_space": "sram",
        "s7_type": "i32",
        "s7_space": "sram",
        "s7_addr": 8192,
        f"s7_d{1 - empty}": 4,
    }
    compare([inst("map", **f)], [lane], random_image(np.random.default_rng(0)))
