"""Every section: frozen, and described in a JSON schema that is useful without the code."""

from __future__ import annotations

import re

import pytest

from lungreg.config import Config

SCHEMA = Config.model_json_schema()
SECTIONS = {"Config": SCHEMA, **SCHEMA["$defs"]}
KEYS = {
    f"{name}.{key}": value
    for name, section in SECTIONS.items()
    for key, value in section["properties"].items()
}
BACK_REFERENCE = re.compile(
    r"\b(likewise|ditto|the same|as (above|below|before)|see (above|below)|the (former|latter)|"
    r"this|these|those)\b|^(of|for|its?|their|they|that|which|whose|also|and)\b",
    re.IGNORECASE,
)
UNITS = {
    "_mm": " mm ",
    "_pct": "Percentage ",
    "_gb": " GB ",
    "_deg": "degrees",
    "_vox": "voxels",
    "_s": "seconds",
    "_secs": "seconds",
}


def described(key: str) -> str:
    return str(KEYS[key].get("description", ""))


def test_a_checked_configuration_stays_as_it_was_checked() -> None:
    """Sections are frozen."""
    with pytest.raises(ValueError, match="frozen"):
        Config().train.epochs = 3  # type: ignore[misc]


def test_every_key_is_described_in_a_sentence() -> None:
    """At every depth, on one line; sections are described too."""
    assert len(KEYS) > 100
    sentence = re.compile(r"[A-Z](\S* ){3,}\S*\.")
    assert [key for key in KEYS if not sentence.fullmatch(described(key))] == []
    assert [name for name, section in SECTIONS.items() if not section.get("description")] == []


def test_every_description_stands_alone() -> None:
    """None refers to the key before it: a schema is read one key at a time, in any order."""
    assert {key: described(key) for key in KEYS if BACK_REFERENCE.search(described(key))} == {}


def test_a_quantity_says_its_unit() -> None:
    """The unit that a key's name ends with stands in its description."""
    silent = {
        key: described(key)
        for key in KEYS
        for ending, unit in UNITS.items()
        if key.endswith(ending) and unit.strip() not in described(key)
    }
    assert silent == {}


def test_a_choice_says_what_each_value_does() -> None:
    """A key with a fixed list of values names all of them."""
    silent = {
        (key, value)
        for key, schema in KEYS.items()
        for value in schema.get("enum", [schema["const"]] if "const" in schema else [])
        if f'"{value}"' not in described(key)
    }
    assert silent == set()
