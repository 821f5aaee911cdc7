# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A pass written by scripts/new_pass.py is complete and in its place."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def new_pass():
    """The script, imported as a module."""
    spec = importlib.util.spec_from_file_location("new_pass", ROOT / "scripts/new_pass.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["new_pass"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path):
    """A copy of the folders that the script changes."""
    shutil.copytree(ROOT / "passes", tmp_path / "passes")
    return tmp_path


@pytest.mark.parametrize("folder", ["normalize", "accel", "cpu"])
def test_every_part_is_written(new_pass, tree, folder):
    new = new_pass.NewPass("FoldSomething", folder, "Fold something")
    assert new_pass.check(new, tree) is None
    new_pass.write(new, tree)

    td = (tree / "passes/Passes.td").read_text()
    assert 'def FoldSomethingPass : Pass<"asic-fold-something"' in td
    section = td[: td.index("def FoldSomethingPass")].rindex("//===-")
    heading = td[:section].rsplit("\n", 2)[-2]
    assert heading.startswith(f"// {folder}")

    cmake = (tree / "passes" / folder / "CMakeLists.txt").read_text()
    assert cmake.count("FoldSomething.cpp") == 1
    cpp = (tree / "passes" / folder / "FoldSomething.cpp").read_text()
    assert "GEN_PASS_DEF_FOLDSOMETHINGPASS" in cpp
    test = tree / "test/passes" / folder / "asic-fold-something.mlir"
    assert "--asic-fold-something" in test.read_text()


def test_tablegen_accepts_the_entry(new_pass, tree):
    tablegen = shutil.which("mlir-tblgen-22") or shutil.which("mlir-tblgen")
    include = next(Path("/usr/lib").glob("llvm-22*/include"), None)
    if tablegen is None or include is None:
        pytest.skip("no mlir-tblgen of LLVM 22 on the path")
    new_pass.write(new_pass.NewPass("LowerIt", "accel", "Lower it"), tree)
    run = subprocess.run(
        [
            tablegen,
            "-gen-pass-decls",
            "-name",
            "Asic",
            "-I",
            str(include),
            str(tree / "passes/Passes.td"),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "GEN_PASS_DEF_LOWERITPASS" in run.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("foldPadding", "CamelCase"),
        ("FoldPaddingPass", "without 'Pass'"),
        ("Padding", "starts with one of"),
    ],
)
def test_bad_names_are_refused(new_pass, tree, name, message):
    new = new_pass.NewPass(name, "normalize", "Summary")
    assert message in new_pass.check(new, tree)


def test_a_taken_name_is_refused(new_pass, tree):
    new = new_pass.NewPass("FoldTwice", "quantize", "Fold twice")
    new_pass.write(new, tree)
    assert "expected a new name" in new_pass.check(new, tree)
