"""lungreg config validate, show, schema: check and show configurations."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import ConfigOptions, command, config_command
from lungreg.cli.console import Console
from lungreg.cli.group import command_group
from lungreg.errors import ConfigError

_File = Annotated[
    Path | None, typer.Argument(metavar="FILE", help="YAML of the run, as -c names it too.")
]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = command_group("Check and show configurations.")
    group.command()(validate)
    group.command()(show)
    group.command()(schema)
    app.add_typer(group, name="config")


@config_command
def validate(console: Console, options: ConfigOptions, file: _File = None) -> None:
    """Check a configuration."""
    _of(file, options).config()
    console.line("the configuration is valid")
    console.document({"valid": True})


@config_command
def show(console: Console, options: ConfigOptions, file: _File = None) -> None:
    """Print a configuration with all defaults filled in."""
    from lungreg.config.yaml_writing import to_yaml

    shown = _of(file, options).config().model_dump(mode="json")
    console.line(to_yaml(shown).rstrip())
    console.document(shown)


@command
def schema(console: Console) -> None:
    """Print the JSON schema of configurations."""
    from lungreg.config import Config

    found = Config.model_json_schema()
    console.line(json.dumps(found, indent=2))
    console.document(found)


def _of(file: Path | None, options: ConfigOptions) -> ConfigOptions:
    """The options with the file that is named without -c."""
    if file is None:
        return options
    if options.file is not None:
        msg = "one configuration is named, as FILE or by -c"
        raise ConfigError(msg, got=f"{file} and {options.file}")
    return replace(options, file=file)
