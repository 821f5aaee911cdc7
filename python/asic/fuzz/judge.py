# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a module in every way and compares what comes out with eager PyTorch."""

from __future__ import annotations

import contextlib
import io
import re
import time
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from asic.compiled import Compiled
from asic.compiler import compile_source
from asic.errors import AsicError, CompileError
from asic.fuzz.noise import AMOUNT, CODES, NARROW, exposed, noisy_runs
from asic.fuzz.outcome import Outcome
from asic.options import CompileOptions
from asic.reading import Source, read_model
from asic.target import Target
from asic.verification import arithmetic, verify

#: Noisy runs, how many times their spread is allowed, and the spread, relative to the largest
#: value, beyond which a module says nothing.
_RUNS, _FACTOR, _SPREAD = 8, 6.0, 0.05

#: How far float parts of a quantised module may take it from the integer reference: the largest
#: error relative to the largest value, and the signal to error in dB.
_MIXED_ERROR, _MIXED_SQNR = 0.1, 20.0

#: Signal to error, in dB, that quantisation leaves of a module that is not sensitive.
_QUANTISED_SQNR = 3.0


class _Wrong(Exception):
    """A comparison failed."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(message)
        self.stage = stage


class _Skip(Exception):
    """The module's outputs say nothing."""


def judge(
    make: Callable[[], tuple[nn.Module, tuple[Any, ...]]], target: str, quantize: str
) -> Outcome:
    """Compiles and runs `make()`'s module; never raises.

    Args:
        make: gives the model and its example inputs.
        target: name of a preset, "cpu" for this computer alone.
        quantize: "int8", or "" for the float model.
    """
    torch.set_num_threads(1)
    watch = _Watch()
    fallbacks: list[str] = []
    try:
        model, args = make()
        if quantize:
            _quantised(model, args, target, quantize, watch, fallbacks)
        else:
            _float(model, args, target, watch, fallbacks)
        verdict = Outcome("ok")
    except _Skip as reason:
        verdict = Outcome("skipped", "eager", str(reason))
    except _Wrong as problem:
        verdict = Outcome("wrong", problem.stage, str(problem))
    except CompileError as problem:
        lines = "\n".join(problem.diagnostics)
        message = problem.args[0].splitlines()[0]
        verdict = Outcome("refused", problem.phase, message, f"{problem}\n{lines}")
        if not _is_refusal(problem):
            verdict = Outcome("error", problem.phase, message, verdict.detail)
    except AsicError as problem:
        verdict = Outcome("error", watch.stage, f"{type(problem).__name__}: {problem}")
    except Exception as problem:
        message = (
            f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
        )
        verdict = Outcome("error", watch.stage, message, traceback.format_exc())
    return Outcome(
        verdict.verdict,
        verdict.stage,
        verdict.message,
        verdict.detail,
        tuple(dict.fromkeys(fallbacks)),
        watch.done(),
    )


def _is_refusal(problem: CompileError) -> bool:
    """Whether the message is meant for a user: it says what was expected, or what cannot be."""
    text = str(problem.args[0])
    return bool(re.search(r"expected|cannot|; ", text)) and "failed without" not in text


class _Watch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.stage = "eager"
        self._seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def next(self, stage: str) -> None:
        """Ends a stage and begins another."""
        now = time.perf_counter()
        self._seconds[self.stage] = self._seconds.get(self.stage, 0.0) + now - self._start
        self.stage, self._start = stage, now

    def done(self) -> dict[str, float]:
        """All seconds."""
        self.next("")
        return self._seconds


