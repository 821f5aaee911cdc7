# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bad input to `asic.compile` and to what it returns: one clear error each."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import asic

TWICE = """
func.func @main(%x: tensor<4xf32> {asic.name = "x"}) -> (tensor<4xf32> {asic.name = "y"}) {
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""


@pytest.fixture(scope="module")
def twice() -> asic.Compiled:
    return asic.compile(TWICE, target="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fallback": "maybe"}, "fallback='host'"),
        ({"target": "cuda:sm_90a"}, "no CUDA back end"),
        ({"quantize": "int8"}, "quantise before export"),
    ],
)
def test_options(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(TWICE, **{"target": "cpu", **arguments})


def test_compile_options_are_checked() -> None:
    with pytest.raises(asic.CompileError, match="expected until to be one of import, "):
        asic.CompileOptions(until="lunch")
    with pytest.raises(asic.CompileError, match="verify"):
        asic.CompileOptions(verify="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("quantize", ["int7", 8])
def test_unknown_quantisation(quantize: Any) -> None:
    with pytest.raises(asic.CompileError, match="expected quantize=None, 'int8'"):
        asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), quantize=quantize)


def test_missing_calibration() -> None:
    with pytest.raises(asic.CompileError, match="calibration"):
        asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), quantize="int8")


def test_calibration_is_iterable() -> None:
    model, x = nn.Linear(4, 4).eval(), torch.zeros(1, 4)
    with pytest.raises(asic.CompileError, match="iterable of input tuples, got 5"):
        asic.compile(model, (x,), quantize="int8", calibration=5)  # type: ignore[arg-type]


def test_calibration_without_quantize() -> None:
    with pytest.raises(asic.CompileError, match="pass both or neither"):
        asic.compile(nn.Linear(4, 4).eval(), (torch.zeros(1, 4),), calibration=[])


def test_unknown_target() -> None:
    with pytest.raises(asic.TargetError, match="nothing"):
        asic.compile(TWICE, target="nothing")


def test_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.mlir"
    path.write_text("func.func @main() {\n  what\n}\n")
    with pytest.raises(asic.CompileError, match=r"broken\.mlir:2") as caught:
        asic.compile(path, target="cpu")
    assert caught.value.phase == "import"


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(asic.CompileError, match="cannot read"):
        asic.compile(tmp_path / "absent.mlir", target="cpu")
    with pytest.raises(asic.CompileError, match=r"got model\.h5"):
        asic.compile("model.h5", target="cpu")


def test_failure_has_a_reproducer(tmp_path: Path) -> None:
    text = """
    func.func private @asic.aten.mystery.0(tensor<4xf32>) -> tensor<4xf32>
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @asic.aten.mystery.0(%x) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }
    """
    with pytest.raises(asic.CompileError, match="mystery") as caught:
        asic.compile(text, target="cpu", options=asic.CompileOptions(reproducers=str(tmp_path)))
    assert caught.value.diagnostics
    assert caught.value.reproducer is not None
    assert "mlir_reproducer" in Path(caught.value.reproducer).read_text()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ((np.zeros(5, np.float32),), "expected shape"),
        ((np.zeros(4, np.float64),), "expected float32"),
        ((), "positional inputs"),
        ((np.zeros(4, np.float32),) * 2, "positional inputs"),
    ],
)
def test_inputs_at_run_time(twice: asic.Compiled, inputs: tuple[Any, ...], message: str) -> None:
    with pytest.raises(asic.ProgramError, match=message):
        twice(*inputs)


def test_tensors_without_data(twice: asic.Compiled) -> None:
    with pytest.raises(asic.ProgramError, match=r"expected data for input 'x', .* meta device"):
        twice(torch.empty(4, device="meta"))
    with pytest.raises(asic.ProgramError, match="expected a dense tensor for input 'x'"):
        twice(torch.zeros(4).to_sparse())


def test_profile_needs_an_accelerator(twice: asic.Compiled) -> None:
    with pytest.raises(asic.ProgramError, match="expected a model that runs on an accelerator"):
        twice.profile(np.zeros(4, np.float32))


def test_what_cannot_be_verified(twice: asic.Compiled) -> None:
    with pytest.raises(asic.ProgramError, match="iterable of input tuples, got 3"):
        asic.verify(twice, 3)  # type: ignore[arg-type]
    with pytest.raises(asic.ProgramError, match="expected a compiled model, got a ReLU"):
        asic.verify(nn.ReLU(), [(torch.zeros(4),)])  # type: ignore[arg-type]


def test_stopped_compilation_cannot_be_called() -> None:
    compiled = asic.compile(TWICE, target="cpu", options=asic.CompileOptions(until="normalize"))
    assert "func.func @main" in compiled.stages["normalize"]
    with pytest.raises(asic.ProgramError, match="stopped early"):
        compiled(np.zeros(4, np.float32))


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_truncated_file(twice: asic.Compiled, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "m.asic"
    twice.save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(asic.ProgramError, match=r"m\.asic"):
        asic.load(path)


def test_flipped_bits_never_crash(twice: asic.Compiled, tmp_path: Path) -> None:
    path = tmp_path / "m.asic"
    twice.save(path)
    data = bytearray(path.read_bytes())
    x = np.ones(4, np.float32)
    for position in range(0, len(data), 37):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with contextlib.suppress(asic.AsicError):
            asic.load(path)(x)


def test_newer_version(twice: asic.Compiled, tmp_path: Path, monkeypatch: Any) -> None:
    from asic import storage

    monkeypatch.setattr(storage, "VERSION", 99)
    twice.save(tmp_path / "m.asic")
    monkeypatch.undo()
    with pytest.raises(asic.ProgramError, match="got version 99; update"):
        asic.load(tmp_path / "m.asic")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(asic.ProgramError, match="cannot read"):
        asic.load(tmp_path / "absent.asic")


def test_failed_save_leaves_the_old_file(
    twice: asic.Compiled, tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "m.asic"
    twice.save(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(asic.ProgramError, match="No space left"):
        twice.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.asic"]


class Selected(nn.Module):
    """As many values as are positive."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[x > 0]


