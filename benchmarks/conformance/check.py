# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles one case for several targets and compares it with eager PyTorch."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

import asic
from asic.compiler import compile_source
from asic.errors import CompileError
from asic.reading import read_model
from benchmarks.conformance.case import FLOATS, Case, Random, error

#: What may happen to an op.
ACCELERATOR, HOST, REFUSED, WRONG, CRASH = "accelerator", "host", "refused", "wrong", "crash"

_WARM = Case("aten.relu", "", torch.relu, (Random((4, 4)),), FLOATS, 0)

#: Seconds that one case may take.
_TIMEOUT = 300.0


@dataclass(frozen=True)
class Outcome:
    """What became of one case with one element type on one target.

    Attributes:
        status: one of the constants above.
        error: ULP against eager PyTorch, NaN when nothing ran.
        reason: why it is not on the accelerator.
    """

    case: str
    dtype: str
    target: str
    status: str
    error: float = float("nan")
    reason: str = ""

    @property
    def is_good(self) -> bool:
        return self.status in (ACCELERATOR, HOST, REFUSED)


def run(case: Case, dtype: torch.dtype, targets: Iterable[str]) -> list[Outcome]:
    """One outcome for each target, in this process; none where PyTorch lacks the op for `dtype`."""
    targets = tuple(targets)
    key = (case.name, str(dtype).removeprefix("torch."))
    inputs = case.make_inputs(dtype)
    model = case.make_model(dtype)
    try:
        with torch.no_grad():
            want = pytree.tree_leaves(model(*inputs))
    except NotImplementedError:
        return []  # PyTorch has no such op for this type.
    try:
        source = read_model(
            model, inputs, quantize=None, calibration=None, dynamic_shapes=None, target=None,
            options=asic.CompileOptions(),
        )  # fmt: skip
    except CompileError as problem:
        return [Outcome(*key, t, REFUSED, reason=str(problem)) for t in targets]
    wanted = list(zip(want, case.exact(dtype, len(want)), strict=True))
    return [_run(case, key, source, t, inputs, wanted) for t in targets]


def _run(
    case: Case, key: tuple[str, str], source: Any, target: str, inputs: Any, wanted: list[Any]
) -> Outcome:
    try:
        machine = None if target == "cpu" else asic.Target.resolve(target)
        compiled = compile_source(source, machine)
        have = pytree.tree_leaves(compiled(*inputs))
    except CompileError as problem:
        return Outcome(*key, target, REFUSED, reason=str(problem))
    except asic.EmulatorFault as problem:
        return Outcome(*key, target, CRASH, reason=str(problem))
    worst = max((error(h, *w) for h, w in zip(have, wanted, strict=True)), default=0.0)
    fallbacks = [] if machine is None else compiled.report().to_dict()["fallbacks"]
    reasons = sorted({f"{f['op']}: {f['reason']}" for f in fallbacks})
    status = HOST if machine is None or fallbacks else ACCELERATOR
    if worst > limit(case, target):
        status = WRONG
    return Outcome(*key, target, status, worst, "; ".join(reasons))


def limit(case: Case, target: str) -> float:
    """ULP allowed on a target: a matrix unit may take bf16 for f32, 2^16 ULP apart."""
    coarse = case.contraction and target != "cpu"
    return case.ulp * 2**16 if coarse else case.ulp


def _child(pipe: Any, case: Case, dtype: torch.dtype, targets: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    try:
        pipe.send(run(case, dtype, targets))
    except BaseException as problem:
        text = f"{type(problem).__name__}: {problem}"
        name = str(dtype).removeprefix("torch.")
        pipe.send([Outcome(case.name, name, t, CRASH, reason=text) for t in targets])


def run_isolated(
    cases: Iterable[tuple[Case, torch.dtype]], targets: tuple[str, ...]
) -> Iterator[list[Outcome]]:
    """`run` in a process of its own for each case, so that a crash is an outcome."""
    context = multiprocessing.get_context("fork")
    run(_WARM, torch.float32, targets)  # What is loaded now is loaded once.
    for case, dtype in cases:
        receive, send = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(send, case, dtype, targets))
        child.start()
        send.close()
        try:
            outcomes = receive.recv() if receive.poll(_TIMEOUT) else None
        except EOFError:
            outcomes = None
        if outcomes is None:
            child.kill()
            child.join()
            name = str(dtype).removeprefix("torch.")
            reason = f"the process ended with status {child.exitcode}"
            outcomes = [Outcome(case.name, name, t, CRASH, reason=reason) for t in targets]
        child.join()
        yield outcomes
