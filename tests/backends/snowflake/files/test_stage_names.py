"""How names stand on a Snowflake stage."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungreg.backends.snowflake.files.stage_names import spelled, unspelled
from lungreg.errors import DataError
from lungreg.stores import check_name
from tests.contracts.names import ODD_NAMES


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_spelled_name_means_nothing_to_sql(name: str) -> None:
    """Letters, digits and five signs are left: no quote, no space, no wildcard, no escape."""
    assert re.fullmatch(r"[\w.=/-]+", spelled(name))
    assert unspelled(spelled(name)) == name


@given(st.text(min_size=1, max_size=40))
def test_every_name_comes_back(name: str) -> None:
    """Spelling loses nothing and makes no two names one."""
    try:
        check_name(name)
    except DataError:
        return
    assert unspelled(spelled(name)) == name


def test_usual_names_stand_as_they_are() -> None:
    """What ingest writes reads the same in the account."""
    for name in ("scansExp/case_001_exp.nii.gz", "runs/infer-20261122/results/part-0.parquet"):
        assert spelled(name) == name


@pytest.mark.parametrize("path", ["with space", "low=2ecase", "=41", "a=zz", "=", "n" * 300])
def test_other_spellings_are_no_names(path: str) -> None:
    """A name has one spelling: what lies there otherwise is none of ours."""
    assert unspelled(path) is None
