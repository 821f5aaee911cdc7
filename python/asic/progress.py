# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the compiler is doing, on stderr, while it does it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Called with the name of the phase that begins.
Step = Callable[[str], None]


@contextmanager
def shown(wanted: bool | None) -> Iterator[Step]:
    """Shows the phase that runs and those that took a second or more.

    Args:
        wanted: None shows it when stderr is a terminal.
    """
    if not (sys.stderr.isatty() if wanted is None else wanted):
        yield lambda name: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")
        begun = time.perf_counter()
        phase = ""

        def step(name: str) -> None:
            nonlocal phase, begun
            seconds = time.perf_counter() - begun
            if phase and seconds >= 1:
                console.print(f"{phase}: {seconds:.1f} s", highlight=False)
            phase, begun = name, time.perf_counter()
            progress.update(task, description=name)

        yield step
        step("")
