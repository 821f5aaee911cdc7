# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The program container: identity, damage, forgery, saving."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct

import pytest
from machine_tools import container, machine, tensor
from reference_machine import Lane, inst

from asic import _core

HEADER, ROW = 96, 24
SECTIONS = ["target", "text", "lanes", "const", "io", "debug", "meta"]


#: A buffer that the program keeps, as input and as output, and its place.
STATE = tensor("cache", 256, 8) | {"state": "layer.cache"}
REGION = {"path": "layer.cache", "address": 256, "bytes": 8}


def sample() -> bytes:
    stream = [inst("copy", src_space="dram", dst_space="sram", run_bytes=8, tag=1), inst("halt")]
    debug = [{"tag": 1, "layer": "fc", "location": 'loc("a.py":1:2)', "source": "a.py:1"}]
    return container(
        stream,
        [Lane((0,), 0)],
        inputs=[tensor("x", 64, 8), STATE],
        outputs=[tensor("y", 128, 8), STATE],
        state=[REGION],
        constants=[(0, bytes(range(16)))],
        debug=debug,
    )


def section(data: bytes, name: str) -> tuple[int, int]:
    return struct.unpack_from("<QQ", data, HEADER + SECTIONS.index(name) * ROW + 8)


def reseal(data: bytes) -> bytes:
    """Correct hashes for changed bytes, as a forger would make them."""
    data = bytearray(data)
    offset, size = section(bytes(data), "target")
    if offset + size <= len(data):
        data[16:48] = hashlib.sha256(data[offset : offset + size]).digest()
    data[80:88] = struct.pack("<Q", len(data))
    data[48:80] = hashlib.sha256(bytes(data[:48]) + bytes(32) + bytes(data[80:])).digest()
    return bytes(data)


def replace_section(data: bytes, name: str, content: bytes) -> bytes:
    """A well-formed file with one section replaced."""
    parts = []
    for other in SECTIONS:
        offset, size = section(data, other)
        parts.append(content if other == name else data[offset : offset + size])
    out = bytearray(data[: HEADER + ROW * len(SECTIONS)])
    for k, part in enumerate(parts):
        out += bytes(-len(out) % 64)
        struct.pack_into("<QQ", out, HEADER + k * ROW + 8, len(out), len(part))
        out += part
    return reseal(bytes(out))


def refusal(data: bytes) -> str:
    with pytest.raises(ValueError, match="expected") as error:
        _core.Machine.load(data)
    message = str(error.value)
    assert message
    assert "\n" not in message.strip()[:80]
    return message


def test_identity():
    data = sample()
    assert _core.Machine.load(data).serialize() == data
    assert sample() == data
    assert replace_section(data, "meta", data[slice(*_span(data, "meta"))]) == data


def _span(data: bytes, name: str) -> tuple[int, int]:
    offset, size = section(data, name)
    return offset, offset + size


def test_every_truncation():
    data = sample()
    for size in [*range(0, 300), *range(300, len(data), 97), len(data) - 1]:
        assert refusal(data[:size])
    assert "trailing" in refusal(data + b"\0")


def test_bit_flips():
    data = sample()
    rng = random.Random(1)
    for bit in [*range(HEADER * 8), *(rng.randrange(len(data) * 8) for _ in range(500))]:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert refusal(bytes(flipped))


def test_messages_by_kind():
    data = sample()
    assert "an archive of programs" in refusal(b"PK\x03\x04" + data[4:])
    assert "not a program" in refusal(b"ELF." + sample()[4:])
    assert "not a program" in refusal(b"")
    assert "truncated" in refusal(data[:-1])
    assert "corrupted" in refusal(data[:-1] + b"?")
    newer = bytearray(data)
    newer[8:12] = struct.pack("<I", 2)
    assert "newer release" in refusal(bytes(newer))
    other_isa = bytearray(data)
    other_isa[12:16] = struct.pack("<I", 7)
    assert "instruction set version" in refusal(bytes(other_isa))


