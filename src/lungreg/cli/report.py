"""lungreg report: the page of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lungreg.cli.command import ConfigOptions, config_command
from lungreg.cli.console import Console
from lungreg.cli.infer import print_means
from lungreg.cli.verdicts import print_verdicts, tell_doubtful


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


@config_command
def report(
    console: Console,
    options: ConfigOptions,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run of infer, as it or results named it.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the pages here, not to the stage.")
    ] = None,
) -> None:
    """Write one page that says which results of a run can be trusted."""
    from lungreg.backends import open_backend
    from lungreg.workflows.infer_report import means_by_split
    from lungreg.workflows.report import report as write_page
    from lungreg.workflows.report import report_here
    from lungreg.workflows.results import run_results

    settings = options.config()
    backend = open_backend(settings.backend)
    if out is None:
        page = backend.stage.uri(write_page(settings, run, backend=backend))
    else:
        page = str(report_here(settings, run, out, backend=backend))
    rows = run_results(backend.for_run(run, "report"), run)
    print_verdicts(console, rows)
    tell_doubtful(console, rows)
    print_means(console, means_by_split(rows))
    console.line(f"open {page}")
    console.document({"run_id": run, "report": page})
