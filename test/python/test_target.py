# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Target files from Python: presets, the user's own files, errors."""

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import yaml

from asic import _core
from asic.errors import AsicError, TargetError
from asic.target import Target, targets

ROOT = Path(__file__).resolve().parents[2]
PRESETS = ["edge-tx1", "fsd-nna", "gemmini-default", "kea1-like", "npu-2048", "npu-256"]

# Paths on which other programs rely, with an edge-tx1 value.
FIXED = {
    "name": "edge-tx1",
    "clock_mhz": 1000,
    "cores": 1,
    "memories.sram.bytes": 2097152,
    "memories.acc.bytes": 262144,
    "memories.dram.bytes_per_cycle": 51.2,
    "engines.mxu.dataflow": "ws",
    "engines.mxu.k_rows": 64,
    "engines.mxu.n_cols": 64,
    "engines.vpu.lanes": 64,
    "engines.dma.count": 3,
    "engines.dma.bytes_per_cycle": 64,
}


def lookup(values, path):
    for key in path.split("."):
        values = values[key]
    return values


def test_presets_are_listed():
    assert set(PRESETS) <= set(targets())
    assert targets() == sorted(targets())


def test_built_in_presets_are_those_of_the_source_tree():
    assert _core.preset_names() == targets()
    for name in targets():
        text = (ROOT / "targets" / f"{name}.yaml").read_text()
        assert _core.preset_text(name) == text
    assert _core.preset_text("nothing") is None


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_legal(name):
    target = Target.from_name(name)
    assert target.name == name
    assert target.hash == hashlib.sha256(target.canonical_json.encode()).hexdigest()
    assert Target.from_yaml(target.canonical_json) == target


@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_preset_says_where_it_comes_from(name):
    """Every line with a number has a tag, or follows a comment line with one."""
    tagged = False
    for line in (ROOT / "targets" / f"{name}.yaml").read_text().splitlines():
        code, _, comment = line.partition("#")
        has_tag = any(tag in comment for tag in ("A", "R", "D", "M"))
        if not code.strip():
            tagged = tagged or has_tag
            continue
        if any(c.isdigit() for c in code) and "name:" not in code:
            assert has_tag or tagged or "description" in code or "schema" in code, line
        tagged = tagged and not code.rstrip().endswith("}")


def test_fixed_paths_have_their_values():
    target = Target.from_name("edge-tx1")
    for path, value in FIXED.items():
        assert lookup(target.to_dict(), path) == value
        assert lookup(target.fields, path) == value
    assert target.memories.dram.bytes_per_cycle == 51.2
    assert target.engines.mxu.modes[0] == ["i8", "i8", "i32", 1]


def test_yaml_agrees_with_another_reader():
    """PyYAML reads the same numbers wherever a preset gives them."""

    def check(given, read, path):
        for key, value in given.items():
            if key in ("provenance", "description", "modes", "formats"):
                continue
            if isinstance(value, dict):
                check(value, read[key], f"{path}.{key}")
            else:
                assert read[key] == value, f"{path}.{key}"

    for name in targets():
        target = Target.from_name(name)
        check(yaml.safe_load(target.text), target.to_dict(), name)


def test_a_users_file_works_by_path(tmp_path):
    text = Target.from_name("npu-256").text.replace("npu-256", "mine")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    for target in (Target.from_file(path), Target.resolve(str(path)), Target.resolve(path)):
        assert target.name == "mine"
    assert Target.resolve("npu-256").name == "npu-256"
    assert Target.resolve(target) is target


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(TargetError, match=r"unknown target 'edge-tx9'; expected one of edge-tx1,"):
        Target.from_name("edge-tx9")
    with pytest.raises(TargetError, match="unknown target"):
        Target.from_name("../targets/edge-tx1")


def test_unreadable_files(tmp_path):
    with pytest.raises(TargetError, match=r"cannot read target file .*No such file"):
        Target.from_file(tmp_path / "no.yaml")
    with pytest.raises(TargetError, match=r"cannot read target file"):
        Target.from_file(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TargetError, match="not UTF-8 text"):
        Target.from_file(tmp_path / "binary.yaml")


