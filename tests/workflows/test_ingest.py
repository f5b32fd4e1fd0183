"""Ingest: done once, whole or not at all, whatever happens on the way."""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from lungreg import sources
from lungreg.config import Config
from lungreg.errors import RunError, StoreUnavailableError
from lungreg.records import Verdict
from lungreg.sources import PairUpload
from lungreg.stores.manifest import read_cases, read_manifest, write_manifest
from lungreg.testing import FaultyStage
from lungreg.workflows.ingest import ingest
from lungreg.workflows.progress import Progress
from tests.contracts.processes import race
from tests.site import CASES, Site

FILES_PER_CASE = 5


def stage_files(site: Site) -> dict[str, bytes]:
    """Every file of the cases on the stage, without the manifest."""
    stage = site.backend().stage
    names = (file.name for file in stage.list())
    return {name: stage.read(name) for name in names if not name.startswith("manifest/")}


def parts(site: Site) -> list[Path]:
    """The files of the manifest."""
    return list((site.folder / "stage" / "manifest").glob("part-*"))


def assert_complete(site: Site) -> None:
    """All cases are there once, with the files that the manifest lists, and nothing else."""
    rows = read_manifest(site.backend().stage)
    assert [row.case_id for row in rows] == list(CASES)
    listed = {file.name: file for row in rows for file in row.files}
    found = stage_files(site)
    assert found.keys() == listed.keys()
    for name, data in found.items():
        assert (len(data), hashlib.sha256(data).hexdigest()) == (
            listed[name].size,
            listed[name].sha256,
        )
    assert len(read_cases(site.backend().stage)) == len(CASES)


