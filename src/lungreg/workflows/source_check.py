"""The check of `ingest.source` for doctor: what is there, and what the layout finds in it."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from lungreg.config import INCOMING, NAMED_SOURCES, Config, Ingest
from lungreg.errors import MissingFileError, UnreadableFileError
from lungreg.sources import list_cases, summarise, unmatched_patterns
from lungreg.stores import Check

_NAME = "source"


def check_source(config: Config) -> Check:
    """What `ingest` would find, from names alone; nothing is downloaded, unpacked or opened.

    Raises:
        LungregError: Nothing is there, or nothing that the layout knows.
    """
    settings = config.ingest
    source = settings.source
    if source is None:
        mend = "set ingest.source, or let 'lungreg init FOLDER' write it"
        return Check(name=_NAME, state="ok", found="none is set", mend=mend)
    if source == "simulate":
        return Check(name=_NAME, state="ok", found=f"{settings.simulated_cases} simulated pairs")
    if source in NAMED_SOURCES or "://" in source:
        kind = source if source in NAMED_SOURCES else "a URL"
        if source == INCOMING:
            found = "what others have put on backend.incoming_stage; not listed here"
            return Check(name=_NAME, state="ok", found=found)
        return Check(name=_NAME, state="ok", found=f"{kind}: ingest downloads it; not tried here")
    return _folder(Path(source), settings) if Path(source).is_dir() else _archive(Path(source))


def _folder(folder: Path, settings: Ingest) -> Check:
    cases = list_cases(folder, settings)
    whole = [case for case in cases if not case.problems]
    found = f"layout '{settings.layout}' finds {summarise(whole)}"
    broken = [case for case in cases if case.problems]
    unmatched = unmatched_patterns(folder, settings, cases, show_names=False)
    if broken:
        found += (
            f"; {len(broken)} to be rejected, the first since {broken[0].problems[0].anonymous}"
        )
    found = "; ".join([found, *unmatched])
    if not (broken or unmatched):
        return Check(name=_NAME, state="ok", found=found)
    mend = "complete these cases" if broken else "correct the pattern, or leave it out"
    place = f"{folder} ({broken[0].case_id})" if broken else str(folder)
    return Check(name=_NAME, state="warn", found=found, mend=mend, where=place)


def _archive(file: Path) -> Check:
    if not file.exists():
        msg = "the source must be there"
        raise MissingFileError(msg, got="nothing", mend="check ingest.source", where=file)
    if not (zipfile.is_zipfile(file) or tarfile.is_tarfile(file)):
        msg = "a source is a folder, .zip or .tar.gz"
        raise UnreadableFileError(msg, got="another file", mend="check ingest.source", where=file)
    found = f"an archive of {file.stat().st_size / 1e9:.1f} GB; ingest unpacks it"
    return Check(name=_NAME, state="ok", found=found)