def _float(
    model: nn.Module, args: tuple[Any, ...], target: str, watch: _Watch, fallbacks: list[str]
) -> None:
    with exposed():
        wanted = pytree.tree_leaves(model(*args))
    machine = None if target == "cpu" else Target.resolve(target)
    bounds = _bounds(model, args, wanted, narrow=False)
    wide = bounds
    if machine is not None and _is_narrow(machine):
        wide = _bounds(model, args, wanted, narrow=True)
    watch.next("import")
    source = _read(model, args)
    watch.next("cpu")
    compiled = compile_source(source, None)
    _compare("cpu", pytree.tree_leaves(compiled(*args)), wanted, bounds)
    if machine is None:
        return
    watch.next(machine.name)
    compiled = compile_source(source, machine)
    fallbacks.extend(f"{f['op']}: {f['reason']}" for f in compiled.facts.fallbacks)
    _compare(machine.name, pytree.tree_leaves(compiled(*args)), wanted, wide)
    _account(compiled, args)


def _read(model: nn.Module, args: tuple[Any, ...]) -> Source:
    return read_model(
        model,
        args,
        quantize=None,
        calibration=None,
        dynamic_shapes=None,
        target=None,
        options=CompileOptions(),
    )


def _is_narrow(target: Target) -> bool:
    """Whether float contractions have bfloat16 operands."""
    return any("bf16" in str(mode) for mode in target.engines.mxu.modes)


def _account(compiled: Compiled, args: tuple[Any, ...]) -> None:
    """The report's cycles are the emulated ones."""
    if not compiled.machines:  # All of it is on the host.
        return
    promised = compiled.report().to_dict()["cycles"]
    counted = compiled.profile(*args).cycles
    if promised != counted:
        name = compiled.target.name if compiled.target else "cpu"
        raise _Wrong(name, f"cycles: expected {promised} as reported, got {counted}")


def _quantised(
    model: nn.Module,
    args: tuple[Any, ...],
    target: str,
    quantize: str,
    watch: _Watch,
    fallbacks: list[str],
) -> None:
    import asic

    data = [args, tuple(_other(leaf) for leaf in args)]
    with exposed():
        wanted = pytree.tree_leaves(model(*args))
    watch.next("import")
    compiled = asic.compile(model, args, target=target, quantize=quantize, calibration=data)
    fallbacks.extend(f"{f['op']}: {f['reason']}" for f in compiled.facts.fallbacks)
    watch.next("eager")
    stable = True
    try:
        _bounds(model, args, wanted, narrow=True)
    except _Skip:
        stable = False
    watch.next(target)
    try:
        _verify(compiled, data, wanted, target, stable)
    except _Wrong:
        if arithmetic(compiled, (args, {})) == "integer" or not _jumps(model, args, wanted):
            raise
        raise _Skip("a quantised output jumps where a code is one off") from None
    _account(compiled, args)
    if not stable:
        return
    for number, (have, want) in enumerate(
        zip(pytree.tree_leaves(compiled(*args)), wanted, strict=True)
    ):
        quality = _sqnr(want, have)
        if quality < _QUANTISED_SQNR:
            raise _Wrong(
                "quantised", f"output {number}: expected {_QUANTISED_SQNR} dB, got {quality:.1f} dB"
            )


def _jumps(model: nn.Module, args: tuple[Any, ...], wanted: list[Tensor]) -> bool:
    """Whether a code that is one off may take an output further than a verification allows.

    A remainder, say, of what is near zero.
    """
    for run in noisy_runs(model, args, _RUNS, CODES):
        for have, want in zip(run, wanted, strict=True):
            far = (have.double() - want.double()).abs() > _MIXED_ERROR * _magnitude(want)
            if bool(far.any()):
                return True
    return False