@pytest.mark.parametrize("path", FIXED)
def test_a_missing_field_is_named(path):
    values = yaml.safe_load(Target.from_name("edge-tx1").text)
    *sections, key = path.split(".")
    section = lookup(values, ".".join(sections)) if sections else values
    del section[key]
    with pytest.raises(TargetError, match=f"{path}: expected .*; add the missing key '{key}'"):
        Target.from_yaml(yaml.safe_dump(values))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memories.sram.bytes": -1}, "memories.sram.bytes: expected a positive integer"),
        ({"memories.sram.kib": 64}, "unknown key 'kib'; use 'bytes': 65536"),
        ({"clock_ghz": 1}, "unknown key 'clock_ghz'; use 'clock_mhz': 1000"),
        ({"clock_mhz": "1GHz"}, "clock_mhz: expected a number of MHz"),
        ({"engines.mxu.k_rows": 65536}, "one weight tile and one row of A"),
        ({"memories.acc.bytes": 128, "memories.acc.align": 4}, "n_cols = 64 sums"),
        ({"engines.mxu.modes": []}, "expected at least one"),
        ({"engines.mxu.dataflow": "is"}, "expected one of ws, os, got 'is'"),
        ({"engines.vpu.lanes": 0}, "expected a positive integer, got 0"),
    ],
)
def test_an_illegal_change_is_named(changes, message):
    with pytest.raises(TargetError) as error:
        Target.from_name("edge-tx1").replace(changes)
    assert message in str(error.value)
    assert isinstance(error.value, AsicError)


def test_errors_carry_the_place_of_every_problem():
    text = Target.from_name("npu-256").text
    text = text.replace("cores: 1", "cores: none").replace("k_rows: 16", "k_rows: 1.5")
    with pytest.raises(TargetError) as error:
        Target.from_yaml(text, "mine.yaml")
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    number = text.splitlines().index(next(x for x in text.splitlines() if "k_rows" in x))
    assert lines[1].startswith(f"mine.yaml:{number + 1}:5: engines.mxu.k_rows: ")


def test_replace_moves_dependent_defaults():
    target = Target.from_name("npu-256").replace({"engines.mxu.n_cols": 32, "engines.vpu.lanes": 8})
    assert target.engines.mxu.w_bytes == 32
    assert target.engines.mxu.acc_bytes == 128
    assert target.engines.vpu.rate.alu == 8
    assert target != Target.from_name("npu-256")


def test_fields_are_read_only_and_typos_are_named():
    target = Target.from_name("npu-256")
    with pytest.raises(AttributeError, match=r"expected a field of 'engines.mxu'"):
        _ = target.engines.mxu.rows
    with pytest.raises(AttributeError):
        target.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        target.memories["sram"] = {}  # type: ignore[index]


def test_targets_travel_between_processes():
    target = Target.from_name("fsd-nna")
    again = pickle.loads(pickle.dumps(target))
    assert again == target
    assert hash(again) == hash(target)
    assert json.loads(again.canonical_json) == target.to_dict()


def test_the_documentation_names_every_field():
    text = (ROOT / "docs" / "adding-a-target.md").read_text()

    def leaves(section):
        for key, value in section.items():
            if isinstance(value, dict) and key not in ("mac", "sparsity"):
                yield from leaves(value)
            else:
                yield key

    fields = set(leaves(Target.from_name("edge-tx1").to_dict()))
    missing = {x for x in fields if f"`{x}`" not in text and f".{x}`" not in text}
    assert not missing


def test_the_smallest_file_of_the_documentation_is_legal():
    text = (ROOT / "docs" / "adding-a-target.md").read_text()
    blocks = [block.split("```")[0] for block in text.split("```yaml\n")[1:]]
    target = Target.from_yaml(blocks[0])
    assert target.name == "mine"
    assert target.engines.mxu.fill == 64
