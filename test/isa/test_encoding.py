# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Encoding, decoding, assembly. The oracle packs bits on its own from Instructions.def."""

from __future__ import annotations

import random

import pytest
from machine_tools import machine
from reference_machine import TABLE, Inst, Lane, Op, inst

from asic import _core

RUNS_ON = {
    "copy": ["dma0", "dma1"],
    "fill": ["dma0", "dma2"],
    "contract": ["mxu"],
    "map": ["vpu"],
    "halt": ["ctrl"],
    "fence": ["ctrl"],
    "nop": ["ctrl", "mxu", "vpu", "dma1"],
}
LEGAL = {  # a legal instruction of each kind, to be varied
    "nop": inst("nop", "mxu"),
    "halt": inst("halt"),
    "fence": inst("fence"),
    "copy": inst("copy", src_space="dram", dst_space="sram", index_n=1, packed_type="i4"),
    "fill": inst("fill", dst_space="sram", elem_bytes=2),
    "contract": inst("contract", a_type="i8", w_type="u8", acc_type="i32"),
    "map": inst("map", s7_type="i8", s7_space="sram"),
}
#: Fields whose values are enumerations or flags; the others take any value.
CODED = ("_type", "_space", "flags", "elem_bytes", "zero", "has_", "accumulate", "reduce")


def decoded(raw: bytes) -> str | None:
    try:
        return _core.disassemble_instruction(raw)
    except ValueError:
        return None


def random_instruction(rng: random.Random, mnemonic: str) -> Inst:
    base = LEGAL[mnemonic]
    fields = dict(base.f)
    for name, bits, signed in TABLE[mnemonic][1]:
        if any(part in name for part in CODED) or rng.random() < 0.5:
            continue
        if mnemonic == "map" and name[0] == "s" and name[1] != "7":
            continue  # absent streams stay zero
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        small = (name[0] in "nmk" and name[1:].isdigit()) or name in ("n", "run", "run_bytes")
        fields[name] = (
            rng.randint(0, 9) if small else rng.choice([low, high, rng.randint(low, high)])
        )
    if mnemonic == "copy" and not fields["index_n"]:
        fields |= dict.fromkeys(("index_addr", "index_src_s", "index_dst_s", "index_s"), 0)
    syncs = [
        [(s, rng.randint(1, 511)) for s in rng.sample(range(64), rng.randint(0, 4))]
        for _ in range(2)
    ]
    engine = rng.choice(RUNS_ON[mnemonic])
    posts = [] if engine == "ctrl" else syncs[1]
    return Inst(mnemonic, engine, syncs[0], posts, rng.randint(0, 2**32 - 1), fields)


@pytest.mark.parametrize("mnemonic", sorted(TABLE))
def test_round_trip(mnemonic):
    """Oracle bytes decode; assembling the text gives the same bytes."""
    rng = random.Random(mnemonic)
    for _ in range(60):
        raw = random_instruction(rng, mnemonic).encode()
        text = _core.disassemble_instruction(raw)
        assert text.startswith(mnemonic + ".")
        assert _core.assemble_instruction(text) == raw


def test_the_tables_agree():
    """The C++ table has the oracle's fields at the oracle's bits."""
    for row in _core.isa_tables()["instructions"]:
        opcode, fields = TABLE[row["mnemonic"]]
        assert row["opcode"] == opcode
        bit = 192
        for have, (name, bits, signed) in zip(row["fields"], fields, strict=True):
            assert (have["name"], have["bit"], have["bits"], have["signed"]) == (
                name,
                bit,
                bits,
                signed,
            )
            bit += bits
        assert bit <= 2048


def test_opcodes_do_not_overlap():
    for kind in ("instructions", "lane_ops"):
        rows = _core.isa_tables()[kind]
        assert len({row["opcode"] for row in rows}) == len(rows)
        assert len({row["mnemonic"] for row in rows}) == len(rows)
    assigned = {row["opcode"] for row in _core.isa_tables()["instructions"]}
    for opcode in set(range(256)) - assigned:
        assert decoded(bytes([opcode]) + bytes(255)) is None


@pytest.mark.parametrize("mnemonic", sorted(TABLE))
def test_every_bit_flip(mnemonic):
    """Flipping a bit gives another legal instruction, or an error; never the same one."""
    original = LEGAL[mnemonic]
    original.waits, original.posts = [(3, 5)], [] if original.engine == "ctrl" else [(4, 6)]
    raw = original.encode()
    text = decoded(raw)
    assert text is not None
    used = 192 + sum(bits for _, bits, _ in TABLE[mnemonic][1])
    for bit in range(2048):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        other = decoded(bytes(flipped))
        if bit >= used or 16 <= bit < 32:
            assert other is None, f"reserved bit {bit}"
        if other is not None:
            assert other != text
            assert _core.assemble_instruction(other) == bytes(flipped)


