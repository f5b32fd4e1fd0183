"""What doctor says of `ingest.source`."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lungreg.config import parse_config
from lungreg.errors import DataError, MissingFileError, UnreadableFileError
from lungreg.stores import Check
from lungreg.workflows.source_check import check_source
from tests.sources.made_sources import put

SCANS = {"fixed": "{case_id}/e.nii", "moving": "{case_id}/i.nii"}


def checked(source: object, **ingest: object) -> Check:
    """The check of a source."""
    return check_source(parse_config({"ingest": {"source": source and str(source), **ingest}}))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (None, "none is set"),
        ("simulate", "10 simulated pairs"),
        ("zenodo-lung-ct", "zenodo-lung-ct: ingest downloads it; not tried here"),
        ("https://nowhere.invalid/mueller.zip", "a URL: ingest downloads it; not tried here"),
    ],
)
def test_what_is_no_file_is_not_fetched(source: str | None, found: str) -> None:
    """Nor is a URL, which may hold a name, repeated."""
    check = checked(source)
    assert (check.state, check.found) == ("ok", found)


def test_a_folder_is_listed_by_its_layout(tmp_path: Path) -> None:
    """Pairs, masks and landmarks are counted; ids and paths stay out of what is reported."""
    put(tmp_path, "mueller/e.nii", "mueller/i.nii", "b/e.nii", "b/i.nii", "b/m.nii", "b/n.nii")
    masks = {"fixed_mask": "{case_id}/m.nii", "moving_mask": "{case_id}/n.nii"}
    check = checked(tmp_path, layout="pattern", pattern={**SCANS, **masks})
    assert check.state == "ok"
    assert check.found == "layout 'pattern' finds 2 pairs, 1 with masks, 0 with landmarks"
    (tmp_path / "mueller" / "i.nii").unlink()
    check = checked(tmp_path, layout="pattern", pattern={**SCANS, "landmarks": "{case_id}.csv"})
    assert (check.state, check.where) == ("warn", f"{tmp_path} (mueller)")
    assert "1 pair, " in check.found
    assert "1 to be rejected, the first since a case has a scan of inspiration" in check.found
    assert check.found.endswith("ingest.pattern.landmarks matches nothing")
    assert "mueller" not in check.found + check.mend


def test_archives_stay_packed(tmp_path: Path) -> None:
    """What is neither there nor an archive fails."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"")
    assert checked(tmp_path / "a.zip").found == "an archive of 0.0 GB; ingest unpacks it"
    with pytest.raises(MissingFileError, match="must be there"):
        checked(tmp_path / "b.zip")
    (tmp_path / "c.zip").write_text("no archive")
    with pytest.raises(UnreadableFileError, match=r"folder, \.zip or \.tar\.gz"):
        checked(tmp_path / "c.zip")
    with pytest.raises(DataError, match="layout 'zenodo'"):
        checked(tmp_path)
