"""The measure table: every number that is reported has its words, once."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from lungreg.metrics.measures import (
    ALL_MEASURES,
    DICE,
    EVALUATED,
    FOLDS,
    MEASURES,
    MOMENTS,
    NCC,
    REPORTED,
    SECONDS,
    TERMS,
    TRE,
)
from lungreg.records import CaseEvaluation, CaseMetrics

NO_LINE = {
    *("case_id", "split", "status", "verdict", "evidence", "reasons", "error_code"),
    *("error_message", "etre_regions", "without_lungs", "doubts", "mirrored", "turned"),
    *("unset_voxels", "unmatched", "bone_lengths"),
}
"""Fields that say what was measured and how it ended, or that stand in lines of their own."""
UNITS = {"_mm": "mm", "_pct": "%", "_ml": "ml", "_hu": "HU", "_s": "s"}


def test_measures_of_tables_are_fields_of_the_record():
    """Every measure and what stands before it exists in `CaseMetrics`, and all are shown."""
    fields = {field.name for field in dataclasses.fields(CaseMetrics)}
    shown = {name for m in MEASURES for name in (m.name, m.initial, m.aligned) if name}
    assert shown == fields


def test_every_number_of_an_evaluation_is_described():
    """The table knows all numbers that are reported, and no others."""
    numbers = {
        field.name
        for field in dataclasses.fields(CaseEvaluation)
        if "float" in str(field.type) or "int" in str(field.type)
    }
    names = [name for m in ALL_MEASURES for name in (m.name, m.initial, m.aligned) if name]
    assert len(names) == len(set(names))
    assert set(names) == numbers | {SECONDS.name}


def test_every_value_of_an_evaluation_has_its_line():
    """In the table of one case: numbers and where the lungs come from, in the names' own units."""
    fields = {field.name for field in dataclasses.fields(CaseEvaluation)}
    assert set(EVALUATED) == fields - NO_LINE
    for name, column in EVALUATED.items():
        assert column.unit == _unit(name), name
        assert 0 < len(column.brief) <= 65, name
        assert not column.brief.endswith("."), name
    assert EVALUATED["fixed_lungs_ml"].text(3026.123) == "3026 ml"
    assert EVALUATED["density_change_hu"].text(-40.2) == "-40 HU"
    assert EVALUATED["fixed_lungs_from"].text("whole scan") == "whole scan"
    assert EVALUATED["etre_places"].text(420) == "420"


def test_all_that_a_glossary_needs_is_there():
    """Each measure has sentences, formula, source, values and meaning; units are the names' own."""
    assert set(REPORTED) > set(ALL_MEASURES)
    assert len({one.name for one in REPORTED}) == len(REPORTED)
    for one in REPORTED:
        for text in (one.says, one.bad):
            assert text.endswith("."), one.name
            assert text[0].isupper() or text[0].isdigit(), one.name
        assert all((one.label, one.brief, one.source)), one.name
    for measure in ALL_MEASURES:
        assert all((measure.formula, measure.typical)), measure.name
        assert measure.unit == _unit(measure.name), measure.name
    for sentence in (*MOMENTS.values(), *TERMS.values()):
        assert sentence.endswith(".")


def test_words_need_nothing_heavy():
    """The site is built without NumPy; a table in a terminal waits for no PyTorch."""
    code = (
        "import sys, lungreg.metrics.measures, lungreg.metrics.rules; "
        "assert not {'numpy', 'scipy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        (DICE, 0.91249, "0.912"),
        (TRE, 12.0, "12.00"),
        (NCC, -0.25, "\N{MINUS SIGN}0.250"),
        (FOLDS, None, "–"),
    ],
)
def test_text(measure, value, text):
    """Numbers have their measure's decimals and a true minus; an absent one is an en dash."""
    assert measure.text(value) == text


def _unit(name):
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