def test_every_field_bit_counts():
    """A field at its bounds survives; one beyond is refused by the assembler."""
    for mnemonic, (_, fields) in TABLE.items():
        for name, bits, signed in fields:
            if any(part in name for part in CODED) or (mnemonic == "map" and name[0] == "s"):
                continue
            low, high = (
                (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
            )
            for value, legal in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
                if value > 9 and (name[0] in "nmk" or name.startswith("run")) and legal:
                    continue  # index spaces have a limit of their own
                base = _core.disassemble_instruction(LEGAL[mnemonic].encode())
                line = " ".join(w for w in base.split() if not w.startswith(name + "="))
                line += f" {name}={value}"
                if legal:
                    raw = _core.assemble_instruction(line)
                    assert _core.assemble_instruction(_core.disassemble_instruction(raw)) == raw
                else:
                    with pytest.raises(ValueError, match=name):
                        _core.assemble_instruction(line)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("jump.ctrl", "mnemonic"),
        ("copy", "engine"),
        ("copy.gpu", "engine"),
        ("copy.mxu", "engine that runs"),
        ("copy.dma0 colour=1", "colour"),
        ("copy.dma0 src_space=acc", "dram"),
        ("copy.dma0 packed_type=i8", "packed_type i4, u4 or none, got type number 3"),
        ("copy.dma0 packed_type=18", "packed_type i4, u4 or none, got type number 18"),
        ("copy.dma0 index_addr=4", "without index_n, got 4"),
        ("copy.dma0 index_src_s=-1", "without index_n, got -1"),
        ("copy.dma0 index_dst_s=64", "without index_n, got 64"),
        ("copy.dma0 index_s=4", "without index_n, got 4"),
        ("copy.dma0 run_bytes=16777218 n0=1 n1=1 n2=1 n3=1 index_n=16777215", "2^48"),
        ("nop.dma0 wait(64,1)", "semaphore"),
        ("nop.dma0 wait(1,0)", "count"),
        ("nop.dma0 wait(1,1) wait(1,2)", "two of semaphore 1"),
        ("nop.ctrl post(1,1)", "no post"),
        ("fill.dma0 dst_space=sram elem_bytes=3", "elem_bytes"),
        ("contract.mxu a_type=i8 w_type=i8 acc_type=f32", "acc_type i32"),
        ("contract.mxu a_type=i8 w_type=bf16 acc_type=i32", "two integer or two float"),
        ("contract.mxu a_type=i8 w_type=i8 acc_type=i32 a_zero=128", "a_zero"),
        ("contract.mxu a_type=bf16 w_type=bf16 acc_type=f32 a_zero=1", "a_zero"),
        ("contract.mxu a_type=bf16 w_type=i8 acc_type=i32", "acc_type f32"),
        ("contract.mxu a_type=bf16 w_type=i8 acc_type=f32 w_zero=1", "w_zero 0"),
        ("contract.mxu a_type=bf16 w_type=u8 acc_type=f32", "two integer or two float"),
        ("contract.mxu a_type=i8 w_type=i8 acc_type=i32 accumulate=1 has_bias=1", "both"),
        ("contract.mxu a_type=i4 w_type=i8 acc_type=i32", "operand types"),
        ("map.vpu", "output stream"),
        ("map.vpu s7_type=i8 s7_space=dram", "sram"),
        ("map.vpu s7_type=i8 s7_space=acc", "i32 or f32"),
        ("map.vpu s7_type=i8 s7_space=sram s0_addr=4", "absent stream"),
        ("map.vpu s7_type=i8 s7_space=sram s7_d2=4 reduce=4", "reduction dimension 2"),
        ("copy.dma0 dst_space=sram run_bytes=4294967295 n0=16777215 n1=2 n2=1 n3=1", "2^48"),
        ("contract.mxu a_type=i8 w_type=i8 acc_type=i32 has_bounds=1 m0=4194304 k1=2", "2^22"),
    ],
)
def test_illegal_lines(line, part):
    with pytest.raises(ValueError, match=part.replace("^", r"\^")):
        _core.assemble_instruction(line)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (".lane 0 in=r0 out=r1\n.end", "out register r1"),
        (".lane 1 in=r0 out=r0\n.end", "lane program 0"),
        (".lane 0 in=r7 out=r0\n.end", "r0..r6"),
        (".lane 0 in=r0 out=r1\naddi r1, r0, r2\n.end", "line 2|r2 to be written"),
        (".lane 0 in=r0 out=r1\nred.addi r1, r0 init=0\naddi r2, r1, r0\n.end", "final part only"),
        (".lane 0 in=r0 out=r0\n.final\nred.addi r1, r0 init=0\n.end", "body only"),
        (".lane 0 in=r0 out=r0\nred.addi r0, r0 init=0\n.end", "its reduction only"),
        (".lane 0 in=r0 out=r0\n" + "addi r0, r0, r0\n" * 65 + ".end", "at most 64"),
        (
            ".lane 0 in=r0 out=r0\n"
            + "".join(f"red.addi r{k}, r0 init=0\n" for k in range(1, 6))
            + ".end",
            "at most 4",
        ),
        (".lane 0 in=r0 out=r1\nindex r1 dim=5\n.end", "at most 4"),
        (
            ".lane 0 in=r0,r1,r2 out=r3\nrequant r3, r0, r1, r2 mode=sr zero=0 lo=5 hi=4\n.end",
            "lo <= hi",
        ),
        (".lane 0 in=r0 out=r1\nround r1, r0 type=i8\n.end", "float type"),
        (".lane 0 in=r0 out=r0", "lane operation, got 'halt"),
    ],
)
def test_illegal_lane_programs(text, part):
    with pytest.raises(ValueError, match=part):
        machine(text + "\nhalt.ctrl")


def test_lane_program_round_trip():
    lane = Lane(
        (0, 2),
        9,
        [
            Op("const", 3, (), {"imm": "0x3f800000"}),
            Op("index", 4, (), {"dim": 3}),
            Op("cmpf", 5, (0, 3), {"pred": "ule"}),
            Op("cmpi", 6, (0, 4), {"pred": "sgt"}),
            Op("rescale", 7, (0, 2, 3), {"mode": "dr"}),
            Op("round", 8, (0,), {"type": "bf16"}),
            Op("red.macf", 10, (0, 2), {"init": "0x80000000"}),
        ],
        [Op("requant", 9, (10, 2, 3), {"mode": "rne", "zero": -3, "lo": -128, "hi": 127})],
    )
    text = lane.text(0) + "\nhalt.ctrl"
    first = machine(text)
    again = machine(first.disassemble())
    assert again.serialize() == first.serialize()
    assert again.disassemble() == first.disassemble()
