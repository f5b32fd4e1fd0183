"""Which epoch is the best, in words that a newcomer understands."""

from __future__ import annotations

import math

import pytest

from lungreg.learning.best_epoch import best_epoch, best_epoch_words, error_words

VALIDATED = [{"loss": 0.5, "val_loss": value} for value in (0.4, 0.3, 0.3, 0.5)]


def test_the_first_of_equal_epochs_is_the_best() -> None:
    """As training keeps weights only where the error is lower; NaN is never the best."""
    assert best_epoch(VALIDATED) == 2
    assert best_epoch([{"loss": math.nan}, {"loss": 2.0}, {"loss": 3.0}]) == 2


@pytest.mark.parametrize(
    ("losses", "says", "says_not"),
    [
        ((0.3, 0.4, 0.5), "best epoch: 1 of 3 (loss 0.3 in training", "more epochs"),
        ((0.3, 0.4, 0.5), "it learned nothing after it", "more epochs"),
        ((0.5, 0.4, 0.3), "best epoch: 3 of 3", "learned nothing"),
        ((0.5, 0.4, 0.3), "more epochs may do better", "learned nothing"),
        ((0.5, 0.3, 0.4), "best epoch: 2 of 3", ": more epochs"),
        ((0.5,), "best epoch: 1 of 1", "learned nothing"),
    ],
)
def test_the_first_and_the_last_epoch_are_remarked_on(
    losses: tuple[float, ...], says: str, says_not: str
) -> None:
    """A first one that stayed the best learned nothing; a last one might go on."""
    words = best_epoch_words([{"loss": loss} for loss in losses])
    assert says in words
    assert says_not not in words


def test_the_error_is_the_one_that_epochs_are_compared_by() -> None:
    """Landmarks before Dice before loss, each on the validation cases where there are any."""
    metrics = {"loss": 0.5, "val_loss": 0.25, "val_dice_score": 0.91, "val_tre_mm": 2.345}
    for name, words in (
        ("val_tre_mm", "landmark error 2.35 mm on the validation cases"),
        ("val_dice_score", "Dice 0.9100 on the validation cases"),
        ("val_loss", "loss 0.25 on the validation cases"),
        ("loss", "loss 0.5 in training; there were no validation cases"),
    ):
        assert error_words(metrics) == words
        del metrics[name]
