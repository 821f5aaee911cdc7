# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`asic-fuzz`: draws modules, judges them, makes findings small and saves them."""

from __future__ import annotations

import argparse
import ast
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, Queue

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from asic.errors import TargetError
from asic.fuzz.generator import FLOOR
from asic.fuzz.minimise import minimise
from asic.fuzz.outcome import FAILURES, VERDICTS, Outcome
from asic.fuzz.program import Program
from asic.fuzz.worker import Task, Worker
from asic.target import Target

#: What modules are compiled for unless told otherwise: (target, quantize), weights.
MIX = (
    (("edge-tx1", ""), 6),
    (("edge-tx1", "int8"), 1.5),
    (("npu-256", "int8"), 1),
    (("kea1-like", "int8"), 1),
    (("npu-256", ""), 0.5),
)

#: Draws after which an op that seldom fits is named.
_OFTEN = 50


@dataclass
class Summary:
    """Counts of a run."""

    verdicts: Counter[str] = field(default_factory=Counter)
    signatures: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], int] = field(default_factory=dict)
    fallbacks: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    saved: list[Path] = field(default_factory=list)
    drawn: Counter[str] = field(default_factory=Counter)
    fitted: Counter[str] = field(default_factory=Counter)

    def draws(self, program: Program) -> None:
        """Counts the ops that were drawn for a module."""
        self.drawn.update(name for name, _ in program.drawn)
        self.fitted.update(name for name, fits in program.drawn if fits)

    @property
    def seldom_fitted(self) -> list[str]:
        """Ops that were drawn often and fitted in less than `FLOOR` of it: they test little."""
        often = [(name, times) for name, times in self.drawn.items() if times >= _OFTEN]
        return [name for name, times in often if self.fitted[name] < FLOOR * times]

    def add(self, seed: int, outcome: Outcome) -> bool:
        """Counts an outcome; returns whether it is the first of its signature."""
        self.verdicts[outcome.verdict] += 1
        self.fallbacks.update(set(outcome.fallbacks))
        self.seconds.update(outcome.seconds)
        if outcome.verdict in ("ok", "skipped"):
            return False
        self.signatures[outcome.signature] += 1
        self.examples.setdefault(outcome.signature, seed)
        return self.signatures[outcome.signature] == 1

    @property
    def failed(self) -> bool:
        """Whether anything counts as a failure."""
        return any(self.verdicts[v] for v in FAILURES)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 when nothing failed, 1 when something did, 2 on bad usage."""
    options = _parser().parse_args(argv)
    console = Console()
    if options.replay:
        return _replay(options.replay, console)
    names = tuple(options.ops.split(",")) if options.ops else ()
    if unknown := set(names) - set(_known_ops()) if names else ():
        listed = ", ".join(sorted(_known_ops()))
        print(
            f"asic-fuzz: error: expected --ops of {listed}, got {', '.join(sorted(unknown))}",
            file=sys.stderr,
        )
        return 2
    if options.target not in (None, "cpu"):
        try:
            Target.resolve(options.target)
        except TargetError as problem:
            print(f"asic-fuzz: error: {problem}", file=sys.stderr)
            return 2
    if options.quantize and options.target in (None, "cpu"):
        print(
            "asic-fuzz: error: expected --target with an accelerator beside --quantize, got "
            f"{options.target or 'none'}; the default mix has quantised modules",
            file=sys.stderr,
        )
        return 2
    if options.save is not None and options.save.exists() and not options.save.is_dir():
        print(
            f"asic-fuzz: error: expected a folder for --save, got the file {options.save}",
            file=sys.stderr,
        )
        return 2
    summary = Summary()
    start = time.monotonic()
    try:
        _run(options, names, summary, console)
    except KeyboardInterrupt:
        console.print("interrupted")
    _print(summary, console, time.monotonic() - start)
    return int(summary.failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asic-fuzz",
        description="Compile random small modules and compare them with PyTorch.",
        epilog="Exit status: 0 when nothing failed, 1 when something did, 2 on bad usage.",
    )
    parser.add_argument("--count", type=_at_least(1), default=100, help="how many modules")
    parser.add_argument("--seed", type=_at_least(0), default=0, help="the first module's seed")
    parser.add_argument(
        "--minutes", type=_positive, help="stop after this long, whatever --count says"
    )
    parser.add_argument("--target", help="one target, or cpu; default: a mix of presets")
    parser.add_argument("--quantize", choices=["int8"], help="with --target: quantise")
    parser.add_argument("--ops", metavar="A,B", help="draw from these ops only")
    parser.add_argument("--jobs", type=_at_least(1), default=1, help="processes")
    parser.add_argument(
        "--limit", type=_positive, default=60, help="seconds that a module may take"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="write findings there")
    parser.add_argument("--save-refused", action="store_true", help="refusals are findings too")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="judge a saved module")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    """Reads an integer of an option."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(
                f"expected an integer of at least {least}, got {text!r}; leave it out for the default"
            )
        return number

    return read


