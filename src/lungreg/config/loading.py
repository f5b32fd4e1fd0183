"""Read a YAML file and overrides into a checked configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lungreg.config.breach import Origin, refusal
from lungreg.config.input import DEFAULT_KEY_FILE, NAMED_SOURCES
from lungreg.config.run import Config
from lungreg.config.yaml_text import QUOTED_ID, Lines, misses_quotes, read_yaml
from lungreg.errors import ConfigError

DEFAULT_FILE = "lungreg.yaml"
"""File in the working folder that is read where no other is named."""
_PATHS = (
    *(("backend", "root"), ("ingest", "source"), ("ingest", "groups")),
    ("ingest", "key_file"),
)
"""Section and key of each value that may be a path."""
_NOWHERE = Origin()


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a run's configuration.

    Args:
        path: YAML file; None takes `./lungreg.yaml` if it exists, else the defaults. Paths in the
            file are relative to its folder.
        overrides: "a.b=value" each, the value in YAML; later ones win. Paths in them are relative
            to the working folder.

    Raises:
        ConfigError: The file is missing, no YAML, or breaks a rule, with the line that does.
    """
    file = _find(path)
    raw, lines = ({}, Lines(None)) if file is None else _read(file)
    raw = raw if file is None else _absolute_paths(raw, file.parent)
    for override in overrides:
        raw = _absolute_paths(_override(raw, override), Path())
    keys = [tuple(override.partition("=")[0].strip().split(".")) for override in overrides]
    return parse_config(raw, Origin(file=file, lines=lines, overrides=keys))


def parse_config(raw: dict[str, Any], origin: Origin = _NOWHERE) -> Config:
    """Validate a mapping as a run's configuration.

    Args:
        raw: The sections.
        origin: The file and overrides that it was read from, for messages.

    Raises:
        ConfigError: It breaks a rule; the message lists every breach.
    """
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise refusal(error, raw, origin) from error


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


def _read(file: Path) -> tuple[dict[str, Any], Lines]:
    raw, lines = read_yaml(file)
    if raw is None:
        return {}, lines
    if not isinstance(raw, dict):
        msg = "a configuration is a mapping of keys"
        raise ConfigError(msg, got=type(raw).__name__, where=file)
    return raw, lines


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
        mend = f"{QUOTED_ID}, and all of it in the shell's" if misses_quotes(text) else None
        raise ConfigError(msg, got=repr(text), mend=mend) from error
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
