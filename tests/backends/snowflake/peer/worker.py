"""A worker of a batch job: a process that has the model's files and no lungreg of its own.

It reads the unloaded Parquet, opens the stage paths in it, runs `predict` and writes Parquet, as
the service's own workers do. Started by `batch.py` as a script.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

_KINDS = {"STRING": pa.string(), "DOUBLE": pa.float64(), "BYTES": pa.binary()}
"""By `DataType` of a signature."""


class OnlyFromModel:
    """Finds lungreg beside the model and nowhere else, whatever is installed here."""

    def __init__(self, code: Path) -> None:
        self._code = str(code)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is; only the package itself is looked for here."""
        if name != "lungreg":
            return None
        spec = PathFinder.find_spec(name, [self._code])
        if spec is None or self._code not in sys.path:
            msg = "lungreg is not installed in a batch job's image"
            raise ModuleNotFoundError(msg, name=name)
        return spec


def main(job_file: str, *without: str) -> None:
    """Do the work of one job, without some of the packages that are installed here."""
    sys.modules.update(dict.fromkeys(without))  # type: ignore[arg-type]  # None: not there
    from snowflake.ml.model._packager.model_packager import ModelPackager

    job = json.loads(Path(job_file).read_text())
    folder = Path(job["model"]) / "model"
    sys.meta_path.insert(0, OnlyFromModel(folder / "code"))
    packager = ModelPackager(str(folder))
    packager.load()
    rows = pq.read_table(job["input"]).to_pandas()
    for column, opened in job["columns"].items():
        if opened != {"convert_to": "raw_bytes", "input_format": "full_stage_path"}:
            raise ValueError(opened)
        rows[column] = [_open(job["stages"], path) for path in rows[column]]
    step = job["rows_at_once"]
    parts = [
        packager.model.predict(rows[first : first + step], **job["params"])
        for first in range(0, len(rows), step)
    ]
    outputs = packager.meta.signatures["predict"].outputs
    schema = pa.schema([(each.name, _KINDS[each.to_dict()["type"]]) for each in outputs])
    table = pa.Table.from_pandas(pd.concat(parts), schema=schema, preserve_index=False)
    target = Path(job["output"])
    target.mkdir(parents=True)
    pq.write_table(table, target / "part-0.parquet")


def _open(stages: str, path: Any) -> bytes:
    database, schema, rest = str(path).removeprefix("@").split(".", 2)
    return Path(stages, database, schema, *rest.split("/")).read_bytes()


if __name__ == "__main__":
    main(*sys.argv[1:])