def _positive(text: str) -> float:
    """Reads a time of an option."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(
            f"expected a number above 0, got {text!r}; leave it out for the default"
        )
    return number


def _known_ops() -> list[str]:
    from asic.fuzz import ops
    from asic.fuzz.generator import OPS

    assert ops
    return list(OPS)


def _replay(path: Path, console: Console) -> int:
    try:
        source = path.read_text(encoding="utf-8")
        settings = constants(source)
    except (OSError, SyntaxError) as problem:
        print(f"asic-fuzz: error: cannot read {path}: {problem}", file=sys.stderr)
        return 2
    worker = Worker(600)
    _, outcome = worker.run(
        Task(settings.get("TARGET", "edge-tx1"), settings.get("QUANTIZE", ""), source=source)
    )
    worker.close()
    console.print(f"{outcome.verdict} {outcome.stage}: {outcome.message}", highlight=False)
    if outcome.verdict in FAILURES:
        console.print(outcome.detail, markup=False, highlight=False)
    return int(outcome.verdict in FAILURES)


def constants(source: str) -> dict[str, str]:
    """The module-level string constants of a file."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for name in node.targets:
                if isinstance(name, ast.Name) and isinstance(node.value.value, str):
                    found[name.id] = node.value.value
    return found


def task_of(seed: int, options: argparse.Namespace, names: tuple[str, ...]) -> Task:
    """What the module of a seed is compiled for."""
    if options.target:
        return Task(options.target, options.quantize or "", seed, names)
    kinds = [kind for kind, weight in MIX for _ in range(int(2 * weight))]
    target, quantize = kinds[seed * 7 % len(kinds)]
    return Task(target, quantize, seed, names)


def _run(
    options: argparse.Namespace, names: tuple[str, ...], summary: Summary, console: Console
) -> None:
    seeds: Queue[int] = Queue()
    for seed in range(options.seed, options.seed + options.count):
        seeds.put(seed)
    end = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    stop = threading.Event()
    lock = threading.Lock()
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("fuzzing", total=options.count)

        def serve() -> None:
            worker = Worker(options.limit)
            while not stop.is_set() and time.monotonic() < end:
                try:
                    task = task_of(seeds.get_nowait(), options, names)
                except Empty:
                    break
                program, outcome = worker.run(task)
                with lock:
                    first = summary.add(task.seed, outcome)
                    if program is not None:
                        summary.draws(program)
                    if first and (outcome.verdict in FAILURES or options.save_refused):
                        console.print(
                            f"seed {task.seed}: {outcome.verdict} {outcome.stage}: "
                            f"{outcome.message}",
                            highlight=False,
                            markup=False,
                        )
                if first and program is not None and options.save is not None:
                    if outcome.verdict in FAILURES or options.save_refused:
                        summary.saved.append(_save(options.save, worker, task, program, outcome))
                progress.advance(bar)
                done = sum(summary.verdicts.values())
                if not console.is_terminal and done % 100 == 0:
                    console.print(f"{done} modules", highlight=False)
            worker.close()

        threads = [threading.Thread(target=serve) for _ in range(max(1, options.jobs))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except KeyboardInterrupt:
            stop.set()
            for thread in threads:
                thread.join()
            raise


def _save(folder: Path, worker: Worker, task: Task, program: Program, outcome: Outcome) -> Path:
    """Writes the finding as a Python file, made small first."""

    def judged(candidate: Program) -> Outcome:
        return worker.run(replace(task, source=candidate.source()))[1]

    program = minimise(program, lambda c: judged(c).signature == outcome.signature)
    final = judged(program)
    settings = {"TARGET": task.target, "QUANTIZE": task.quantize}
    title = f"{final.verdict} {final.stage}: {final.message}".replace("\\", "/").replace('"', "'")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{outcome.verdict}_{task.seed}.py"
    path.write_text(replace(program, settings=settings).source(title), encoding="utf-8")
    if final.detail:
        path.with_suffix(".txt").write_text(final.detail, encoding="utf-8")
    return path


def _print(summary: Summary, console: Console, seconds: float) -> None:
    count = sum(summary.verdicts.values())
    if summary.signatures:
        table = Table("count", "verdict", "where", "message", "seed", box=None)
        order = {verdict: place for place, verdict in enumerate(VERDICTS)}
        for signature, number in sorted(
            summary.signatures.items(), key=lambda item: (order[item[0][0]], -item[1])
        ):
            verdict, stage, message = signature
            table.add_row(str(number), verdict, stage, message, str(summary.examples[signature]))
        console.print(table)
    if summary.fallbacks:
        console.print("kept on the host:")
        for reason, number in summary.fallbacks.most_common(12):
            console.print(f"  {number} × {reason}", highlight=False, markup=False)
    for name in summary.seldom_fitted:
        console.print(
            f"{name} fitted in {summary.fitted[name]} of {summary.drawn[name]} draws: expected "
            f"{FLOOR:.0%} or more; the op may ask for what PyTorch refuses",
            highlight=False,
        )
    parts = ", ".join(f"{summary.verdicts[v]} {v}" for v in VERDICTS if summary.verdicts[v])
    console.print(
        f"{count} modules in {seconds:.0f} s ({seconds / max(count, 1):.2f} s each): {parts}",
        highlight=False,
    )
    for path in summary.saved:
        console.print(f"saved {path}", highlight=False)


if __name__ == "__main__":
    sys.exit(main())
