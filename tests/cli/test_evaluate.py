"""lungreg evaluate: its tables, document and exit codes."""

from __future__ import annotations

from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from lungreg.cli.evaluate import _ACCURACY, _TRUST
from lungreg.metrics.measures import EVALUATED
from tests.cli.answering import answer_questions
from tests.site import CASES, Site, assert_refused, run

pytestmark = pytest.mark.usefixtures("one_thread")


def case_folder(site: Site, run_id: str, case_id: str) -> Path:
    """Where a run keeps a case, on this machine."""
    return site.folder / "stage" / "runs" / run_id / "cases" / case_id


def test_every_measure_has_a_column() -> None:
    """Of one case all are printed; of many, --wide leaves none out."""
    assert sorted((*_ACCURACY, *_TRUST)) == sorted(EVALUATED)


def test_a_run(finished: tuple[Site, str]) -> None:
    """Tables for people with both volumes and the reasons; one document for programs."""
    site, run_id = finished
    shown = site.run("evaluate", run_id, "--set", "quality.tre_fail_mm=0.01")
    assert shown.code == 0
    for word in ("Accuracy", "Trust", "By split", "30 % tail", "Why", "is above 0.01 mm"):
        assert word in shown.out
    quiet = site.run("evaluate", run_id, "-q", "--set", "quality.tre_fail_mm=0.01")
    assert (quiet.code, quiet.out) == (0, "")
    assert quiet.err == "lungreg: 6 cases: 6 fail (landmarks)\n"
    document = site.run("evaluate", run_id, "--json").document
    assert [case["case_id"] for case in document["cases"]] == [*CASES]
    assert document["summary"]["test"]["tre_mm"]["cases"] == 1.0
    assert set(document["cases"][0]) >= {"sdlogj", "sdlogj_learn2reg", "reasons"}


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_rows_are_exported(finished: tuple[Site, str], tmp_path: Path, suffix: str) -> None:
    """A row per case with every field; the same in both formats."""
    site, run_id = finished
    target = tmp_path / f"figures.{suffix}"
    assert site.run("evaluate", run_id, "--export", str(target)).code == 0
    read = pyarrow.parquet.read_table if suffix == "parquet" else pyarrow.csv.read_csv
    table = read(target)
    assert table.column("case_id").to_pylist() == [*CASES]
    assert table.column_names[:4] == ["case_id", "split", "status", "verdict"]
    assert None not in table.column("tre_p95_mm").to_pylist()


def test_rows_replace_a_file_only_when_asked_for(
    finished: tuple[Site, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is measured: here the run is unknown, and that is not yet noticed."""
    site, run_id = finished
    out = site.folder / "figures.csv"
    out.write_text("mine")
    asked = answer_questions(monkeypatch, answer=False)
    done = site.run("evaluate", "infer-none", "--export", str(out))
    assert_refused(done, "replaced only when asked for", "another file with --export")
    assert (asked, out.read_text()) == ([f"Replace {out}?"], "mine")
    assert site.run("evaluate", run_id, "--export", str(out), "--overwrite").code == 0
    assert "tre_p95_mm" in out.read_text()


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_rows_never_replace_what_is_read(
    raw: Site, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """The landmarks are a .csv as well; nobody is asked."""
    asked = answer_questions(monkeypatch, answer=True)
    landmarks = raw.folder / "training" / "keypoints" / f"{CASES[0]}.csv"
    before = landmarks.read_bytes()
    given = ("--landmarks", str(landmarks), "--export", str(landmarks))
    assert_refused(run("evaluate", "t.h5", *given, *options), "another file than the inputs")
    assert (asked, landmarks.read_bytes()) == ([], before)


def test_a_folder(finished: tuple[Site, str]) -> None:
    """One pair is shown line by line."""
    site, run_id = finished
    folder = case_folder(site, run_id, CASES[5])
    data = site.folder / "training"
    options = [
        f"--fixed={data / 'scans' / f'{CASES[5]}_exp.nii.gz'}",
        f"--moving={data / 'scans' / f'{CASES[5]}_insp.nii.gz'}",
        f"--fixed-mask={data / 'lungMasks' / f'{CASES[5]}_exp.nii.gz'}",
        f"--moving-mask={data / 'lungMasks' / f'{CASES[5]}_insp.nii.gz'}",
        f"--landmarks={data / 'keypoints' / f'{CASES[5]}.csv'}",
    ]
    shown = run("evaluate", str(folder), *options, "-c", str(site.config_file))
    assert shown.code == 0
    assert "tre_p95_mm" in shown.out
    only = run("evaluate", str(folder), options[0], "-c", str(site.config_file))
    assert only.code == 1
    assert "both scans are known, got fixed; give --fixed and --moving" in only.err


def test_a_case_that_cannot_be_measured_sets_the_exit_code(finished: tuple[Site, str]) -> None:
    """3, as for every command that finished with some cases failed."""
    site, run_id = finished
    (case_folder(site, run_id, CASES[0]) / "displacement.nii.gz").unlink()
    shown = site.run("evaluate", run_id)
    assert shown.code == 3
    assert CASES[0] in shown.out
    assert "not measured" in shown.out
    assert "not registered" not in shown.out
