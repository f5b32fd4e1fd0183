"""The options that every command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML of the run.", show_default="./lungreg.yaml"),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="A key of the config, a.b=value; may be repeated."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show details and tracebacks.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
