"""lungreg evaluate: measure a run, a folder of `register`, or another tool's transform."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import (
    SOME_FAILED,
    ConfigOptions,
    FieldFrameName,
    FieldKindName,
    config_command,
)
from lungreg.cli.console import Console
from lungreg.cli.infer import print_why
from lungreg.cli.process import importing
from lungreg.cli.replacing import Overwrite
from lungreg.cli.results import require_exportable
from lungreg.cli.verdicts import print_verdict, tell_doubtful

if TYPE_CHECKING:
    from lungreg.records import CaseEvaluation
    from lungreg.workflows.evaluate import EvaluationReport

_ACCURACY = (
    *("tre_mm", "etre_mm", "dice_score", "fold_pct", "hd95_mm", "etre_found_pct"),
    *("ncc", "ssim_score", "sdlogj", "tre_median_mm", "tre_p95_mm", "tre_max_mm", "etre_p95_mm"),
    *("tre_aligned_mm", "etre_aligned_mm", "dice_aligned", "ncc_aligned", "ssim_aligned"),
    *("tre_initial_mm", "dice_initial", "etre_median_mm", "landmarks", "etre_places"),
)
_TRUST = (
    *("volume_ratio_lungs", "volume_ratio_jacobian", "residual", "inverse_mean_mm"),
    *("fixed_lungs_from", "moving_lungs_from", "fixed_lungs_ml", "moving_lungs_ml"),
    *("mask_cover_pct", "correlation_in_place", "unlike_pct", "lower_edge_mm"),
    *("etre_beyond_3mm_pct", "etre_beyond_5mm_pct"),
    *("dice_segmented", "stretch", "bone_stretch", "bone_volume_ratio", "mass_ratio"),
    *("density_change_hu", "jacobian_min", "jacobian_max", "lungs_outside_pct"),
    *("outside_fov_pct", "bone_misfit_mm", "hd95_segmented_mm", "inverse_max_mm"),
    "sdlogj_learn2reg",
)
"""Columns of both tables, the most telling first: as many are shown as fit, all with --wide."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


@config_command
def evaluate(
    console: Console,
    options: ConfigOptions,
    target: Annotated[
        str,
        typer.Argument(
            metavar="RUN|DIR|FILE",
            help="A run of infer, a folder of register, or a transform's file.",
        ),
    ],
    fixed: Annotated[Path | None, typer.Option("--fixed", help="Expiration scan.")] = None,
    moving: Annotated[Path | None, typer.Option("--moving", help="Inspiration scan.")] = None,
    fixed_mask: Annotated[
        Path | None, typer.Option("--fixed-mask", help="Lungs of the fixed scan.")
    ] = None,
    moving_mask: Annotated[
        Path | None, typer.Option("--moving-mask", help="Lungs of the moving scan.")
    ] = None,
    landmarks: Annotated[
        Path | None, typer.Option("--landmarks", help="CSV, fixed xyz then moving xyz, in voxels.")
    ] = None,
    field_kind: FieldKindName = None,
    field_frame: FieldFrameName = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the rows to .parquet or .csv.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure registrations again from their files, with a verdict and its reasons."""
    from lungreg.formats.transforms.fields import parse_meaning
    from lungreg.metrics.evaluation_table import summarise, tabulate
    from lungreg.records import counted
    from lungreg.workflows.results import export_table

    given = {
        "fixed": fixed,
        "moving": moving,
        "fixed_mask": fixed_mask,
        "moving_mask": moving_mask,
        "landmarks": landmarks,
    }
    files = {name: path for name, path in given.items() if path is not None}
    require_exportable(console, export, [*files.values(), Path(target)], overwrite=overwrite)
    with importing():
        from lungreg.workflows.evaluate import evaluate as run
    done = run(
        options.config(),
        target,
        files=files,
        field=parse_meaning(field_kind, field_frame),
        on_progress=console.progress,
    )
    if export is not None:
        export_table(tabulate(done.cases), export)
        console.line(f"{counted(len(done.cases), 'row')} written to {export}")
    summary = summarise(done.cases)
    _print(console, done, summary)
    console.document(
        {
            "target": done.target,
            "summary": summary,
            "cases": [dataclasses.asdict(row) for row in done.cases],
        }
    )
    if done.failed:
        raise typer.Exit(SOME_FAILED)


def _print(
    console: Console, done: EvaluationReport, summary: dict[str, dict[str, dict[str, float]]]
) -> None:
    if len(done.cases) == 1 and not done.failed:
        _print_one(console, done.cases[0])
        return
    used = [
        *_print_cases(console, f"Accuracy, {done.target}", done.cases, _ACCURACY),
        *_print_cases(console, "Trust", done.cases, _TRUST),
    ]
    rows = [
        [split, name, int(f["cases"]), f["mean"], f["median"], f["tail_30"]]
        for split, found in summary.items()
        for name, f in found.items()
    ]
    columns = ("split", "measure", "cases", "mean", "median", "30 % tail")
    console.table("By split", columns, rows)
    _print_meanings(console, used)
    why = [[row.case_id, row.words, "; ".join(row.reasons)] for row in done.cases]
    print_why(console, why)
    tell_doubtful(console, done.cases)


def _print_one(console: Console, row: CaseEvaluation) -> None:
    """Print all measures of one case, each with its unit and what it means."""
    from lungreg.metrics.measures import EVALUATED

    shown: list[list[object]] = [["verdict", row.words, "what the figures come to"]]
    for name, column in EVALUATED.items():
        value = getattr(row, name)
        if value is not None:
            shown.append([name, column.text(value), column.brief])
    console.table(row.case_id, ("measure", "value", "meaning"), shown)
    print_verdict(console, row, row.reasons)
    for region in row.etre_regions:
        console.line(f"estimated error, {region}")


def _print_cases(
    console: Console, title: str, rows: list[CaseEvaluation], columns: tuple[str, ...]
) -> list[str]:
    """Print a table with a row per case; the measures that some case has."""
    shown = [
        [row.case_id, row.words, *(getattr(row, name) for name in columns), row.split]
        for row in rows
    ]
    console.table(title, ("case_id", "verdict", *columns, "split"), shown)
    return [name for name in columns if any(getattr(row, name) is not None for row in rows)]


def _print_meanings(console: Console, names: list[str]) -> None:
    from lungreg.metrics.measures import EVALUATED

    rows = [[name, EVALUATED[name].unit, EVALUATED[name].brief] for name in names]
    console.table("Measures", ("measure", "unit", "meaning"), rows)
