"""Rows of batch inference, written by the model and read back."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.backends.snowflake.models.rows import (
    OUTPUT_COLUMNS,
    OUTPUT_FILES,
    output_row,
    read_result,
)
from lungreg.errors import StoreError
from tests.backends.snowflake.models.test_row_registration import register, row

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
