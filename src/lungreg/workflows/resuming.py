"""Go on with a run: with its own settings, and on whatever there is now to compute with."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping

from lungreg.config import Config, Section
from lungreg.errors import ConfigError
from lungreg.stores import Stage
from lungreg.stores.run_files import read_config

_log = logging.getLogger(__name__)
_COMPARED: Mapping[str, tuple[str, ...]] = {
    "train": ("seed", "data", "preprocessing", "network", "loss", "train"),
    "infer": ("seed", "preprocessing", "network", "infer", "refine", "quality"),
}
"""Sections that shape what a run comes to, by its kind."""
_SPREAD: Mapping[str, frozenset[str]] = {
    "train": frozenset({"workers", "threads", "device", "max_failures"}),
    "infer": frozenset({"engine", "workers", "threads", "device", "max_attempts"}),
}
"""Keys of the section named like the run that say where it is computed, by the run's kind."""
_MENDS: Mapping[str, str] = {
    "train": "leave them out, or start a run, from a model's weights by train.init=NAME:VERSION",
    "infer": "leave them out, or start a run",
}


def resumed_config(
    stage: Stage, run_id: str, current: Config, *, kind: str, asked: Collection[str] = ()
) -> Config:
    """The stored configuration of a run, with what the current one says of workers and devices.

    A key that shapes the results stays as it was. Where the current configuration has another
    value a warning names it; where this very call asks for that value, it is refused.

    Args:
        stage: Where the run is.
        run_id: Which.
        current: What the user gives now; keys that are left out say nothing.
        kind: "train" or "infer".
        asked: Keys, such as "train.epochs", that this call sets beside the file, as by `--set`.

    Raises:
        ConfigError: This call asks for another value of a key that shapes the results.
        RunError: There is no such run, or it is of another kind.
    """
    stored = read_config(stage, run_id, current, kind=kind)
    others = [key for key in _differences(stored, current, _COMPARED[kind]) if _counts(key, kind)]
    others = [key for key in others if key != "infer.version" or current.infer.version.isdecimal()]
    refused = [key for key in others if any(_is_part(key, one) for one in asked)]
    if refused:
        msg = "a run goes on with the settings that it began with"
        raise ConfigError(msg, got=f"another {', another '.join(refused)}", mend=_MENDS[kind])
    if others:
        _log.warning(
            "the run goes on with its own %s, which the configuration has otherwise now",
            ", ".join(others),
        )
    given = getattr(current, kind)
    changes = {key: getattr(given, key) for key in given.model_fields_set & _SPREAD[kind]}
    section = getattr(stored, kind).model_copy(update=changes)
    return stored.model_copy(update={kind: section})


def _is_part(key: str, asked: str) -> bool:
    """Whether a key is one that was asked for, or inside it or around it."""
    return f"{key}.".startswith(f"{asked}.") or f"{asked}.".startswith(f"{key}.")


def _counts(key: str, kind: str) -> bool:
    section, _, name = key.partition(".")
    return section != kind or name.split(".")[0] not in _SPREAD[kind]


def _differences(
    stored: Section, current: Section, names: tuple[str, ...], prefix: str = ""
) -> Iterator[str]:
    """The keys that the current section gives and that have another value in the stored one."""
    for name in names:
        if name not in current.model_fields_set:
            continue
        mine, theirs, key = getattr(current, name), getattr(stored, name), f"{prefix}{name}"
        if isinstance(mine, Section) and type(mine) is type(theirs):
            yield from _differences(theirs, mine, tuple(sorted(mine.model_fields_set)), f"{key}.")
        elif mine != theirs and not (key == "refine.enabled" and mine is None):
            yield key
