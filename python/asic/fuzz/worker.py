# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Judges modules in processes of their own, which may crash, hang or grow."""

from __future__ import annotations

import multiprocessing as mp
import os
import resource
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asic.fuzz.outcome import Outcome
from asic.fuzz.program import Program

#: Modules that one process judges before a fresh one takes over: torch's caches grow.
_LIFE = 400

#: Seconds that a process may take to end.
_PATIENCE = 5.0

#: Address space of a worker, in bytes.
_MEMORY = 12 << 30


@dataclass(frozen=True)
class Task:
    """A module to judge: the one of a seed, or the one of a source."""

    target: str
    quantize: str = ""
    seed: int = 0
    names: tuple[str, ...] = ()
    source: str = ""


class Worker:
    """A process that judges one module after the other.

    Args:
        limit: seconds that one module may take.
    """

    def __init__(self, limit: float = 60.0) -> None:
        self._limit = limit
        self._context = mp.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None
        self._count = 0
        handle, name = tempfile.mkstemp(prefix="asic-fuzz-")
        os.close(handle)
        self._log = Path(name)

    def run(self, task: Task) -> tuple[Program | None, Outcome]:
        """The program that a seed gave, and what became of it."""
        if self._process is None or self._count >= _LIFE:
            self._restart()
        self._count += 1
        program = None
        try:
            self._pipe.send(task)
            if not task.source:
                program = self._receive()
            return program, self._receive()
        except TimeoutError:
            self._stop()
            return program, Outcome("hang", "", f"no answer within {self._limit:g} s")
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._stop()
            return program, Outcome("crash", "", *self._death(code))

    def _receive(self) -> Any:
        if not self._pipe.poll(self._limit):
            raise TimeoutError
        return self._pipe.recv()

    def close(self) -> None:
        """Ends the process; one that still answers cleans up after itself."""
        if self._process is not None:
            self._pipe.close()
            self._process.join(_PATIENCE)
        self._stop()
        self._log.unlink(missing_ok=True)

    def _restart(self) -> None:
        self._stop()
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(other, str(self._log)))
        self._process.start()
        other.close()
        self._count = 0

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None

    def _death(self, code: int) -> tuple[str, str]:
        """A line about how the process died, and the last lines that it wrote."""
        text = self._log.read_text(errors="replace")
        name = signal.Signals(-code).name if code < 0 else f"status {code}"
        lines = text.splitlines()
        said = [x for x in lines if "Assertion" in x or "LLVM ERROR" in x or "UNREACHABLE" in x]
        frames = [x.split("(", 1)[0].split(maxsplit=2)[-1] for x in lines if "asic::" in x]
        about = (said or frames or [""])[0]
        return f"{name} {about}".strip(), "\n".join(lines[-60:])


def _serve(pipe: Any, log: str) -> None:
    """The process: answers tasks until the pipe closes."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    import torch.hub

    from asic.fuzz import swift
    from asic.fuzz.draw import draw
    from asic.fuzz.judge import judge

    swift.install()
    # torch.fx shows progress through tqdm, where that is installed, which makes a lock between
    # processes: a named semaphore, which a process that is killed, or dies, leaves behind.
    hub: Any = torch.hub
    if hasattr(hub.tqdm, "set_lock"):
        hub.tqdm.set_lock(threading.RLock())
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        descriptor = os.open(log, os.O_WRONLY | os.O_TRUNC | os.O_CREAT)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        source = task.source
        if not source:
            program = draw(task.seed, quantised=bool(task.quantize), names=task.names)
            pipe.send(program)
            source = program.source()
        pipe.send(judge(maker(source), task.target, task.quantize))
        sys.stderr.flush()


def maker(source: str) -> Callable[[], Any]:
    """The function `make` of a printed module.

    Its lines are those of a file "module.py" that is nowhere: nothing is written.
    """
    scope: dict[str, Any] = {"__name__": "asic_fuzz_module"}
    exec(compile(source, "module.py", "exec"), scope)
    return scope["make"]  # type: ignore[no-any-return]
