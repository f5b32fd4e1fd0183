"""Sections network and loss: legal levels, a loss that compares the scans."""

from __future__ import annotations

import pytest

from lungreg.config import parse_config
from tests.config.breaches import breaches


class TestNetwork:
    @pytest.mark.parametrize("levels", [[], [-1], [7], [2, 2], [0]])
    def test_levels_exist(self, levels: list[int]) -> None:
        """Levels are different, from 0 to 6, and not the full resolution alone."""
        assert "extract_levels" in breaches({"network": {"extract_levels": levels}})


class TestLoss:
    def test_needs_some_likeness(self) -> None:
        """Regularity alone teaches nothing."""
        said = breaches({"loss": {"mutual_information": 0, "bending_energy": 1}})
        assert said.startswith(
            "loss: mutual_information, dice, lncc, mind, landmarks or displacement has"
        )
        parse_config({"loss": {"mutual_information": 0, "bending_energy": 0, "dice": 1}})
