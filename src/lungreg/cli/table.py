"""Tables for people: as wide as the terminal, or with --wide as wide as they are.

Columns come in the order of what they tell. What no row has is left out; where the width does not
reach, the last columns are, and a line under the table names them. Text is folded, never cut off.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2
"""Blanks between columns."""
_LONG_WORD, _NARROW_TEXT = 32, 16
"""Widths that a name, and a text of several words, keep before a column is left out."""
_NAMED = 4
"""So many columns that are left out are named; more are counted."""
_DEFAULT_WIDTH = 80
_RULES = "    \n    \n -- \n    \n    \n    \n    \n    \n"
"""A line under the head alone, in letters that every console has."""


@dataclass(frozen=True, kw_only=True)
class Laid:
    """A table that is laid out for one width."""

    table: Table
    width: int
    """Columns of letters that it is to be printed in."""
    note: str
    """Which columns are left out because the width does not reach; empty for none."""


def terminal_width() -> int:
    """COLUMNS where it is set, else the width of the terminal, else 80: files and pipes too."""
    return shutil.get_terminal_size((_DEFAULT_WIDTH, 24)).columns


def lay_out(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    wide: bool = False,
    keep_empty: bool = False,
) -> Laid:
    """Lay a table out for the terminal.

    Args:
        columns: Headings, the most telling first.
        rows: Values by column; None where there is none.
        wide: All columns, each row in one line.
        keep_empty: Also columns that no row has a value for, as those that a user has named.
    """
    kept = [
        place
        for place in range(len(columns))
        if wide or keep_empty or not rows or any(row[place] not in (None, "") for row in rows)
    ]
    cells = {place: [_shown(row[place]) for row in rows] for place in kept}
    needed = {place: _widths(columns[place], cells[place], wide=wide) for place in kept}
    width = _total(needed.values()) if wide else terminal_width()
    left_out: list[str] = []
    while _total(needed.values()) > width and (spare := _spare(cells, needed)) is not None:
        left_out.insert(0, columns[spare])
        del cells[spare], needed[spare]
    fits = _total(needed.values()) <= width
    whole = {
        columns[place]
        for place, shown in cells.items()
        if fits and needed[place] == _widths(columns[place], shown, wide=True)
    }
    kept_cells = {columns[place]: cells[place] for place in cells}
    table = _table(kept_cells, numeric=_numeric(columns, rows), whole=whole)
    return Laid(table=table, width=max(width, terminal_width()), note=_note(left_out))


def _table(columns: dict[str, list[str]], *, numeric: set[str], whole: set[str]) -> Table:
    """The table; columns in `whole` are not folded where others can be."""
    from rich.box import Box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=Box(_RULES, ascii=True), show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0)
    )
    for name in columns:
        side: Literal["left", "right"] = "right" if name in numeric else "left"
        table.add_column(escape(name), justify=side, overflow="fold", no_wrap=name in whole)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(escape, row))
    return table


def _numeric(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> set[str]:
    """Columns of numbers, also such as are written out already; names in front stay names."""
    found = set()
    for place, name in enumerate(columns):
        cells = [row[place] for row in rows if row[place] not in (None, "")]
        written = place > 0 and bool(cells) and all(map(_is_number, cells))
        if written or any(isinstance(cell, (int, float)) for cell in cells):
            found.add(name)
    return found


def _is_number(cell: object) -> bool:
    try:
        float(str(cell))
    except ValueError:
        return False
    return True


def _shown(value: object) -> str:
    """A value as text: numbers with three decimals, None as "-"."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _widths(name: str, cells: Sequence[str], *, wide: bool) -> int:
    """The width that a column keeps."""
    from rich.cells import cell_len

    longest = max(map(cell_len, (name, *cells)))
    if wide:
        return longest
    return min(longest, _NARROW_TEXT if _is_text(cells) else _LONG_WORD)


def _is_text(cells: Sequence[str]) -> bool:
    """Whether a column holds sentences, which are folded between words."""
    return any(len(cell) > _LONG_WORD and " " in cell for cell in cells)


def _total(widths: Collection[int]) -> int:
    return sum(widths) + _GAP * max(0, len(widths) - 1)


def _spare(cells: dict[int, list[str]], needed: dict[int, int]) -> int | None:
    """The last column that may be left out: not the first, and none with sentences."""
    places = [place for place in list(needed)[1:] if not _is_text(cells[place])]
    return places[-1] if places else None


def _note(left_out: Sequence[str]) -> str:
    if not left_out:
        return ""
    shown = ", ".join(left_out) if len(left_out) <= _NAMED else f"{len(left_out)} columns"
    return f"not shown: {shown} (--wide shows all)"
