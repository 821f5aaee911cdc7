# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables and numbers as people read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

#: Columns of text that tables are printed in where there is no terminal to ask.
WIDTH = 100


def new_table(title: str, *columns: tuple[str, str]) -> Table:
    """An empty table; a column is its title and "left" or "right"."""
    from rich import box
    from rich.table import Table

    result = Table(title=title, box=box.SIMPLE, title_justify="left")
    for name, justify in columns:
        result.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return result


def time_text(milliseconds: float) -> str:
    """Gives "1.500 ms" or "12.00 µs"."""
    return f"{milliseconds:.3f} ms" if milliseconds >= 1 else f"{milliseconds * 1e3:.2f} µs"


def byte_text(count: int) -> str:
    """Gives "1.5 MiB", "2.0 KiB" or "12 B"."""
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"


def count_text(count: int, what: str) -> str:
    """Gives "1 line" or "1,200 lines"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def source_text(source: str, width: int | None = None) -> str:
    """A file and line without the folder of installed packages, or the current folder.

    With `width`, what is longer loses folders in front: "…/models/net.py:12".
    """
    installed = re.split(r"[/\\](?:site|dist)-packages[/\\]", source)
    text = installed[-1] if len(installed) > 1 else source.removeprefix(f"{Path.cwd()}/")
    while width is not None and len(text) > width and "/" in text.removeprefix("…/"):
        text = f"…/{text.removeprefix('…/').partition('/')[2]}"
    return text
