# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables and numbers as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


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
