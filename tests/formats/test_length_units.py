"""Names of units of length."""

from __future__ import annotations

import pytest

from lungreg.errors import DataError
from lungreg.formats.length_units import millimetres


@pytest.mark.parametrize(
    ("name", "mm"),
    [
        *(("mm", 1), ("millimeters", 1), ("", 1), ("???", 1), ("m", 1000), ("cm", 10)),
        *(('"um"', 1e-3), ("\u00b5m", 1e-3), ("Microns", 1e-3)),
    ],
)
def test_lengths_are_known_by_name_and_symbol(name: str, mm: float) -> None:
    """Quoted or not, in either spelling; what is not said is mm."""
    assert millimetres(name) == mm


@pytest.mark.parametrize("name", ["inch", "pixel", "s"])
def test_another_unit_is_refused_by_name(name: str) -> None:
    """It is not taken for mm."""
    with pytest.raises(DataError, match=f"got '{name}'"):
        millimetres(name)
