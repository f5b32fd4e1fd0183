"""One thing that is tried, and the order in which many are: each whatever became of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lungreg.backends.snowflake.connection.faults import is_of_snowflake
from lungreg.errors import LungregError
from lungreg.stores import Check

SESSION = "session"
"""Name of the row on the login, which all that asks the account needs."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One thing to try."""

    name: str
    """Of its row."""
    work: Callable[[], str]
    """Does it, leaves nothing behind, and returns what was found; raises where it fails."""
    mend: str = ""
    """What to do where it fails and the error does not say."""
    needs: tuple[str, ...] = ()
    """Names of those that must have passed before, else it is skipped."""
    is_needed: bool = True
    """Whether its failure is a failure of the whole, and not only a warning."""


def tried(trials: Iterable[Trial], passed: Iterable[str] = ()) -> Iterator[Check]:
    """The row of each trial, as soon as it is known.

    Args:
        trials: In order; one that needs another comes after it.
        passed: Names of what has passed already.
    """
    good = {*passed}
    for trial in trials:
        if lacking := [name for name in trial.needs if name not in good]:
            yield Check(name=trial.name, state="skipped", found=f"needs {', '.join(lacking)}")
            continue
        row = _row(trial)
        if row.state == "ok":
            good.add(trial.name)
        yield row


def _row(trial: Trial) -> Check:
    try:
        return Check(name=trial.name, state="ok", found=trial.work())
    except LungregError as error:
        found, mend = Check.failed(trial.name, error), trial.mend
        return Check(
            name=trial.name,
            state="fail" if trial.is_needed else "warn",
            found=found.found,
            mend="; ".join(dict.fromkeys(part for part in (mend, found.mend) if part)),
        )
    except Exception as error:  # noqa: BLE001  # one fault never hides the others
        what = "Snowflake's client" if is_of_snowflake(error) else "this"
        found_text = f"{what} raised {type(error).__name__}"
        return Check(name=trial.name, state="fail", found=found_text, mend=trial.mend)
