"""What `import lungreg` gives: the same as the commands, typed, as often as one likes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

import lungreg
from lungreg.errors import ConfigError, DataError, RunError
from lungreg.records import Split, Status
from tests.site import CASES, Site

T = TypeVar("T")


def test_no_public_name_is_that_of_a_submodule() -> None:
    """Else importing the submodule would put it in place of the function."""
    modules = {module.name for module in pkgutil.iter_modules(lungreg.__path__)}
    assert not modules & set(lungreg.__all__)


@pytest.mark.parametrize("name", lungreg.__all__)
def test_a_public_name_is_the_same_thing_every_time(name: str) -> None:
    """Also after every submodule has been imported, and it says what it is."""
    first = getattr(lungreg, name)
    for module in pkgutil.iter_modules(lungreg.__path__):
        importlib.import_module(f"lungreg.{module.name}")
    assert getattr(lungreg, name) is first
    assert not isinstance(first, ModuleType)
    assert name == "__version__" or inspect.getdoc(first)
    assert name in dir(lungreg)


def test_what_is_not_public_is_not_there() -> None:
    """With Python's own error."""
    with pytest.raises(AttributeError, match="no attribute 'register_everything'"):
        _ = lungreg.register_everything


def twice(call: Callable[[], T]) -> tuple[T, T]:
    """What two calls give."""
    return call(), call()


def test_simulation_replaces_no_other_files(tmp_path: Path) -> None:
    """Pairs are named by number: somebody's case_001 would be gone."""
    size = {"shape": (40, 34, 40), "spacing_mm": (7.5, 7.5, 7.2)}
    lungreg.simulate(tmp_path / "made", cases=1, **size)
    with pytest.raises(ConfigError, match=r"new or empty.*other files"):
        lungreg.simulate(tmp_path / "made", cases=1, seed=7, **size)
    real = tmp_path / "real" / "scans" / "case_001_exp.nii.gz"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"a patient's")
    with pytest.raises(ConfigError, match="new or empty"):
        lungreg.simulate(tmp_path / "real", cases=1, **size)
    assert real.read_bytes() == b"a patient's"


def test_a_simulation_that_was_refused_leaves_its_folder_free(tmp_path: Path) -> None:
    """The same folder with a shape that holds a chest."""
    with pytest.raises(DataError, match="holds a chest"):
        lungreg.simulate(tmp_path, cases=1, shape=(40, 34, 40))
    made = lungreg.simulate(tmp_path, cases=1, shape=(40, 34, 40), spacing_mm=(7.5, 7.5, 7.2))
    assert made == ["case_001"]


def test_every_step_works_twice_from_python(raw: Site, tmp_path: Path) -> None:
    """Simulate, ingest, train, infer, report, query and show: each returns its record."""
    size = {"shape": (40, 34, 40), "spacing_mm": (7.5, 7.5, 7.2)}
    made = twice(lambda: lungreg.simulate(tmp_path / "more", cases=1, **size))
    assert made == (["case_001"], ["case_001"])

    config, again = twice(lambda: lungreg.load_config(raw.config_file, ["train.epochs=1"]))
    assert config == again == lungreg.parse_config(config.model_dump())
    assert isinstance(config, lungreg.Config)

    ingested = twice(lambda: lungreg.ingest(config))
    assert all(isinstance(done, lungreg.IngestReport) for done in ingested)
    assert (ingested[0].unchanged, ingested[1].unchanged) == (0, len(CASES))

    trained = twice(lambda: lungreg.train(config))
    assert [done.card.version for done in trained] == ["1", "2"]
    assert isinstance(trained[0], lungreg.TrainReport)
    assert isinstance(trained[0].card, lungreg.ModelCard)
    assert (trained[0].champion, trained[1].champion) == (True, False)

    inferred = twice(lambda: lungreg.infer(config))
    assert isinstance(inferred[0], lungreg.InferReport)
    rows = inferred[0].results
    assert all(isinstance(row, lungreg.CaseResult) for row in rows)
    assert [row.status for row in rows] == [Status.SUCCESS] * len(CASES)
    assert rows[-1].split is Split.TEST

    pages = twice(lambda: lungreg.report(config, inferred[0].run_id))
    assert pages == (f"runs/{inferred[0].run_id}/report.html",) * 2

    assert_framed(*twice(lambda: lungreg.show_report(config, inferred[0].run_id)._repr_html_()))

    tables = twice(lambda: lungreg.query_results(config, run_id=inferred[1].run_id))
    assert [table.num_rows for table in tables] == [len(CASES)] * 2

    figures = twice(lambda: lungreg.show(rows[-1], config))
    assert all(isinstance(figure, Figure) for figure in figures)
    plt.close("all")


def assert_framed(*frames: str) -> None:
    """The page inside a frame, without links: a frame in a notebook has no folder they lead to."""
    assert len({*frames}) == 1
    assert frames[0].startswith('<iframe srcdoc="&lt;!')
    assert "cases/" not in frames[0]


def test_a_run_is_evaluated_twice_from_python(trained: Site) -> None:
    """Measuring again measures the same."""
    run_id = lungreg.infer(trained.config()).run_id
    first, second = twice(lambda: lungreg.evaluate(trained.config(), run_id))
    assert isinstance(first, lungreg.EvaluationReport)
    assert first == second
    assert [row.case_id for row in first.cases] == list(CASES)


def test_transforms_are_used_twice_from_python(trained: Site, tmp_path: Path) -> None:
    """Export a run, then carry an image and points."""
    config = trained.config()
    run_id = lungreg.infer(config).run_id
    written = twice(lambda: lungreg.export(config, run_id, tmp_path / "out", file_format="itk"))
    assert isinstance(written[0], lungreg.ExportReport)
    assert written[0] == written[1]

    transform = [tmp_path / "out" / CASES[0] / "transform.h5"]
    scan = trained.scans / f"{CASES[0]}_insp.nii.gz"
    images = twice(lambda: lungreg.apply_to_image(transform, scan, tmp_path / "warped.nii.gz"))
    assert isinstance(images[0], lungreg.AppliedImage)
    assert images[0] == images[1]

    (tmp_path / "points.csv").write_text("20,16,20\n")
    moved = twice(
        lambda: lungreg.apply_to_points(
            transform, tmp_path / "points.csv", tmp_path / "moved.csv", frame="voxel"
        )
    )
    assert moved == (lungreg.AppliedPoints(points=1, inexact=0, outside=0),) * 2


def test_a_case_that_failed_cannot_be_shown(trained: Site) -> None:
    """The reason is in its row."""
    trained.backend().stage.delete(f"scansExp/{CASES[0]}_exp.nii.gz")
    (failed,) = lungreg.infer(trained.config()).failed
    with pytest.raises(RunError, match="see its error_message"):
        lungreg.show(failed, trained.config())


def test_the_demo_refuses_what_it_cannot_show(tmp_path: Path) -> None:
    """Twice as well: nothing is left behind by the first."""
    for _ in range(2):
        with pytest.raises(lungreg.LungregError, match="the demo needs at least"):
            lungreg.demo(tmp_path, cases=1)
    assert list(tmp_path.iterdir()) == []