def test_the_manifest_stays_in_few_parts_while_it_grows(
    raw: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are merged every so many rows: a cohort of 100,000 would leave as many files."""
    monkeypatch.setattr("lungreg.workflows.ingest.COMPACT_EVERY", 2)
    counts = []
    ingest(raw.config(), on_progress=lambda _: counts.append(len(parts(raw))))
    assert len(counts) == len(CASES)
    assert max(counts) <= 2


def test_cases_are_handed_to_the_threads_as_others_end(
    raw: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never all at once: what waits takes memory, and a source may have a million."""
    monkeypatch.setattr("lungreg.workflows.ingest._AHEAD", 1)
    handed, most = 0, 0
    upload = sources.upload_pair

    def counted(*given: Any, **more: Any) -> PairUpload:
        nonlocal handed
        handed += 1
        return upload(*given, **more)

    def seen(progress: Progress) -> None:
        nonlocal most
        most = max(most, handed - progress.done)

    monkeypatch.setattr("lungreg.workflows.ingest.upload_pair", counted)
    ingest(raw.config("ingest.threads=1"), on_progress=seen)
    assert_complete(raw)
    assert most <= 1


def test_every_file_comes_to_its_place_with_a_row_for_each_case(raw: Site) -> None:
    """Names, sizes, hashes, shape, spacing and orientation are in the manifest."""
    done = ingest(raw.config())
    assert (done.uploaded, done.unchanged) == (FILES_PER_CASE * len(CASES), 0)
    assert_complete(raw)
    row = read_manifest(raw.backend().stage)[0]
    assert [file.name for file in row.files] == [
        "scansExp/case_001_exp.nii.gz",
        "scansInsp/case_001_insp.nii.gz",
        "lungMasksExp/case_001_exp.nii.gz",
        "lungMasksInsp/case_001_insp.nii.gz",
        "landmarks/case_001.csv",
    ]
    assert row.verdict is Verdict.PASS
    assert row.fixed is not None
    assert (row.fixed.shape, row.fixed.spacing_mm) == ((40, 34, 40), (7.5, 7.5, 7.2))
    assert len(row.fixed.orientation) == 3
    source = (raw.scans / "case_001_exp.nii.gz").read_bytes()
    assert stage_files(raw)["scansExp/case_001_exp.nii.gz"] == source


def test_a_second_run_uploads_nothing(ingested: Site) -> None:
    """It looks, finds all there, and changes no file and no row."""
    before, rows = stage_files(ingested), read_manifest(ingested.backend().stage)
    done = ingest(ingested.config())
    assert (done.uploaded, done.unchanged, done.rejected) == (0, len(CASES), [])
    assert stage_files(ingested) == before
    assert read_manifest(ingested.backend().stage) == rows


def test_a_case_that_changed_is_brought_again_and_no_other(ingested: Site) -> None:
    """Contents count, not dates."""
    scans = ingested.scans
    shutil.copy(scans / "case_001_exp.nii.gz", scans / "case_002_exp.nii.gz")
    (scans / "case_003_exp.nii.gz").touch()
    done = ingest(ingested.config())
    assert (done.uploaded, done.unchanged) == (FILES_PER_CASE, len(CASES) - 1)
    assert_complete(ingested)


def test_a_file_lost_from_the_stage_is_brought_again(ingested: Site) -> None:
    """The manifest alone is not believed."""
    ingested.backend().stage.delete("scansInsp/case_005_insp.nii.gz")
    assert ingest(ingested.config()).uploaded == FILES_PER_CASE
    assert_complete(ingested)


def test_a_rejected_pair_stays_off_the_stage_and_stops_nobody(raw: Site) -> None:
    """It is listed with its reason; the others are in."""
    (raw.scans / "case_002_insp.nii.gz").write_bytes(b"no scan")
    events: list[Progress] = []
    done = ingest(raw.config(), on_progress=events.append)
    assert [(row.case_id, row.verdict) for row in done.rejected] == [("case_002", Verdict.REJECT)]
    assert not [name for name in stage_files(raw) if "case_002" in name]
    assert len(read_cases(raw.backend().stage)) == len(CASES) - 1
    (note,) = [event.note for event in events if "case_002" in event.note]
    assert "reject; unreadable_file: moving scan: the file must be NIfTI" in note
    assert [event.done for event in events] == list(range(1, len(CASES) + 1))


def test_a_pair_that_turned_bad_is_taken_off_the_stage_and_comes_back_when_mended(
    ingested: Site,
) -> None:
    """What is on the stage is what the manifest calls good."""
    file = ingested.scans / "case_002_insp.nii.gz"
    good = file.read_bytes()
    file.write_bytes(good[:500])
    assert len(ingest(ingested.config()).rejected) == 1
    assert not [name for name in stage_files(ingested) if "case_002" in name]
    file.write_bytes(good)
    assert ingest(ingested.config()).uploaded == FILES_PER_CASE
    assert_complete(ingested)


def test_a_fault_of_our_own_costs_one_case(raw: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong with a pair, the others are in."""
    from lungreg.sources import pair_loading

    checks: list[object] = []

    def fail_once(*arguments: object) -> None:
        checks.append(arguments)
        if len(checks) == 1:
            raise MemoryError

    monkeypatch.setattr(pair_loading, "check_scan", fail_once)
    done = ingest(raw.config("ingest.threads=1"))
    (rejected,) = done.rejected
    assert rejected.reasons == ("data: a pair can be checked, got MemoryError",)
    assert len(read_cases(raw.backend().stage)) == len(CASES) - 1


def start_slowly(site: Site) -> subprocess.Popen[bytes]:
    """Ingest in another process, onto a stage that takes its time, with two cases done."""
    slow = dataclasses.replace(site.backend(), stage=FaultyStage(site.backend().stage, slow_s=0.05))
    file = site.folder / "arguments.pickle"
    file.write_bytes(pickle.dumps((site.config("ingest.threads=2"), slow)))
    code = f"""if True:
        import pathlib, pickle
        from lungreg.workflows.ingest import ingest
        config, backend = pickle.loads(pathlib.Path({str(file)!r}).read_bytes())
        ingest(config, backend=backend)
    """
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while len(read_manifest(site.backend().stage)) < 2:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    return process


def test_stopped_half_way_and_started_again_nothing_is_lost_or_doubled(raw: Site) -> None:
    """SIGKILL in the middle; the second run brings what is missing and leaves what is there."""
    process = start_slowly(raw)
    process.kill()
    process.communicate()
    before = read_manifest(raw.backend().stage)
    assert 2 <= len(before) < len(CASES)
    done = ingest(raw.config())
    assert done.unchanged >= len(before)
    assert [row for row in done.rows if row in before] == before
    assert_complete(raw)


def test_ctrl_c_stops_within_seconds_and_says_how_to_go_on(raw: Site) -> None:
    """What was reported is on the stage; the same command goes on."""
    process = start_slowly(raw)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert b"RunError: ingest was stopped" in err
    before = read_manifest(raw.backend().stage)
    assert 2 <= len(before) < len(CASES)
    assert not list((raw.folder / "stage").rglob(".lungreg-partial-*"))
    assert ingest(raw.config()).unchanged >= len(before)
    assert_complete(raw)


def test_ctrl_c_is_an_error_of_ours(raw: Site) -> None:
    """One line with what to do next."""

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(RunError, match="run the same command again to go on"):
        ingest(raw.config(), on_progress=stop)


def _ingest_at_once(barrier: Barrier, config: Config) -> int:
    barrier.wait(timeout=60)
    return len(ingest(config).rows)


@pytest.mark.slow
def test_two_ingests_at_once_on_one_stage_end_like_one(raw: Site) -> None:
    """Each sees all cases; the stage and its manifest hold each once."""
    assert race(_ingest_at_once, raw.config(), processes=2) == [len(CASES)] * 2
    assert_complete(raw)


@pytest.mark.parametrize("full_from", [1, 3, 20])
def test_a_stage_that_fills_up_ends_the_run_and_keeps_what_is_there(
    raw: Site, full_from: int
) -> None:
    """The disk is to blame, not a case: none is rejected, and the next run goes on."""
    backend = raw.backend()
    stage = FaultyStage(backend.stage, full_on=range(full_from, 10**6))
    with pytest.raises(StoreUnavailableError, match="free disk space"):
        ingest(raw.config(), backend=dataclasses.replace(backend, stage=stage))
    assert all(row.verdict is Verdict.PASS for row in read_manifest(backend.stage))
    ingest(raw.config())
    assert_complete(raw)


def test_an_archive_gives_what_its_folder_gives(raw: Site, tmp_path: Path) -> None:
    """The unpacked copy is gone afterwards, and the stage is the same."""
    archive = shutil.make_archive(str(tmp_path / "training"), "zip", raw.folder, "training")
    assert ingest(raw.config(f"ingest.source={archive}")).uploaded == FILES_PER_CASE * len(CASES)
    assert_complete(raw)
    assert ingest(raw.config()).uploaded == 0


def test_groups_reach_the_cases(raw: Site) -> None:
    """A patient is never split, and a changed group brings the row up to date."""
    groups = raw.folder / "patients.csv"
    groups.write_text("case_id,group\n" + "".join(f"{case_id},p1\n" for case_id in CASES[:2]))
    ingest(raw.config())
    ingest(raw.config(f"ingest.groups={groups}"))
    cases = read_cases(raw.backend().stage)
    assert [case.group for case in cases] == ["p1", "p1", None, None, None, None]


def test_a_clock_that_was_ahead_keeps_no_mended_case_away(raw: Site) -> None:
    """One machine rejects a pair, hours ahead; another, whose clock is right, takes it."""
    scan = raw.scans / f"{CASES[1]}_exp.nii.gz"
    whole = scan.read_bytes()
    scan.write_bytes(whole[:500])
    (rejected,) = ingest(raw.config()).rejected
    stage = raw.backend().stage
    ahead = dataclasses.replace(rejected, checked_at=rejected.checked_at + timedelta(hours=3))
    write_manifest(stage, [ahead])
    scan.write_bytes(whole)
    assert ingest(raw.config()).rejected == []
    assert [case.case_id for case in read_cases(stage)] == list(CASES)
    assert ingest(raw.config()).unchanged == len(CASES)
