"""Layouts by name, and what all of them do alike."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import get_args

import pytest

from lungreg.config import Ingest
from lungreg.config.input import LayoutName
from lungreg.errors import DataError, UnreadableFileError
from lungreg.sources import list_cases
from lungreg.sources.layouts import LAYOUTS
from tests.sources.made_sources import ZENODO, put, zenodo


@pytest.mark.parametrize("layout", ["zenodo", "learn2reg", "pattern"])
def test_nothing_found_says_what_was_looked_for_and_what_is_there(
    tmp_path: Path, layout: str
) -> None:
    """Names of what is there are for the console alone."""
    put(tmp_path, "mueller_scan.nii.gz", "old/x.txt")
    pattern = {"fixed": "{case_id}/e.nii", "moving": "{case_id}/i.nii"}
    settings = Ingest.model_validate({"layout": layout, "pattern": pattern})
    there = r"(mueller_scan\.nii\.gz, old/|old \(holds x\.txt)"
    with pytest.raises(DataError, match=rf"{there}.*'{layout}'") as caught:
        list_cases(tmp_path, settings)
    assert "mueller" not in caught.value.anonymous


def test_every_layout_of_the_configuration_has_its_function() -> None:
    """A name that `ingest.layout` allows and nothing lists would fail at the first ingest."""
    assert set(LAYOUTS) == set(get_args(LayoutName))


def test_a_folder_that_may_not_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its path for the console and without a traceback."""

    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    zenodo(tmp_path, "a")
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UnreadableFileError, match="must be readable, got Permission denied"):
        list_cases(tmp_path, ZENODO)
