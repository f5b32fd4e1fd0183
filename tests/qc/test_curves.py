"""The curves of a training run for a notebook."""

from __future__ import annotations

from lungreg.qc.curves import training_curves

HISTORY = [
    {"loss": 3.0, "val_loss": 4.0, "val_tre_mm": 9.0},
    {"loss": 2.0, "val_loss": 5.0},
    {"loss": 1.0, "val_loss": 6.0, "val_tre_mm": 7.0},
]


def test_each_measure_that_was_taken_has_its_curve() -> None:
    """By epochs from 1, the one that was kept marked; nothing where it was not measured."""
    loss, tre = training_curves(HISTORY, best_epoch=2).axes
    assert (loss.get_title(), tre.get_title()) == ("Loss", "Landmark error, mm")
    trained, validated, kept = (line.get_xydata().tolist() for line in loss.get_lines())
    assert trained == [[1, 3], [2, 2], [3, 1]]
    assert validated == [[1, 4], [2, 5], [3, 6]]
    assert [x for x, _ in kept] == [2, 2]
    assert tre.get_lines()[0].get_xydata().tolist() == [[1, 9], [3, 7]]


def test_a_run_without_epochs_has_an_empty_figure() -> None:
    """It shows itself all the same."""
    assert training_curves([])._repr_png_().startswith(b"\x89PNG")
