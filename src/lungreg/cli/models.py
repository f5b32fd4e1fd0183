"""lungreg models list, show, promote, export, import: versions of trained models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.group import command_group
from lungreg.cli.replacing import Overwrite, require_free

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lungreg.records import ModelVersion
    from lungreg.stores import ModelRegistry

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help='A number, an alias, or "latest".')]


_COLUMNS = (
    *("version", "aliases", "val_loss", "best epoch", "train/val", "created"),
    *("val_tre_mm", "val_dice_score", "val_fold_pct", "run"),
)
"""The most telling first; "train/val" is the number of cases that it learned from and was validated
on."""
_NOT_COMPARABLE = (
    "val_* do not compare all of these: their validation cases, loss or preprocessing differ"
)


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = command_group("Versions of trained models.")
    group.command("list")(list_models)
    group.command()(show)
    group.command()(promote)
    group.command("export")(export_file)
    group.command("import")(import_file)
    app.add_typer(group, name="models")


@config_command
def list_models(
    console: Console,
    options: ConfigOptions,
) -> None:
    """List all versions with what they were trained on and how well they did."""
    from lungreg.records import counted

    found = _models(options).list()
    if not found:
        console.line("no models yet")
    for name in dict.fromkeys(m.card.name for m in found):
        versions = [m for m in found if m.card.name == name]
        title = f"{name}: {counted(len(versions), 'version')}"
        console.table(title, _COLUMNS, [_row(m) for m in versions])
        if not _comparable(versions):
            console.line(_NOT_COMPARABLE)
    console.document([{**dataclasses.asdict(m.card), "aliases": list(m.aliases)} for m in found])


@config_command
def show(
    console: Console,
    options: ConfigOptions,
    name: Name,
    version: Version = "champion",
) -> None:
    """Print the card of a version."""
    card = _models(options).resolve(name, version)
    console.line(card.to_json())
    console.document(dataclasses.asdict(card))


@config_command
def promote(
    console: Console,
    options: ConfigOptions,
    name: Name,
    version: Version,
    alias: Annotated[str, typer.Option("--alias", help="Which alias to move.")] = "champion",
) -> None:
    """Point an alias at a version."""
    models = _models(options)
    models.promote(name, version, alias)
    now = models.resolve(name, alias).version
    console.line(f"{name}: {alias} is version {now}")
    console.document({"model": name, "alias": alias, "version": now})


@config_command
def export_file(
    console: Console,
    options: ConfigOptions,
    name: Name,
    version: Version,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    overwrite: Overwrite = False,
) -> None:
    """Write a version as one file, to carry it to another site."""
    from lungreg.formats.local_files import refuse_overwriting
    from lungreg.workflows.models import export_model

    refuse_overwriting(out, [])
    require_free(console, out, overwrite=overwrite)
    card = export_model(_models(options), name, version, out)
    console.line(f"wrote {card.name} version {card.version} to {out}")
    console.document({"file": str(out), "sha256": card.weights_sha256})


@config_command
def import_file(
    console: Console,
    options: ConfigOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of 'models export'.")],
    name: Annotated[str | None, typer.Option("--name", help="Another name for it.")] = None,
) -> None:
    """Add an exported file as the next version of its name."""
    from lungreg.workflows.models import import_model

    card = import_model(_models(options), file, name=name)
    console.line(f"imported as {card.name} version {card.version}")
    console.document({"model": card.name, "version": card.version})


def _models(options: ConfigOptions) -> ModelRegistry:
    from lungreg.backends import open_backend

    return open_backend(options.config().backend).for_run(None, "models").models


def _row(version: ModelVersion) -> list[object]:
    """What tells a version from others: its losses, number of cases, epochs and date."""
    card = version.card
    epochs = card.config.get("train", {}).get("epochs")
    cases = "/".join(str(card.cases[name]) for name in ("train", "val") if card.cases)
    return [
        card.version,
        ", ".join(version.aliases),
        card.metrics.get("val_loss"),
        None if card.epoch is None else f"{card.epoch} of {epochs}",
        cases or None,
        card.created_at[:10],
        *(card.metrics.get(name) for name in ("val_tre_mm", "val_dice_score", "val_fold_pct")),
        card.run_id,
    ]


def _comparable(versions: Sequence[ModelVersion]) -> bool:
    """Whether all were validated on the same cases, with the same loss and preprocessing."""
    first, *others = [m.card for m in versions]
    return all(
        set(card.split.get("val", ())) == set(first.split.get("val", ()))
        and all(card.config.get(key) == first.config.get(key) for key in ("loss", "preprocessing"))
        for card in others
    )
