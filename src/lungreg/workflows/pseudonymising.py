"""The cases of a source under random names, before anything of them reaches the stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lungreg.config import DEFAULT_KEY_FILE, Ingest
from lungreg.errors import ConfigError
from lungreg.pseudonyms import KeyFile, is_pseudonym
from lungreg.sources import SourceCase


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """What ingest goes on with."""

    cases: list[SourceCase]
    """By pseudonym: an order by id would show in times and so tell of names."""
    groups: dict[str, str]
    """Pseudonym of the group by pseudonym of the case."""
    key_file: Path


def pseudonymise(
    found: Sequence[SourceCase],
    groups: Mapping[str, str],
    settings: Ingest,
    *,
    on_stage: Collection[str],
) -> Renamed:
    """Rename cases and groups; the key is complete on disk before this returns.

    Args:
        found: Cases under their own ids.
        groups: Group by case id.
        settings: Where the key is.
        on_stage: Case ids in the manifest.

    Raises:
        ConfigError: The stage holds some of the cases under their own ids, or it holds pseudonyms
            and there is no key.
        StoreUnavailableError: The key cannot be read or written.
    """
    key = KeyFile(Path(settings.key_file or DEFAULT_KEY_FILE))
    ids = [source.case_id for source in found]
    _require_no_own_id(ids, on_stage)
    _require_key(key, on_stage)
    named = key.pseudonyms("case", ids)
    grouped = {case_id: groups[case_id] for case_id in ids if case_id in groups}
    group_names = key.pseudonyms("group", grouped.values())
    cases = [replace(source, case_id=named[source.case_id]) for source in found]
    return Renamed(
        cases=sorted(cases, key=lambda source: source.case_id),
        groups={named[case_id]: group_names[group] for case_id, group in grouped.items()},
        key_file=key.path,
    )


def _require_no_own_id(ids: Sequence[str], on_stage: Collection[str]) -> None:
    clear = sum(case_id in on_stage for case_id in ids)
    if clear:
        msg = "cases to be pseudonymised are not on the stage under their own ids"
        mend = "ingest into an empty stage, and remove the old one when it is no longer needed"
        raise ConfigError(msg, got=f"{clear} that are", mend=mend)


def _require_key(key: KeyFile, on_stage: Collection[str]) -> None:
    """Without it every case would come a second time, under another name."""
    pseudonyms = sum(map(is_pseudonym, on_stage))
    if pseudonyms and not key.exists():
        msg = "a stage that holds pseudonyms is extended with their key file"
        mend = "bring back ingest.key_file; for a site of its own, begin with an empty file (0600)"
        raise ConfigError(msg, got=f"none, and {pseudonyms} pseudonyms", mend=mend, where=key.path)
