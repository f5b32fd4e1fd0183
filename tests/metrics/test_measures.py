"""The measure table: every number that is reported has its words, once."""

from __future__ import annotations

import dataclasses

import pytest

from lungreg.metrics.measures import (
    ALL_MEASURES,
    DICE,
    FOLDS,
    MEASURES,
    MOMENTS,
    NCC,
    SECONDS,
    TERMS,
    TRE,
)
from lungreg.records import CaseEvaluation, CaseMetrics

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


def test_all_that_a_glossary_needs_is_there():
    """Each measure has sentences, formula, source, values and meaning; units are the names' own."""
    for measure in ALL_MEASURES:
        for text in (measure.says, measure.bad):
            assert text.endswith("."), measure.name
            assert text[0].isupper() or text[0].isdigit(), measure.name
        assert all((measure.label, measure.formula, measure.source, measure.typical)), measure.name
        unit = next((u for end, u in UNITS.items() if measure.name.endswith(end)), "")
        assert measure.unit == unit, measure.name
    for sentence in (*MOMENTS.values(), *TERMS.values()):
        assert sentence.endswith(".")


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
