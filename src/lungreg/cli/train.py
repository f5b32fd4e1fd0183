"""lungreg train: train a model on the cases of the stage."""

from __future__ import annotations

import typer

from lungreg.cli.command import ConfigOptions, Resume, config_command
from lungreg.cli.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


@config_command
def train(
    console: Console,
    options: ConfigOptions,
    resume: Resume = None,
) -> None:
    """Train LocalNet on the stage's cases and register the best epoch."""
    from lungreg.workflows.train import train as run

    done = run(options.config(), resume=resume, asked=options.keys(), on_progress=console.progress)
    role = " (champion)" if done.champion else ""
    console.line(f"run {done.run_id}: {done.card.name} version {done.card.version}{role}")
    console.line(f"next: {options.next_command(f'infer --model {done.card.name}')}")
    console.document(
        {
            "run_id": done.run_id,
            "model": done.card.name,
            "version": done.card.version,
            "champion": done.champion,
            "metrics": done.card.metrics,
            "history": done.history,
        }
    )
