"""The curves of a training run as a matplotlib figure, for a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lungreg.qc.figure import CaseFigure

_TRAINED, _VALIDATED = "#3a6ea5", "#d1495b"
_CURVES = (
    ("Loss", "loss", "val_loss"),
    ("Dice of the lungs", None, "val_dice_score"),
    ("Landmark error, mm", None, "val_tre_mm"),
)
"""Title of a plot, and the columns of the training and of the validation cases in it."""

History = Sequence[Mapping[str, float]]


def training_curves(history: History, best_epoch: int | None = None) -> Figure:
    """Loss by epoch, and what the validation cases say where they have masks and landmarks.

    Args:
        history: Metrics of each epoch; those of the validation cases begin with "val_".
        best_epoch: The epoch whose weights were kept, from 1, marked with a line; None for none.
    """
    known = {name for epoch in history for name in epoch}
    shown = [curve for curve in _CURVES if known.intersection(curve[1:])]
    figure = CaseFigure(figsize=(3.6 * max(len(shown), 1), 3.0), layout="constrained")
    for axis, (title, trained, validated) in zip(
        figure.subplots(1, max(len(shown), 1), squeeze=False)[0], shown, strict=False
    ):
        _draw(axis, history, trained, "training", _TRAINED)
        _draw(axis, history, validated, "validation", _VALIDATED)
        if best_epoch is not None:
            axis.axvline(best_epoch, color="0.75", zorder=0)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch", fontsize=9)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if shown:
        figure.axes[0].legend(frameon=False, fontsize=8)
    return figure


def _draw(axis: Axes, history: History, column: str | None, label: str, colour: str) -> None:
    """One curve over the epochs that have the column; epochs are counted from 1."""
    if column is None:
        return
    points = [(k, epoch[column]) for k, epoch in enumerate(history, 1) if column in epoch]
    if points:
        epochs, values = zip(*points, strict=True)
        axis.plot(epochs, values, color=colour, marker="o", markersize=3, label=label)
