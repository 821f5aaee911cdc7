# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random modules, and those that once failed; the fuzzer itself."""

from __future__ import annotations

import runpy
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from asic.fuzz import judge as judging
from asic.fuzz.cli import Summary, constants, main
from asic.fuzz.draw import draw
from asic.fuzz.generator import FLOOR, OPS, Generator, NoFit
from asic.fuzz.minimise import minimise
from asic.fuzz.noise import noisy_runs
from asic.fuzz.program import Program
from asic.fuzz.worker import Task, Worker, maker

ROOT = Path(__file__).parents[2]
FOUND = sorted((Path(__file__).parent / "found").glob("*.py"))
#: (target, quantize, how many seeds)
BOUNDED = [("edge-tx1", "", 22), ("npu-256", "int8", 6), ("edge-tx1", "int8", 6), ("cpu", "", 6)]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    process = Worker(120)
    yield process
    process.close()


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_stays_right(path: Path, worker: Worker) -> None:
    source = path.read_text()
    settings = constants(source)
    _, outcome = worker.run(Task(settings["TARGET"], settings["QUANTIZE"], source=source))
    assert outcome.verdict == "ok", outcome


@pytest.mark.parametrize(("target", "quantize", "count"), BOUNDED)
def test_random_modules(target: str, quantize: str, count: int, worker: Worker) -> None:
    for seed in range(count):
        program, outcome = worker.run(Task(target, quantize, seed))
        text = program.source() if program else ""
        assert outcome.verdict in ("ok", "refused", "skipped"), f"seed {seed}: {outcome}\n{text}"


def test_a_seed_always_gives_the_same_module() -> None:
    assert draw(7).source() == draw(7).source()
    assert draw(7).source() != draw(8).source()


def test_every_op_fits_often() -> None:
    """A RuntimeError that is an op's own mistake shows as a low share of draws that fit."""
    drawn, fitted = Counter[str](), Counter[str]()
    for seed in range(2000):
        for name, fits in draw(seed).drawn:
            drawn[name] += 1
            fitted[name] += fits
    shares = {name: fitted[name] / max(drawn[name], 1) for name in OPS}
    assert not {name: share for name, share in shares.items() if share < FLOOR}
    assert min(drawn[name] for name in OPS) >= 15


