"""The tables of the calibration are counted from its rows."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from docs.calibration import calibration, calibration_rows, is_held_back, tables
from tests.docs.blocks import PAGES
from tests.varied import is_held_back as is_held_back_seed
from tests.varied.calibrate import GROUPS

ROWS = calibration_rows()


def table(title: str) -> dict[str, list[str]]:
    """The cells of a table by those of its first column."""
    section = calibration().split(f"## {title}\n\n")[1].split("\n\n")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines()[2:]]
    return {line[0]: line[1:] for line in lines}


def counts(rows: list[dict[str, Any]], kind: str) -> list[str]:
    """How many of a kind pass, are a warning, fail."""
    said = Counter(row["estimated"]["verdict"] for row in rows if row["kind"] == kind)
    return [str(said[verdict]) for verdict in ("pass", "warn", "fail")]


def test_cases_are_held_back_by_their_seeds() -> None:
    """By the rule of tests/varied."""
    assert all(is_held_back(row) == is_held_back_seed(row["seed"]) for row in ROWS)


@pytest.mark.parametrize(
    ("title", "held_back"),
    [("Held back: what was judged", True), ("Seeds that set thresholds", False)],
)
def test_all_cases_are_counted_once(title: str, held_back: bool) -> None:
    """The last line is of all of them, and the sum of the others."""
    part = [row for row in ROWS if is_held_back(row) == held_back]
    found = table(title)
    *_, number, good, _, bad = ["", *found.pop("all")]
    assert int(number) == len(part) == sum(int(cells[0]) for cells in found.values())
    assert good.split(" / ") == counts(part, "good")
    assert bad.split(" / ") == counts(part, "bad")


def test_every_base_and_every_trouble_has_a_line() -> None:
    """Those that the calibration tries."""
    assert len(table("Held back: by base")) == 4
    groups = {row["group"] for row in ROWS if is_held_back(row)}
    assert set(table("Held back: by trouble")) == {*groups, "all"}
    assert groups == set(GROUPS)


def test_classes_are_those_of_the_counted_cases() -> None:
    """Right ones lie on the diagonal."""
    by_trouble = table("Held back: estimated and true error")["all"]
    classes = [cells[place] for place, cells in enumerate(_classes().values())]
    assert sum(map(int, classes)) == int(by_trouble[-2])
    known = sum(int(it) for cells in _classes().values() for it in cells[:-1])
    assert known == int(by_trouble[0])


def _classes() -> dict[str, list[str]]:
    return table("Held back: estimated error by class")


def test_what_is_said_of_the_numbers_was_counted() -> None:
    """In the tutorial: how many cases there are, of each trouble, held back and made last."""
    text = " ".join((PAGES / "tutorials" / "report.md").read_text(encoding="utf-8").split())
    said = re.search(
        r"on (\d+) varied pairs, (\d+) of each trouble.*?, (\d+) of the pairs; the (\d+) others "
        r"are held back, and of these the (\d+) of seeds 8 to 14",
        text,
    )
    assert said is not None
    held_back = sum(map(is_held_back, ROWS))
    last = sum(row["seed"] >= 8 for row in ROWS)
    (of_each,) = set(Counter(row["group"] for row in ROWS).values())
    numbers = (len(ROWS), of_each, len(ROWS) - held_back, held_back, last)
    assert said.groups() == tuple(map(str, numbers))
    passed = [row for row in ROWS if is_held_back(row) and row["estimated"]["verdict"] == "pass"]
    between = sorted(row["true_mm"] for row in passed if row["kind"] == "between")
    assert [f"{error:.1f}" for error in between] == ["2.4"]
    assert "one pneumothorax passed whose mean error was 2.4 mm" in text


def test_a_run_of_a_part_has_the_tables_of_what_it_made() -> None:
    """As `nox -s calibrate -- --rounds 1 --groups none` prints."""
    first = next(row for row in ROWS if row["seed"] == 1 and row["group"] == "mirrored")
    assert tables([]) == ""
    assert re.findall("## (.+)", tables([first])) == ["Seeds that set thresholds"]
