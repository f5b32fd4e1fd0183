"""Histories of training compared."""

from __future__ import annotations

import pytest

from lungreg.stores.run_files import History


def assert_same(found: History, expected: History, *, tolerance: float) -> None:
    """Both have the same metrics in the same epochs: absolutely below 1, relatively above."""
    assert len(found) == len(expected)
    for mine, other in zip(found, expected, strict=True):
        assert mine == {
            k: pytest.approx(v, abs=tolerance, rel=2 * tolerance) for k, v in other.items()
        }
