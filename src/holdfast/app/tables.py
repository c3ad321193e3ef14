"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """Rows under a head, as wide as the terminal lets them be; ``numbers``: the columns that align right."""
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for at, name in enumerate(head):
        made.add_column(name, justify="right" if at in numbers else "left", overflow="fold")
    for row in rows:
        made.add_row(*row)
    out = StringIO()
    Console(file=out, width=_width(), no_color=True, highlight=False, markup=False).print(made)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").splitlines())


def _width() -> int:
    from shutil import get_terminal_size

    return max(80, get_terminal_size((120, 24)).columns)
