"""The configuration as a whole: top-level keys, defaults, rules across sections."""

from __future__ import annotations

import pytest

from lungreg.config import Config, WorkerRange, parse_config
from tests.config.breaches import breaches


def test_the_sections_are_those_of_the_readme() -> None:
    """No more and no less."""
    assert set(Config.model_fields) == {
        *("backend", "ingest", "train", "infer", "seed", "data", "preprocessing"),
        *("network", "loss", "refine", "quality", "report", "cost"),
    }


class TestDefaults:
    def test_nothing_is_needed(self) -> None:
        """An empty configuration is the published size with the design's settings."""
        config = parse_config({})
        assert config == Config()
        assert config.backend.kind == "local"
        assert config.preprocessing.hu_window == (-1000.0, 500.0)
        assert config.preprocessing.spatial_size == (96, 96, 104)
        assert config.preprocessing.alignment == "auto"
        augmentation = config.preprocessing.augmentation
        assert (augmentation.rotation_deg, augmentation.translation_vox) == (6.0, 10.0)
        assert (augmentation.scale, augmentation.noise_std) == (0.1, 0.05)
        assert augmentation.blur_sigma == (0.5, 1.5)
        assert config.network.extract_levels == (1, 2, 3)
        assert (config.network.mode, config.network.norm) == ("trilinear", "instance")
        assert (config.train.epochs, config.train.batch_size) == (25, 2)
        assert (config.data.split.train, config.data.split.val, config.data.split.test) == (
            0.8,
            0.2,
            0.0,
        )
        assert config.cost is None

    def test_refinement_is_a_switch_with_presets(self) -> None:
        """Off by default: a cohort's figures are the network's unless asked otherwise."""
        assert not Config().refine.enabled
        assert parse_config({"refine": {"enabled": True}}).refine.preset == "default"
        assert "refine.preset" in breaches({"refine": {"preset": "slow"}})


class TestSpatialSize:
    @pytest.mark.parametrize(
        ("size", "levels", "nearest"),
        [
            ((100, 96, 104), (3,), (96, 96, 104)),
            ((96, 96, 101), (0, 1, 2, 3), (96, 96, 104)),
            ((3, 33, 1), (0, 4), (16, 32, 16)),
            ((0, -8, 16), (3,), (8, 8, 16)),
        ],
    )
    def test_nearest_legal_size_is_named(
        self, size: tuple[int, ...], levels: tuple[int, ...], nearest: tuple[int, ...]
    ) -> None:
        """Sides divide by 2 to the deepest level; others are refused with the nearest that do."""
        said = breaches(
            {"preprocessing": {"spatial_size": size}, "network": {"extract_levels": levels}}
        )
        step = 2 ** max(levels)
        assert f"preprocessing.spatial_size divides by {step} " in said
        assert said.endswith(f"got {size}; the nearest legal size is {nearest}")
        parse_config(
            {"preprocessing": {"spatial_size": nearest}, "network": {"extract_levels": levels}}
        )

    def test_depth_counts_not_the_default(self) -> None:
        """A shallower network allows finer steps."""
        raw = {"preprocessing": {"spatial_size": [98, 96, 102]}, "network": {"extract_levels": [1]}}
        assert parse_config(raw).preprocessing.spatial_size == (98, 96, 102)

    def test_more_than_one_voxel_is_left_below(self) -> None:
        """A size that shrinks to a single voxel cannot be normalised: refused; one side saves."""
        said = breaches({"preprocessing": {"spatial_size": [8, 8, 8]}})
        assert "some side of preprocessing.spatial_size is at least 16" in said
        parse_config({"preprocessing": {"spatial_size": [8, 8, 16]}})


class TestWorkers:
    @pytest.mark.parametrize("section", ["infer", "train"])
    @pytest.mark.parametrize("value", ["auto", 0, 3, {"min": 1, "max": 3}])
    def test_auto_number_or_range(self, section: str, value: object) -> None:
        """What the pool of infer and the group of train may be."""
        found = getattr(parse_config({section: {"workers": value}}), section).workers
        assert found == (WorkerRange(min=1, max=3) if isinstance(value, dict) else value)
