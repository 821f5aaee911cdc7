#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Does the emulator notice when a scheduled program loses what keeps it right?

A *mutant* is the program with one change:

* `wait`, `post`: one wait or post is deleted;
* `edge`: a wait is deleted together with the post that satisfies it;
* `address`: one SRAM or ACC address of one instruction is moved by a few elements.

It is *caught* when a checked run on one of a few random inputs faults or gives other outputs.
A `wait`, `post` or `edge` mutant that is not caught must be *redundant*: an analysis of its own
(footprints of every instruction as bit sets, vector clocks from waits and posts) shows that every
two instructions on different engines that touch a common byte, one of them writing, are still
ordered. Anything else is a *survivor*.

    .venv/bin/python scripts/mutation_check.py program.asic --count 500 --seed 0
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))

from asic import _core  # noqa: E402

TYPE_BYTES = {
    "i8": 1,
    "u8": 1,
    "i16": 2,
    "i32": 4,
    "bf16": 2,
    "f16": 2,
    "f32": 4,
    "e4m3": 1,
    "e5m2": 1,
}
SPACES = ("dram", "sram", "acc")
#: Address fields by mnemonic, with the field that names the space (or the space itself).
ADDRESSES = {
    "copy": {"src_addr": "src_space", "dst_addr": "dst_space", "index_addr": "=sram"},
    "fill": {"dst_addr": "dst_space"},
    "contract": {"a_addr": "=sram", "w_addr": "=sram", "bias_addr": "=sram", "acc_addr": "=acc"},
    "map": {f"s{i}_addr": f"s{i}_space" for i in range(8)},
}


@dataclass
class Instruction:
    """A line of assembly, taken apart."""

    mnemonic: str
    engine: str
    waits: list[tuple[int, int]]
    posts: list[tuple[int, int]]
    fields: dict[str, str]

    def number(self, name: str) -> int:
        return int(self.fields.get(name, "0"), 0)

    def space(self, name: str) -> str:
        value = self.fields.get(name, "dram")
        return SPACES[int(value)] if value.isdigit() else value

    def text(self) -> str:
        """The line again."""
        words = [f"{self.mnemonic}.{self.engine}"]
        words += [f"wait({s},{n})" for s, n in self.waits] + [
            f"post({s},{n})" for s, n in self.posts
        ]
        return " ".join(words + [f"{name}={value}" for name, value in self.fields.items()])

    def copy(self) -> Instruction:
        return Instruction(
            self.mnemonic, self.engine, list(self.waits), list(self.posts), dict(self.fields)
        )


def parse(assembly: str) -> tuple[str, list[Instruction]]:
    """Lane programs as they stand, and the instructions."""
    lanes: list[str] = []
    instructions = []
    inside = False
    for line in assembly.splitlines():
        code = line.split("#")[0].strip()
        inside = inside or code.startswith(".lane")
        if inside:
            lanes.append(line)
            inside = code != ".end"
            continue
        if not code:
            continue
        head, *words = code.split()
        mnemonic, _, engine = head.partition(".")
        parsed = Instruction(mnemonic, engine, [], [], {})
        for word in words:
            sync = re.fullmatch(r"(wait|post)\((\d+),(\d+)\)", word)
            if sync:
                pairs = parsed.waits if sync[1] == "wait" else parsed.posts
                pairs.append((int(sync[2]), int(sync[3])))
            else:
                name, _, value = word.partition("=")
                parsed.fields[name] = value
        instructions.append(parsed)
    return "\n".join(lanes), instructions


# ---- what an instruction touches ---------------------------------------------------------


def offsets(address: int, dims: list[tuple[int, int]], run: int) -> NDArray[np.int64]:
    """Every byte of a strided block: `dims` are (count, byte stride)."""
    points = np.array([address], np.int64)
    for count, stride in dims:
        points = (points[:, None] + np.arange(count, dtype=np.int64) * stride).reshape(-1)
    return np.unique((points[:, None] + np.arange(run)).reshape(-1))


def contract_a(op: Instruction) -> NDArray[np.int64]:
    """Bytes of A that lie inside the bounds."""
    names = ("m0", "m1", "m2", "k0", "k1", "k2", "n")
    grid = np.indices([op.number(name) for name in names]).reshape(len(names), -1)
    index = dict(zip(names, grid, strict=True))
    address = op.number("a_addr") + sum(index[name] * op.number(f"a_{name}") for name in names)
    if op.number("has_bounds"):
        x = op.number("x0") + index["m0"] * op.number("x_m0") + index["k1"] * op.number("x_k1")
        y = op.number("y0") + index["m1"] * op.number("y_m1") + index["k2"] * op.number("y_k2")
        address = address[(x >= 0) & (x < op.number("w")) & (y >= 0) & (y < op.number("h"))]
    size = TYPE_BYTES[op.fields["a_type"]]
    return np.unique((np.unique(address)[:, None] + np.arange(size)).reshape(-1))


