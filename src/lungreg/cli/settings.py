"""Configuration: init, and config validate, show, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.console import command
from lungreg.cli.options import AsJson, ConfigFile, Overrides, Quiet, Verbose

config_app = typer.Typer(help="Check and show configurations.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(init)


def init(
    file: Annotated[Path, typer.Argument(help="File to write.")] = Path("lungreg.yaml"),
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import write_template

        write_template(file)
        console.line(f"wrote {file}; check it with 'lungreg config validate -c {file}'")
        console.document({"config": str(file)})


@config_app.command()
def validate(
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check a configuration."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import load_config

        load_config(config, overrides or ())
        console.line("the configuration is valid")
        console.document({"valid": True})


@config_app.command()
def show(
    config: ConfigFile = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Print a configuration with all defaults filled in."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        import yaml

        from lungreg.config import load_config

        shown = load_config(config, overrides or ()).model_dump(mode="json")
        console.line(yaml.safe_dump(shown, sort_keys=False).rstrip())
        console.document(shown)


@config_app.command()
def schema(verbose: Verbose = False, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Print the JSON schema of configurations."""
    with command(verbose=verbose, quiet=quiet, as_json=as_json) as console:
        from lungreg.config import Config

        found = Config.model_json_schema()
        console.line(json.dumps(found, indent=2))
        console.document(found)