def test_shapes_that_depend_on_values() -> None:
    with pytest.raises(asic.CompileError, match="expected shapes that follow from") as caught:
        asic.compile(Selected(), (torch.randn(4, 4),))
    assert "test_compile_errors.py" in str(caught.value)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((torch.randn(2, 9),), r"shape \[2, 8\], got \[2, 9\] in item 1"),
        ((torch.randn(3, 8),), r"shape \[2, 8\], got \[3, 8\] in item 1"),
        ((torch.randn(2, 8),) * 2, "expected 1 inputs in every calibration item, got 2"),
        ((torch.full((2, 8), float("nan")),), "expected finite calibration data"),
    ],
)
def test_calibration_data_that_does_not_fit(item: tuple[Any, ...], message: str) -> None:
    x = torch.randn(2, 8)
    with pytest.raises(asic.CompileError, match=message):
        asic.compile(nn.Linear(8, 4).eval(), (x,), quantize="int8", calibration=[(x,), item])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_weights_that_are_no_numbers(value: float, quantize: str | None) -> None:
    model, x = nn.Linear(8, 4).eval(), torch.randn(2, 8)
    model.weight.data[1, 2] = value
    calibration = None if quantize is None else [(x,)]
    with pytest.raises(asic.CompileError, match="expected finite weights"):
        asic.compile(model, (x,), quantize=quantize, calibration=calibration)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30])
def test_extreme_weights_are_exact(scale: float) -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(8, 4).eval(), torch.randn(2, 8)
    model.weight.data.mul_(scale)
    compiled = asic.compile(model, (x,), quantize="int8", calibration=[(x,)])
    assert asic.verify(compiled, [(x,), (x * 1e30,)])


def test_a_tensor_that_fits_no_tile() -> None:
    target = asic.Target.from_name("edge-tx1").replace({"memories.sram.bytes": 4096})
    model, x = nn.Conv2d(512, 512, 3).eval(), torch.randn(1, 512, 8, 8)
    with pytest.raises(asic.CompileError, match="expected a tile that fits 3584 bytes of sram"):
        asic.compile(model, (x,), target=target, quantize="int8", calibration=[(x,)])


