"""Random numbers that are the same in every run."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that gives every run the same numbers."""
    return np.random.default_rng(7)
