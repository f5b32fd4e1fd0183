"""Make the pictures of the documentation from simulated pairs: `nox -s pictures`, some minutes.

Five pairs: three good ones, one whose scans are exchanged, and one of two patients, so that a
report shows every verdict; and two more whose results are wrong in other ways. Pages are
photographed in Chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

import lungreg
from docs.doubtful_pages import doubtful_pages

PICTURES = Path(__file__).parent / "pages" / "pictures"
LARGEST_BYTES = 100_000
_WIDTH = 1100
_QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
PATIENTS = ("patient_01", "patient_02", "patient_03", "exchanged", "mixed_up", "patient_04")


def main() -> None:
    """Make all pictures anew, in a folder that is removed afterwards."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder = Path(name)
        config = cohort(folder)
        lungreg.ingest(config)
        done = lungreg.infer(config)
        if done.failed:
            sys.exit("a pair could not be registered")
        figure(next(row for row in done.results if row.case_id == PATIENTS[1]), config)
        page = folder / "stage" / lungreg.report(config, done.run_id)
        photograph(page, doubtful_pages(folder))


def cohort(folder: Path) -> lungreg.Config:
    """Simulate the pairs, and say in a configuration where they are."""
    lungreg.simulate(
        folder / "made", cases=5, seed=11, shape=(110, 94, 110), spacing_mm=(2.75, 2.75, 2.65)
    )
    out, into = (
        [folder / "made" / "scans" / f"case_00{n}_{breath}.nii.gz" for n in (1, 2, 3, 4, 5)]
        for breath in ("exp", "insp")
    )
    fixed = (*out[:3], into[3], out[3], out[4])
    moving = (*into[:3], out[3], into[0], into[4])
    for patient, *pair in zip(PATIENTS, fixed, moving, strict=True):
        target = folder / "scans" / patient
        target.mkdir(parents=True)
        for scan, name in zip(pair, ("expiration.nii.gz", "inspiration.nii.gz"), strict=True):
            shutil.copy(scan, target / name)
    pattern = {"fixed": "{case_id}/expiration.nii.gz", "moving": "{case_id}/inspiration.nii.gz"}
    return lungreg.parse_config(
        {
            "backend": {"root": str(folder / "stage"), "tracking": False},
            "ingest": {"source": str(folder / "scans"), "layout": "pattern", "pattern": pattern},
            "infer": {"workers": 0},
        }
    )


def figure(result: lungreg.CaseResult, config: lungreg.Config) -> None:
    """Before, after and difference of one pair, as `lungreg.show` draws them."""
    drawn = lungreg.show(result, config)
    drawn.set_size_inches(10, 9)
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=110)
    save(buffer.getvalue(), "pair")


def photograph(page: Path, doubtful: Mapping[str, Path]) -> None:
    """The report of the run, and the pages of a good case and of three bad ones."""
    with browser() as opened:
        opened.goto(page.as_uri())
        save(opened.screenshot(), "report")
        for name, case in (("case-good", "patient_02"), ("case-bad", "mixed_up")):
            opened.goto((page.parent / "cases" / case / "qc.html").as_uri())
            save(opened.screenshot(), name)
        for name, file in doubtful.items():
            opened.goto(file.as_uri())
            save(opened.screenshot(), name)
        opened.goto((page.parent / "cases" / "patient_02" / "qc.html").as_uri())
        views = opened.locator(".views")
        save(views.screenshot(), "case-views")


@contextmanager
def browser() -> Iterator[Any]:
    """A page of a headless Chromium."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=list(_QUIET))
        yield chromium.new_page(viewport={"width": 1300, "height": 900})
        chromium.close()


def save(png: bytes, name: str) -> None:
    """Write a picture as WebP, no wider than a page and as fine as 100 kB allow."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    if picture.width > _WIDTH:
        picture = picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)))
    for quality in range(85, 20, -5):
        buffer = io.BytesIO()
        picture.save(buffer, format="WEBP", quality=quality, method=6)
        if buffer.tell() <= LARGEST_BYTES:
            break
    (PICTURES / f"{name}.webp").write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
