"""What the site says of keys, measures, presets, names and messages is complete and true."""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import Any, get_args

import pytest

import lungreg
from docs.command_reference import command_reference, commands
from docs.config_reference import all_keys, config_reference
from docs.glossary import calibrated, glossary
from lungreg.config import Config, Quality, RefinePreset
from lungreg.metrics.measures import ALL_MEASURES, SECONDS
from lungreg.records import CaseEvaluation, CaseMetrics, Evidence, RegionError
from lungreg.registration.refinement import plan_for
from tests.docs.blocks import PAGES, ROOT

NO_MEASURES = {
    *("case_id", "split", "status", "verdict", "evidence", "reasons"),
    *("error_code", "error_message"),
}
"""Fields of an evaluation that say what was measured, and how it ended."""


def test_every_key_of_the_configuration_is_described() -> None:
    """Those that `config show` prints, those of Snowflake, and what each means."""
    text = config_reference()
    shown = [*_leaves(Config().model_dump(mode="json")), "backend.compute_pool.family"]
    assert set(shown) <= {*all_keys(), *Config.model_fields}
    rows = [line.replace("\\|", "/").split("|") for line in text.splitlines()]
    told = {row[1].strip().strip("`"): row for row in rows if len(row) == 6}
    assert set(all_keys()) <= told.keys()
    assert all(told[key][2].strip() and told[key][4].strip() for key in all_keys())
    assert "| any" not in text


def test_every_command_is_described() -> None:
    """Each with a sentence, and each argument and option of its own with one."""
    text = command_reference()
    for name, command in commands():
        assert f"## lungreg {name}\n" in text
        assert command.help
    assert not re.findall(r"^\| `[^`]+` \|  \|$", text, re.MULTILINE)


def test_every_measure_is_in_the_glossary() -> None:
    """Each field once, and the time that `infer` takes; no formula, DOI or figure is broken."""
    text = glossary()
    records = (CaseMetrics, Evidence, CaseEvaluation, RegionError)
    names = {field.name for record in records for field in dataclasses.fields(record)}
    rows = re.findall(r"^\| In tables and JSON \| (.*) \|$", text, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert set(told) == (names | {SECONDS.name}) - NO_MEASURES
    assert len(told) == len(set(told))
    links = text.count("](https://doi.org/10.")
    assert text.count("[doi:10.") == text.count("doi:10.") == links > 20
    assert all(row.count("|") == 3 for row in text.splitlines() if row.startswith("| "))
    assert text.count("good: median") == text.count("bad: median") > 20


def test_typical_values_are_those_of_the_calibration() -> None:
    """The middle four fifths of good registrations, and the same before registration."""
    compared = 0
    for measure in ALL_MEASURES:
        now, _, rest = measure.typical.partition("; ")
        before = rest.removeprefix("before registration ") if "before" in rest else ""
        for name, told in ((measure.name, now), (measure.aligned, before)):
            spread = calibrated(name, "good") if name and told else None
            if spread is not None:
                figures = told.replace("\N{MINUS SIGN}", "-").removesuffix(f" {measure.unit}")
                low, _, high = figures.partition(" to ")
                wanted = pytest.approx([spread[0], spread[2]], rel=0.05)
                assert [float(low), float(high or low)] == wanted, name
                compared += 1
    assert compared > 20


def test_every_threshold_is_told_with_its_measure() -> None:
    """All but the three that judge no measure by itself, each with its default."""
    told = dict(re.findall(r"`quality\.(\w+)` ([\d.]+)", glossary()))
    keys = set(Quality.model_fields) - {"gain_warn_pct", "time_points", "landmarks_enough"}
    assert {key: float(value) for key, value in told.items()} == {
        key: getattr(Quality(), key) for key in keys
    }


def test_the_table_of_presets_is_theirs() -> None:
    """Finest grid and number of steps, for each preset that there is."""
    text = (PAGES / "presets.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*?\| (\d+) \|", text, re.MULTILINE))
    plans = {name: plan_for(name) for name in get_args(RefinePreset)}
    assert rows == {name: str(plan.step_count) for name, plan in plans.items()}
    for name, plan in plans.items():
        (row,) = (line for line in text.splitlines() if line.startswith(f"| `{name}` | "))
        assert f"{plan.levels[-1].spacing_mm:g} mm" in row


def test_every_public_name_is_in_the_python_reference() -> None:
    """`lungreg.__all__`, where each name has its home."""
    text = (PAGES / "reference" / "python.md").read_text(encoding="utf-8")
    told = [path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)", text, re.MULTILINE)]
    assert sorted([*told, "__version__"]) == sorted(lungreg.__all__)
    for path in re.findall(r"^::: (\S+)", text, re.MULTILINE):
        name = path.rpartition(".")[2]
        assert getattr(lungreg, name).__module__.startswith("lungreg.")


def test_messages_of_troubleshooting_are_in_the_code() -> None:
    """Each as the code says it, so that a search for the message finds the page."""
    said = _texts_of_the_code()
    text = (PAGES / "troubleshooting.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE)
    told = [part for row in rows for part in re.findall(r"`([^`]+)`", row)]
    assert len(told) > 60
    unknown = [part for part in told if not part.startswith("verdict") and part not in said]
    assert unknown == []


def test_pictures_are_small_and_shown() -> None:
    """Below 100 kB each, and each on a page."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES.rglob("*.md"))
    files = list((PAGES / "pictures").iterdir())
    assert files
    for file in files:
        assert file.stat().st_size <= 100_000
        assert f"pictures/{file.name}" in text


def _leaves(value: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, inner in value.items():
        if isinstance(inner, dict):
            found += _leaves(inner, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found


def _texts_of_the_code() -> str:
    """Every text in the package, one a line; what an f-string puts in is left out."""
    found = []
    for file in (ROOT / "src" / "lungreg").rglob("*.py"):
        nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        texts = (node.value for node in nodes if isinstance(node, ast.Constant))
        found += [" ".join(text.split()) for text in texts if isinstance(text, str)]
    return "\n".join(found)