def test_forged_numbers():
    """Absurd sizes and offsets with correct hashes are refused, not followed."""
    data = sample()
    rng = random.Random(2)
    end = HEADER + ROW * len(SECTIONS)
    for at in range(80, end, 4):
        for value in (0, 1, 0xFFFFFFFF, 0x7FFFFFFF, rng.randrange(2**32)):
            forged = bytearray(data)
            forged[at : at + 4] = struct.pack("<I", value)
            if bytes(forged) == data or 80 <= at < 88:
                continue
            assert refusal(reseal(bytes(forged)))


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("text", bytes(255), "multiple of 256"),
        ("lanes", b"\xff" * 8, "room for"),
        ("lanes", struct.pack("<Q", 1) + b"\xff" * 16, "lane"),
        ("const", b"\xff" * 8, "room for"),
        ("const", struct.pack("<QQQ", 1, 0, 2**63) + bytes(8), "bytes of block 0"),
        ("const", struct.pack("<QQQ", 1, 2**60, 1) + b"x", "40 bits"),
        ("const", struct.pack("<QQQQQ", 2, 8, 1, 0, 1) + b"xy", "ascending"),
        ("const", struct.pack("<QQQ", 1, 70000, 1) + b"x", "inside 65536 bytes"),
        ("io", b"{}", "inputs"),
        ("io", b"[" * 100000, "nesting"),
        ("io", b"not json", "JSON"),
        ("debug", b'[{"tag":-1,"layer":"","location":"","source":""}]', "tag"),
        ("debug", b"{}", "list"),
        ("meta", b"{}", "dram_bytes"),
        ("meta", b'{"dram_bytes":-5,"compiler_version":"","extra":{}}', "dram_bytes"),
        ("meta", b'{"dram_bytes":1e99,"compiler_version":"","extra":{}}', "dram_bytes"),
        ("target", b"", "TargetMismatch"),
        ("target", b"name: x", "TargetMismatch"),
    ],
)
def test_forged_sections(name, content, part):
    assert part in refusal(replace_section(sample(), name, content))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"shape": [2**40, 2**40]}, "strides"),
        ({"shape": [2**40], "strides": [2**40]}, "2^40"),
        ({"shape": [-1]}, "shape"),
        ({"dtype": "float128"}, "numpy dtype"),
        ({"dtype": "float32"}, "one kind"),
        ({"device_type": "i4"}, "byte-sized"),
        ({"device_type": "i32", "address": 2}, "multiple of 4"),
        ({"address": 65530}, "inside 65536"),
        ({"name": ""}, "name"),
        (
            {"dtype": "float32", "quantization": {"scale": 0.0, "zero_point": 0, "lo": 0, "hi": 1}},
            "scale",
        ),
        (
            {"dtype": "float32", "quantization": {"scale": 0.1, "zero_point": 0, "lo": 9, "hi": 1}},
            "lo <= hi",
        ),
        (
            {
                "dtype": "float32",
                "quantization": {"scale": 0.1, "zero_point": 300, "lo": 0, "hi": 1},
            },
            "zero point",
        ),
    ],
)
def test_forged_io(change, part):
    record = tensor("x", 64, 8) | change
    content = json.dumps({"inputs": [record], "outputs": []}).encode()
    assert part in refusal(replace_section(sample(), "io", content))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"state": 3}, "a list"),
        ({"state": [3]}, "an object per state"),
        ({"state": [{"path": "layer.cache"}]}, "address"),
        ({"state": [REGION | {"path": "other"}]}, "one input and one output, got 0 and 0"),
        ({"state": [REGION | {"path": ""}]}, "one input and one output, got 0 and 0"),
        ({"state": [REGION | {"bytes": 9}]}, "expected the 8 bytes from 256, got 9"),
        ({"state": [REGION | {"address": 264}]}, "expected the 8 bytes from 256, got 8 from 264"),
        ({"state": [REGION | {"bytes": -1}]}, "bytes"),
        ({"state": [REGION | {"address": 2**41}]}, "address"),
        ({"state": [REGION, REGION]}, "once"),
        ({"outputs": [STATE | {"address": 264}]}, "alike and at one address"),
        ({"outputs": [STATE | {"shape": [2, 4], "strides": [4, 1]}]}, "alike"),
        ({"outputs": [STATE | {"device_type": "i8"}]}, "alike"),
        ({"outputs": []}, "got 1 and 0"),
        ({"inputs": [STATE, STATE]}, "got 2 and 1"),
        ({"inputs": [STATE, tensor("x", 252, 8)]}, "in bytes of its own, got input 'x' over"),
        ({"inputs": [STATE, tensor("x", 263, 8)]}, "over input 'x'"),
    ],
)
def test_forged_state(change, part):
    io = {"inputs": [STATE], "outputs": [STATE], "state": [REGION]} | change
    assert part in refusal(replace_section(sample(), "io", json.dumps(io).encode()))


