# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ctrl-C stops a long run; other Python threads go on meanwhile."""

from __future__ import annotations

import signal
import threading
import time

import pytest
from machine_tools import machine
from reference_machine import Lane, Op, inst

ENDLESS = [
    inst(
        "map",
        reduce=0b11110,
        n1=65535,
        n2=65535,
        n3=65535,
        s0_type="i8",
        s0_space="sram",
        s7_type="i32",
        s7_space="sram",
        s7_addr=64,
    ),
    inst("halt"),
]
SUM = Lane((0,), 1, [Op("red.addi", 1, (0,), {"init": 0})])


@pytest.mark.parametrize("mode", ["functional", "timed", "async"])
def test_interrupt(mode):
    loaded = machine(ENDLESS, [SUM])
    ticks = []

    def interrupt() -> None:
        for _ in range(4):
            time.sleep(0.05)
            ticks.append(time.monotonic())  # the run holds no lock
        signal.raise_signal(signal.SIGINT)

    # A runner in the background may have inherited an ignored SIGINT.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt)
    thread.start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            loaded.run({}, mode=mode)
    finally:
        signal.signal(signal.SIGINT, inherited)
    thread.join()
    assert len(ticks) == 4
    assert time.monotonic() - start < 5
