"""The epoch whose weights a training keeps, and the error that chose it, in words."""

from __future__ import annotations

from collections.abc import Mapping

from lungreg.learning.training import validation_error
from lungreg.stores.run_files import History

_NOTHING_LEARNED = (
    "it learned nothing after it, and the version holds the weights of that first epoch; lower "
    "train.learning_rate, or look whether the loss fits the cases"
)


def best_epoch(history: History) -> int:
    """The number, from 1, of the epoch with the lowest error: the first of equal ones."""
    errors = [validation_error(metrics) for metrics in history]
    return errors.index(min(errors)) + 1


def best_epoch_words(history: History) -> str:
    """Which epoch was the best, by what, and what a first or last one means."""
    best, number = best_epoch(history), len(history)
    error = error_words(history[best - 1])
    text = f"best epoch: {best} of {number} ({error})"
    if number == 1:
        return text
    if best == 1:
        return f"{text}: {_NOTHING_LEARNED}"
    return f"{text}: more epochs may do better" if best == number else text


def error_words(metrics: Mapping[str, float]) -> str:
    """The error that `validation_error` compares, such as "landmark error 3.21 mm".

    Args:
        metrics: Of an epoch; those of the validation cases begin with "val_".
    """
    if "val_tre_mm" in metrics:
        return f"landmark error {metrics['val_tre_mm']:.3g} mm on the validation cases"
    if "val_dice_score" in metrics:
        return f"Dice {metrics['val_dice_score']:.4f} on the validation cases"
    if "val_loss" in metrics:
        return f"loss {metrics['val_loss']:.4g} on the validation cases"
    return f"loss {metrics['loss']:.4g} in training; there were no validation cases"