@pytest.mark.parametrize(("address", "part"), [(8, "a constant"), (65532, "inside 65536 bytes")])
def test_state_in_the_wrong_place(address, part):
    moved = STATE | {"address": address}
    io = {"inputs": [moved], "outputs": [moved], "state": [REGION | {"address": address}]}
    assert part in refusal(replace_section(sample(), "io", json.dumps(io).encode()))


def test_states_do_not_overlap():
    other = {"name": "b", "state": "b", "address": 260}
    both = [STATE, STATE | other]
    regions = [REGION, {"path": "b", "address": 260, "bytes": 8}]
    io = {"inputs": both, "outputs": both, "state": regions}
    assert "over state 'b'" in refusal(replace_section(sample(), "io", json.dumps(io).encode()))


def test_output_names_are_unique():
    content = json.dumps({"inputs": [], "outputs": [tensor("x", 0, 1)] * 2}).encode()
    assert "twice" in refusal(replace_section(sample(), "io", content))


def test_forms_of_an_input_are_of_one_array():
    other = tensor("x", 0, 1) | {"shape": [2]}
    other["strides"] = [1]
    content = json.dumps({"inputs": [tensor("x", 0, 1), other], "outputs": []}).encode()
    assert "one shape and dtype" in refusal(replace_section(sample(), "io", content))


def test_seeded_fuzz_of_resealed_bytes():
    """Random damage behind correct hashes: a program or an error, never a crash."""
    data = sample()
    rng = random.Random(3)
    for _ in range(400):
        forged = bytearray(data)
        for _ in range(rng.randint(1, 6)):
            forged[rng.randrange(80, len(forged))] = rng.randrange(256)
        try:
            loaded = _core.Machine.load(reseal(bytes(forged)))
        except ValueError:
            continue
        import numpy as np

        inputs = {
            t["name"]: np.zeros(t["shape"], t["dtype"])
            for t in loaded.describe()["io"]["inputs"]
            if t["dtype"] != "bfloat16" and np.prod(t["shape"]) < 1e6
        }
        loaded.run(inputs, check=True, max_work=10**6)


def test_save_is_atomic(tmp_path):
    path = tmp_path / "m.asic"
    loaded = _core.Machine.load(sample())
    loaded.save(str(path))
    assert path.read_bytes() == sample()
    assert os.listdir(tmp_path) == ["m.asic"]
    with pytest.raises(ValueError, match="cannot write"):
        loaded.save(str(tmp_path / "no" / "folder.asic"))


def test_disk_full_leaves_the_old_file(tmp_path):
    """A limit on the size of files stands for a full disk."""
    import subprocess
    import sys

    path = tmp_path / "m.asic"
    path.write_bytes(b"old")
    (tmp_path / "new").write_bytes(sample())
    script = (
        "import resource, signal, sys\n"
        "from asic import _core\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "m = _core.Machine.load(open(sys.argv[1], 'rb').read())\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    m.save(sys.argv[2])\n"
        "except ValueError as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "new", path],
        text=True,
        capture_output=True,
        check=True,
    )
    assert "cannot write" in run.stdout
    assert "too large" in run.stdout
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["m.asic", "new"]


def test_foreign_target_is_told_apart():
    first = machine([inst("halt")]).describe()
    other = _core.Machine.load(
        container([inst("halt")], target=_core.preset_text("gemmini-default"))
    ).describe()
    assert first["target_hash"] != other["target_hash"]
