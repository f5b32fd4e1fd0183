"""What a type checker must accept of users' code: mypy checks it, nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import lungreg


def files_are_given_as_text_or_paths() -> None:
    """And are paths afterwards."""
    pair = lungreg.PairFiles(fixed="exp.nii.gz", moving=Path("insp.nii.gz"), fixed_mask="a.nii.gz")
    assert_type(pair.fixed, Path)
    assert_type(pair.landmarks, Path | None)


def settings_are_keywords(pair: lungreg.PairFiles) -> None:
    """Or an object; what is returned can be shown."""
    done = lungreg.register(pair, "out", preset="best", seed=1, on_progress=log)
    lungreg.register(pair, Path("out"), lungreg.RegisterSettings(refine=False), device="cpu")
    assert_type(done, lungreg.RegisterReport)
    assert_type(done.result.tre_mm, float | None)
    lungreg.show(done)
    lungreg.show(done.result).savefig("case.png")
    with lungreg.progress_bar() as show_it:
        lungreg.register(pair, "out", on_progress=show_it)
    lungreg.register(pair, "out", preset="better")  # type: ignore[arg-type]


def log(event: lungreg.Progress) -> None:
    """A callback of the user's own."""
    assert_type(event.loss, float | None)
