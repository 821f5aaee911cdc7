# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What torch says when an export fails, and what we say instead."""

from __future__ import annotations

import io
import logging
import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch.export import _trace
from torch.nn.utils.rnn import PackedSequence

from asic.errors import CompileError
from asic.frontend.locations import frames_of, user_frame

#: Loggers that print a traceback of torch's own when an export fails, ahead of our message.
_LOUD = (
    "torch._subclasses.fake_tensor",
    "torch.fx.experimental.symbolic_shapes",
    "torch.export",
    "torch._export.serde.serialize",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Hides what torch says about itself, and leaves out what it asserts of values."""
    loud = [logging.getLogger(name) for name in _LOUD]
    before = [(logger, logger.disabled) for logger in loud]
    # A failed export prints its graph so far to `sys.stderr`, the only use of `sys` there.
    with (
        mock.patch.object(_trace, "sys", mock.Mock(stderr=io.StringIO())),
        # Distributions look at values, which a trace does not have.
        mock.patch.object(torch.distributions.Distribution, "_validate_args", False),
        warnings.catch_warnings(),
    ):
        # It copies its own tree specs in a way that it advises against.
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec", FutureWarning)
        try:
            for logger in loud:
                logger.disabled = True
            yield
        finally:
            for logger, disabled in before:
                logger.disabled = disabled


def error(message: str, *diagnostics: str) -> CompileError:
    """A `CompileError` of this phase."""
    return CompileError(message, phase="import", diagnostics=diagnostics)


def first_line(problem: BaseException) -> str:
    """The first line of a message that says something, else the kind of problem."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return lines[0] if lines else type(problem).__name__


def _where(problem: BaseException) -> str:
    """The user's line that the exception went through, as file:line."""
    frame = user_frame(frames_of(problem))
    return f"{frame.file}:{frame.line}" if frame else "unknown source"


def _passes(problem: BaseException, *parts: str) -> bool:
    """Whether the traceback goes through this file, or this folder, of torch."""
    inside = str(Path(torch.__file__).parent.joinpath(*parts))
    return any(f.filename.startswith(inside) for f in traceback.extract_tb(problem.__traceback__))


def _handles(problem: BaseException, kind: type) -> bool:
    """Whether a frame of the traceback has a variable of this kind."""
    frames = traceback.walk_tb(problem.__traceback__)
    return any(isinstance(v, kind) for frame, _ in frames for v in frame.f_locals.values())


def _unknown_class(name: str, side: str, detail: str) -> CompileError:
    remedy = "use a tuple or a dict"
    if name.endswith("Cache"):
        remedy = "have the model make none, of Transformers with kwargs={'use_cache': False}"
    return error(
        f"expected {side}s of tensors, numbers, and tuples, lists and dicts of them, got a "
        f"'{name}'; {remedy}, or register the class with torch.utils._pytree",
        detail,
    )


def is_violation(problem: Exception) -> bool:
    """Whether a model does not take all the sizes that its dimensions are declared with."""
    chain = f"{type(problem).__name__} {problem}"
    return "Constraints violated" in chain or "ConstraintViolation" in chain


def export_error(problem: Exception, remedy: str | None = None) -> CompileError:
    """What `torch.export` could not do, by kind; `remedy` is one that is known to work."""
    name, where = type(problem).__name__, _where(problem)
    detail = str(problem)
    chain = f"{name} {detail}"
    if _passes(problem, "nn", "utils", "rnn.py") or _handles(problem, PackedSequence):
        return error(
            "expected padded sequences, got packed ones, whose sizes depend on the values of the "
            f"lengths, at {where}; run the layer on the padded tensor, and read its results at the "
            "lengths, such as y[torch.arange(len(n)), n - 1]",
            detail,
        )
    if _passes(problem, "distributions"):
        return error(
            "expected a distribution that does not look at the values of its arguments, got one "
            f"with checks at {where}; leave out validate_args=True there, or give "
            "validate_args=False",
            detail,
        )
    if "PendingUnbackedSymbol" in chain:
        return error(
            f"expected shapes and views that follow from the inputs' shapes, got one that depends on "
            f"values at {where}; index with x[start + torch.arange(n)], n a number, select with "
            "torch.where, or move that part out of the compiled model",
            detail,
        )
    if "DataDependent" in chain or "data-dependent" in chain:
        return error(
            f"expected shapes and branches that do not depend on data, got a "
            f"data-dependent one at {where}: {first_line(problem)}; select with torch.where, index "
            "with tensors rather than numbers of .item(), or move that part out of the compiled model",
            detail,
        )
    if is_violation(problem):
        reasons = [line.strip(" -") for line in detail.splitlines() if line.startswith("  - ")]
        # Torch suggests a declaration for bounds, none for single sizes.
        fixes = re.search(r"Suggested fixes:\n((?:  .+\n?)+)", detail)
        if remedy is not None:
            pass
        elif fixes:
            remedy = f"declare {', '.join(line.strip() for line in fixes[1].splitlines())}"
        else:
            remedy = "give the Dim bounds within which this holds, such as a larger min"
        return error(
            f"dynamic_shapes do not fit the model: {reasons[0] if reasons else first_line(problem)}; "
            f"{remedy}, or leave the dimension static",
            detail,
        )
    unknown = re.search(
        r"Found <class '(.+?)'> in (output)|Unsupported (input) type <class '(.+?)'>", detail
    )
    if unknown:
        return _unknown_class(unknown[1] or unknown[4], unknown[2] or unknown[3], detail)
    if "might be aliasing" in chain:
        return error(
            "expected branches and loop bodies that return new tensors, got one that returns "
            f"its input ({first_line(problem)}); return x.clone() there",
            detail,
        )
    if "dynamic_shapes" in chain:
        return error(
            f"dynamic_shapes do not fit the inputs: {first_line(problem)}; give one "
            "entry per forward parameter",
            detail,
        )
    return error(
        f"cannot trace the model with these args, stopped at {where}: {name}: "
        f"{first_line(problem)}; if model(*args) stops there, too, correct the args' shapes and "
        "dtypes, else write that line with operations on tensors, or keep it outside the compiled model",
        detail,
    )
