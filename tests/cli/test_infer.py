"""lungreg infer: its tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lungreg.cli.console import Console
from lungreg.cli.infer import print_cases, print_means
from lungreg.records import CaseResult, Verdict
from lungreg.workflows.infer_report import means_by_split
from tests.site import Site

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_figures_are_means_by_split_and_times(finished: tuple[Site, str]) -> None:
    """A table of cases, means for each split, time per case, and credits where rates are given."""
    site, _ = finished
    rates = ("--set", "cost={credits_per_node_hour: 2.68, nodes: 1, as_of: '2026-11-22'}")
    done = site.run("infer", *rates)
    assert "Means by split" in done.out
    for word in ("train", "val", "test", "s a case", "no GPU took part", "next: lungreg report"):
        assert word in done.out
    assert "credits on 1 node, rate of 2026-11-22" in done.out
    assert "published" not in done.out
    assert [row["split"] for row in site.run("infer", "--json").document["cases"]] == [
        *["train"] * 4,
        "val",
        "test",
    ]


def test_the_table_says_why_a_verdict_is_not_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the cases, for those that have reasons; passes alone have no such table."""
    rows = [
        CaseResult(
            run_id="r",
            case_id=case_id,
            verdict=Verdict.WARN if reasons else Verdict.PASS,
            reasons=reasons,
            started_at=NOW,
            finished_at=NOW,
        )
        for case_id, reasons in (("case_1", None), ("case_2", "folds; little overlap"))
    ]
    print_cases(Console(quiet=False, as_json=False), "r", [vars(row) for row in rows])
    cases, why = capsys.readouterr().out.split("Why")
    assert "case_1" in cases
    assert "case_1" not in why
    assert why.splitlines()[3].split(maxsplit=2) == ["case_2", "warn", "folds; little overlap"]
    print_cases(Console(quiet=False, as_json=False), "r", [vars(rows[0])])
    assert "Why" not in capsys.readouterr().out


def test_a_cohort_without_masks_and_landmarks_has_its_means_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The estimated error before and after is all that is known of how exact it is."""
    rows = [
        CaseResult(
            run_id="r",
            case_id=f"case_{n}",
            etre_mm=0.5 + n,
            etre_aligned_mm=4.0 + n,
            started_at=NOW,
            finished_at=NOW,
        )
        for n in range(2)
    ]
    print_means(Console(quiet=False, as_json=False), means_by_split(rows))
    head, row = (line.split() for line in capsys.readouterr().out.splitlines()[1:4:2])
    assert head == ["split", "cases", "etre_mm", "etre_aligned_mm"]
    assert row == ["unseen", "2", "1.000", "4.500"]
    lost = replace(rows[0], case_id="lost", etre_mm=None, etre_aligned_mm=None, etre_found_pct=3.0)
    print_means(Console(quiet=False, as_json=False), means_by_split([*rows, lost]))
    head, row = (line.split() for line in capsys.readouterr().out.splitlines()[1:4:2])
    assert head == ["split", "cases", "etre_cases", "etre_mm", "etre_aligned_mm"]
    assert row == ["unseen", "3", "2", "1.000", "4.500"]
