"""The page over a local backend: streamlit run src/lungreg/app/local.py -- lungreg.yaml."""

from __future__ import annotations

import getpass
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lungreg.app import page
from lungreg.backends import open_backend
from lungreg.config import load_config
from lungreg.errors import NotFoundError
from lungreg.stores import Backend
from lungreg.stores.names import RunNames
from lungreg.stores.run_files import runs_on

if TYPE_CHECKING:
    import pandas as pd

# As the view RESULTS has them in Snowflake. No docstring: Streamlit would show it on the page.
_LATEST = """\
SELECT * FROM results WHERE status = 'success'
QUALIFY ROW_NUMBER() OVER (PARTITION BY case_id ORDER BY finished_at DESC, run_id DESC) = 1"""
_RATING = ("run_id", "case_id", "rating", "note", "rated_by")


@dataclass(frozen=True)
class LocalData:
    """Rows, pages and ratings of a backend. A rating is a file of the run.

    Implements `lungreg.app.page.AppData`.
    """

    backend: Backend

    def results(self) -> pd.DataFrame:
        """The latest success of each case."""
        found: pd.DataFrame = self.backend.results.query(_LATEST).to_pandas()
        return found

    def page(self, run_id: str, case_id: str) -> str | None:
        """The HTML page of a case; None where the run made none."""
        try:
            return self.backend.stage.read(RunNames(run_id).case(case_id).page).decode()
        except NotFoundError:
            return None

    def ratings(self) -> pd.DataFrame:
        """The latest rating of each run and case."""
        import pandas as pd

        stage = self.backend.stage
        files = (file.name for run in runs_on(stage) for file in stage.list(run.ratings))
        rows = [json.loads(stage.read(name)) for name in files]
        return pd.DataFrame(rows, columns=list(_RATING))

    def rate(self, run_id: str, case_id: str, rating: str, note: str) -> None:
        """Save a rating, in place of an earlier one."""
        row = dict(zip(_RATING, (run_id, case_id, rating, note, getpass.getuser()), strict=True))
        self.backend.stage.write(RunNames(run_id).rating(case_id), json.dumps(row).encode())


def main(file: Path | None) -> None:
    """Draw the page over the backend of a configuration."""
    page.show(LocalData(open_backend(load_config(file).backend)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
