"""lungreg train: train a model on the cases of the stage."""

from __future__ import annotations

import typer

from lungreg.cli.command import ConfigOptions, Resume, config_command
from lungreg.cli.console import Console
from lungreg.cli.process import importing


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
    with importing():
        from lungreg.workflows.train import train as run

    done = run(options.config(), resume=resume, asked=options.keys(), on_progress=console.progress)
    from lungreg.learning.best_epoch import best_epoch_words

    name, version = done.card.name, done.card.version
    console.line(f"run {done.run_id}: {name} version {version}")
    if done.history:
        console.line(best_epoch_words(done.history))
    new = ", the new one" if done.champion else ""
    why = options.completed(done.why)
    console.line(f"champion of {name}: version {done.champion_version}{new}; {why}")
    chosen = name if done.champion else f"{name}:{version}"
    console.line(f"next: {options.next_command(f'infer --model {chosen}')}")
    console.document(
        {
            "run_id": done.run_id,
            "model": done.card.name,
            "version": done.card.version,
            "champion": done.champion,
            "champion_version": done.champion_version,
            "why": done.why,
            "best_epoch": done.card.epoch,
            "metrics": done.card.metrics,
            "history": done.history,
        }
    )