def test_a_model_larger_than_dram() -> None:
    target = asic.Target.from_name("edge-tx1").replace({"memories.dram.bytes": 1 << 20})
    model, x = nn.Linear(2048, 2048).eval(), torch.randn(1, 2048)
    with pytest.raises(asic.CompileError, match="within dram of 1048576 bytes"):
        asic.compile(model, (x,), target=target)


@pytest.mark.parametrize("target", [None, 3, ["edge-tx1"]])
def test_what_is_no_target(target: Any) -> None:
    with pytest.raises(asic.TargetError, match="expected the name of a preset"):
        asic.compile(nn.ReLU(), (torch.randn(2),), target=target)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('no data')", r"factory\.py:4: RuntimeError: no data"),
        ("return torch.nn.ReLU(), torch.zeros(2)", r"got \(ReLU, Tensor\)"),
        ("return torch.nn.ReLU(), (torch.zeros(2),), 3", r"got \(ReLU, tuple, int\)"),
        ("return 3", "got int"),
    ],
)
def test_factories_of_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, message: str
) -> None:
    from asic import cli

    path = tmp_path / "factory.py"
    path.write_text(f"import torch\n\ndef make():\n    {body}\n")
    assert cli.main([f"{path}:make", "-o", str(tmp_path / "m.asic")]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_factory_with_keyword_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from asic import cli

    lines = (
        "import torch",
        "class Sum(torch.nn.Module):",
        "    def forward(self, x, *, y):",
        "        return x + y",
        "def make():",
        "    return Sum().eval(), (torch.ones(2),), {'y': torch.ones(2)}",
    )
    (tmp_path / "keywords.py").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["keywords.py:make", "-o", "m.asic"]) == 0
    one = np.ones(2, np.float32)
    np.testing.assert_array_equal(asic.load("m.asic")(one, y=one), 2 * one)


def test_factory_with_dynamic_shapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asic import cli

    lines = (
        "import torch",
        "def make():",
        "    batch = torch.export.Dim('batch', min=1, max=4)",
        "    return torch.nn.Linear(4, 2).eval(), (torch.ones(2, 4),), {}, ({0: batch},)",
    )
    (tmp_path / "sizes.py").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sizes.py:make", "-o", "m.asic"]) == 0
    for size in (1, 3):
        assert asic.load("m.asic")(np.ones((size, 4), np.float32)).shape == (size, 2)
    capsys.readouterr()
    assert cli.main(["sizes.py:make", "--emit", "asm"]) == 0
    assert capsys.readouterr().out.count("halt") == len(asic.load("m.asic").programs) == 3


