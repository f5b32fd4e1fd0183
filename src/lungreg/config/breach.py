"""Say which keys of a configuration break a rule, where they stand, and what may be meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lungreg.config.schema_key import (
    alike_choice,
    alike_keys,
    allowed,
    choices,
    section_keys,
    sentence,
)
from lungreg.config.yaml_text import QUOTED_ID, Lines
from lungreg.errors import ConfigError

Place = tuple[str | int, ...]
_WRONG_TYPE = ("_type", "_parsing", "literal_error")
_UNKNOWN = "unknown key"
_UNKNOWN_KIND = "union_tag_invalid"
_SAYS_ALL = {"literal_error", _UNKNOWN_KIND}
"""Breaches whose rule lists the legal values."""
_PLAIN = {
    "extra_forbidden": _UNKNOWN,
    "missing": "must be given",
    "model_type": "must be a mapping",
    "union_tag_not_found": "must be a mapping",
}
_MOST_KEYS = 15
"""Keys of a section that are listed."""
_MAPPED_ID = "{case_id} without quotes is a mapping in YAML"
_KEY_IN_RULE = re.compile(r"[a-z_]+(?:\.[a-z_]+)*")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the values of a configuration were given."""

    file: Path | None = None
    lines: Lines = field(default_factory=lambda: Lines(None))
    """Of the file."""
    overrides: Sequence[Place] = ()
    """Keys that were set on the command line, in place of the file's."""

    def mark(self, place: Place) -> str | None:
        """Either "--set" or "line 3" of the file; None where neither says."""
        if any(place[: len(key)] == key for key in self.overrides):
            return "--set"
        line = self.lines.of(place)
        return None if line is None else f"line {line}"


def refusal(error: ValidationError, raw: dict[str, Any], origin: Origin) -> ConfigError:
    """The error that lists every breach, with what the schema says of each key."""
    found: dict[Place, list[Any]] = {}
    for item in error.errors():  # pydantic reports one for each type that it tried at one place
        found.setdefault(_place(item, raw), []).append(item)
    inner = {place[:count] for place in found for count in range(len(place))}
    breaches = {place: tried for place, tried in found.items() if place not in inner}
    marks = {place: origin.mark(_told(place, tried, raw)) for place, tried in breaches.items()}
    alone = len(breaches) == 1
    got = "; ".join(
        f"{_dotted(place)}{'' if alone or not marks[place] else f' ({marks[place]})'}: "
        f"{_reason(tried)}"
        for place, tried in breaches.items()
    )
    hints = dict.fromkeys(_hint(place, tried, raw) for place, tried in breaches.items())
    mend = "; ".join([*filter(None, hints), "see 'lungreg config schema'"])
    where = _where(origin, list(marks.values()))
    return ConfigError(
        "a configuration holds known keys with legal values", got=got, mend=mend, where=where
    )


def _where(origin: Origin, marks: Sequence[str | None]) -> str | None:
    """The file, with the line of a single breach; "--set" where the file is not to blame."""
    if set(marks) == {"--set"}:
        return "--set"
    if origin.file is None:
        return None
    mark = marks[0] if len(marks) == 1 else None
    return str(origin.file) if mark is None else f"{origin.file}:{mark.removeprefix('line ')}"


def _dotted(place: Place) -> str:
    return ".".join(map(str, place)) or "config"


def _place(item: Any, raw: Any) -> Place:
    """The keys that lead to a breach, without the names of types that pydantic puts in between."""
    parts: list[str | int] = []
    for part in item["loc"]:
        if _holds(raw, part):
            raw = raw[part]
        elif item["type"] != "missing":
            continue
        parts.append(part)
    if item["type"] == _UNKNOWN_KIND:
        parts.append("kind")
    return tuple(parts)


def _holds(raw: Any, part: str | int) -> bool:
    if isinstance(raw, dict):
        return part in raw
    return isinstance(raw, list | tuple) and isinstance(part, int) and part < len(raw)


def _told(place: Place, tried: Sequence[Any], raw: dict[str, Any]) -> Place:
    """The key that a rule of a whole section is about: the first that it names and the file has."""
    for word in _KEY_IN_RULE.findall(str(_broken(tried)[0]["msg"])):
        parts = word.split(".")
        for named in ((*place, parts[-1]), tuple(parts)):
            if named[: len(place)] == place and _given(named, raw):
                return named
    return place


def _given(place: Place, raw: Any) -> bool:
    for part in place:
        if not _holds(raw, part):
            return False
        raw = raw[part]
    return True


def _reason(tried: Sequence[Any]) -> str:
    """The rules that one place breaks."""
    broken = _broken(tried)
    value = broken[0]["input"]
    if isinstance(value, dict) and "case_id" in value:
        return _MAPPED_ID
    reason = " or ".join(_PLAIN.get(item["type"]) or _plain(item) for item in broken)
    reason = reason.replace(" or must be ", " or ")
    # Numbers alone are shown: a text may be a path or name a patient.
    is_shown = isinstance(value, int | float) and ", got " not in reason and reason != _UNKNOWN
    return f"{reason}, got {value}" if is_shown else reason


def _broken(tried: Sequence[Any]) -> Sequence[Any]:
    """What counts: that a type was wrong only where no other rule is broken."""
    return [item for item in tried if not item["type"].endswith(_WRONG_TYPE)] or tried


def _plain(item: Any) -> str:
    if item["type"] == _UNKNOWN_KIND:
        return f"must be {item['ctx']['expected_tags'].replace(', ', ' or ')}"
    shorter = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return shorter.partition(", unable to parse")[0]


def _hint(place: Place, tried: Sequence[Any], raw: dict[str, Any]) -> str:
    """What may be meant, and the schema's sentence for it."""
    reason, kinds = _reason(tried), {item["type"] for item in _broken(tried)}
    if reason == _MAPPED_ID:
        return QUOTED_ID
    if reason == _UNKNOWN:
        return _hint_for_unknown(place, raw)
    key = place[:-1] if _UNKNOWN_KIND in kinds else _told(place, tried, raw)
    if (said := sentence(key, raw)) is None:
        return ""
    legal = None if kinds & _SAYS_ALL else allowed(key, raw)
    if kinds == {"string_type"} and isinstance(tried[0]["input"], int | float):
        legal = "text, in quotes where YAML would read a number"
    hint = f"{_dotted(key)}: {_explained(said, legal)}"
    meant = _meant_value(place, tried[0], raw)
    return hint if meant is None else f"did you mean '{meant}'? {hint}"


def _hint_for_unknown(place: Place, raw: dict[str, Any]) -> str:
    if keys := alike_keys(place, raw):
        names = " or ".join(f"'{_dotted(key)}'" for key in keys)
        explained = _explained(sentence(keys[0], raw), allowed(keys[0], raw))
        return f"did you mean {names}? {explained}"
    section = _dotted(place[:-1]) if place[1:] else "a configuration"
    known = section_keys(place[:-1], raw)
    more = ", ..." if len(known) > _MOST_KEYS else ""
    return f"{section} has the keys {', '.join(known[:_MOST_KEYS])}{more}"


def _explained(said: str | None, legal: str | None) -> str:
    return f"{str(said).rstrip('.')}{'' if legal is None else f' ({legal})'}"


def _meant_value(place: Place, item: Any, raw: dict[str, Any]) -> str | None:
    """The legal text that is nearest to an illegal one."""
    value, known = item["input"], choices(place, raw)
    if item["type"] == _UNKNOWN_KIND:
        value, known = value.get("kind"), re.findall(r"\w+", item["ctx"]["expected_tags"])
    return alike_choice(value, known) if isinstance(value, str) else None
