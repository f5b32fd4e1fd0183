"""The sources of pairs: folders, archives and URLs by layout, single files, simulation.

Ingest opens a source (`open_source`), lists its cases by layout (`list_cases`), gives them
pseudonyms if wanted (`pseudonymise`), and checks and uploads each (`upload_pair`). One pair given
by paths is read by `pair_files`; `simulation` makes pairs.

The functions are imported on first use: one pair needs no downloads and no manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lungreg.lazy import on_first_use

if TYPE_CHECKING:
    from lungreg.sources.groups import match_groups, read_groups
    from lungreg.sources.layouts import list_cases
    from lungreg.sources.layouts.pattern import unmatched_patterns
    from lungreg.sources.opening import open_source
    from lungreg.sources.pair_upload import PairUpload, stage_sizes, upload_pair
    from lungreg.sources.pseudonyms import pseudonymise
    from lungreg.sources.scan_identity import cases_by_scan
    from lungreg.sources.source_case import SourceCase, summarise

_HOMES = {
    "groups": ("match_groups", "read_groups"),
    "layouts": ("list_cases",),
    "layouts.pattern": ("unmatched_patterns",),
    "opening": ("open_source",),
    "pair_upload": ("PairUpload", "stage_sizes", "upload_pair"),
    "pseudonyms": ("pseudonymise",),
    "scan_identity": ("cases_by_scan",),
    "source_case": ("SourceCase", "summarise"),
}

__all__ = [
    "PairUpload",
    "SourceCase",
    "cases_by_scan",
    "list_cases",
    "match_groups",
    "open_source",
    "pseudonymise",
    "read_groups",
    "stage_sizes",
    "summarise",
    "unmatched_patterns",
    "upload_pair",
]


def __getattr__(name: str) -> object:
    """Import a name on first use."""
    return on_first_use(__name__, _HOMES, name)
