"""The script of a job that checks: it installs as `start.py` does, and tells each step as a row.

Like that file it is sent on its own, and runs before lungreg is there: it imports the standard
library and `start.py`, which lies beside it. The rows are lines of the log.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # in a job, whose launcher has not its folder on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import start  # type: ignore[import-not-found]
else:
    from lungreg.backends.snowflake.jobs import start

CHECK_LINE = "lungreg: check "
"""That of `lungreg.stores.account`, which is not there yet."""


def main(folder: Path) -> int:
    """Install, and where that succeeds run `lungreg check` on this node.

    Returns:
        0 where all rows passed, else 1.
    """
    settings = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    tell("image", "ok", settings.get("image") or "the account's default")
    code = 0 if has_installed(folder) else 1
    if code == 0 and int(os.environ.get("SNOWFLAKE_JOBS_COUNT") or 1) > 1:
        code = 0 if has_passed("other nodes", lambda: start.install_on_other_nodes(folder)) else 1
    if code == 0:
        code = 1 if start.run_lungreg(["check"], folder) else 0
    print(f"{start.EXIT_LINE} {code}", flush=True)
    return code


def has_installed(folder: Path) -> bool:
    """Install, a row for each step; one after a step that failed is skipped."""
    done: list[str] = []

    def passed(step: str, found: str) -> None:
        done.append(step)
        tell(step, "ok", found)

    try:
        start.install(folder, passed)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # only the log is left of it
        failed, *skipped = [step for step in start.STEPS if step not in done]
        tell_failure(failed, error)
        for step in skipped:
            tell(step, "skipped", f"needs {failed}")
        return False
    return True


def has_passed(name: str, work: Callable[[], object]) -> bool:
    """Do some work, and tell how it went."""
    try:
        work()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # only the log is left of it
        tell_failure(name, error)
        return False
    tell(name, "ok", "installed alike")
    return True


def tell_failure(name: str, error: BaseException) -> None:
    """A row on what went wrong; the mend follows the first "; " of a message of `start.py`."""
    if not isinstance(error, SystemExit):
        tell(name, "fail", f"{type(error).__name__}: {error}", "see the lines of the log above")
        return
    found, _, mend = str(error).removeprefix("lungreg: ").partition("; ")
    tell(name, "fail", found, mend)


def tell(name: str, state: str, found: str, mend: str = "") -> None:
    """Print a row."""
    row = {"name": name, "state": state, "found": found, "mend": mend}
    print(f"{CHECK_LINE}{json.dumps(row)}", flush=True)


if __name__ == "__main__":
    # The launcher of ML Jobs runs this file in its own process and stores `__return__`.
    __return__ = main(Path(__file__).resolve().parent)