def test_line_of_a_factory_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from asic import cli

    (tmp_path / "broken.py").write_text("def make():\n    return 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["broken.py:make", "-o", "m.asic"]) == 2
    assert "broken.py:2: ZeroDivisionError" in capsys.readouterr().err


def test_dynamic_shapes_of_models_that_bring_theirs() -> None:
    shapes = ({0: torch.export.Dim("n", max=8)},)
    program = torch.export.export(nn.ReLU().eval(), (torch.randn(2),))
    for model, found in ((program, "an exported program"), ("m.onnx", "an ONNX"), (TWICE, "MLIR")):
        with pytest.raises(asic.CompileError, match=f"dynamic_shapes .* got {found}"):
            asic.compile(model, dynamic_shapes=shapes)


def test_until_and_what_needs_a_whole_compilation(capsys: pytest.CaptureFixture[str]) -> None:
    from asic import cli

    assert cli.main(["m.pt2", "--until", "plan", "--emit", "asm"]) == 2
    assert "use --emit mlir" in capsys.readouterr().err
    assert cli.main(["m.pt2", "--until", "plan", "--report", "r.json"]) == 2
    assert "expected a whole compilation" in capsys.readouterr().err


def test_stopped_compilation_is_not_saved(tmp_path: Path) -> None:
    options = asic.CompileOptions(until="tile")
    compiled = asic.compile(nn.ReLU(), (torch.randn(2, 3),), options=options)
    for use in (lambda: compiled.save(tmp_path / "m.asic"), compiled.report):
        with pytest.raises(asic.ProgramError, match="stopped early"):
            use()
    assert not list(tmp_path.iterdir())


def test_options_of_another_kind() -> None:
    with pytest.raises(asic.CompileError, match=r"expected options to be an asic\.CompileOptions"):
        asic.compile(nn.ReLU(), (torch.randn(2),), options={"until": "tile"})  # type: ignore[arg-type]


class Rows(nn.Module):
    def forward(self, table: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return table[rows]


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
def test_look_ups_outside_the_table(target: str) -> None:
    table = torch.randn(10, 4)
    compiled = asic.compile(Rows().eval(), (table, torch.tensor([1, 2])), target=target)
    for row in (10, -11, 2**40, -(2**40)):
        with pytest.raises(
            asic.ProgramError,
            match=r"aten.index at .*test_compile_errors.py:\d+: expected indices of 0 to 9, got one",
        ):
            compiled(table, torch.tensor([1, row]))
    rows = torch.tensor([-10, 9])
    assert torch.equal(compiled(table, rows), table[rows])


def put(table: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    result = table.clone()
    result[rows] = values
    return result


def scatter(table: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return table.scatter(0, rows[:, None].expand(-1, 4), values)


def index_copy(table: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return table.index_copy(0, rows, values)


def index_add(table: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return table.index_add(0, rows, values)


@pytest.mark.parametrize("target", ["cpu", "edge-tx1"])
@pytest.mark.parametrize("count", [2, 7])  # Selections, and a loop on the host.
@pytest.mark.parametrize(
    ("update", "wraps"), [(put, True), (scatter, False), (index_copy, False), (index_add, False)]
)
def test_updates_outside_the_table(
    update: Callable[..., torch.Tensor], wraps: bool, count: int, target: str
) -> None:
    class Update(nn.Module):
        def forward(self, *args: torch.Tensor) -> torch.Tensor:
            return update(*args)

    table, values = torch.zeros(10, 4), torch.ones(count, 4)
    inside = torch.arange(count)
    compiled = asic.compile(Update().eval(), (table, inside, values), target=target)
    for row in (10, 2**40, -11, *(() if wraps else (-1,))):
        outside = inside.clone()
        outside[-1] = row
        with pytest.raises(asic.ProgramError, match=r":\d+: expected indices of 0 to 9, got one"):
            compiled(table, outside, values)
    inside[-1] = -1 if wraps else 9
    assert torch.equal(compiled(table, inside, values), update(table, inside, values))


def test_example_inputs_of_another_kind() -> None:
    """Through the front door, which looks at them before the front end does."""
    layer, x = nn.Linear(8, 8).eval(), torch.randn(3, 8)
    with pytest.raises(asic.CompileError, match=r"got Tensor; write args=\(x,\)"):
        asic.compile(layer, x)
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        script = torch.jit.trace(layer, (x,))
    with pytest.raises(asic.CompileError, match="got one of TorchScript"):
        asic.compile(script, (x,))


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ((), "no inputs"),
        ((torch.ones(2, 8),), r"float32\[2, 8\]"),
        ((torch.ones(3, 8).half(),), r"float16\[3, 8\]"),
        ((torch.ones(3, 8), 1), r"float32\[3, 8\], 1"),
    ],
)
def test_example_inputs_that_a_program_does_not_take(
    tmp_path: Path, args: tuple[Any, ...], found: str
) -> None:
    program = torch.export.export(nn.Linear(8, 8).eval(), (torch.ones(3, 8),))
    torch.export.save(program, tmp_path / "net.pt2")
    for model in (program, tmp_path / "net.pt2"):
        with pytest.raises(asic.CompileError, match=rf"input float32\[3, 8\], got {found}; leave"):
            asic.compile(model, args)


def test_long_nestings_are_cut() -> None:
    compiled = asic.compile(nn.Linear(8, 8).eval(), (torch.ones(3, 8),), target="cpu")
    with pytest.raises(asic.ProgramError, match=r"\.\.\. \(800 values\); call") as caught:
        compiled(torch.ones(100, 8).tolist())
    assert len(str(caught.value)) < 300
