"""The main job on a real thorax that breathes: needs LUNGREG_REAL_DATA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest

from lungreg.backends.local.stage import LocalStage
from lungreg.config import parse_config
from lungreg.records import Split
from lungreg.stores.run_files import read_split
from lungreg.workflows.infer import infer
from lungreg.workflows.ingest import ingest
from lungreg.workflows.report import report
from lungreg.workflows.simulate import simulate
from lungreg.workflows.train import train


@pytest.mark.slow
@pytest.mark.real
def test_real_thorax_is_registered(
    real_data: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Six breaths of one real CT: the two that training never saw come closer than aligned."""
    ct = real_data / "cip_ct64"
    simulate(
        tmp_path / "training",
        cases=6,
        seed=2,
        ct=ct / "ct.nii.gz",
        mask=ct / "lung_mask.nii.gz",
    )
    config = parse_config(
        {
            "backend": {"root": str(tmp_path / "stage"), "tracking": False},
            "seed": 2,
            "ingest": {"source": str(tmp_path / "training")},
            "data": {"split": {"train": 0.5, "val": 0.17, "test": 0.33}},
            "preprocessing": {"spatial_size": [32, 32, 32], "alignment": "world"},
            "network": {"num_channel_initial": 4},
            "loss": {"mutual_information": 0.2, "dice": 10.0, "landmarks": 0.3},
            "train": {"workers": 0, "epochs": 6, "learning_rate": 2.0e-3},
            "infer": {"model": "lung_ct_registration", "workers": 0},
        }
    )
    assert not ingest(config).rejected
    run_id = train(config).run_id
    unseen = read_split(LocalStage(tmp_path / "stage"), run_id)[Split.TEST]
    infer_settings = config.infer.model_copy(update={"cases": unseen})
    done = infer(config.model_copy(update={"infer": infer_settings}))
    tested = done.results
    assert [row.split for row in tested] == [Split.TEST] * 2
    assert not done.failed
    before, after = (fmean(getattr(r, c) for r in tested) for c in ("tre_aligned_mm", "tre_mm"))
    overlap = [fmean(getattr(r, c) for r in tested) for c in ("dice_aligned", "dice_score")]
    record_property("real CT", f"TRE {before:.2f} to {after:.2f} mm")
    record_property("overlap", f"Dice {overlap[0]:.3f} to {overlap[1]:.3f}")
    assert after < 0.8 * before
    assert overlap[1] > overlap[0]
    page = (tmp_path / "stage" / report(config, done.run_id)).read_text(encoding="utf-8")
    assert all(case_id in page for case_id in unseen)
