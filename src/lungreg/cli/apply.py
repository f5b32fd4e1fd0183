"""lungreg apply: carry an image, a mask or points through transforms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import FieldFrameName, FieldKindName, command
from lungreg.cli.console import Console
from lungreg.cli.process import importing
from lungreg.cli.replacing import Overwrite, require_free
from lungreg.errors import ConfigError

if TYPE_CHECKING:
    from lungreg.workflows.apply_points import AppliedPoints

_HELP = """Carry an image, a mask or points through one or more transforms.

TRANSFORM is transform.h5, transform_inverse.h5, displacement.nii.gz, or a file of another tool: \
of ITK or ANTs (.h5, .tfm, .txt, .mat: affine maps and one displacement field), of elastix (its \
parameters, .txt), or a vector field (.nii.gz, .nii, .mha, .mhd, .nrrd, .nhdr) of ANTs, Slicer, \
transformix, NiftyReg or SPM. --field-kind and --field-frame say what a field does not.

Images are sampled once, on the grid of --reference: each of its points goes through the \
transforms in the order given, as with antsApplyTransforms. Of transforms A to B and B to C, that \
order carries an image of C onto A. transform.h5 carries the moving scan onto the fixed one, \
transform_inverse.h5 the fixed one onto the moving one.

Points (.csv, .fcsv, .mrk.json) go the same way: through transform.h5 from the fixed scan to the \
moving one. --direction moving-to-fixed takes the exact inverse at each point.
"""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(help=_HELP)(apply)


@command
def apply(
    console: Console,
    transforms: Annotated[
        list[Path],
        typer.Argument(
            metavar="TRANSFORM", help="One file or more, in the order in which points go."
        ),
    ],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Image, mask or points.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            help="Scan whose grid the output gets; of points, whose voxels.",
            show_default="the grid in the JSON beside the transform",
        ),
    ] = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="A mask: labels, nearest neighbour.")
    ] = False,
    order: Annotated[
        int | None,
        typer.Option(
            "--order", min=0, max=3, help="Spline between voxels.", show_default="1, linear"
        ),
    ] = None,
    outside: Annotated[
        float | None,
        typer.Option("--outside", help="Value outside of the image.", show_default="air"),
    ] = None,
    frame: Annotated[
        str | None, typer.Option("--frame", metavar="voxel|ras|lps", help="Coordinates of a .csv.")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            "--direction",
            metavar="fixed-to-moving|moving-to-fixed",
            help="Where points go.",
            show_default="as the files map",
        ),
    ] = None,
    input_grid: Annotated[
        Path | None,
        typer.Option("--input-grid", help="Scan whose voxels the points are given in."),
    ] = None,
    field_kind: FieldKindName = None,
    field_frame: FieldFrameName = None,
    overwrite: Overwrite = False,
) -> None:
    """Carry an image, a mask or points through one or more transforms."""
    from lungreg.formats.transforms.fields import parse_meaning
    from lungreg.records import counted

    with importing():
        from lungreg.workflows.apply import apply_to_image
        from lungreg.workflows.apply_points import apply_to_points, is_points
    field = parse_meaning(field_kind, field_frame)
    of_points = is_points(source)
    if of_points:
        _refuse({"--nearest": nearest or None, "--order": order, "--outside": outside}, "images")
    else:
        points_only = {"--frame": frame, "--direction": direction, "--input-grid": input_grid}
        _refuse(points_only, "points", mend="to carry an image back, give transform_inverse.h5")
        _refuse({"--order": order if nearest else None}, "images without --nearest")
    _require_output(out, [*transforms, source, reference, input_grid], of_points=of_points)
    require_free(console, out, overwrite=overwrite)
    if of_points:
        moved = apply_to_points(
            transforms,
            source,
            out,
            frame=frame,
            direction=direction,
            input_grid=input_grid,
            reference=reference,
            field=field,
        )
        console.line(f"{counted(moved.points, 'point')} written to {out}")
        _tell_doubts(console, moved)
        console.document({"file": str(out), **dataclasses.asdict(moved)})
        return
    found = apply_to_image(
        transforms,
        source,
        out,
        reference=reference,
        order=1 if order is None else order,
        nearest=nearest,
        outside_value=outside,
        field=field,
    )
    console.line(f"written to {out}; {found.outside_pct:.1f} % lies outside of the image")
    console.document({"file": str(out), **dataclasses.asdict(found)})


def _require_output(out: Path, inputs: Iterable[Path | None], *, of_points: bool) -> None:
    """Refuse an output that is an input, a folder or of another format.

    The workflows refuse it too; here it is refused before the user is asked anything.
    """
    from lungreg.formats.local_files import refuse_overwriting
    from lungreg.workflows.apply import require_image_name
    from lungreg.workflows.apply_points import require_points_name

    refuse_overwriting(out, inputs)
    (require_points_name if of_points else require_image_name)(out)


def _tell_doubts(console: Console, moved: AppliedPoints) -> None:
    """Print what is doubtful about points that were carried; with -q too."""
    from lungreg.records import counted

    doubts = {
        "inexact: the transform folds there": moved.inexact,
        "outside of their scan: is the frame right?": moved.outside,
    }
    for text, number in doubts.items():
        if number:
            console.line(f"{number} of them {text}")
            console.though_quiet(f"{number} of {counted(moved.points, 'point')} {text}")


def _refuse(given: Mapping[str, object | None], those: str, *, mend: str | None = None) -> None:
    """Refuse options that mean nothing for this input."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        msg = f"{', '.join(given)} are for {those}"
        raise ConfigError(msg, got=", ".join(names), mend=mend or "leave them out")