def test_a_mistake_of_an_op_is_no_misfit(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(g: Generator) -> None:
        g.emit("torch.relu(x0, nothing=1)")

    def misplaced(g: Generator) -> None:
        g.emit(f"{g[g.float_input(2, 3)].shape[5]}")

    def refused(g: Generator) -> None:
        g.emit(f"{g.float_input(2, 3)}.view(7)")

    g = Generator(0)
    for name, function in {"unknown": unknown, "misplaced": misplaced, "refused": refused}.items():
        monkeypatch.setitem(OPS, name, (1, function))
    g.float_input(2, 3)
    with pytest.raises(TypeError):
        g.attempt("unknown")
    with pytest.raises(IndexError):
        g.attempt("misplaced")
    assert not g.attempt("refused")
    assert g.program().drawn == (("refused", False),)


def test_ops_that_seldom_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(g: Generator) -> None:
        raise NoFit

    def mistaken(g: Generator) -> None:
        """PyTorch refuses it unless the extents happen to be equal."""
        a, b = (g.float_input(2, g.integer(1, 9)) for _ in range(2))
        g.emit(f"torch.cat([{a}, {b}])")

    def right(g: Generator) -> None:
        g.emit(f"torch.relu({g.float_input(2, 3)})")

    summary = Summary()
    functions = (never, mistaken, right)
    for function in functions:
        monkeypatch.setitem(OPS, function.__name__, (1, function))
    for function in functions:
        for seed in range(60):
            g = Generator(seed)
            g.float_input(2, 3)
            g.attempt("right")
            for _ in range(2):
                g.attempt(function.__name__)
            summary.draws(g.program())
    assert summary.fitted["mistaken"] > 0
    assert summary.seldom_fitted == ["never", "mistaken"]


def spread(layer: nn.Module, x: torch.Tensor) -> float:
    runs = noisy_runs(layer, (x,), 8)
    return float(torch.stack([run[0] - layer(x) for run in runs]).detach().abs().max())


def test_noise_reaches_the_mean_of_a_norm() -> None:
    """A unit of the last place of a mean of equal values, times 1/sqrt(eps) of the norm."""
    x = torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    norms = [nn.LayerNorm(4), nn.GroupNorm(1, 4), nn.InstanceNorm1d(4)]
    units = 2.0**-23 * float(x.abs().max()) * 1e-5**-0.5
    for norm in norms:
        equal = x.expand(50, 4) if isinstance(norm, nn.LayerNorm) else x[..., None].expand(50, 4, 4)
        assert units < spread(norm, equal.contiguous()) < 32 * units, norm
    # Where the values differ, the noise stays that of the format.
    assert spread(nn.LayerNorm(64), torch.randn(50, 64)) < 1e-4


class Sensitive(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.floor(x / 0.1) - (x / 0.1)


class Sum(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * x).sum(-1)


def test_a_wrong_value_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.rand(4, 300)
    assert judging.judge(lambda: (Sum(), (x,)), "cpu", "").verdict == "ok"
    read = judging._read

    def other(model: nn.Module, args: tuple[torch.Tensor, ...]) -> object:
        # One element of 300 is left out.
        return read(Crop(), args)

    class Crop(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * x)[:, 1:].sum(-1)

    monkeypatch.setattr(judging, "_read", other)
    outcome = judging.judge(lambda: (Sum(), (x,)), "cpu", "")
    assert (outcome.verdict, outcome.stage) == ("wrong", "cpu")


def test_what_depends_on_last_bits_is_skipped() -> None:
    x = torch.arange(50).float() * 0.1
    assert judging.judge(lambda: (Sensitive(), (x,)), "cpu", "").verdict == "skipped"


def test_findings_become_small() -> None:
    program = next(p for p in map(draw, range(200)) if len(p.statements) > 5 and len(p.inputs) > 1)
    calls = 0

    def fails(candidate: Program) -> bool:
        nonlocal calls
        calls += 1
        try:
            model, args = maker(candidate.source())()
            model(*args)
        except Exception:
            return False
        return candidate.statements[-1].lines == program.statements[-1].lines or any(
            s.kinds == program.statements[-1].kinds for s in candidate.statements
        )

    small = minimise(program, fails)
    assert len(small.statements) == 1
    assert fails(small)
    assert calls <= 130


def test_death_and_delay_are_outcomes(worker: Worker) -> None:
    source = draw(3).source()
    deadly = source.replace("def make():", "def make():\n    import os; os.abort()")
    _, outcome = worker.run(Task("cpu", source=deadly))
    assert (outcome.verdict, outcome.message) == ("crash", "SIGABRT")
    slow = Worker(1)
    slow.run(Task("cpu", source=source))
    _, outcome = slow.run(
        Task(
            "cpu",
            source=source.replace("def make():", "def make():\n    import time; time.sleep(9)"),
        )
    )
    slow.close()
    assert outcome.verdict == "hang"


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "2", "--ops", "linear,activation", "--target", "cpu"]) == 0
    assert "2 modules" in capsys.readouterr().out
    assert main(["--ops", "nothing"]) == 2
    path = tmp_path / "module.py"
    program = replace(draw(3), settings={"TARGET": "cpu", "QUANTIZE": ""})
    path.write_text(program.source())
    assert main(["--replay", str(path)]) == 0


def test_launcher_of_the_tree(tmp_path: Path) -> None:
    """Its workers run the launcher again, which must not start a second run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tool = tmp_path / "asic-fuzz"
    runpy.run_path(str(ROOT / "scripts/link_tools.py"))["write_launcher"](
        tool, project["scripts"]["asic-fuzz"]
    )
    run = subprocess.run(
        [tool, "--count", "2", "--ops", "linear,activation", "--target", "cpu"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 ok" in run.stdout


def test_unknown_target_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "1", "--target", "nothing"]) == 2
    assert "asic-fuzz: error: unknown target 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--count -1", "argument --count: expected an integer of at least 1, got '-1'"),
        ("--count 0", "argument --count: expected an integer of at least 1, got '0'"),
        ("--jobs 0", "argument --jobs: expected an integer of at least 1, got '0'"),
        ("--seed -3", "argument --seed: expected an integer of at least 0, got '-3'"),
        ("--seed x", "argument --seed: expected an integer of at least 0, got 'x'"),
        ("--minutes 0", "argument --minutes: expected a number above 0, got '0'"),
        ("--limit nan", "argument --limit: expected a number above 0, got 'nan'"),
    ],
)
def test_bad_numbers_are_bad_usage(
    options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(options.split())
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_options_that_say_nothing_are_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--count", "1", "--quantize", "int8"]) == 2
    assert "expected --target with an accelerator beside --quantize" in capsys.readouterr().err
    path = tmp_path / "file"
    path.touch()
    assert main(["--count", "1", "--save", str(path)]) == 2
    assert "expected a folder for --save" in capsys.readouterr().err


def test_nothing_is_left_behind() -> None:
    command = [sys.executable, "-m", "asic.fuzz", "--count", "1", "--target", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
