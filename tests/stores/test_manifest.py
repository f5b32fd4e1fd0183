"""The manifest of a stage: rows come back as written, the latest of a case counts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lungreg.errors import DataError, NotFoundError
from lungreg.records import Verdict
from lungreg.stores.manifest import (
    ManifestFile,
    ManifestRow,
    ScanFacts,
    manifest_table,
    read_cases,
    read_manifest,
    require_case_id,
    write_manifest,
)
from lungreg.stores.names import CASE_INPUTS
from lungreg.testing import MemoryStage

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
FACTS = ScanFacts(shape=(4, 5, 6), spacing_mm=(1.5, 2.0, 0.7), orientation="LPS", hu_offset=1000.0)


def row(case_id: str, *, roles: tuple[str, ...] = ("fixed", "moving"), **changes: object):
    """What ingest writes of a case."""
    files = tuple(
        ManifestFile(role=role, name=CASE_INPUTS[role].format(case_id), size=7, sha256=f"{role}1")
        for role in roles
    )
    values: dict[str, object] = {
        "verdict": Verdict.PASS,
        "files": files,
        "fixed": replace(FACTS, hu_offset=0.0),
        "moving": FACTS,
        "source_sha256": "ab",
        "checked_at": NOON,
    }
    return ManifestRow(case_id=case_id, **{**values, **changes})  # type: ignore[arg-type]


def rejected(case_id: str) -> ManifestRow:
    """What ingest writes of a case that it refuses."""
    return ManifestRow(
        case_id=case_id, verdict=Verdict.REJECT, reasons=("data: no",), checked_at=NOON
    )


class TestManifest:
    def test_round_trip(self) -> None:
        """Rows come back as they were written, ordered by case, rejected ones too."""
        stage = MemoryStage()
        full = row("b", roles=tuple(CASE_INPUTS), group="p", reasons=("x: y",))
        rows = [full, rejected("c"), row("a", verdict=Verdict.WARN)]
        write_manifest(stage, rows)
        assert read_manifest(stage) == sorted(rows, key=lambda item: item.case_id)
        manifest_table(stage).compact()
        assert read_manifest(stage) == sorted(rows, key=lambda item: item.case_id)

    def test_latest_row_of_a_case_counts(self) -> None:
        """A second ingest replaces what the first found."""
        stage = MemoryStage()
        write_manifest(stage, [row("a"), row("b")])
        write_manifest(stage, [row("a", group="p", checked_at=NOON + timedelta(hours=1))])
        assert [item.group for item in read_manifest(stage)] == ["p", None]

    def test_the_row_that_replaces_counts_whatever_the_clocks_say(self) -> None:
        """The machine that wrote the first was hours ahead; of equal numbers the later time."""
        stage = MemoryStage()
        ahead = row("a", group="p", checked_at=NOON + timedelta(hours=3))
        write_manifest(stage, [ahead, row("a", group="q"), row("a", group="r", sequence=1)])
        assert [item.group for item in read_manifest(stage)] == ["r"]
        manifest_table(stage).compact()
        assert [item.group for item in read_manifest(stage)] == ["r"]

    def test_empty_stage_has_no_rows(self) -> None:
        """Nothing ingested, nothing known."""
        assert read_manifest(MemoryStage()) == []

    def test_row_gives_its_case(self) -> None:
        """Names, offsets and group of the files that are there; a fingerprint of their bytes."""
        case = row("a", group="p").case()
        assert (case.fixed, case.moving) == ("scansExp/a_exp.nii.gz", "scansInsp/a_insp.nii.gz")
        assert (case.fixed_mask, case.landmarks) == (None, None)
        assert (case.fixed_hu_offset, case.moving_hu_offset, case.group) == (0.0, 1000.0, "p")
        assert row("b", group="q").case().fingerprint == case.fingerprint
        with_mask = row("a", roles=("fixed", "moving", "fixed_mask")).case()
        assert with_mask.fixed_mask == "lungMasksExp/a_exp.nii.gz"
        assert with_mask.fingerprint != case.fingerprint
        known = row("a", roles=("fixed", "moving", "displacement")).case()
        assert known.displacement == "displacements/a.nii.gz"
        assert known.fingerprint != case.fingerprint
        changed = tuple(replace(file, sha256="other") for file in row("a").files)
        assert row("a", files=changed).case().fingerprint != case.fingerprint

    def test_fingerprint_without_a_displacement_is_that_of_earlier_versions(self) -> None:
        """The parts of a split are found by it in the cards of older models."""
        case = row("a", roles=("fixed", "moving", "landmarks")).case()
        text = "fixedfixed1movingmoving1landmarkslandmarks1"
        assert case.fingerprint == hashlib.sha256(text.encode()).hexdigest()


class TestReadCases:
    @pytest.fixture
    def stage(self) -> MemoryStage:
        """Three cases, one of them rejected."""
        stage = MemoryStage()
        write_manifest(stage, [row("b"), rejected("c"), row("a")])
        return stage

    def test_rejected_ones_stay_out(self, stage: MemoryStage) -> None:
        """All usable cases, by id."""
        assert [case.case_id for case in read_cases(stage)] == ["a", "b"]

    def test_named_ones(self, stage: MemoryStage) -> None:
        """Those asked for, each once."""
        assert [case.case_id for case in read_cases(stage, ["b", "a", "b"])] == ["a", "b"]
        assert read_cases(stage, []) == []

    def test_unknown_ones_are_refused(self, stage: MemoryStage) -> None:
        """A rejected case and one that never was are not on the stage."""
        with pytest.raises(NotFoundError, match="2 cases missing") as caught:
            read_cases(stage, ["a", "c", "z"])
        assert caught.value.where == "c, z"
        assert "z" not in caught.value.anonymous.split()

    def test_nothing_ingested(self) -> None:
        """An empty stage says what to do first."""
        with pytest.raises(NotFoundError, match="run 'lungreg ingest' first"):
            read_cases(MemoryStage())


@pytest.mark.parametrize("case_id", ["", "a/b", ".hidden", ".."])
def test_ids_name_files(case_id: str) -> None:
    """What cannot name a file on every stage is refused; unicode and spaces can."""
    with pytest.raises(DataError, match="a case id is a name"):
        require_case_id(case_id)
    require_case_id("Fall 3 (ö)")
