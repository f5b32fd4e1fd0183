"""Are verdicts true? Many varied good and bad cases, and a table of confusion: `nox -s calibrate`.

Every case is a pair with a known truth and a transform: registered by lungreg, or the truth with a
known error put on it. A case is bad where its true mean landmark error is above 4 mm or its input
is wrong, good where that error is at most 2 mm. Each is judged twice, with landmarks and without.
Thresholds are set on a few seeds (`tests.varied.is_held_back`); the table that counts is of the
others. The rows are kept in a folder of the day, one file for each seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import multiprocessing
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from docs.calibration import RESULTS, rows_in, tables
from tests.varied import available_bases
from tests.varied.calibration_case import Plan, judge_case

GROUPS: dict[str, tuple[str, ...]] = {
    "none": ("none",),
    "noise": ("noise100",),
    "slices": ("slices5mm", "slices5mm_moving", "anisotropic"),
    "kernels": ("kernels", "blurred2mm", "coarse_moving"),
    "tissue": ("emphysema", "consolidation", "motion_artefact"),
    "cut": ("fixed_cut40_bases", "moving_cut40_bases", "moving_cut80_bases", "moving_upper_half"),
    "turned": ("turned10_long", "turned20_long", "turned30_lr", "turned20_ap"),
    "headers": ("origin1000", "header_missing", "offset1000", "clip12bit"),
    "exchanged": ("wrong:exchanged",),
    "other patient": ("wrong:other_patient",),
    "mirrored": ("wrong:mirrored_lr", "wrong:mirrored_ap", "wrong:mirrored_si"),
    "spacing": ("wrong:spacing_z_double", "wrong:spacing_z_half"),
    "spacing by a fifth": (
        *("wrong:spacing_z_120", "wrong:spacing_z_80"),
        *("wrong:spacing_115", "wrong:spacing_85"),
    ),
    "no lungs": ("wrong:no_lungs",),
    "same scan": ("wrong:same_scan",),
    "circle": ("fixed_circle", "moving_circle"),
    "pattern": ("rings", "streaks", "mixed"),
    "displaced": ("pneumothorax", "moved_between", "swapped_slices"),
    "turned headers": ("wrong:half_turn", "wrong:quarter_turn"),
    "errors inside": ("inner5", "inner10", "inner15"),
    "errors elsewhere": ("nothing", "slid5", "slid10", "local8", "folds", "good"),
    "sliding": ("slides", "deep"),
    "breathed": ("moving_breathed", "fixed_breathed", "breathed_little", "dense_bases"),
}
"""Kinds of trouble, and what makes them."""
ERRORS = ("good", "nothing", "inner3", "inner5", "inner8", "slid5", "slid10", "local8", "folds")
"""Errors put on the truth of some pairs of the first five groups."""
_WITH_ERRORS = ("none", "noise", "slices", "kernels", "tissue")
_ERRORS_ALONE = ("errors inside", "errors elsewhere")
"""Groups of errors put on the truth of pairs without trouble, each on every base; the pairs of all
other groups are registered."""


def main() -> None:
    """Judge the cases, print tables, keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=14, help="cases of each group and base")
    parser.add_argument("--first", type=int, default=1, help="round to begin with")
    parser.add_argument("--into", type=Path, help="go on with the rows kept in this folder")
    parser.add_argument("--groups", nargs="*", default=list(GROUPS), choices=list(GROUPS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--dry", action="store_true", help="do not keep the rows")
    asked = parser.parse_args()
    console = Console(width=160)
    folder = asked.into or RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}"
    rows = rows_in(folder)
    plans = _left(make_plans(asked.groups, asked.rounds, first=asked.first), rows)
    with multiprocessing.get_context("spawn").Pool(asked.processes, maxtasksperchild=8) as pool:
        for number, row in enumerate(pool.imap_unordered(judge_case, plans), start=1):
            rows.append(row)
            console.print(f"{number}/{len(plans)}", json.dumps(row), soft_wrap=True)
            if not asked.dry:
                keep(rows, row["seed"], folder)
    console.print(Markdown(tables(rows)))


def _left(plans: Iterable[Plan], rows: list[dict[str, Any]]) -> list[Plan]:
    """The cases that are not among the kept rows."""
    done = [{field.name: row[field.name] for field in dataclasses.fields(Plan)} for row in rows]
    return [plan for plan in plans if dataclasses.asdict(plan) not in done]


def make_plans(groups: list[str], rounds: int, *, first: int = 1) -> Iterator[Plan]:
    """The cases: of each group, up to round `rounds` on each base.

    Round by round, so that a run of some hours can be done in parts.
    """
    for number, group in itertools.product(range(first - 1, rounds), groups):
        for place, base in enumerate(available_bases()):
            error = None
            turn = number + place + list(GROUPS).index(group)
            if group in _WITH_ERRORS and turn % 2:
                error = ERRORS[(turn // 2 + 2 * place) % len(ERRORS)]
            kind = GROUPS[group][turn % len(GROUPS[group])]
            if group in _ERRORS_ALONE:
                kind, error = "none", kind
            yield Plan(group=group, base=base, trouble=kind, seed=number + 1, error=error)


def keep(rows: list[dict[str, Any]], seed: int, folder: Path) -> None:
    """Write the rows of a seed after each case: a run of hours that is stopped can be gone on with.

    Each seed has a file of its own, since one of all would grow beyond a megabyte.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"seed-{seed:02}.json"
    unfinished = file.with_suffix(".part")
    of_seed = [row for row in rows if row["seed"] == seed]
    record = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "rows": of_seed}
    unfinished.write_text(json.dumps(record, separators=(",", ":")) + "\n")
    unfinished.replace(file)


if __name__ == "__main__":
    main()
