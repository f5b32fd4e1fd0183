"""Register: one pair of scans, no configuration needed."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.console import Console, command
from lungreg.cli.options import AsJson, Overrides, Quiet, Verbose

if TYPE_CHECKING:
    from lungreg.workflows.register import RegisterReport

_SHOWN = (
    ("lung Dice", "dice_initial", "dice_aligned", "dice_score"),
    ("landmark error, mm", "tre_initial_mm", "tre_aligned_mm", "tre_mm"),
    ("landmark error, median, mm", None, None, "tre_median_mm"),
    ("HD95 of the lungs, mm", None, None, "hd95_mm"),
    ("folded in the lungs, %", None, None, "fold_pct"),
    ("correlation in the lungs", None, None, "ncc"),
)


class _Alignment(StrEnum):
    AUTO = "auto"
    WORLD = "world"
    GRID = "grid"
    MASKS = "masks"


class _Preset(StrEnum):
    FAST = "fast"
    DEFAULT = "default"
    BEST = "best"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("register")(register_pair)


def register_pair(
    fixed: Annotated[
        Path, typer.Argument(help="Expiration: NIfTI, MHA/MHD, NRRD or a DICOM series folder.")
    ],
    moving: Annotated[Path, typer.Argument(help="Inspiration, likewise.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    fixed_mask: Annotated[
        Path | None, typer.Option(help="Lungs of the expiration; else found by threshold.")
    ] = None,
    moving_mask: Annotated[Path | None, typer.Option(help="Lungs of the inspiration.")] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(help="CSV, fixed xyz then moving xyz, voxels: to measure, not to use."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME[:VERSION]", help="Start from a model of the config's registry."),
    ] = None,
    alignment: Annotated[
        _Alignment,
        typer.Option(
            metavar="HOW", help="First step: auto, masks, grid, or world, which trusts headers."
        ),
    ] = _Alignment.AUTO,
    refine: Annotated[bool, typer.Option(help="Optimise the pair.")] = True,
    preset: Annotated[
        _Preset,
        typer.Option(
            metavar="NAME", help="fast, default or best: finest grid 4 mm, 2 mm or 1.5 mm."
        ),
    ] = _Preset.DEFAULT,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same result.")] = 0,
    full_resolution_field: Annotated[
        bool,
        typer.Option(
            "--full-resolution-field", help="Write the field on the fixed scan's own grid."
        ),
    ] = False,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="YAML that names the model's registry.")
    ] = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Register one pair: images, transforms for other tools, metrics and a page."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        import psutil

        from lungreg.config import Config, load_config
        from lungreg.sources.pair_files import PairFiles
        from lungreg.workflows.register import RegisterSettings
        from lungreg.workflows.register import register as run

        asked = config is not None or model is not None or bool(overrides)
        files = PairFiles(
            fixed=fixed,
            moving=moving,
            fixed_mask=fixed_mask,
            moving_mask=moving_mask,
            landmarks=landmarks,
        )
        settings = RegisterSettings(
            model=model,
            alignment=alignment.value,
            refine=refine,
            preset=preset.value,
            device=device,
            seed=seed,
            full_resolution_field=full_resolution_field,
        )
        done = run(
            files,
            out,
            settings,
            config=load_config(config, overrides or ()) if asked else Config(),
            started=psutil.Process().create_time(),
        )
        _show(console, done)


def _show(console: Console, done: RegisterReport) -> None:
    rows = []
    for label, *columns in _SHOWN:
        values = [None if name is None else getattr(done.result, name) for name in columns]
        if values[-1] is not None:
            rows.append([label, *("" if v is None else f"{v:.3f}" for v in values)])
    console.table("Registered", ("", "by headers", "aligned", "registered"), rows)
    verdict = "; ".join([done.result.verdict.value, *done.reasons])
    console.line(f"verdict: {verdict}")
    for note in done.notes:
        console.line(f"note: {note}")
    console.line(
        f"alignment by {done.alignment}; {done.compute_s:.1f} s to the displacement, "
        f"{done.wall_s:.1f} s in all; research use only, not a medical device"
    )
    console.line(f"open  {done.folder / 'qc.html'}")
    console.document({**dataclasses.asdict(done), "folder": str(done.folder)})
