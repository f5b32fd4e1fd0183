"""The rows of an evaluation as an Arrow table, and summed up by split and measure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from enum import Enum
from statistics import fmean, median
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lungreg.metrics import tail_30
from lungreg.records import CaseEvaluation, Split, Status

if TYPE_CHECKING:
    import pyarrow as pa

HIGHER_IS_BETTER: Mapping[str, bool] = MappingProxyType(
    {
        "tre_mm": False,
        "tre_median_mm": False,
        "tre_p95_mm": False,
        "tre_max_mm": False,
        "etre_mm": False,
        "etre_median_mm": False,
        "etre_p95_mm": False,
        "dice_score": True,
        "hd95_mm": False,
        "dice_segmented": True,
        "hd95_segmented_mm": False,
        "fold_pct": False,
        "sdlogj": False,
        "sdlogj_learn2reg": False,
        "ncc": True,
        "ssim_score": True,
        "residual": False,
        "inverse_mean_mm": False,
    }
)
"""The measures that are summed up, and which way each is better."""
_FIRST = ("case_id", "split", "status", "verdict", "evidence", "reasons")
_TEXT = (
    *_FIRST,
    *("error_code", "error_message", "fixed_lungs_from", "moving_lungs_from"),
    *("without_lungs", "doubts", "mirrored", "turned", "etre_regions"),
    *("unset_voxels", "unmatched", "bone_lengths"),
)
_WHOLE = ("landmarks", "etre_places")


def summarise(cases: Sequence[CaseEvaluation]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean, median and 30 % tail of each measure by split, over the cases that have it.

    Returns:
        By split, then measure: "cases", "mean", "median" and "tail_30" (`metrics.tail_30`).
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for split in Split:
        rows = [row for row in cases if row.split is split and row.status is Status.SUCCESS]
        columns = {name: _known(rows, name) for name in HIGHER_IS_BETTER}
        if rows:
            found[split.value] = {k: _summary(k, values) for k, values in columns.items() if values}
    return found


def tabulate(cases: Sequence[CaseEvaluation]) -> pa.Table:
    """The rows as Arrow, one column per field; reasons are joined with semicolons."""
    import pyarrow as pa

    names = [field.name for field in dataclasses.fields(CaseEvaluation)]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    schema = pa.schema([(name, _kind(name)) for name in names])
    return pa.Table.from_pylist([as_row(row) for row in cases], schema=schema)


def as_row(case: CaseEvaluation) -> dict[str, Any]:
    """The fields of one row as plain values."""
    names = (field.name for field in dataclasses.fields(case))
    return {name: _plain(getattr(case, name)) for name in names}


def _known(rows: Sequence[CaseEvaluation], name: str) -> list[float]:
    values = (getattr(row, name) for row in rows)
    return [float(value) for value in values if value is not None]


def _summary(name: str, values: list[float]) -> dict[str, float]:
    tail = tail_30(values, higher_is_better=HIGHER_IS_BETTER[name])
    return {
        "cases": float(len(values)),
        "mean": fmean(values),
        "median": float(median(values)),
        "tail_30": tail,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return "; ".join(map(str, value)) if isinstance(value, tuple) else value


def _kind(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in _TEXT:
        return pa.string()
    return pa.int64() if name in _WHOLE else pa.float64()
