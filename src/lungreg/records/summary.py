"""How records show themselves: in a line, and as a small table in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from html import escape

MOST_ROWS = 20
"""Rows of a table in a notebook; of more, the first ones are shown, and how many are left."""

Facts = Mapping[str, object]


class Summary(ABC):
    """A record that shows its main facts instead of all its fields.

    A dataclass that derives from it is given `repr=False`, since it would write a `__repr__` of its
    own.
    """

    @abstractmethod
    def facts(self) -> Facts:
        """The main facts, by name; None is not shown."""

    def parts(self) -> Sequence[Facts]:
        """Facts of each of the record's parts, such as its cases: a table in a notebook."""
        return ()

    def __repr__(self) -> str:
        """Such as "CaseResult(case_id='a', verdict='pass (landmarks)', tre_mm=1.21)"."""
        facts = _known(self.facts()).items()
        shown = (f"{name}={_text(value, quoted=True)}" for name, value in facts)
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        return "".join(self._html())

    def _html(self) -> Iterator[str]:
        yield f"<table><caption>{escape(type(self).__name__)}</caption>"
        for name, value in _known(self.facts()).items():
            yield f"<tr><th>{escape(name)}</th><td>{escape(_text(value))}</td></tr>"
        yield "</table>"
        rows = self.parts()
        if rows:
            yield from _table(rows)


def _table(rows: Sequence[Facts]) -> Iterator[str]:
    shown = [_known(row) for row in rows[:MOST_ROWS]]
    columns = list(dict.fromkeys(name for row in shown for name in row))
    yield f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in columns)}</tr>"
    for row in shown:
        cells = (escape(_text(row.get(name, ""))) for name in columns)
        yield f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    yield "</table>"
    if len(rows) > len(shown):
        yield f"<p>and {len(rows) - len(shown)} more</p>"


def _known(facts: Facts) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}


def _text(value: object, *, quoted: bool = False) -> str:
    """Numbers with four digits; text in quotes where asked for."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return repr(str(value)) if quoted and not isinstance(value, (bool, int)) else str(value)
