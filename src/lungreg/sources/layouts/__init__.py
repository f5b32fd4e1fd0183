"""The layouts of a source, by their names in `ingest.layout`.

A new layout is one file here, with a function from a folder and the settings to the cases found in
it, and one line in `LAYOUTS`; its name joins those that `config.input.LayoutName` allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from lungreg.config import Ingest
from lungreg.config.input import LayoutName
from lungreg.errors import UnreadableFileError
from lungreg.sources.layouts.learn2reg import list_learn2reg
from lungreg.sources.layouts.pattern import list_pattern
from lungreg.sources.layouts.zenodo import list_zenodo
from lungreg.sources.source_case import SourceCase

__all__ = ["LAYOUTS", "Layout", "list_cases"]

Layout = Callable[[Path, Ingest], list[SourceCase]]
"""Finds the cases of a folder, ordered by case id; a `DataError` where there is none."""

LAYOUTS: Mapping[LayoutName, Layout] = MappingProxyType(
    {
        "zenodo": list_zenodo,
        "learn2reg": list_learn2reg,
        "pattern": list_pattern,
    }
)


def list_cases(folder: Path, settings: Ingest) -> list[SourceCase]:
    """Find the cases of a folder in the layout of the settings, ordered by case id.

    A case that lacks a file or has two is listed with its problem; hidden files are passed over.

    Raises:
        ConfigError: Layout "pattern" without a pattern, or with one that leaves the folder.
        DataError: No case at all, or an index that cannot be read.
        UnreadableFileError: A folder that may not be read.
    """
    try:
        return LAYOUTS[settings.layout](folder, settings)
    except OSError as error:
        msg = "the folders of a source must be readable"
        mend = "check permissions"
        raise UnreadableFileError(msg, got=error.strerror, mend=mend, where=folder) from error
