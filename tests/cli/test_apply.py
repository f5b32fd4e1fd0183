"""lungreg apply: options that fit the input."""

from __future__ import annotations

import pytest

from tests.site import Site, run


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
