"""Rows of batch inference, written by the model and read back."""

from __future__ import annotations

import dataclasses
import json

import pytest

from lungreg.backends.snowflake.models.rows import (
    LATER_THRESHOLDS,
    OUTPUT_COLUMNS,
    OUTPUT_FILES,
    output_row,
    read_result,
    settings_text,
)
from lungreg.config import Quality
from lungreg.errors import StoreError
from tests.backends.snowflake.models.test_row_registration import register, row
from tests.registration.registering import make_job
from tests.small_cases import small_config

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_row_comes_back_as_it_was() -> None:
    """NaN is not nothing, in spite of the columns of numbers; files keep their bytes."""
    (done,) = register(row())
    odd = dataclasses.replace(done.result, ncc=float("nan"), sdlogj=None)
    written = output_row(dataclasses.replace(done, result=odd))
    assert [*written] == [*OUTPUT_COLUMNS]
    assert repr(read_result(written["RESULT"])) == repr(odd)
    assert {column: written[column] for column in OUTPUT_FILES} == {
        column: done.files.get(name) for column, name in OUTPUT_FILES.items()
    }
    assert written["DICE_SCORE"] == done.result.dice_score


@pytest.mark.parametrize("answer", [None, "", "{}", "[]", "{", 1.5])
def test_other_rows_are_refused(answer: object) -> None:
    """What no model of ours answered is an error, not a result."""
    with pytest.raises(StoreError, match="rows of results"):
        read_result(answer)


THRESHOLDS_OF_164D8CA = {
    *("dice_warn", "dice_fail", "tre_warn_mm", "tre_fail_mm", "fold_warn_pct", "fold_fail_pct"),
    *("outside_fov_warn_pct", "ncc_fail", "residual_warn", "residual_fail", "inverse_warn_mm"),
    *("inverse_fail_mm", "volume_ratio_low", "volume_ratio_high", "dice_segmented_warn"),
}


def test_models_of_earlier_versions_are_told_no_key_that_they_refuse() -> None:
    """A stored model brings its own code: new thresholds are shipped only where a run sets them."""
    assert set(Quality.model_fields) == THRESHOLDS_OF_164D8CA | LATER_THRESHOLDS
    shipped = json.loads(settings_text(make_job()))["config"]["quality"]
    assert set(shipped) == THRESHOLDS_OF_164D8CA
    config = small_config(quality={"etre_warn_mm": 1.5, "time_points": True})
    more = json.loads(settings_text(make_job(config)))["config"]["quality"]
    assert more == {**shipped, "etre_warn_mm": 1.5, "time_points": True}
