"""Read a YAML file and overrides into a checked configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lungreg.config.input import DEFAULT_KEY_FILE, NAMED_SOURCES
from lungreg.config.run import Config
from lungreg.errors import ConfigError

DEFAULT_FILE = "lungreg.yaml"
"""File in the working folder that is read where no other is named."""
_WRONG_TYPE = ("_type", "_parsing", "literal_error")
_PATHS = (
    *(("backend", "root"), ("ingest", "source"), ("ingest", "groups")),
    ("ingest", "key_file"),
)
"""Section and key of each value that may be a path."""
_UNKNOWN = "unknown key"
_UNKNOWN_KIND = "union_tag_invalid"
_PLAIN = {
    "extra_forbidden": _UNKNOWN,
    "missing": "must be given",
    "model_type": "must be a mapping",
    "union_tag_not_found": "must be a mapping",
}


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a run's configuration.

    Args:
        path: YAML file; None takes `./lungreg.yaml` if it exists, else the defaults. Paths in the
            file are relative to its folder.
        overrides: "a.b=value" each, the value in YAML; later ones win. Paths in them are relative
            to the working folder.

    Raises:
        ConfigError: The file is missing, no YAML, or breaks a rule.
    """
    file = _find(path)
    raw = {} if file is None else _absolute_paths(_read(file), file.parent)
    for override in overrides:
        raw = _absolute_paths(_override(raw, override), Path())
    return parse_config(raw)


def parse_config(raw: dict[str, Any]) -> Config:
    """Validate a mapping as a run's configuration.

    Raises:
        ConfigError: It breaks a rule; the message lists every breach.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        msg = "a configuration holds known keys with legal values"
        got = "; ".join(_breaches(error.errors(), raw))
        raise ConfigError(msg, got=got, mend="see 'lungreg config schema'") from error


def _breaches(items: Sequence[Any], raw: dict[str, Any]) -> list[str]:
    """One line per place: pydantic reports one item per type that it tried there."""
    found: dict[str, list[Any]] = {}
    for item in items:
        found.setdefault(_place(item, raw), []).append(item)
    outer = {place for place in found if any(inner.startswith(f"{place}.") for inner in found)}
    return [f"{place}: {_reason(tried)}" for place, tried in found.items() if place not in outer]


def _place(item: Any, raw: Any) -> str:
    """The keys that lead to a breach, without the names of types that pydantic puts in between."""
    parts: list[str] = []
    for part in item["loc"]:
        if _holds(raw, part):
            raw = raw[part]
        elif item["type"] != "missing":
            continue
        parts.append(str(part))
    if item["type"] == _UNKNOWN_KIND:
        parts.append("kind")
    return ".".join(parts) or "config"


def _holds(raw: Any, part: str | int) -> bool:
    if isinstance(raw, dict):
        return part in raw
    return isinstance(raw, list | tuple) and isinstance(part, int) and part < len(raw)


def _reason(tried: Sequence[Any]) -> str:
    """The rules that one place breaks; wrong types are named only where no other rule is broken."""
    broken = [item for item in tried if not item["type"].endswith(_WRONG_TYPE)] or tried
    reason = " or ".join(_PLAIN.get(item["type"]) or _plain(item) for item in broken)
    reason = reason.replace(" or must be ", " or ")
    value = broken[0]["input"]
    # Numbers alone are shown: a text may be a path or name a patient.
    is_shown = isinstance(value, int | float) and ", got " not in reason and reason != _UNKNOWN
    return f"{reason}, got {value}" if is_shown else reason


def _plain(item: Any) -> str:
    if item["type"] == _UNKNOWN_KIND:
        return f"must be {item['ctx']['expected_tags'].replace(', ', ' or ')}"
    shorter = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    return shorter.partition(", unable to parse")[0]


def _find(path: str | Path | None) -> Path | None:
    if path is None:
        default = Path(DEFAULT_FILE)
        return default if default.is_file() else None
    if Path(path).is_dir():
        msg = "a configuration is one file"
        raise ConfigError(msg, got="a folder", mend="name the file in it", where=path)
    if not Path(path).is_file():
        msg = "a configuration file must exist"
        raise ConfigError(msg, mend="write one with 'lungreg init'", where=path)
    return Path(path)


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        msg = "a configuration is YAML in UTF-8"
        reason = " ".join(str(error).split())
        raise ConfigError(msg, got=reason, where=file) from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        msg = "a configuration is a mapping of keys"
        raise ConfigError(msg, got=type(raw).__name__, where=file)
    return raw


def _override(raw: dict[str, Any], override: str) -> dict[str, Any]:
    key, separator, text = override.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        msg = "an override reads key.subkey=value"
        raise ConfigError(msg, got=repr(override))
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        msg = "the value of an override is YAML"
        raise ConfigError(msg, got=repr(text)) from error
    for part in reversed(parts[1:]):
        value = {part: value}
    return _merged(raw, {parts[0]: value}, depth=len(parts))


def _merged(base: dict[str, Any], change: dict[str, Any], *, depth: int) -> dict[str, Any]:
    """`base` with one nested value set: at `depth` 1 the new value replaces the old one."""
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        if depth > 1:
            result[key] = _merged(old if isinstance(old, dict) else {}, value, depth=depth - 1)
        else:
            result[key] = value
    return result


def _absolute_paths(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`raw` with its relative paths made absolute, from `folder`; names and URLs stay."""
    result = dict(raw)
    ingest = result.get("ingest")
    if isinstance(ingest, dict) and ingest.get("pseudonymise") and not ingest.get("key_file"):
        result["ingest"] = {**ingest, "key_file": DEFAULT_KEY_FILE}
    for section, key in _PATHS:
        value = result.get(section, {}).get(key) if isinstance(result.get(section), dict) else None
        if isinstance(value, str) and "://" not in value and value not in NAMED_SOURCES:
            path = (folder / Path(value).expanduser()).resolve()
            result[section] = {**result[section], key: str(path)}
    return result
