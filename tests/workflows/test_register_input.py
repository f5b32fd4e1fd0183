"""Wrong inputs of one pair: refused by the option at fault, or reported wherever results are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lungreg
from lungreg.errors import ConfigError, DataError, StoreUnavailableError
from lungreg.formats.nifti import encode_nifti
from lungreg.formats.points.landmarks import encode_landmarks
from lungreg.formats.volumes import Stored, encode_labels, encode_volume
from lungreg.qc.case_page import extract_panel
from tests.site import run
from tests.small_cases import FIXED_GRID, landmarks, scan

SETTINGS = lungreg.RegisterSettings(refine=False, alignment="world", device="cpu")
QUICK = ("--no-refine", "--alignment", "world", "--device", "cpu")
INT16 = Stored(dtype="int16")


@pytest.fixture
def files(small_pair: lungreg.PairFiles) -> lungreg.PairFiles:
    """A sound pair with masks and landmarks."""
    return small_pair


def mask_of(value: int) -> Callable[[], bytes]:
    return lambda: encode_labels(np.full(FIXED_GRID.shape, value, np.uint8), FIXED_GRID)


def scan_bytes() -> bytes:
    return encode_volume(scan(FIXED_GRID, 0)[0], FIXED_GRID, INT16)


def grey_bytes() -> bytes:
    """A scan of 8 bits."""
    hu, _ = scan(FIXED_GRID, 0)
    hu += np.random.default_rng(0).normal(0, 20, hu.shape).astype(np.float32)
    grey = np.clip((hu + 1000) / 1200 * 255, 0, 255).astype(np.uint8)
    return encode_nifti(grey, FIXED_GRID.affine)


def points_in_mm() -> bytes:
    points = landmarks(0)
    points[:, :3] = FIXED_GRID.to_world(points[:, :3])
    return encode_landmarks(points)


REFUSED: list[tuple[str, Callable[[], bytes], str]] = [
    ("fixed_mask", mask_of(0), "--fixed-mask: a lung mask is neither empty nor full, got empty"),
    ("fixed_mask", mask_of(1), "--fixed-mask: a lung mask is neither empty nor full, got full"),
    ("fixed_mask", scan_bytes, "--fixed-mask: labels of a mask are not negative"),
    ("fixed_mask", grey_bytes, "--fixed-mask: a mask holds at most 128 different labels"),
    ("moving_mask", mask_of(1), "--moving-mask: a mask lies on its scan's grid"),
    ("landmarks", points_in_mm, "--landmarks: landmarks lie inside their scans"),
    ("fixed", mask_of(7), "fixed scan: a scan is not constant"),
]


@pytest.mark.parametrize(("role", "make", "says"), REFUSED)
def test_a_wrong_file_is_refused_by_its_option(
    files: lungreg.PairFiles, tmp_path: Path, role: str, make: Callable[[], bytes], says: str
) -> None:
    """With the file at fault; nothing is written."""
    path: Path = getattr(files, role)
    path.write_bytes(make())
    with pytest.raises(DataError) as caught:
        lungreg.register(files, tmp_path / "out", SETTINGS)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert not (tmp_path / "out").exists()


def test_what_is_odd_is_reported_everywhere(files: lungreg.PairFiles, tmp_path: Path) -> None:
    """Grey values, lost landmarks, a lonely mask: on console and page, in metrics.json."""
    files.fixed.write_bytes(grey_bytes())
    points = landmarks(0)
    points[0, 0] = 19.6
    assert files.landmarks is not None
    files.landmarks.write_bytes(encode_landmarks(points))
    options = ("--fixed-mask", str(files.fixed_mask), "--landmarks", str(files.landmarks))
    out = tmp_path / "out"
    said = run("register", str(files.fixed), str(files.moving), "-o", str(out), *options, *QUICK)
    assert said.code == 0, said.err
    notes = [
        "the fixed scan does not look like Hounsfield units",
        "landmarks outside their scan: 1 of 20",
        "Dice and HD95 need the masks of both scans: only that of the fixed one is given",
    ]
    assert json.loads((out / "metrics.json").read_text())["notes"] == notes
    page = (out / "qc.html").read_text(encoding="utf-8")
    for note in notes:
        assert f"note: {note}" in said.out
        assert f"<dd>{note}</dd>" in page


def test_a_sound_pair_has_no_notes(files: lungreg.PairFiles, tmp_path: Path) -> None:
    """Neither with both masks nor with none; the page is called after the fixed file."""
    bare = replace(files, fixed_mask=None, moving_mask=None)
    for name, given in (("masks", files), ("none", bare)):
        done = lungreg.register(given, tmp_path / name, SETTINGS)
        assert done.notes == ()
        assert done.result.case_id == "pair"
        page = (tmp_path / name / "qc.html").read_text(encoding="utf-8")
        assert "<title>exp_17.nii.gz · lungreg</title>" in page
        assert str(tmp_path) not in page


def test_one_file_given_twice_is_told(files: lungreg.PairFiles, tmp_path: Path) -> None:
    """A scan registers onto itself perfectly: a note says that it is no pair."""
    given = replace(files, moving=files.fixed, moving_mask=files.fixed_mask, landmarks=None)
    done = lungreg.register(given, tmp_path / "out", SETTINGS)
    text = "both scans hold the same values: was one file given twice?"
    assert done.notes == (text,)
    assert text not in done.reasons
    assert done.result.dice_score == pytest.approx(1.0)


def test_the_page_says_why(files: lungreg.PairFiles, tmp_path: Path) -> None:
    """The reasons of console and metrics.json stand beside the verdict."""
    strict = lungreg.Config().quality.model_copy(update={"tre_fail_mm": 0.01})
    config = lungreg.Config().model_copy(update={"quality": strict})
    done = lungreg.register(files, tmp_path / "out", SETTINGS, config=config)
    assert done.reasons
    page = (tmp_path / "out" / "qc.html").read_text(encoding="utf-8")
    assert all(f'<dd class="fail">{reason}</dd>' in page for reason in done.reasons)


def test_where_no_lungs_are_found_the_whole_scan_is_named(
    files: lungreg.PairFiles, tmp_path: Path
) -> None:
    """A phantom of water without masks: nothing is said of its lungs but that there are none."""
    noise = np.random.default_rng(0).normal(0, 20, FIXED_GRID.shape)
    files.fixed.write_bytes(encode_nifti(noise.astype(np.int16), FIXED_GRID.affine))
    bare = replace(files, fixed_mask=None, moving_mask=None)
    done = lungreg.register(bare, tmp_path / "out", SETTINGS)
    note = "no lungs were found in the fixed scan: what is measured in them is of the whole scan"
    assert note in done.notes
    assert done.reasons
    assert "no lungs were found in the fixed scan: is it a chest CT" in "; ".join(done.reasons)
    assert "the lungs" not in " ".join(done.reasons)
    panel = extract_panel((tmp_path / "out" / "qc.html").read_text(encoding="utf-8"))
    assert f"<dd>{note}</dd>" in panel
    assert not [text for text in ("in the lungs", "inside the lungs", 'of-fixed"') if text in panel]


class TestFolder:
    def test_what_this_call_does_not_write_goes(
        self, files: lungreg.PairFiles, tmp_path: Path
    ) -> None:
        """A label of an earlier call; what is not ours stays."""
        out = tmp_path / "out"
        lungreg.register(files, out, SETTINGS)
        (out / "thesis.txt").write_text("mine")
        before = {path.name for path in out.iterdir()}
        lungreg.register(replace(files, fixed_mask=None, moving_mask=None), out, SETTINGS)
        assert before - {path.name for path in out.iterdir()} == {"registered_label.nii.gz"}

    def test_a_refused_call_removes_nothing(self, files: lungreg.PairFiles, tmp_path: Path) -> None:
        """The earlier result stays whole."""
        lungreg.register(files, tmp_path / "out", SETTINGS)
        before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        files.moving.write_bytes(b"cut")
        with pytest.raises(DataError):
            lungreg.register(files, tmp_path / "out", SETTINGS)
        assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    @pytest.mark.parametrize(
        ("name", "got"),
        [("file", "a file"), ("file/deep/er", "a file above it"), ("link", "a link to nothing")],
    )
    def test_what_is_no_folder_is_refused_first(self, tmp_path: Path, name: str, got: str) -> None:
        """Before the scans are looked for, in words of -o."""
        (tmp_path / "file").write_text("")
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        gone = str(tmp_path / "none.nii.gz")
        said = run("register", gone, gone, "-o", str(tmp_path / name), *QUICK)
        assert said.code == 1
        assert f"the output folder can be written, got {got}; name another with -o" in said.err

    def test_a_folder_without_rights_is_refused_first(self, tmp_path: Path) -> None:
        """Whether it is there or only the one above it; no trace is left where one may write."""
        # Root may write everywhere, but for where the system itself forbids it.
        locked = Path("/proc") if os.geteuid() == 0 else tmp_path / "locked"
        if locked.parent == tmp_path:
            locked.mkdir(mode=0o500)
        gone = lungreg.PairFiles(fixed=tmp_path / "none.nii", moving=tmp_path / "none.nii")
        for out in (locked, locked / "out"):
            with pytest.raises(StoreUnavailableError, match="output folder can be written, got"):
                lungreg.register(gone, out, SETTINGS)
        with pytest.raises(DataError, match="must be there"):
            lungreg.register(gone, tmp_path / "fine" / "out", SETTINGS)
        assert not (tmp_path / "fine").exists()


@pytest.mark.parametrize("device", ["foo", "cuda:", "gpu", "meta"])
def test_a_device_that_is_none_is_refused(tmp_path: Path, device: str) -> None:
    """With the list of what there is."""
    gone = lungreg.PairFiles(fixed=tmp_path / "none.nii", moving=tmp_path / "none.nii")
    with pytest.raises(ConfigError, match=f"auto, cpu, cuda, cuda:N, mps, got '{device}'"):
        lungreg.register(gone, tmp_path / "out", replace(SETTINGS, device=device))
