"""Sections ingest and data: patterns and splits."""

from __future__ import annotations

from lungreg.config import Pattern, parse_config
from tests.config.breaches import breaches


class TestSplit:
    def test_shares_sum_to_one(self) -> None:
        """Whole numbers are shares too; rounding is forgiven."""
        shares = {"train": 1, "val": 0, "test": 0}
        assert parse_config({"data": {"split": shares}}).data.split.train == 1.0
        thirds = {"train": 1 / 3, "val": 1 / 3, "test": 1 / 3}
        parse_config({"data": {"split": thirds}})
        assert "sum to 1, got [0.5, 0.2, 0.0]" in breaches({"data": {"split": {"train": 0.5}}})
        negative = {"train": 1.2, "val": -0.2}
        assert "at least 0" in breaches({"data": {"split": negative}})

    def test_lists_leave_no_shares(self) -> None:
        """With lists, a part that is not given is empty; a share beside a list is refused."""
        split = parse_config({"data": {"split": {"train": ["a"], "val": ["b"]}}}).data.split
        assert (split.train, split.val, split.test) == (["a"], ["b"], [])
        mixed = {"train": ["a"], "val": 0.2}
        assert "all shares or all lists" in breaches({"data": {"split": mixed}})

    def test_folds(self) -> None:
        """Folds are at least two, counted from 0, and go without lists and test share."""
        split = parse_config({"data": {"split": {"folds": 5, "fold": 4}}}).data.split
        assert (split.folds, split.fold) == (5, 4)
        assert "from 0 to folds - 1, got 5 of 5" in breaches(
            {"data": {"split": {"folds": 5, "fold": 5}}}
        )
        assert "data.split.folds" in breaches({"data": {"split": {"folds": 1}}})
        for other in ({"train": ["a"]}, {"train": 0.6, "val": 0.2, "test": 0.2}):
            assert "without lists" in breaches({"data": {"split": {"folds": 5, **other}}})


class TestIngest:
    def test_pattern_layout_needs_its_pattern(self) -> None:
        """`layout: pattern` says where the files lie, each with the case in its name."""
        assert "needs ingest.pattern" in breaches({"ingest": {"layout": "pattern"}})
        pattern = {"fixed": "{case_id}/e.nii", "moving": "i.nii"}
        said = breaches({"ingest": {"layout": "pattern", "pattern": pattern}})
        assert said == "ingest.pattern: pattern.moving must contain {case_id}, got 'i.nii'"
        Pattern(fixed="{case_id}/e.nii", moving="{case_id}/i.nii", landmarks="{case_id}.csv")
        twice = {"fixed": "{case_id}/e.nii", "moving": "{case_id}/e.nii"}
        said = breaches({"ingest": {"layout": "pattern", "pattern": twice}})
        assert "name two scans, got '{case_id}/e.nii' for both" in said
