from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lungreg.formats.points.landmarks import decode_landmarks
from lungreg.formats.volumes import read_volume
from tests.benchmarks.pairs import make_varied_pairs, write_varied
from tests.varied import make_varied


def test_a_seed_that_tuning_may_have_used_is_refused(tmp_path: Path) -> None:
    """Only held-back seeds may be compared on."""
    with pytest.raises(ValueError, match=r"seeds that nothing was tuned on, got \[4\]"):
        list(make_varied_pairs(tmp_path, "varied", troubles=["none"], seeds=[3, 4]))


def test_a_varied_pair_is_written_with_its_truth(tmp_path: Path) -> None:
    """The files hold the stored values, and landmarks that the truth carries into each other."""
    case = make_varied("small", "offset1000", 3)
    pair = write_varied(tmp_path / case.name, case)
    for role in ("fixed", "moving"):
        scan = getattr(case.pair, role)
        written = read_volume(pair.file(role))
        assert np.array_equal(written.data, scan.data)
        assert written.grid.same_as(scan.grid)
    points = decode_landmarks(pair.file("landmarks").read_bytes())
    fixed, moving = case.pair.fixed.grid, case.pair.moving.grid
    gap = case.true_moving(fixed.to_world(points[:, :3])) - moving.to_world(points[:, 3:])
    assert np.linalg.norm(gap, axis=1).max() < 0.02
