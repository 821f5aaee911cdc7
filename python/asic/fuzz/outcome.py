# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What became of one module."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: What `Outcome.verdict` can be, worst first.
VERDICTS = ("crash", "hang", "wrong", "error", "refused", "skipped", "ok")

#: Verdicts that fail a run.
FAILURES = frozenset(VERDICTS[:4])


@dataclass(frozen=True)
class Outcome:
    """What became of one module.

    Attributes:
        verdict: one of `VERDICTS`.
        stage: where: "eager", "import", a phase, "cpu", or the target's name.
        message: one line.
        detail: more lines, a traceback or the like.
        fallbacks: reasons why ops of it stayed on the host.
    """

    verdict: str
    stage: str = ""
    message: str = ""
    detail: str = ""
    fallbacks: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def signature(self) -> tuple[str, str, str]:
        """Equal for outcomes of, probably, one cause."""
        text = re.sub(r"'[^']*'|\"[^\"]*\"|0x[0-9a-f]+|-?\d[\d.e+-]*|%\w+", "#", self.message)
        text = re.sub(r"\[[#, ]*\]|\([#, ]*\)|#(x#)+", "#", text)
        if self.verdict == "wrong":
            text = re.sub(r"expected.*", "", text)
        return self.verdict, self.stage, text[:160]
