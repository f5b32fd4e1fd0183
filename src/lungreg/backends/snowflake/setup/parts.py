"""Parts of setup that are asked for by name, such as `lungreg setup --schedules`."""

from __future__ import annotations

from collections.abc import Callable

from lungreg.backends.snowflake.setup.governance import audit_queries, governance
from lungreg.backends.snowflake.setup.schedules import schedule_setup
from lungreg.backends.snowflake.setup.script import as_lines
from lungreg.backends.snowflake.setup.statement import Ask, Statement, asked
from lungreg.config import SnowflakeBackend
from lungreg.stores import SetupPart

_STATEMENTS: dict[SetupPart, Callable[[SnowflakeBackend], list[Statement]]] = {
    "schedules": schedule_setup,
    "governance": governance,
}
_HEADINGS: dict[SetupPart, str] = {
    "schedules": "Schedules, a stage for new scans, and who may run tasks:",
    "governance": "Tags on what holds case ids, a mask over them, and a budget:",
}
_AUDIT = "who read what in the last 30 days; a role needs SNOWFLAKE.GOVERNANCE_VIEWER for it:"


def part_script(settings: SnowflakeBackend, part: SetupPart) -> str:
    """The statements of a part, in the role of `roles.setup` after those of setup itself."""
    lines = ["", f"-- {_HEADINGS[part]}", *as_lines(_STATEMENTS[part](settings))]
    lines += [f"-- {note}" for note in notes_of(settings, part)]
    return "\n".join(lines) + "\n"


def notes_of(settings: SnowflakeBackend, part: SetupPart) -> list[str]:
    """What a person is told after a part: statements of their own to run, and what is not made."""
    if part != "governance":
        return []
    audit = [f"{sql};" for sql in audit_queries(settings)]
    unset = "no budget: backend.compute_pool.monthly_credits is not set"
    budget = [unset] if settings.compute_pool.monthly_credits is None else []
    return [_AUDIT, *audit, *budget]


def make_part(settings: SnowflakeBackend, part: SetupPart, ask: Ask) -> tuple[str, ...]:
    """Run the statements of a part; returns the SQL of those that are left to others."""
    _, left = asked(_STATEMENTS[part](settings), ask)
    return tuple(left)
