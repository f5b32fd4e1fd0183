"""Where pairs come from: folders, archives, URLs in their layouts, or made here."""

from __future__ import annotations

from lungreg.sources.case import SourceCase, load_landmarks
from lungreg.sources.opening import list_cases, open_source, read_groups

__all__ = ["SourceCase", "list_cases", "load_landmarks", "open_source", "read_groups"]
