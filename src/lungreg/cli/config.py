"""lungreg config validate, show, schema: check and show configurations."""

from __future__ import annotations

import json

import typer

from lungreg.cli.command import ConfigOptions, command, config_command
from lungreg.cli.console import Console
from lungreg.cli.group import command_group


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = command_group("Check and show configurations.")
    group.command()(validate)
    group.command()(show)
    group.command()(schema)
    app.add_typer(group, name="config")


@config_command
def validate(console: Console, options: ConfigOptions) -> None:
    """Check a configuration."""
    options.config()
    console.line("the configuration is valid")
    console.document({"valid": True})


@config_command
def show(console: Console, options: ConfigOptions) -> None:
    """Print a configuration with all defaults filled in."""
    from lungreg.config.yaml_writing import to_yaml

    shown = options.config().model_dump(mode="json")
    console.line(to_yaml(shown).rstrip())
    console.document(shown)


@command
def schema(console: Console) -> None:
    """Print the JSON schema of configurations."""
    from lungreg.config import Config

    found = Config.model_json_schema()
    console.line(json.dumps(found, indent=2))
    console.document(found)