def _verify(
    compiled: Compiled, data: list[Any], wanted: list[Tensor], target: str, stable: bool
) -> None:
    """Emulator, host and integer reference agree: to the bit when all is integer.

    Where floats are between, one of them at the border of two codes gives a code that is one
    off, and what follows is as sensitive as it is: `stable` says that the float module's outputs
    do not hang on last bits. Those of one that is not, such as the mean of `x - mean(x)`, are
    noise, and noise has no size that two implementations share.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        if arithmetic(compiled, (tuple(data[0]), {})) == "integer":
            outcome = verify(compiled, data)
            stable = True
        else:
            scale = max((_magnitude(want) for want in wanted), default=0.0)
            outcome = verify(compiled, data, rtol=0, atol=_MIXED_ERROR * scale)
    if not stable and not (outcome and outcome.sqnr_db >= _MIXED_SQNR):
        raise _Skip("a quantised output depends on the last bits of a float")
    if not outcome:
        raise _Wrong(target, str(outcome))
    if outcome.sqnr_db < _MIXED_SQNR:
        raise _Wrong(
            target, f"signal to error: expected {_MIXED_SQNR} dB, got {outcome.sqnr_db:.1f}"
        )


def _magnitude(tensor: Tensor) -> float:
    finite = tensor[torch.isfinite(tensor)].double()
    return float(finite.abs().max()) if finite.numel() else 0.0


def _other(leaf: Any) -> Any:
    """A second input: the first one's values in other places."""
    if not isinstance(leaf, Tensor) or leaf.dim() == 0:
        return leaf
    return leaf.flatten().flip(0).reshape(leaf.shape).contiguous()


def _sqnr(want: Tensor, have: Tensor) -> float:
    """Signal to error in dB; the mean is no signal when there are many values."""
    error = (want.double() - have.double()).square().sum()
    signal = want.double().square().sum()
    if not want.is_floating_point() or error == 0 or signal < 1e-12 * want.numel():
        return float("inf")
    return float(10 * torch.log10(signal / error))


def _bounds(
    model: nn.Module, args: tuple[Any, ...], wanted: list[Tensor], narrow: bool
) -> list[float]:
    """Largest allowed error of every output; raises `_Skip` when that says nothing."""
    runs = noisy_runs(model, args, _RUNS, NARROW if narrow else 0.0)
    bounds = []
    for number, want in enumerate(wanted):
        drawn = [run[number] for run in runs]
        if not want.is_floating_point():
            if not all(torch.equal(d, want) for d in drawn):
                raise _Skip("an integer output depends on the last bits of a float")
            bounds.append(0.0)
            continue
        finite = torch.isfinite(want)
        if not all(torch.equal(torch.isfinite(d), finite) for d in drawn):
            raise _Skip("an output is infinite, depending on last bits")
        if not bool(finite.any()):
            bounds.append(0.0)
            continue
        exact = want[finite].double()
        errors = torch.stack([(d[finite].double() - exact).square() for d in drawn])
        spread, scale = float(errors.mean(0).sqrt().max()), float(exact.abs().max())
        least = AMOUNT[want.dtype]
        if spread > max(_SPREAD, 8 * least) * scale + 1e-30:
            raise _Skip("an output depends on the last bits of a float")
        bounds.append(_FACTOR * spread + 2 * least * scale + 1e-7 * (want.dtype == torch.float16))
    return bounds


def _compare(stage: str, have: list[Tensor], wanted: list[Tensor], bounds: list[float]) -> None:
    if len(have) != len(wanted):
        raise _Wrong(stage, f"expected {len(wanted)} outputs, got {len(have)}")
    for number, (got, want, bound) in enumerate(zip(have, wanted, bounds, strict=True)):
        if got.shape != want.shape or got.dtype != want.dtype:
            raise _Wrong(
                stage,
                f"output {number}: expected {want.dtype} {tuple(want.shape)}, got "
                f"{got.dtype} {tuple(got.shape)}",
            )
        if not want.is_floating_point():
            equal = got == want
        else:
            near = (got.double() - want.double()).abs() <= bound
            equal = near | (got == want) | (torch.isnan(got) & torch.isnan(want))
        if bool(equal.all()):
            continue
        place = tuple(int(i) for i in (~equal).nonzero()[0]) if want.dim() else ()
        raise _Wrong(
            stage,
            f"output {number}: expected {want[place].item():.9g} within {bound:.2g}, got "
            f"{got[place].item():.9g} at {list(place)} ({int((~equal).sum())} of "
            f"{equal.numel()} differ)",
        )
