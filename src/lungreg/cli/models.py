"""Trained models: list, show, promote, export, import."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lungreg.cli.console import command
from lungreg.cli.options import AsJson, ConfigFile, Overrides, Quiet, Verbose

if TYPE_CHECKING:
    from lungreg.stores import ModelRegistry

models_app = typer.Typer(help="Versions of trained models.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the model.")]
Version = Annotated[str, typer.Argument(help='A number, an alias, or "latest".')]


def _models(config: Path | None, overrides: list[str] | None) -> ModelRegistry:
    from lungreg.backends import open_backend
    from lungreg.config import load_config

    return open_backend(load_config(config, overrides or ()).backend).for_run(None, "models").models


@models_app.command("list")
def list_models(
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """List all versions."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        found = _models(config, overrides).list()
        shown = ("val_dice_score", "val_tre_mm", "val_fold_pct")
        rows = [
            [m.card.name, m.card.version, ", ".join(m.aliases), m.card.created_at]
            + [m.card.metrics.get(name) for name in shown]
            for m in found
        ]
        console.table("Models", ("name", "version", "aliases", "created", *shown), rows)
        console.document(
            [{**dataclasses.asdict(m.card), "aliases": list(m.aliases)} for m in found]
        )


@models_app.command()
def show(
    name: Name,
    version: Version = "champion",
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Print the card of a version."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        card = _models(config, overrides).resolve(name, version)
        console.line(card.to_json())
        console.document(dataclasses.asdict(card))


@models_app.command()
def promote(
    name: Name,
    version: Version,
    alias: Annotated[str, typer.Option("--alias", help="Which alias to move.")] = "champion",
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Point an alias at a version."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        models = _models(config, overrides)
        models.promote(name, version, alias)
        now = models.resolve(name, alias).version
        console.line(f"{name}: {alias} is version {now}")
        console.document({"model": name, "alias": alias, "version": now})


@models_app.command("export")
def export_file(
    name: Name,
    version: Version,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a version as one file, to carry it to another site."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.workflows.models import export_model

        card = export_model(_models(config, overrides), name, version, out)
        console.line(f"wrote {card.name} version {card.version} to {out}")
        console.document({"file": str(out), "sha256": card.weights_sha256})


@models_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A file of 'models export'.")],
    name: Annotated[str | None, typer.Option("--name", help="Another name for it.")] = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Add an exported file as the next version of its name."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.workflows.models import import_model

        card = import_model(_models(config, overrides), file, name=name)
        console.line(f"imported as {card.name} version {card.version}")
        console.document({"model": card.name, "version": card.version})
