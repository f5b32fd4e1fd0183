"""lungreg apply: options that fit the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lungreg.formats.points.files import decode_points
from lungreg.spatial.geometry import Frame
from tests.cli.answering import answer_questions
from tests.formats.transforms.breathing import FIXED
from tests.site import Site, assert_refused, run
from tests.workflows.applied_files import POINTS, points_file, write_files

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a pair, and points of its fixed scan."""
    points_file(write_files(tmp_path), "in.fcsv", POINTS, Frame.LPS, FIXED)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("points.csv", "--order", "2"), "--order, --outside are for images, got --order"),
        (("mask.nii.gz", "--frame", "ras"), "for points, got --frame; to carry an image back"),
        (("mask.nii.gz", "--nearest", "--order", "0"), "for images without --nearest"),
        (("mask.nii.gz", "--field-kind", "position"), "are for vector fields"),
        (("points.csv", "--field-frame", "xyz"), "one of ras, lps, got 'xyz'"),
    ],
)
def test_options_that_mean_nothing_for_an_input_are_refused(
    raw: Site, arguments: tuple[str, ...], says: str
) -> None:
    """Instead of being passed over."""
    done = run("apply", "transform.h5", *arguments, "--out", str(raw.folder / "out.nii.gz"))
    assert (done.code, done.out) == (1, "")
    assert says in done.err


INPUTS = [("in.fcsv", "out.fcsv"), ("moving.nii.gz", "out.nii.gz")]


def apply(folder: Path, source: str, out: str, *options: str) -> tuple[str, ...]:
    """The command line."""
    return (
        "apply",
        *(str(folder / n) for n in ("transform.h5", source)),
        "-o",
        str(folder / out),
        *options,
    )


@pytest.mark.parametrize(("source", "out"), INPUTS)
def test_a_file_that_is_there_is_replaced_only_when_asked_for(
    folder: Path, source: str, out: str
) -> None:
    """As `register` does; what was there is left alone."""
    (folder / out).write_text("mine")
    done = run(*apply(folder, source, out))
    assert (done.code, done.out) == (1, "")
    assert "a file is replaced only when asked for" in done.err
    assert "add --overwrite, or name another file with -o" in done.err
    assert (folder / out).read_text() == "mine"
    assert run(*apply(folder, source, out, "--overwrite")).code == 0
    assert (folder / out).read_bytes() != b"mine"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked at a terminal; the answer is yes."""
    return answer_questions(monkeypatch, answer=True)


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 1)])
def test_at_a_terminal_it_asks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, code: int
) -> None:
    """Once, and takes the answer: what was there stays after a no."""
    asked = answer_questions(monkeypatch, answer=answer)
    out = folder / "out.fcsv"
    out.write_text("mine")
    assert run(*apply(folder, "in.fcsv", "out.fcsv")).code == code
    assert asked == [f"Replace {out}?"]
    assert (out.read_text() == "mine") is not answer


@pytest.mark.parametrize("out", ["in.fcsv", "link.fcsv", "below/../in.fcsv"])
@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_an_input_is_never_replaced(
    folder: Path, asked: list[str], options: tuple[str, ...], out: str
) -> None:
    """However its path is written, and with --overwrite neither; nobody is asked."""
    source = folder / "in.fcsv"
    (folder / "link.fcsv").symlink_to(source)
    (folder / "below").mkdir()
    before = source.read_bytes()
    done = run(*apply(folder, "in.fcsv", out, *options))
    assert_refused(done, "another file than the inputs")
    assert (asked, source.read_bytes()) == ([], before)
    assert (folder / "link.fcsv").is_symlink()


@pytest.mark.parametrize(
    ("source", "out", "options", "says"),
    [
        ("in.fcsv", "", (), "an output is a file, got a folder; name a file in it"),
        ("moving.nii.gz", "", (), "an output is a file, got a folder; name a file in it"),
        ("in.fcsv", f"{'a' * 300}.csv", (), "a place that can be written"),
        ("moving.nii.gz", f"{'a' * 300}.nii.gz", (), "a place that can be written"),
        ("in.fcsv", "mine.txt", (), "a file of points ends in"),
        ("moving.nii.gz", "mine.txt", (), "an image is written as"),
        ("in.fcsv", "mine.txt", ("--nearest",), "are for images, got --nearest"),
        ("moving.nii.gz", "mine.txt", ("--frame", "ras"), "are for points, got --frame"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anybody_is_asked(
    folder: Path, asked: list[str], source: str, out: str, options: tuple[str, ...], says: str
) -> None:
    """And before the transform is read, which takes long; here there is none."""
    (folder / "transform.h5").unlink()
    (folder / "mine.txt").write_text("mine")
    assert_refused(run(*apply(folder, source, out, *options)), says)
    assert asked == []


def test_points_that_are_in_doubt_are_told_with_q_too(folder: Path) -> None:
    """On stderr, in a line each."""
    far = POINTS + np.array([0, 0, 500])
    points_file(folder, "in.fcsv", far, Frame.LPS, FIXED)
    done = run(*apply(folder, "in.fcsv", "out.fcsv", "-q"))
    assert (done.code, done.out) == (0, "")
    assert done.err == "lungreg: 12 of 12 points outside of their scan: is the frame right?\n"
    assert "12 of them outside" in run(*apply(folder, "in.fcsv", "more.fcsv")).out


def test_a_fcsv_keeps_what_slicer_wrote(folder: Path) -> None:
    """Ids, descriptions and labels, but not the scan that points were placed in: they left it."""
    text = (folder / "in.fcsv").read_text().replace("\n1,", "\nvtkMRMLMarkupsFiducialNode_9,")
    (folder / "in.fcsv").write_text(text.replace(",L1,,", ",L1,a branch,vtkMRMLVolume1"))
    assert run(*apply(folder, "in.fcsv", "out.fcsv")).code == 0
    before, after = (
        path.read_text().splitlines() for path in (folder / "in.fcsv", folder / "out.fcsv")
    )
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        assert old.split(",")[4:13] == new.split(",")[4:13]
        assert old.split(",")[0] == new.split(",")[0]
    assert after[3].startswith("vtkMRMLMarkupsFiducialNode_9,")
    assert before[4].endswith(",L1,a branch,vtkMRMLVolume1")
    assert after[4].endswith(",L1,a branch,")
    found = decode_points((folder / "out.fcsv").read_bytes(), "out.fcsv")
    assert not np.allclose(found.points, decode_points(text.encode(), "in.fcsv").points)