def touched(op: Instruction) -> list[tuple[str, bool, NDArray[np.int64]]]:
    """(space, written, bytes) of every operand."""
    counts = [op.number(f"n{i}") for i in range(5)]
    if op.mnemonic in ("copy", "fill"):
        run = op.number("run_bytes") or op.number("run") * op.number("elem_bytes")
        rows = op.number("index_n")
        packed = op.fields.get("packed_type", "none") != "none"
        runs = {"src": (run + 1) // 2 if packed else run, "dst": run}
        moved = [
            (
                op.space(f"{side}_space"),
                side == "dst",
                offsets(
                    op.number(f"{side}_addr"),
                    [(counts[i], op.number(f"{side}_s{i}")) for i in range(4)]
                    + [(max(rows, 1), op.number(f"index_{side}_s"))],
                    runs[side],
                ),
            )
            for side in (("src", "dst") if op.mnemonic == "copy" else ("dst",))
        ]
        if rows and run and all(counts[:4]):
            each = [(counts[3], op.number("index_s"))]
            moved.append(("sram", False, offsets(op.number("index_addr"), each, 4)))
        return moved
    if op.mnemonic == "map":
        return [
            (
                op.space(f"s{i}_space"),
                i == 7,
                offsets(
                    op.number(f"s{i}_addr"),
                    [
                        (1 if op.number(f"s{i}_d{j}") == 0 else counts[j], op.number(f"s{i}_d{j}"))
                        for j in range(5)
                    ],
                    TYPE_BYTES[op.fields[f"s{i}_type"]],
                ),
            )
            for i in range(8)
            if f"s{i}_type" in op.fields
        ]
    if op.mnemonic != "contract":
        return []
    size = {name: op.number(name) for name in ("m0", "m1", "m2", "k0", "k1", "k2", "n")}
    weights = offsets(
        op.number("w_addr"),
        [
            (size[d], op.number(f"w_{d}"))
            for d in ("m2", "k0", "k1", "k2", "n")
            if op.number(f"w_{d}")
        ],
        TYPE_BYTES[op.fields["w_type"]],
    )
    sums = offsets(
        op.number("acc_addr"),
        [(size[d], op.number(f"acc_{d}")) for d in ("m0", "m1", "m2", "n")],
        4,
    )
    out = [("sram", False, contract_a(op)), ("sram", False, weights), ("acc", True, sums)]
    if op.number("has_bias"):
        out.append(("sram", False, offsets(op.number("bias_addr"), [(size["n"], 4)], 4)))
    return out


def conflicts(stream: list[Instruction]) -> list[tuple[int, int]]:
    """Pairs on different engines that touch a common byte, one of them writing it."""
    bits: list[dict[tuple[str, bool], int]] = []
    for op in stream:
        mine: dict[tuple[str, bool], int] = defaultdict(int)
        for space, written, places in touched(op):
            flags = np.zeros(int(places.max(initial=0)) + 1, np.uint8)
            flags[places] = 1
            mine[space, written] |= int.from_bytes(
                np.packbits(flags, bitorder="little").tobytes(), "little"
            )
        bits.append(mine)
    pairs = []
    for j, after in enumerate(bits):
        for i in range(j):
            if stream[i].engine == stream[j].engine:
                continue
            before = bits[i]
            if any(
                before[space, True] & (after[space, True] | after[space, False])
                or before[space, False] & after[space, True]
                for space in SPACES
            ):
                pairs.append((i, j))
    return pairs


# ---- what is ordered ---------------------------------------------------------------------


def ordered_clocks(stream: list[Instruction]) -> list[dict[str, int]] | None:
    """Per instruction and engine, one past the last stream position that has retired.

    None when a wait has no post in front of it or a post has no wait behind it.
    """
    units: dict[int, deque[int]] = defaultdict(deque)
    clocks: list[dict[str, int]] = []
    engines: dict[str, dict[str, int]] = defaultdict(dict)
    for position, op in enumerate(stream):
        clock = dict(engines[op.engine])
        for semaphore, count in op.waits:
            for _ in range(count):
                if not units[semaphore]:
                    return None
                for engine, time in clocks[units[semaphore].popleft()].items():
                    clock[engine] = max(clock.get(engine, 0), time)
        clock[op.engine] = position + 1
        engines[op.engine] = clock
        clocks.append(clock)
        for semaphore, count in op.posts:
            units[semaphore].extend([position] * count)
    return None if any(units.values()) else clocks


def is_redundant(stream: list[Instruction], pairs: list[tuple[int, int]]) -> bool:
    """True when every conflict is ordered by the waits and posts of `stream`."""
    clocks = ordered_clocks(stream)
    return clocks is not None and all(clocks[j].get(stream[i].engine, 0) > i for i, j in pairs)


# ---- mutants -----------------------------------------------------------------------------


@dataclass
class Mutant:
    """A changed stream and what was done to it."""

    kind: str
    what: str
    stream: list[Instruction]


@dataclass
class Summary:
    """Counts by kind and outcome, and the mutants that need to be looked at."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    redundant: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)

    def total(self, outcome: str) -> int:
        return sum(n for (_, its), n in self.counts.items() if its == outcome)

    @property
    def caught_share(self) -> float:
        """Caught of all mutants that are not redundant."""
        judged = self.total("caught") + self.total("survived")
        return self.total("caught") / judged if judged else 1.0


def with_change(stream: list[Instruction], position: int) -> tuple[list[Instruction], Instruction]:
    """The stream with a fresh copy of one instruction, and that copy."""
    changed = list(stream)
    changed[position] = stream[position].copy()
    return changed, changed[position]


def matching_post(
    stream: list[Instruction], position: int, wait: tuple[int, int]
) -> tuple[int, int] | None:
    """(position, index) of the post whose unit the wait takes; single units only."""
    semaphore = wait[0]
    before = sum(n for op in stream[:position] for s, n in op.waits if s == semaphore)
    posted = 0
    for source, op in enumerate(stream):
        for index, (s, n) in enumerate(op.posts):
            if s == semaphore:
                if posted == before and n == wait[1]:
                    return source, index
                posted += n
    return None


def candidates(stream: list[Instruction], alignment: int) -> dict[str, list[tuple[int, ...]]]:
    """Every place where a mutant of a kind can be made."""
    found: dict[str, list[tuple[int, ...]]] = {"wait": [], "post": [], "edge": [], "address": []}
    for position, op in enumerate(stream):
        for index, wait in enumerate(op.waits):
            found["wait"].append((position, index))
            match = matching_post(stream, position, wait)
            if match:
                found["edge"].append((position, index, *match))
        found["post"] += [(position, index) for index in range(len(op.posts))]
        for number, (name, space) in enumerate(ADDRESSES.get(op.mnemonic, {}).items()):
            used = op.space(space) if not space.startswith("=") else space[1:]
            absent = op.mnemonic == "map" and f"{name[:2]}_type" not in op.fields
            absent = absent or (name == "bias_addr" and not op.number("has_bias"))
            absent = absent or (name == "index_addr" and not op.number("index_n"))
            if used != "dram" and not absent:
                found["address"] += [
                    (position, number, step * alignment) for step in (-4, -1, 1, 4)
                ]
    return found


def make_mutant(stream: list[Instruction], kind: str, place: tuple[int, ...]) -> Mutant:
    """The stream with the change of `kind` at `place` (see `candidates`)."""
    changed, op = with_change(stream, place[0])
    if kind == "wait":
        what = f"instruction {place[0]}: wait{op.waits.pop(place[1])}"
    elif kind == "post":
        what = f"instruction {place[0]}: post{op.posts.pop(place[1])}"
    elif kind == "edge":
        op.waits.pop(place[1])
        changed[place[2]] = source = changed[place[2]].copy()
        source.posts.pop(place[3])
        what = f"instruction {place[2]} -> {place[0]}"
    else:
        name = list(ADDRESSES[op.mnemonic])[place[1]]
        op.fields[name] = str(op.number(name) + place[2])
        what = f"instruction {place[0]}: {name} {place[2]:+d}"
    return Mutant(kind, what, changed)


class Checker:
    """Runs mutants of one program."""

    def __init__(self, program: bytes, *inputs: dict[str, NDArray]) -> None:
        machine = _core.Machine.load(program)
        self.inputs = inputs
        self.parts = machine.describe()
        self.constants = machine.constants()
        self.lanes, self.stream = parse(machine.disassemble())
        self.expected = []
        for arrays in inputs:
            result = machine.run(arrays, mode="timed", check=True)
            if result["fault"]:
                raise SystemExit(f"the program itself faults: {result['fault']}")
            self.expected.append(result["outputs"])

    def outcome(self, stream: list[Instruction]) -> str:
        """'fault NAME', 'mismatch' or '' when a checked run notices nothing."""
        text = self.lanes + "\n" + "\n".join(op.text() for op in stream) + "\n"
        try:
            program = _core.assemble_program(
                text,
                self.parts["target_json"],
                json.dumps(self.parts["io"]),
                json.dumps(self.parts["meta"]),
                json.dumps(self.parts["debug"]),
                self.constants,
            )
        except ValueError:
            return "fault encoding"
        machine = _core.Machine.load(program)
        for arrays, expected in zip(self.inputs, self.expected, strict=True):
            result = machine.run(arrays, mode="functional", check=True, max_instructions=1_000_000)
            if result["fault"]:
                return f"fault {result['fault'].get('fault') or result['fault'].get('name')}"
            if any(
                not np.array_equal(result["outputs"][name], value)
                for name, value in expected.items()
            ):
                return "mismatch"
        return ""

    def run(self, count: int, seed: int) -> Summary:
        """`count` mutants, kinds in turn, drawn without repetition while there are new ones."""
        rng = np.random.default_rng(seed)
        places = candidates(self.stream, alignment=16)
        pools = {
            kind: [its[i] for i in rng.permutation(len(its))] for kind, its in places.items() if its
        }
        summary = Summary()
        for number in range(count):
            if not pools:
                break
            kind = sorted(pools)[number % len(pools)]
            mutant = make_mutant(self.stream, kind, pools[kind].pop())
            if not pools[kind]:
                del pools[kind]
            self.judge(mutant, summary)
        return summary

    @functools.cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Conflicts of the program; quadratic, so only when a mutant asks for them."""
        return conflicts(self.stream)

    def judge(self, mutant: Mutant, summary: Summary) -> None:
        if self.outcome(mutant.stream):
            summary.counts[mutant.kind, "caught"] += 1
        elif mutant.kind != "address" and is_redundant(mutant.stream, self.pairs):
            summary.counts[mutant.kind, "redundant"] += 1
            summary.redundant.append(f"{mutant.kind}: {mutant.what}")
        else:
            summary.counts[mutant.kind, "survived"] += 1
            summary.survivors.append(f"{mutant.kind}: {mutant.what}")


def random_inputs(program: bytes, seed: int) -> dict[str, NDArray]:
    """Inputs of a program by its io records: the whole range of quantised ones."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for record in _core.Machine.load(program).describe()["io"]["inputs"]:
        kind = np.dtype(record["dtype"])
        quantization = record.get("quantization")
        if quantization:
            codes = rng.integers(quantization["lo"], quantization["hi"] + 1, record["shape"])
            real = (codes - quantization["zero_point"]) * quantization["scale"]
            inputs[record["name"]] = real.astype(kind)
        elif kind.kind == "f":
            inputs[record["name"]] = rng.standard_normal(record["shape"]).astype(kind)
        else:
            inputs[record["name"]] = rng.integers(-100, 100, record["shape"]).astype(kind)
    return inputs


def main() -> int:
    """The command line; 1 when more than one in a hundred mutants survives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="+", type=Path, help="program containers")
    parser.add_argument("--count", type=int, default=500, help="mutants, shared by the programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, default=4, help="random inputs per mutant")
    options = parser.parse_args()
    whole = Summary()
    for path in options.programs:
        program = path.read_bytes()
        inputs = (random_inputs(program, options.seed + i) for i in range(options.inputs))
        summary = Checker(program, *inputs).run(
            options.count // len(options.programs), options.seed
        )
        whole.counts += summary.counts
        whole.redundant += [f"{path.name}: {line}" for line in summary.redundant]
        whole.survivors += [f"{path.name}: {line}" for line in summary.survivors]
    for (kind, outcome), number in sorted(whole.counts.items()):
        print(f"{kind:8} {outcome:10} {number}")
    for title, lines in (("proven redundant", whole.redundant), ("survived", whole.survivors)):
        for line in lines:
            print(f"{title}: {line}")
    print(
        f"caught {100 * whole.caught_share:.2f} % of {whole.total('caught') + whole.total('survived')} "
        f"mutants that are not redundant"
    )
    return 0 if whole.caught_share >= 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
