"""A cohort without a model: each pair is registered as `register` does it, on the same pool."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

import lungreg
from lungreg.records import Split, Status
from lungreg.workflows.infer import infer
from lungreg.workflows.infer_report import InferReport
from tests.site import CASES, Site, assert_refused, measures

pytestmark = pytest.mark.slow

ALONE = ("infer.model=null", "refine.preset=fast")
TWO = f"infer.cases=[{CASES[4]}, {CASES[5]}]"
NO_TRAINING = """
import sys
sys.modules.update(monai=None, mlflow=None)
from lungreg.cli import main
main()
"""


@pytest.fixture(scope="module")
def done(_ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, InferReport]:
    """Two cases of a stage that holds no model."""
    site = Site(Path(shutil.copytree(_ingested, tmp_path_factory.mktemp("alone") / "site")))
    return site, infer(site.config(*ALONE, TWO))


def test_every_case_comes_closer(done: tuple[Site, InferReport]) -> None:
    """No model is named in any row, and nothing was trained on."""
    rows = done[1].results
    assert [row.case_id for row in rows] == [CASES[4], CASES[5]]
    assert {row.status for row in rows} == {Status.SUCCESS}
    assert {(row.model_name, row.model_version, row.split) for row in rows} == {
        (None, None, Split.UNSEEN)
    }
    assert done[1].card is None
    errors = [(row.tre_mm or 99, row.tre_aligned_mm or 0) for row in rows]
    assert sum(after for after, _ in errors) < 0.6 * sum(before for _, before in errors)


def test_it_is_what_register_does(done: tuple[Site, InferReport], tmp_path: Path) -> None:
    """The same files for the same pair, settings and seed."""
    site, found = done
    training = site.folder / "training"
    files = lungreg.PairFiles(
        fixed=site.scans / f"{CASES[5]}_exp.nii.gz",
        moving=site.scans / f"{CASES[5]}_insp.nii.gz",
        fixed_mask=training / "lungMasks" / f"{CASES[5]}_exp.nii.gz",
        moving_mask=training / "lungMasks" / f"{CASES[5]}_insp.nii.gz",
        landmarks=training / "keypoints" / f"{CASES[5]}.csv",
    )
    settings = lungreg.RegisterSettings(preset="fast", alignment="masks", device="cpu", seed=3)
    out = tmp_path / "one"
    one = lungreg.register(files, out, settings)
    stage, case = site.backend().stage, f"runs/{found.run_id}/cases/{CASES[5]}"
    for name in ("displacement.nii.gz", "registered_img.nii.gz"):
        expected = gzip.decompress((out / name).read_bytes())
        assert gzip.decompress(stage.read(f"{case}/{name}")) == expected
    assert measures(found.results[1]) == measures(one.result)


@pytest.mark.usefixtures("ray_cluster")
def test_a_pool_gives_what_the_plain_loop_gives(done: tuple[Site, InferReport]) -> None:
    """Two actors, each with one thread: the same figures."""
    pool = infer(done[0].config(*ALONE, TWO, "infer.workers=2"))
    expected = done[1].results
    assert {row.worker for row in pool.results} == {"cpu-1", "cpu-2"}
    assert [measures(row) for row in pool.results] == [measures(row) for row in expected]


def test_resumed_it_stays_without_a_model(ingested: Site) -> None:
    """What was decided when the run began is what it goes on with, whatever the file says now."""
    ways = ("infer.model=null", "refine.enabled=false")
    first = infer(ingested.config(*ways, f"infer.cases=[{CASES[5]}]"))
    file = ingested.folder / "stage" / "runs" / first.run_id / "config.json"
    stored = json.loads(file.read_text())
    assert (stored["infer"]["model"], stored["refine"]["enabled"]) == (None, False)
    stored["infer"]["cases"] = [CASES[4], CASES[5]]
    file.write_text(json.dumps(stored))
    again = infer(ingested.config(*ALONE), resume=first.run_id)
    assert again.registered == 1
    assert [row.model_name for row in again.results] == [None, None]


def test_it_needs_neither_monai_nor_mlflow(ingested: Site) -> None:
    """The command itself, where both are missing; the screen and the report say what was done."""
    case = ("--cases", CASES[5], "--no-model", "--set", "refine.preset=fast")
    process = ingested.start_python(NO_TRAINING, "infer", *case, "-c", "lungreg.yaml")
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "no model: each pair is aligned and optimised by itself" in " ".join((out + err).split())
    (run_id,) = (p.name for p in (ingested.folder / "stage" / "runs").iterdir())
    assert ingested.run("report", run_id).code == 0
    report = (ingested.folder / "stage" / "runs" / run_id / "report.html").read_text()
    assert "none: each pair was registered by itself" in report


def test_alignment_alone_can_be_asked_for(ingested: Site) -> None:
    """`refine.enabled: false`, as `register --no-refine`."""
    (row,) = infer(
        ingested.config("infer.model=null", "refine.enabled=false", "infer.cases=[case_006]")
    ).results
    assert row.tre_mm == pytest.approx(row.tre_aligned_mm, abs=1e-3)


def test_cases_keep_the_split_of_the_champion(trained: Site) -> None:
    """So that a run without the model is compared with one of it on the same cases."""
    found = infer(trained.config(*ALONE, "refine.enabled=false"))
    network = infer(trained.config("infer.cases=[case_001, case_005, case_006]"))
    by_case = {row.case_id: row.split for row in found.results}
    assert [by_case[row.case_id] for row in network.results] == [Split.TRAIN, Split.VAL, Split.TEST]
    assert [row.split for row in network.results] == [Split.TRAIN, Split.VAL, Split.TEST]
    assert {row.model_name for row in found.results} == {None}


def test_the_command_takes_a_model_or_none(trained: Site) -> None:
    """By name and version; not both, and no other version than there is."""
    trained.config_file.write_text(trained.config_file.read_text().replace("lung_ct_reg", "other_"))
    one = ("--cases", CASES[5], "--json")
    done = trained.run("infer", *one, "--model", "lung_ct_registration:1")
    assert (done.document["model"], done.document["version"]) == ("lung_ct_registration", "1")
    assert "there is 1" in trained.run("infer", "--model", "lung_ct_registration:7").err
    both = trained.run("infer", "--model", "lung_ct_registration", "--no-model")
    assert_refused(both, "one of --model and --no-model")
