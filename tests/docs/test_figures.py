"""Figures in the README and on pages are those of the records that they name."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from docs.calibration import (
    CLASSES_MM,
    VERDICTS,
    calibration_rows,
    is_held_back,
    with_both_errors,
)
from tests.docs.blocks import PAGES, ROOT
from tests.varied.calibrate import GROUPS

BASES = ("cip_ct64", "analytic", "lung_fcp")
"""In the order of the table's rows."""
TOOLS = ("lungreg, no masks", "lungreg", "ConvexAdam", "greedy", "elastix", "ANTs SyN")
"""In the order of its columns; of two settings of a tool, the better counts."""
README, REPORT = ROOT / "README.md", PAGES / "tutorials" / "report.md"


def records(page: str) -> list[Any]:
    """The records of benchmarks that a page names, in its order."""
    names = re.findall(r"`(?:tests/benchmarks/results/)?(\d[-\w]+\.json)`", page)
    folder = ROOT / "tests" / "benchmarks" / "results"
    return [json.loads((folder / name).read_text(encoding="utf-8")) for name in names]


def errors(rows: list[dict[str, Any]], tool: str, base: str) -> str:
    """Of the pairs of a base, the mean of mean and of median errors, mm."""
    part = [row for row in rows if row["tool"] == tool and base in row["pair"]]
    means = (fmean(row[name] for row in part) for name in ("tre_mm", "tre_median_mm"))
    return " / ".join(f"{value:.2f}" for value in means)


def test_figures_of_the_presets_are_measured() -> None:
    """Errors and seconds of the table are means of the file that it names, over both pairs."""
    text = (PAGES / "presets.md").read_text(encoding="utf-8")
    (record,) = records(text)
    measured = record["rows"]
    shown = re.findall(r"([\d.]+) / ([\d.]+), (\d+) s", text)
    columns = ("tre_mm", "tre_median_mm", "cpu_s")
    expected = []
    for base in ("analytic", "cip", "lung_fcp"):
        for tool in ("lungreg fast", "lungreg", "lungreg best"):
            rows = [row for row in measured if row["tool"] == tool and base in row["pair"]]
            mean, median, seconds = (fmean(row[column] for row in rows) for column in columns)
            expected.append((f"{mean:.2f}", f"{median:.2f}", f"{seconds:.0f}"))
    assert shown == expected


@pytest.mark.parametrize(
    ("page", "head", "record"),
    [
        (README, "varied pairs, seeds 3 and 6", "2026-11-30-2147.json"),
        (PAGES / "other-tools.md", "varied pairs, seeds 3 and 6", "2026-11-30-2147.json"),
        (PAGES / "other-tools.md", "breath that slides, seed 3", "2026-11-30-2153.json"),
        (PAGES / "other-tools.md", "deep breath, seed 3", "2026-11-30-2149.json"),
    ],
)
def test_the_table_of_tools_is_measured(page: Path, head: str, record: str) -> None:
    """All tools in one run, means over the pairs of each base."""
    text = page.read_text(encoding="utf-8")
    assert record in text
    file = ROOT / "tests" / "benchmarks" / "results" / record
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    names = sorted({row["tool"] for row in rows})
    table = text[text.index(f"| {head} |") :].splitlines()[2:5]
    for base, line in zip(BASES, table, strict=True):
        shown = [cell.strip().strip("*") for cell in line.split("|")[2:-1]]
        expected = [
            min(errors(rows, name, base) for name in names if name in (tool, f"{tool} 4, 6"))
            for tool in TOOLS
        ]
        assert shown == expected


def test_the_table_of_smooth_breathing_is_measured() -> None:
    """Mean errors and CPU seconds of the file that it names."""
    text = (PAGES / "other-tools.md").read_text(encoding="utf-8")
    file = ROOT / "tests" / "benchmarks" / "results" / "2026-11-30-2209.json"
    assert file.name in text
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    table = text[text.index("| simulated breathing on |") :].splitlines()[2:8]
    shown = [cell.strip().replace("*", "") for line in table for cell in line.split("|")[2:-1]]
    tools = ("lungreg", "ConvexAdam", "elastix", "ANTs SyN")
    ordered = sorted(rows, key=lambda row: tools.index(row["tool"]))
    names = list(dict.fromkeys(row["pair"] for row in rows))
    ordered.sort(key=lambda row: names.index(row["pair"]))
    assert shown == [f"{row['tre_mm']:.2f}, {row['cpu_s']:.0f} s" for row in ordered]


