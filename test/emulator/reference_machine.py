# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A second machine, written from docs/isa in plain Python for tests.

It shares nothing with the C++ emulator but the instruction table, which it reads and
encodes on its own. Integers are Python integers, floats are exact rationals rounded to
binary32 by hand; every index point is visited one by one. Slow and obvious.
"""

from __future__ import annotations

import itertools
import math
import re
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TYPES = ["none", "i4", "u4", "i8", "u8", "i16", "i32", "bf16", "f16", "f32"]
SPACES = ["dram", "sram", "acc"]
SIZE = {"i8": 1, "u8": 1, "i16": 2, "i32": 4, "bf16": 2, "f16": 2, "f32": 4}
NAN = 0x7FC00000


# ---- the instruction table ---------------------------------------------------


def read_table() -> dict[str, tuple[int, list[tuple[str, int, bool]]]]:
    """Mnemonic -> (opcode, [(field, bits, signed)]), from Instructions.def."""
    text = (ROOT / "runtime/isa/Instructions.def").read_text()
    text = re.sub(r"\\\n", " ", text)
    table: dict[str, tuple[int, list[tuple[str, int, bool]]]] = {}
    names: dict[str, str] = {}
    stream = re.search(r"#define STREAM_FIELDS\(i\)(.*)", text)
    assert stream
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if match := re.match(r"INSTRUCTION\((\w+), (\w+), (0x\w+)", line):
            names[match[1]] = match[2]
            table[match[2]] = (int(match[3], 16), [])
        elif match := re.match(r"FIELD\((\w+), (\w+), (\d+), (\w)", line):
            table[names[match[1]]][1].append((match[2], int(match[3]), match[4] == "s"))
        elif match := re.match(r"STREAM_FIELDS\((\d)\)", line):
            for _, name, bits, kind in re.findall(r"FIELD\((\w+), (\S+), (\d+), (\w)", stream[1]):
                table["map"][1].append((name.replace("##i##", match[1]), int(bits), kind == "s"))
    return table


TABLE = read_table()
ENGINES = {"ctrl": 0, "mxu": 1, "vpu": 2, "dma0": 3, "dma1": 4, "dma2": 5}
DEFAULT_ENGINE = {"copy": "dma0", "fill": "dma0", "contract": "mxu", "map": "vpu"}


@dataclass
class Inst:
    """One instruction; fields that are not given are 0, counts 1."""

    mnemonic: str
    engine: str = ""
    waits: list[tuple[int, int]] = field(default_factory=list)
    posts: list[tuple[int, int]] = field(default_factory=list)
    tag: int = 0
    f: dict[str, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> int:
        return self.f.get(name, 0)

    def encode(self) -> bytes:
        opcode, fields = TABLE[self.mnemonic]
        word = opcode | ENGINES[self.engine] << 8 | self.tag << 32
        for base, slots in ((64, self.waits), (128, self.posts)):
            for i, (semaphore, count) in enumerate(slots):
                word |= (1 | semaphore << 1 | count << 7) << (base + 16 * i)
        bit = 192
        for name, bits, _ in fields:
            word |= (self[name] & ((1 << bits) - 1)) << bit
            bit += bits
        return word.to_bytes(256, "little")


COUNTS = {
    "copy": ("n0", "n1", "n2", "n3"),
    "fill": ("n0", "n1", "n2", "n3"),
    "contract": ("m0", "m1", "m2", "k0", "k1", "k2", "n"),
    "map": ("n0", "n1", "n2", "n3", "n4"),
}


def inst(mnemonic: str, engine: str = "", wait=(), post=(), tag: int = 0, **fields) -> Inst:
    """Builds an instruction; type and space fields take names."""
    values: dict[str, int] = dict.fromkeys(COUNTS.get(mnemonic, ()), 1)
    for name, value in fields.items():
        if isinstance(value, str):
            value = (TYPES if name.endswith("_type") else SPACES).index(value)
        assert any(name == known for known, _, _ in TABLE[mnemonic][1]), name
        values[name] = int(value)
    engine = engine or DEFAULT_ENGINE.get(mnemonic, "ctrl")
    return Inst(mnemonic, engine, list(wait), list(post), tag, values)


# ---- numbers -----------------------------------------------------------------


def wrap32(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def bits_of(x: float) -> int:
    return struct.unpack("<I", struct.pack("<f", x))[0]


def float_of(bits: int) -> float:
    return struct.unpack("<f", struct.pack("<I", bits & 0xFFFFFFFF))[0]


def is_nan(bits: int) -> bool:
    return (bits & 0x7FFFFFFF) > 0x7F800000


def round_rational(value: Fraction, mantissa: int, emin: int, emax: int) -> Fraction | None:
    """Nearest even in a format with `mantissa` stored bits; None on overflow."""
    if value == 0:
        return Fraction(0)
    magnitude = abs(value)
    exponent = math.floor(math.log2(magnitude.numerator) - math.log2(magnitude.denominator))
    while Fraction(2) ** exponent > magnitude:
        exponent -= 1
    while Fraction(2) ** (exponent + 1) <= magnitude:
        exponent += 1
    step = Fraction(2) ** (max(exponent, emin) - mantissa)
    quotient = magnitude / step
    whole = quotient.numerator // quotient.denominator
    rest = quotient - whole
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2):
        whole += 1
    result = whole * step
    if result >= Fraction(2) ** (emax + 1):
        return None
    return result if value > 0 else -result


def round32(value: Fraction, negative_zero: bool = False) -> int:
    """Bits of the binary32 nearest to an exact value."""
    sign = 0x80000000 if value < 0 or (value == 0 and negative_zero) else 0
    rounded = round_rational(value, 23, -126, 127)
    if rounded is None:
        return sign | 0x7F800000
    return sign | bits_of(float(abs(rounded)))


def fma_bits(a: int, b: int, c: int) -> int:
    x, y, z = float_of(a), float_of(b), float_of(c)
    if any(map(is_nan, (a, b, c))):
        return NAN
    if math.isinf(x) or math.isinf(y) or math.isinf(z):
        product = x * y  # exact for infinities and zeros; NaN for 0 * inf
        if not (math.isinf(x) or math.isinf(y)):
            return c
        total = product + z if not math.isnan(product) else product
        return NAN if math.isnan(total) else bits_of(total)
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if exact == 0:
        product_negative = bool((a ^ b) >> 31)
        if Fraction(x) * Fraction(y) == 0 and z == 0:
            return 0x80000000 if product_negative and c >> 31 else 0
        return 0  # x + (-x) is +0
    return round32(exact)


ONE, MINUS_ZERO = bits_of(1.0), 0x80000000


def add_bits(a: int, b: int) -> int:
    return fma_bits(a, ONE, b)


def mul_bits(a: int, b: int) -> int:
    if is_nan(a) or is_nan(b):
        return NAN
    x, y = float_of(a), float_of(b)
    sign = (a ^ b) & 0x80000000
    if math.isinf(x) or math.isinf(y):
        return NAN if x == 0 or y == 0 else sign | 0x7F800000
    return round32(abs(Fraction(x) * Fraction(y))) | sign


def div_bits(a: int, b: int) -> int:
    if is_nan(a) or is_nan(b):
        return NAN
    x, y = float_of(a), float_of(b)
    sign = (a ^ b) & 0x80000000
    if math.isinf(x):
        return NAN if math.isinf(y) else sign | 0x7F800000
    if math.isinf(y):
        return sign
    if y == 0:
        return NAN if x == 0 else sign | 0x7F800000
    return round32(abs(Fraction(x) / Fraction(y))) | sign


def narrow(bits: int, kind: str) -> int:
    """binary32 bits -> bits of bf16 or f16, nearest even, overflow to infinity."""
    mantissa, emin, emax, infinity, nan = {
        "bf16": (7, -126, 127, 0x7F80, 0x7FC0),
        "f16": (10, -14, 15, 0x7C00, 0x7E00),
    }[kind]
    if is_nan(bits):
        return nan
    sign = (bits >> 16) & 0x8000
    value = abs(float_of(bits))
    if math.isinf(value):
        return sign | infinity
    rounded = round_rational(Fraction(value), mantissa, emin, emax)
    if rounded is None:
        return sign | infinity
    if kind == "bf16":
        return sign | bits_of(float(rounded)) >> 16
    return sign | struct.unpack("<H", struct.pack("<e", float(rounded)))[0]


def rescale(t: int, m: int, s: int, mode: str) -> int:
    if mode == "sr":
        value = (t * m + (1 << (s - 1))) >> s
    elif mode == "dr":
        extra = 0 if s <= 31 else (1 << 30) if t >= 0 else -(1 << 30)
        value = (t * m + (1 << (s - 1)) + extra) >> s
    elif mode == "f32":
        scale = np.float32(math.ldexp(m, -s))
        value = round(Fraction(float(np.float32(t) * scale)))
    else:
        value = round(Fraction(t * m, 2**s))  # half to even
    return max(-(2**31), min(2**31 - 1, value))


# ---- memory ------------------------------------------------------------------


class Memory:
    def __init__(self, sizes: dict[str, int]) -> None:
        self.bytes = {name: bytearray(size) for name, size in sizes.items()}

    def load(self, space: str, address: int, kind: str) -> int:
        """Register value: int32 for integers, binary32 bits for floats."""
        assert address >= 0
        raw = bytes(self.bytes[space][address : address + SIZE[kind]])
        assert len(raw) == SIZE[kind]
        value = int.from_bytes(raw, "little", signed=kind in ("i8", "i16", "i32"))
        if kind == "bf16":
            return value << 16
        if kind == "f16":
            return (
                bits_of(struct.unpack("<e", raw)[0])
                if not math.isnan(struct.unpack("<e", raw)[0])
                else NAN
            )
        return value

    def store(self, space: str, address: int, kind: str, value: int) -> None:
        assert address >= 0
        assert address + SIZE[kind] <= len(self.bytes[space])
        if kind in ("bf16", "f16"):
            value = narrow(value, kind)
        if kind == "f32" and is_nan(value):
            value = NAN
        value &= (1 << 8 * SIZE[kind]) - 1
        self.bytes[space][address : address + SIZE[kind]] = value.to_bytes(SIZE[kind], "little")


# ---- lane programs -----------------------------------------------------------


@dataclass
class Op:
    """A lane operation: name, destination, sources, immediate parts as text."""

    name: str
    dst: int
    src: tuple[int, ...] = ()
    imm: dict[str, object] = field(default_factory=dict)

    def text(self) -> str:
        registers = ", ".join(f"r{r}" for r in (self.dst, *self.src))
        return f"  {self.name} {registers} " + " ".join(f"{k}={v}" for k, v in self.imm.items())


@dataclass
class Lane:
    inputs: tuple[int, ...]
    out: int
    body: list[Op] = field(default_factory=list)
    final: list[Op] = field(default_factory=list)

    def text(self, index: int) -> str:
        names = ",".join(f"r{r}" for r in self.inputs) or "none"
        lines = [f".lane {index} in={names} out=r{self.out}"]
        lines += [op.text() for op in self.body]
        if self.final:
            lines += [".final"] + [op.text() for op in self.final]
        return "\n".join([*lines, ".end"])


def to_signed(x: int) -> int:
    return wrap32(x)


def lane_value(op: Op, v: list[int], index: list[int]) -> int:
    """Result bits of one operation; `v` are source bits (mod 2^32)."""
    u = [x & 0xFFFFFFFF for x in v]
    s = [to_signed(x) for x in v]
    n = op.name
    if n == "const":
        return int(str(op.imm["imm"]), 0)
    if n == "index":
        return index[int(str(op.imm["dim"]))]
    if n == "select":
        return u[1] if u[0] else u[2]
    integer = {
        "addi": lambda: s[0] + s[1],
        "subi": lambda: s[0] - s[1],
        "muli": lambda: s[0] * s[1],
        "minsi": lambda: min(s[0], s[1]),
        "maxsi": lambda: max(s[0], s[1]),
        "minui": lambda: min(u[0], u[1]),
        "maxui": lambda: max(u[0], u[1]),
        "andi": lambda: u[0] & u[1],
        "ori": lambda: u[0] | u[1],
        "xori": lambda: u[0] ^ u[1],
        "shli": lambda: u[0] << u[1] if u[1] < 32 else 0,
        "shrsi": lambda: s[0] >> min(u[1], 31),
        "shrui": lambda: u[0] >> u[1] if u[1] < 32 else 0,
        "divsi": lambda: int(Fraction(s[0], s[1])),
        "remsi": lambda: s[0] - int(Fraction(s[0], s[1])) * s[1],
        "sext8": lambda: (u[0] & 0xFF ^ 0x80) - 0x80,
        "sext16": lambda: (u[0] & 0xFFFF ^ 0x8000) - 0x8000,
    }
    if n in integer:
        return integer[n]()
    if n == "cmpi":
        a, b = s[0], s[1]
        ua, ub = u[0], u[1]
        return int(
            {
                "eq": a == b,
                "ne": a != b,
                "slt": a < b,
                "sle": a <= b,
                "sgt": a > b,
                "sge": a >= b,
                "ult": ua < ub,
                "ule": ua <= ub,
                "ugt": ua > ub,
                "uge": ua >= ub,
            }[str(op.imm["pred"])]
        )
    if n == "rescale":
        return rescale(s[0], s[1], s[2], str(op.imm["mode"]))
    if n == "requant":
        value = rescale(s[0], s[1], s[2], str(op.imm["mode"])) + int(str(op.imm["zero"]))
        return max(int(str(op.imm["lo"])), min(int(str(op.imm["hi"])), value))
    return lane_float(op, u, s)


def lane_float(op: Op, u: list[int], s: list[int]) -> int:
    n = op.name
    x = [float_of(b) for b in u]
    unordered = any(map(is_nan, u))
    if n == "addf":
        return add_bits(u[0], u[1])
    if n == "subf":
        return NAN if unordered else add_bits(u[0], u[1] ^ 0x80000000)
    if n == "mulf":
        return mul_bits(u[0], u[1])
    if n == "fma":
        return fma_bits(u[0], u[1], u[2])
    if n == "divf":
        return div_bits(u[0], u[1])
    if n in ("minimumf", "maximumf"):
        if unordered:
            return NAN
        key = [(value, -(bits >> 31)) for value, bits in zip(x, u, strict=False)]  # -0 below +0
        return u[key.index(min(key) if n == "minimumf" else max(key))]
    if n == "negf":
        return u[0] ^ 0x80000000
    if n == "absf":
        return u[0] & 0x7FFFFFFF
    if n == "cmpf":
        a, b = x[0], x[1]
        pred = str(op.imm["pred"])
        if pred in ("false", "true"):
            return int(pred == "true")
        if pred in ("ord", "uno"):
            return int(unordered == (pred == "uno"))
        ordered = {
            "eq": a == b,
            "gt": a > b,
            "ge": a >= b,
            "lt": a < b,
            "le": a <= b,
            "ne": a != b,
        }[pred[1:]]
        return int((pred[0] == "u") if unordered else ordered)
    if n in ("roundeven", "floor", "ceil"):
        if unordered:
            return NAN
        if math.isinf(x[0]):
            return u[0]
        exact = Fraction(x[0])
        whole = {"roundeven": round, "floor": math.floor, "ceil": math.ceil}[n](exact)
        return round32(Fraction(abs(whole))) | (u[0] & 0x80000000)
    if n == "sitofp":
        return round32(Fraction(s[0]))
    if n == "fptosi":
        if unordered:
            return 0
        clamped = max(-(2.0**31), min(2.0**31 - 1, x[0]))
        return int(clamped)
    if n == "round":
        kind = str(op.imm["type"])
        if kind == "f32":
            return NAN if unordered else u[0]
        code = narrow(u[0], kind)
        if kind == "bf16":
            return NAN if unordered else code << 16
        return NAN if unordered else bits_of(struct.unpack("<e", struct.pack("<H", code))[0])
    if n == "sqrt":
        if unordered or (u[0] >> 31 and u[0] != MINUS_ZERO):
            return NAN
        if math.isinf(x[0]) or x[0] == 0:
            return u[0]
        value = Fraction(x[0])
        scale = 2**160  # far below half a unit of the smallest root
        root = math.isqrt(value.numerator * scale * scale // value.denominator)
        exact = Fraction(root, scale)
        if exact * exact != value:
            exact += Fraction(1, 4 * scale)
        return round32(exact)
    raise AssertionError(n)


REDUCTIONS = {
    "red.addi": lambda p, a: p + a,
    "red.muli": lambda p, a: to_signed(p) * to_signed(a),
    "red.minsi": lambda p, a: min(to_signed(p), to_signed(a)),
    "red.maxsi": lambda p, a: max(to_signed(p), to_signed(a)),
    "red.andi": lambda p, a: p & a,
    "red.ori": lambda p, a: p | a,
    "red.addf": add_bits,
    "red.mulf": mul_bits,
    "red.minimumf": lambda p, a: lane_float(Op("minimumf", 0), [p, a], []),
    "red.maximumf": lambda p, a: lane_float(Op("maximumf", 0), [p, a], []),
    "red.maci": lambda p, a: p + a,
    "red.macf": add_bits,
}


# ---- instructions ------------------------------------------------------------


def run_copy(i: Inst, memory: Memory) -> None:
    src, dst = memory.bytes[SPACES[i["src_space"]]], memory.bytes[SPACES[i["dst_space"]]]
    rows = [0] * i["n3"]
    if i["index_n"]:
        at = [i["index_addr"] + i3 * i["index_s"] for i3 in range(i["n3"])]
        rows = [memory.load("sram", address, "i32") for address in at]
    for p in sorted(
        itertools.product(*(range(i[f"n{d}"]) for d in range(4))), key=lambda p: p[::-1]
    ):
        row = rows[p[3]]
        if i["index_n"] and not 0 <= row < i["index_n"]:
            continue
        src_addr = i["src_addr"] + row * i["index_src_s"]
        dst_addr = i["dst_addr"] + row * i["index_dst_s"]
        a = src_addr + sum(p[d] * i[f"src_s{d}"] for d in range(4))
        b = dst_addr + sum(p[d] * i[f"dst_s{d}"] for d in range(4))
        packed = TYPES[i["packed_type"]]
        for k in range(i["run_bytes"]):
            if packed == "none":
                dst[b + k] = src[a + k]
                continue
            code = src[a + k // 2] >> (4 if k % 2 else 0) & 15
            dst[b + k] = (code - 16 if packed == "i4" and code >= 8 else code) & 255


def run_fill(i: Inst, memory: Memory) -> None:
    dst = memory.bytes[SPACES[i["dst_space"]]]
    size = i["elem_bytes"]
    element = (i["value"] & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    for p in itertools.product(*(range(i[f"n{d}"]) for d in range(4))):
        at = i["dst_addr"] + sum(p[d] * i[f"dst_s{d}"] for d in range(4))
        dst[at : at + size * i["run"]] = element * i["run"]


def run_contract(i: Inst, memory: Memory) -> None:
    a_type, w_type = TYPES[i["a_type"]], TYPES[i["w_type"]]
    floats = a_type in ("bf16", "f16", "f32")
    acc_type = "f32" if floats else "i32"
    for m2, m1, m0, n in itertools.product(*(range(i[c]) for c in ("m2", "m1", "m0", "n"))):
        acc = (
            i["acc_addr"] + m0 * i["acc_m0"] + m1 * i["acc_m1"] + m2 * i["acc_m2"] + n * i["acc_n"]
        )
        total = 0
        if i["accumulate"]:
            total = memory.load("acc", acc, acc_type)
        elif i["has_bias"]:
            total = memory.load("sram", i["bias_addr"] + 4 * n, acc_type)
        for k2, k1, k0 in itertools.product(*(range(i[c]) for c in ("k2", "k1", "k0"))):
            if i["has_bounds"]:
                x = i["x0"] + m0 * i["x_m0"] + k1 * i["x_k1"]
                y = i["y0"] + m1 * i["y_m1"] + k2 * i["y_k2"]
                if not (0 <= x < i["w"] and 0 <= y < i["h"]):
                    continue
            a = memory.load(
                "sram",
                i["a_addr"]
                + m0 * i["a_m0"]
                + m1 * i["a_m1"]
                + m2 * i["a_m2"]
                + k0 * i["a_k0"]
                + k1 * i["a_k1"]
                + k2 * i["a_k2"]
                + n * i["a_n"],
                a_type,
            )
            w = memory.load(
                "sram",
                i["w_addr"]
                + m2 * i["w_m2"]
                + k0 * i["w_k0"]
                + k1 * i["w_k1"]
                + k2 * i["w_k2"]
                + n * i["w_n"],
                w_type,
            )
            if floats:
                if w_type == "i8":
                    w = bits_of(float(w))
                total = fma_bits(a, w, total)
            else:
                total = wrap32(total + (a - i["a_zero"]) * (w - i["w_zero"]))
        memory.store("acc", acc, acc_type, total)


def run_map(i: Inst, memory: Memory, lanes: list[Lane], vpu_lanes: int) -> None:
    lane = lanes[i["program"]]
    reduce = [d for d in range(5) if i["reduce"] >> d & 1]
    parallel = [d for d in range(5) if d not in reduce]
    for p in itertools.product(*(range(i[f"n{d}"]) for d in reversed(parallel))):
        index = [0] * 5
        for d, value in zip(reversed(parallel), p, strict=False):
            index[d] = value
        regs = map_point(i, memory, lane, index, reduce, vpu_lanes)
        at = i["s7_addr"] + sum(index[d] * i[f"s7_d{d}"] for d in parallel)
        memory.store(SPACES[i["s7_space"]], at, TYPES[i["s7_type"]], regs[lane.out])


def map_point(i, memory, lane, index, reduce, vpu_lanes) -> list[int]:
    """Registers after the final part of one parallel point."""
    regs = [0] * 32
    reductions = [op for op in lane.body if op.name.startswith("red.")]
    partials: list[dict[int, int]] = [{} for _ in reductions]
    inner = 0 in reduce
    width = min(vpu_lanes, i["n0"])
    for r in itertools.product(*(range(i[f"n{d}"]) for d in reversed(reduce))):
        for d, value in zip(reversed(reduce), r, strict=False):
            index[d] = value
        for s in lane.inputs:
            at = i[f"s{s}_addr"] + sum(index[d] * i[f"s{s}_d{d}"] for d in range(5))
            regs[s] = memory.load(SPACES[i[f"s{s}_space"]], at, TYPES[i[f"s{s}_type"]])
        for op in lane.body:
            if not op.name.startswith("red."):
                regs[op.dst] = lane_value(op, [regs[x] for x in op.src], index) & 0xFFFFFFFF
        for op, partial in zip(reductions, partials, strict=False):
            a = [regs[x] & 0xFFFFFFFF for x in op.src]
            slot = index[0] % width if inner else 0
            if not inner and slot not in partial:
                partial[slot] = int(str(op.imm["init"]), 0)
            partial[slot] = reduce_step(op, partial.get(slot), a)
    for op, partial in zip(reductions, partials, strict=False):
        regs[op.dst] = combine(op, partial, inner) & 0xFFFFFFFF
    for op in lane.final:
        regs[op.dst] = lane_value(op, [regs[x] for x in op.src], index) & 0xFFFFFFFF
    return regs


def reduce_step(op: Op, before: int | None, a: list[int]) -> int:
    if op.name == "red.macf":
        return mul_bits(a[0], a[1]) if before is None else fma_bits(a[0], a[1], before)
    value = to_signed(a[0]) * to_signed(a[1]) if op.name == "red.maci" else a[0]
    value &= 0xFFFFFFFF
    return value if before is None else REDUCTIONS[op.name](before, value) & 0xFFFFFFFF


def combine(op: Op, partial: dict[int, int], inner: bool) -> int:
    init = int(str(op.imm["init"]), 0)
    if not partial:
        return init
    if not inner:
        return partial[0]
    p = [partial[j] for j in range(len(partial))]
    while len(p) > 1:
        half = (len(p) + 1) // 2
        p = [
            REDUCTIONS[op.name](p[j], p[j + half]) & 0xFFFFFFFF if j + half < len(p) else p[j]
            for j in range(half)
        ]
    return REDUCTIONS[op.name](init, p[0])


def run(stream: list[Inst], lanes: list[Lane], memory: Memory, vpu_lanes: int) -> None:
    """The specification: one instruction after the other."""
    for i in stream:
        if i.mnemonic == "copy":
            run_copy(i, memory)
        elif i.mnemonic == "fill":
            run_fill(i, memory)
        elif i.mnemonic == "contract":
            run_contract(i, memory)
        elif i.mnemonic == "map":
            run_map(i, memory, lanes, vpu_lanes)
