# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The whole way, once: train, quantise, compile, run, compare.

A small CNN is trained on scikit-learn's handwritten digits, quantised to int8 and
compiled for several accelerators. Every image of the held-out split then runs on the
emulator, and each answer is compared bit for bit with the integer reference, which
is plain PyTorch and shares nothing with the compiler.

    python examples/demo.py [--target NAME-or-FILE ...] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

import asic
from asic.quantization import quantize, reference
from benchmarks.nets import digits

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ("edge-tx1", "gemmini-default", "fsd-nna")
CALIBRATION_IMAGES = 128
console = Console(width=None if sys.stdout.isatty() else 110)


@dataclass(frozen=True)
class Outcome:
    """What one accelerator made of the test images."""

    target: str
    reference_accuracy: float
    emulator_accuracy: float
    mismatches: int
    report: asic.Report
    program: Path


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose highest score is at the right digit."""
    return float(np.mean(scores.argmax(axis=1) == labels))


def run_target(target: str, model: torch.nn.Module, data: digits.Digits, folder: Path) -> Outcome:
    """Quantises and compiles for one target, then runs every test image."""
    example = (data.train_images[:1],)
    calibration = [(image[None],) for image in data.train_images[:CALIBRATION_IMAGES]]
    quantized = quantize(model, example, calibration, target=target)
    options = asic.CompileOptions(source_root=str(ROOT))
    compiled = asic.compile(quantized, target=target, options=options)
    program = folder / f"digits-{target}.asic"
    compiled.save(program)

    expected, emulated = [], []
    integers = reference.Reference(quantized, asic.Target.resolve(target).requant.default)
    for image in track(
        data.test_images,
        f"{target}: {len(data.test_images)} images",
        console=console,
        transient=True,
    ):
        expected.append(integers(image[None]).numpy()[0])
        emulated.append(compiled(image[None]).numpy()[0])
    expected, emulated = np.stack(expected), np.stack(emulated)
    differs = expected.view(np.uint32) != emulated.view(np.uint32)
    labels = data.test_labels.numpy()
    return Outcome(
        target,
        accuracy(expected, labels),
        accuracy(emulated, labels),
        int(differs.any(axis=1).sum()),
        compiled.report(),
        program,
    )


def summary(outcomes: Sequence[Outcome], float_accuracy: float, images: int) -> Table:
    """One row per accelerator."""
    table = Table(
        "target",
        "f32",
        "int8 reference",
        "emulator",
        "bit-exact images",
        "cycles",
        "latency",
        "x bound",
        "MAC use",
        title="Digits CNN on the held-out images",
    )
    for outcome in outcomes:
        report = outcome.report.to_dict()
        table.add_row(
            outcome.target,
            f"{float_accuracy:.2%}",
            f"{outcome.reference_accuracy:.2%}",
            f"{outcome.emulator_accuracy:.2%}",
            f"{images - outcome.mismatches} / {images}",
            f"{report['cycles']:,}",
            f"{report['latency_ms'] * 1e3:.1f} µs",
            f"{report['bound_ratio']:.2f}",
            f"{report['mac_utilization']:.1%}",
        )
    return table


def main() -> int:
    """Runs the demo; returns 1 when any answer differs or accuracy is lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="append", help="repeatable")
    parser.add_argument("--out", type=Path, default=ROOT / "out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    # The tensors are small: handing them to threads costs more than the work.
    torch.set_num_threads(1)
    # torch.export's, about itself.
    warnings.filterwarnings("ignore", category=FutureWarning)

    start = time.monotonic()
    data = digits.load()
    with console.status("training the CNN"):
        model = digits.train(data)
    with torch.no_grad():
        scores = model(data.test_images).numpy()
    float_accuracy = accuracy(scores, data.test_labels.numpy())
    console.print(
        f"trained on {len(data.train_images)} images in {time.monotonic() - start:.0f} s; "
        f"{float_accuracy:.2%} of {len(data.test_images)} held-out images are right"
    )

    outcomes = []
    for target in options.target or TARGETS:
        outcome = run_target(target, model, data, options.out)
        outcomes.append(outcome)
        console.rule(f"[bold]{target}")
        console.print(outcome.report)
        console.print(f"program: {outcome.program}")
    console.rule()
    console.print(summary(outcomes, float_accuracy, len(data.test_images)))

    failed = False
    for outcome in outcomes:
        if outcome.mismatches:
            console.print(
                f"{outcome.target}: {outcome.mismatches} images differ from the reference",
                style="bold red",
            )
            failed = True
        if float_accuracy - outcome.emulator_accuracy > 0.005:
            console.print(f"{outcome.target}: int8 loses more than 0.5 points", style="bold red")
            failed = True
    if float_accuracy < 0.97:
        console.print("the float model is below 97 %", style="bold red")
        failed = True
    if not failed:
        console.print(
            "every emulated answer equals the integer reference bit for bit",
            style="bold green",
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