def registered_of_all(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Right inputs that were registered."""
    right = (row for row in rows if not row["trouble"].startswith("wrong:"))
    return [row for row in right if row["error"] is None]


def registered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Right inputs that were registered, without what no smooth breath does."""
    odd = {*GROUPS["pattern"], *GROUPS["displaced"], "moving_breathed", "fixed_breathed"}
    known = registered_of_all(with_both_errors(rows))
    return [row for row in known if row["trouble"] not in odd]


def ratio(rows: list[dict[str, Any]], found: str, true: str) -> list[float]:
    """Median and lowest tenth of an estimated figure over the true one."""
    shares = [row[found] / row[true] for row in rows]
    return [float(value) for value in np.percentile(shares, [50, 10])]


def test_what_is_said_of_registrations_was_counted() -> None:
    """How far the mean is off, on seeds held back and on others, and the 95th percentile."""
    text = " ".join(REPORT.read_text(encoding="utf-8").split())
    middle, _ = ratio(registered(held_back()), "etre_mm", "true_mm")
    assert f"{middle:.2f} of the true one in the median;" in text
    passed = [
        row for row in registered(calibration_rows()) if row["estimated"]["verdict"] == "pass"
    ]
    middle, lowest = ratio(passed, "etre_p95_mm", "true_p95_mm")
    said = (
        f"{middle:.2f} of the true one in the median of the {len(passed)} registrations that passed"
    )
    assert f"{said}, {lowest:.2f} for the lowest tenth" in text
    good = [row for row in registered_of_all(held_back()) if row["kind"] == "good"]
    counts = Counter(row["estimated"]["verdict"] for row in good)
    assert f"Of the {len(good)} good registrations among these {counts['pass']} passed" in text


def test_more_seeds_were_measured() -> None:
    """Of lungreg alone: two seeds may be mild."""
    folder = ROOT / "tests" / "benchmarks" / "results"
    rows = json.loads((folder / "2026-11-30-2203.json").read_text(encoding="utf-8"))["rows"]
    found = [errors(rows, "lungreg, no masks", base) for base in BASES]
    page = " ".join((PAGES / "other-tools.md").read_text(encoding="utf-8").split())
    assert f"{found[0]}, {found[1]} and {found[2]} in the order of the table" in page
    means = ", ".join(text.split(" / ")[0] for text in found)
    assert f"has {means} mm" in README.read_text(encoding="utf-8")


def test_what_a_network_gives_was_measured() -> None:
    """Of each base, the first pair of the file that the page names."""
    text = (PAGES / "tutorials" / "training.md").read_text(encoding="utf-8")
    (rows,) = records(text)
    of = {(row["pair"], row["what"]): row for row in rows}
    expected = []
    for base in ("analytic", "cip_ct64", "lung_fcp"):
        for what in ("alignment", "network", "optimiser", "network, then optimiser"):
            row = of[f"varied-{base}-none-1", what]
            seconds = f", {row['cpu_s']:.0f} s" if "optimiser" in what else ""
            expected.append(f"{row['mean_mm']:.2f} / {row['median_mm']:.2f}{seconds}")
    shown = re.findall(r"\| ([\d.]+ / [\d.]+(?:, \d+ s)?)(?= \|)", text)
    assert shown == expected


def held_back() -> list[dict[str, Any]]:
    """Cases of the newest calibration by which no threshold was set."""
    return [row for row in calibration_rows() if is_held_back(row)]


@pytest.mark.parametrize("page", [README, REPORT], ids=["README", "report"])
def test_what_is_said_of_verdicts_was_counted(page: Path) -> None:
    """Passes and failures of good and bad cases, judged without landmarks."""
    counts = Counter((row["kind"], row["estimated"]["verdict"]) for row in held_back())
    good, bad = ([counts[kind, said] for said in VERDICTS] for kind in ("good", "bad"))
    text = " ".join(page.read_text(encoding="utf-8").split())
    of_good = re.search(r"Of (\d+) good .*?(\d+) passed.*? and (\d+) failed", text)
    of_bad = re.search(r"of (\d+) bad ones .*?(\d+|none) passed", text)
    assert of_good is not None
    assert of_bad is not None
    assert of_good.groups() == (str(sum(good)), str(good[0]), str(good[2]))
    assert of_bad.groups() == (str(sum(bad)), str(bad[0] or "none"))


def test_what_is_said_of_the_estimated_error_was_counted() -> None:
    """How often its class is that of the true error, both means, and their correlation."""
    known = [(row["true_mm"], row["etre_mm"]) for row in with_both_errors(held_back())]
    true, found = np.array(known).T
    right = int((np.digitize(true, CLASSES_MM) == np.digitize(found, CLASSES_MM)).sum())
    text = " ".join(REPORT.read_text(encoding="utf-8").split())
    assert f"in {right} of {len(known)}, correlation {np.corrcoef(true, found)[0, 1]:.2f}" in text
    assert f"mean {found.mean():.1f} against {true.mean():.1f} mm" in text


def test_what_is_said_of_few_partners_was_counted() -> None:
    """How far the estimate is off where a fifth of the places find a partner."""
    few = [row for row in with_both_errors(held_back()) if 12 <= row["etre_found_pct"] < 25]
    middle, lowest = np.percentile([r["etre_mm"] / r["true_mm"] for r in few], [50, 10])
    text = " ".join(REPORT.read_text(encoding="utf-8").split())
    assert f"it is {middle:.1f} of it, for the lowest tenth {lowest:.1f}" in text
