"""Cases are split by shares, folds or lists, and a patient is never in two parts."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lungreg.config import SplitSpec
from lungreg.errors import ConfigError
from lungreg.learning.split import split_cases
from lungreg.records import Case, Split

SHARES = SplitSpec()


def cohort(count: int, *, groups: int | None = None) -> list[Case]:
    """Cases, several of one patient where asked."""
    return [
        Case(
            case_id=f"case_{i:03d}",
            fixed="f",
            moving="m",
            group=None if groups is None else f"patient {i % groups}",
        )
        for i in range(count)
    ]


def counts(split: dict[Split, list[str]]) -> tuple[int, int, int]:
    """Number of cases to train, validate and test on."""
    return len(split[Split.TRAIN]), len(split[Split.VAL]), len(split[Split.TEST])


def shares(train: float, val: float, test: float) -> SplitSpec:
    """A split by shares."""
    return SplitSpec(train=train, val=val, test=test)


class TestShares:
    @pytest.mark.parametrize(
        ("count", "spec", "expected"),
        [
            (10, SHARES, (8, 2, 0)),
            (20, SHARES, (16, 4, 0)),
            (10, shares(0.6, 0.2, 0.2), (6, 2, 2)),
            (13, shares(0.5, 0.25, 0.25), (7, 3, 3)),
            (10, shares(1.0, 0.0, 0.0), (10, 0, 0)),
            (4, shares(0.6, 0.2, 0.2), (2, 1, 1)),
            (2, shares(0.6, 0.2, 0.2), (1, 0, 1)),
            (1, SHARES, (1, 0, 0)),
            (2, SHARES, (1, 1, 0)),
        ],
    )
    def test_counts(self, count: int, spec: SplitSpec, expected: tuple[int, int, int]) -> None:
        """Shares are rounded, a share above 0 gets a case where there is one to spare."""
        assert counts(split_cases(cohort(count), spec, seed=0)) == expected

    @given(count=st.integers(1, 40), groups=st.integers(1, 8), seed=st.integers(0, 99))
    def test_partition_that_splits_no_group(self, count: int, groups: int, seed: int) -> None:
        """Every case is in one part, every patient too, and something is left to train on."""
        cases = cohort(count, groups=groups)
        split = split_cases(cases, shares(0.5, 0.3, 0.2), seed=seed)
        everyone = Counter(case_id for ids in split.values() for case_id in ids)
        assert everyone == Counter(case.case_id for case in cases)
        home = {case.case_id: case.group for case in cases}
        patients = [{home[case_id] for case_id in ids} for ids in split.values()]
        assert sum(map(len, patients)) == len(set().union(*patients))
        assert split[Split.TRAIN]

    @given(cases=st.permutations(cohort(9, groups=4)), seed=st.integers(0, 9))
    def test_order_does_not_matter(self, cases: list[Case], seed: int) -> None:
        """The stage may list its cases in any order."""
        expected = split_cases(cohort(9, groups=4), SHARES, seed=seed)
        assert split_cases(cases, SHARES, seed=seed) == expected

    def test_seed_matters(self) -> None:
        """Another seed draws another split."""
        found = {tuple(split_cases(cohort(10), SHARES, seed=s)[Split.VAL]) for s in range(5)}
        assert len(found) > 2

    def test_more_cases_leave_the_order(self) -> None:
        """A cohort that grows keeps most of its validation cases: each has its own draw."""
        before = set(split_cases(cohort(100), SHARES, seed=0)[Split.VAL])
        after = set(split_cases(cohort(110), SHARES, seed=0)[Split.VAL])
        assert len(before & after) >= 15


class TestFolds:
    def test_partition(self) -> None:
        """Each case is validated on in one fold, and trained on in all others."""
        cases = cohort(11)
        splits = [split_cases(cases, SplitSpec(folds=3, fold=i), seed=0) for i in range(3)]
        validated = [case_id for split in splits for case_id in split[Split.VAL]]
        assert sorted(validated) == [case.case_id for case in cases]
        assert [len(split[Split.VAL]) for split in splits] == [4, 4, 3]
        for split in splits:
            assert sorted(split[Split.TRAIN] + split[Split.VAL]) == sorted(validated)
            assert split[Split.TEST] == []

    def test_groups_stay_together(self) -> None:
        """A patient is in one fold."""
        cases = cohort(12, groups=4)
        for fold in range(4):
            split = split_cases(cases, SplitSpec(folds=4, fold=fold), seed=0)
            assert len(split[Split.VAL]) == 3
            assert len({int(case_id[-3:]) % 4 for case_id in split[Split.VAL]}) == 1

    def test_no_more_folds_than_patients(self) -> None:
        """A fold without a patient is refused."""
        with pytest.raises(ConfigError, match=r"as many cases .* as folds, got 2 for 3 folds"):
            split_cases(cohort(6, groups=2), SplitSpec(folds=3), seed=0)


class TestLists:
    def test_are_taken_as_they_are(self) -> None:
        """Cases that are not named are left out."""
        spec = SplitSpec(train=["case_001", "case_000"], val=["case_003"], test=[])
        split = split_cases(cohort(5), spec, seed=0)
        assert split == {
            Split.TRAIN: ["case_000", "case_001"],
            Split.VAL: ["case_003"],
            Split.TEST: [],
        }

    def test_unknown_and_doubled_ones_are_refused(self) -> None:
        """A case is on the stage, and in one list."""
        spec = SplitSpec(train=["case_001", "nobody"], val=["case_001"])
        with pytest.raises(ConfigError, match="got 1 unknown, 1 twice") as caught:
            split_cases(cohort(3), spec, seed=0)
        assert caught.value.where == "case_001, nobody"

    def test_patient_in_two_lists_is_refused(self) -> None:
        """What training saw of a patient must not judge it."""
        spec = SplitSpec(train=["case_000"], val=["case_002"], test=["case_001"])
        with pytest.raises(ConfigError, match="one patient"):
            split_cases(cohort(4, groups=2), spec, seed=0)
        split_cases(cohort(4, groups=3), spec, seed=0)

    def test_something_is_trained_on(self) -> None:
        """An empty list is refused with what to do."""
        with pytest.raises(ConfigError, match="at least one case to train on"):
            split_cases(cohort(2), SplitSpec(train=[], val=["case_000"]), seed=0)


class TestSameScan:
    CASES = (
        Case(case_id="a", fixed="f", moving="m", scans=("1", "2")),
        Case(case_id="b", fixed="f", moving="m", scans=("2", "3"), group="p1"),
        Case(case_id="c", fixed="f", moving="m", scans=("4", "5"), group="p1"),
        Case(case_id="d", fixed="f", moving="m", scans=("6", "7")),
        Case(case_id="e", fixed="f", moving="m", scans=("8", "9")),
    )

    @pytest.mark.parametrize("seed", range(5))
    def test_stays_on_one_side(self, seed: int) -> None:
        """Directly (a, b) and through a patient (c)."""
        split = split_cases(self.CASES, shares(0.4, 0.3, 0.3), seed=seed)
        homes = {case_id: part for part, ids in split.items() for case_id in ids}
        assert homes["a"] == homes["b"] == homes["c"]
        assert len(set(homes.values())) > 1

    def test_in_two_lists_is_refused(self) -> None:
        """Though the ids differ and no group is given."""
        spec = SplitSpec(train=["a", "d"], val=["e"], test=["b"])
        with pytest.raises(ConfigError, match=r"a, b, c.*by the same scan, .*one part"):
            split_cases(self.CASES, spec, seed=0)
        assert split_cases(self.CASES, SplitSpec(train=["a", "b"], val=["d"], test=["e"]), seed=0)


def test_lists_may_spell_accents_otherwise() -> None:
    """A file system's two letters for one are the same name."""
    cases = [
        Case(case_id=unicodedata.normalize("NFD", n), fixed="f", moving="m") for n in ("ä", "ö")
    ]
    split = split_cases(cases, SplitSpec(train=["ä"], val=["ö"], test=[]), seed=0)
    assert split[Split.TRAIN] == [cases[0].case_id]
