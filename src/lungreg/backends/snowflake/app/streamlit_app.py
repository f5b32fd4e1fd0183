"""The page of the results in Streamlit of Snowflake, with the rights of the app's owner.

It is sent beside `page.py` and `app.json`, and runs where lungreg is not installed: it imports
Snowpark, pandas and Streamlit.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# The full names of what is read and written, beside this file. No docstring: Streamlit would show
# it on the page.
ABOUT = "app.json"


class AccountData:
    """Rows of the view, pages of the stage, ratings in a table. Implements `page.AppData`."""

    def __init__(self, session: Any, about: dict[str, str], viewer: str) -> None:
        """Read and write with a session.

        Args:
            session: Snowpark's.
            about: Names of the view, the stage and the table of ratings.
            viewer: Name of the person who looks.
        """
        self._session, self._about, self._viewer = session, about, viewer

    def results(self) -> pd.DataFrame:
        """The latest success of each case."""
        return self._rows(f"SELECT * FROM {self._about['view']}")  # noqa: S608  # of setup

    def page(self, run_id: str, case_id: str) -> str | None:
        """The HTML page of a case, which passes through a folder of this session."""
        place = spelled(f"runs/{run_id}/cases/{case_id}/qc.html")
        with TemporaryDirectory() as folder:
            try:
                self._session.file.get(f"@{self._about['stage']}/{place}", folder)
                return (Path(folder) / "qc.html").read_text(encoding="utf-8")
            except Exception:  # noqa: BLE001  # of a kind by release: the file is not there
                return None

    def ratings(self) -> pd.DataFrame:
        """The latest rating of each run and case."""
        return self._rows(
            "SELECT run_id, case_id, rating, note, rated_by "  # noqa: S608  # of setup
            f"FROM {self._about['ratings']} "
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY run_id, case_id ORDER BY rated_at DESC) = 1"
        )

    def rate(self, run_id: str, case_id: str, rating: str, note: str) -> None:
        """Add a rating; earlier ones stay."""
        sql = (
            f"INSERT INTO {self._about['ratings']} "  # noqa: S608  # of setup
            "(run_id, case_id, rating, note, rated_by, rated_at) "
            "SELECT column1, column2, column3, column4, column5, CURRENT_TIMESTAMP() "
            "FROM VALUES (?, ?, ?, ?, ?)"
        )
        self._session.sql(sql, params=[run_id, case_id, rating, note, self._viewer]).collect()

    def _rows(self, sql: str) -> pd.DataFrame:
        import pandas as pd

        rows = self._session.sql(sql).collect()
        names = [name.strip('"').lower() for name in self._session.sql(sql).columns]
        return pd.DataFrame([list(row) for row in rows], columns=names)


def spelled(name: str) -> str:
    """A name as lungreg spells it on a stage: other signs as "=" and hexadecimal digits."""
    import re

    def as_hex(found: re.Match[str]) -> str:
        return "".join(f"={byte:02X}" for byte in found[0].encode())

    return "/".join(re.sub(r"[^\w.-]+", as_hex, part) for part in name.split("/"))


def viewer_of(streamlit: Any) -> str:
    """The name of who looks, by what the release of Streamlit calls it."""
    user = getattr(streamlit, "user", None) or getattr(streamlit, "experimental_user", None) or {}
    return str(user.get("user_name") or user.get("email") or "unknown")


def main() -> None:
    """Draw the page."""
    import page  # type: ignore[import-not-found]  # beside this file, there
    import streamlit
    from snowflake.snowpark.context import get_active_session

    about = json.loads((Path(__file__).parent / ABOUT).read_text(encoding="utf-8"))
    page.show(AccountData(get_active_session(), about, viewer_of(streamlit)))


if __name__ == "__main__":
    main()
