"""Verdicts in words: each reason in a line of its own; with -q one line, unless all pass."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lungreg.cli.console import Console
from lungreg.cli.verdicts import print_verdict, print_verdicts, tell_doubtful
from lungreg.records import CaseEvaluation, CaseResult, Split, Status, Verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LOUD, QUIET = Console(quiet=False, as_json=False), Console(quiet=True, as_json=False)


def row(verdict: Verdict, status: Status = Status.SUCCESS) -> CaseResult:
    return CaseResult(
        run_id="r",
        case_id="a",
        verdict=verdict,
        status=status,
        evidence="masks",
        started_at=NOW,
        finished_at=NOW,
    )


def test_each_reason_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Below the verdict, in pipes too; nothing on stderr."""
    print_verdict(LOUD, row(Verdict.FAIL), ["folds", "little overlap"])
    said = capsys.readouterr()
    assert said.out == "verdict: fail (masks)\n  - folds\n  - little overlap\n"
    assert said.err == ""


@pytest.mark.parametrize(
    ("verdict", "reasons", "told"),
    [
        (Verdict.PASS, [], ""),
        (Verdict.WARN, ["folds"], "lungreg: verdict: warn (masks): folds\n"),
        (Verdict.FAIL, ["a", "b", "c"], "lungreg: verdict: fail (masks): a (and 2 more)\n"),
    ],
)
def test_quiet_tells_a_verdict_that_is_no_pass(
    capsys: pytest.CaptureFixture[str], verdict: Verdict, reasons: list[str], told: str
) -> None:
    """In one line on stderr with the first reason, and how many there are beside it."""
    print_verdict(QUIET, row(verdict), reasons)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", told)


def test_verdicts_of_many_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Cases that could not be registered among them; quiet is silent only where all pass."""
    mixed = [row(Verdict.PASS), row(Verdict.PASS), row(Verdict.PASS, Status.FAILED)]
    print_verdicts(LOUD, mixed)
    assert capsys.readouterr().out == "3 cases: 1 not registered, 2 pass (masks)\n"
    tell_doubtful(QUIET, mixed, "infer-1")
    told = "lungreg: run infer-1: 3 cases: 1 not registered, 2 pass (masks)\n"
    assert capsys.readouterr().err == told
    tell_doubtful(QUIET, [row(Verdict.WARN)])
    assert capsys.readouterr().err == "lungreg: 1 case: 1 warn (masks)\n"
    tell_doubtful(QUIET, mixed[:2])
    tell_doubtful(LOUD, mixed)
    assert capsys.readouterr().err == ""


def test_a_case_that_evaluate_could_not_measure_is_called_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It may well have been registered."""
    lost = CaseEvaluation(
        case_id="a", split=Split.UNSEEN, status=Status.FAILED, verdict=Verdict.FAIL
    )
    tell_doubtful(QUIET, [lost])
    assert capsys.readouterr().err == "lungreg: 1 case: 1 not measured\n"
