"""lungreg register: register one pair of scans; what options do not say a configuration may."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from lungreg.cli.command import ConfigOptions, Overrides, command
from lungreg.cli.console import Console
from lungreg.cli.process import importing
from lungreg.cli.replacing import require_agreed
from lungreg.cli.verdicts import print_verdict

if TYPE_CHECKING:
    from lungreg.config import Alignment, Config, RefinePreset
    from lungreg.records import CaseMetrics
    from lungreg.workflows.register_records import RegisterReport


def _alignments() -> Sequence[str]:
    """Read when an option is parsed or completed, not for --help."""
    from lungreg.config import Alignment

    return get_args(Alignment)


def _presets() -> Sequence[str]:
    from lungreg.config import RefinePreset

    return get_args(RefinePreset)


def _alignment(value: str | None) -> str | None:
    return _one_of(_alignments(), value)


def _preset(value: str | None) -> str | None:
    return _one_of(_presets(), value)


def _one_of(known: Sequence[str], value: str | None) -> str | None:
    """The value, if the configuration knows it.

    Raises:
        BadParameter: It does not.
    """
    if value is not None and value not in known:
        msg = f"{value!r} is not one of {', '.join(map(repr, known))}."
        raise typer.BadParameter(msg)
    return value


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("register")(register_pair)


@command
def register_pair(
    console: Console,
    fixed: Annotated[
        Path,
        typer.Argument(
            metavar="FIXED", help="Expiration: NIfTI, MHA/MHD, NRRD or a DICOM series folder."
        ),
    ],
    moving: Annotated[
        Path, typer.Argument(metavar="MOVING", help="Inspiration, as for the expiration.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")],
    fixed_mask: Annotated[
        Path | None, typer.Option(help="Lungs of the expiration; else found by threshold.")
    ] = None,
    moving_mask: Annotated[Path | None, typer.Option(help="Lungs of the inspiration.")] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(help="CSV, fixed xyz then moving xyz, in voxels: to measure by, not used."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME[:VERSION]", help="Start from a model of the config's registry."),
    ] = None,
    alignment: Annotated[
        str | None,
        typer.Option(
            metavar="HOW",
            callback=_alignment,
            autocompletion=_alignments,
            help="First step: auto (default), masks, grid, centre, or world: trusts headers.",
        ),
    ] = None,
    refine: Annotated[
        bool | None,
        typer.Option("--refine/--no-refine", help="Optimise the pair (default), or only align it."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=_preset,
            autocompletion=_presets,
            help="fast, default or best, each slower: finest grid 2, 1.4, 1.1 mm.",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto (default), cpu, cuda, cuda:N or mps.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same result; else 0.")] = None,
    full_resolution_field: Annotated[
        bool | None, typer.Option(help="Write the field on the fixed scan's own grid.")
    ] = None,
    time_points: Annotated[
        bool | None,
        typer.Option(help="The scans are time points of one breathing state, in any order."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of an earlier call in the folder.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="YAML with what options do not say; else ./lungreg.yaml."
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Register one pair: images, transforms for other tools, metrics and a page.

    Such as: lungreg register exp.nii.gz insp.nii.gz -o out
    """
    chosen = _configuration(console, config, overrides or ())
    _require_free(console, out, overwrite=overwrite)
    from lungreg.workflows.progress import one_step

    with importing(), one_step(console.progress, "starting"):  # PyTorch takes seconds to be there.
        import psutil

        from lungreg.devices import keep_freed_memory
        from lungreg.workflows.register import register as run
    from lungreg.sources.pair_files import PairFiles
    from lungreg.workflows.register_records import RegisterSettings

    files = PairFiles(
        fixed=fixed,
        moving=moving,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        landmarks=landmarks,
    )
    settings = RegisterSettings(
        model=model,
        alignment=cast("Alignment | None", alignment),
        refine=refine,
        preset=cast("RefinePreset | None", preset),
        device=device,
        seed=seed,
        full_resolution_field=full_resolution_field,
        time_points=time_points,
    )
    # The preset best has the largest volumes, of several sizes: kept pieces would add up.
    if settings.applied_to(chosen).refine.preset != "best":
        keep_freed_memory()
    done = run(
        files,
        out,
        settings,
        config=chosen,
        on_progress=console.progress,
        started=psutil.Process().create_time(),
    )
    _show(console, done)


def _configuration(console: Console, file: Path | None, overrides: Sequence[str]) -> Config:
    """What options do not say; a file that nobody named is told."""
    from lungreg.config import DEFAULT_FILE

    if file is None and not console.quiet and Path(DEFAULT_FILE).is_file():
        typer.echo(f"settings of ./{DEFAULT_FILE} count beside the options", err=True)
    return ConfigOptions(file=file, overrides=overrides, quiet=True).config()


def _require_free(console: Console, out: Path, *, overwrite: bool) -> None:
    """Refuse to replace earlier results unless the user agrees: by the option, or when asked.

    Raises:
        RunError: The user does not agree, or the folder holds other files.
    """
    from lungreg.workflows.output_folder import holds_earlier_results, require_writable

    require_writable(out)
    if holds_earlier_results(out):
        require_agreed(
            console,
            f"the earlier results in {out}",
            out,
            rule="results of an earlier register are replaced only when asked for",
            got="a folder that holds some",
            instead="folder with -o",
            overwrite=overwrite,
        )


def _measured(result: CaseMetrics) -> list[list[str]]:
    """The main measures that a case has, each by headers, aligned and registered."""
    from lungreg.metrics import measures

    shown = (
        *(measures.DICE, measures.TRE, measures.TRE_MEDIAN, measures.ETRE, measures.ETRE_P95),
        *(measures.ETRE_FOUND, measures.HD95, measures.FOLDS, measures.NCC),
    )
    rows = []
    for one in shown:
        column = measures.EVALUATED[one.name]
        fields = (one.initial, one.aligned, one.name)
        values = [None if name is None else getattr(result, name) for name in fields]
        if values[-1] is not None:
            rows.append([one.heading, *("" if v is None else column.number(v) for v in values)])
    return rows


def _show(console: Console, done: RegisterReport) -> None:
    from lungreg.stores.names import PAGE_FILE

    result = done.result
    columns = ("", "by headers", "aligned", "registered")
    console.table("Registered", columns, _measured(result))
    print_verdict(console, result, done.reasons)
    for region in done.regions:
        console.line(f"estimated error, {region}")
    for note in done.notes:
        console.line(f"note: {note}")
    if result.model_name is not None:
        console.line(f"started from {result.model_name} version {result.model_version}")
    console.line(
        f"alignment: {done.alignment}; {done.compute_s:.1f} s to the displacement, "
        f"{done.wall_s:.1f} s in all; research use only, not a medical device"
    )
    console.line(f"open  {done.folder / PAGE_FILE}")
    console.document({**dataclasses.asdict(done), "folder": str(done.folder)})
