"""Loading: messages of breaches, overrides, files and paths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lungreg.config import NAMED_SOURCES, Config, WorkerRange, load_config, parse_config
from lungreg.errors import ConfigError
from tests.config.breaches import breaches


class TestBreaches:
    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            ({"trian": {}}, "trian: unknown key"),
            ({"train": {"epoch": 3}}, "train.epoch: unknown key"),
            (
                {"train": {"epochs": -5}},
                "train.epochs: must be greater than or equal to 1, got -5",
            ),
            ({"train": {"epochs": "many"}}, "train.epochs: must be a valid integer"),
            ({"train": 3}, "train: must be a mapping, got 3"),
            ({"network": {"mode": "cubic"}}, "network.mode: must be 'trilinear' or 'nearest'"),
            ({"backend": {"kind": "tape"}}, "backend.kind: must be 'local' or 'snowflake'"),
            ({"backend": {"kind": None}}, "backend.kind: must be 'local' or 'snowflake'"),
            ({"backend": "local"}, "backend: must be a mapping"),
            ({"backend": 3}, "backend: must be a mapping, got 3"),
            ({"backend": ["local"]}, "backend: must be a mapping"),
            ({"backend": {"kind": "snowflake", "root": "x"}}, "backend.root: unknown key"),
            ({"cost": {}}, "cost.credits_per_node_hour: must be given"),
            (
                {"infer": {"workers": "many"}},
                "infer.workers: must be a valid integer or 'auto' or a mapping",
            ),
            (
                {"infer": {"workers": -1}},
                "infer.workers: must be greater than or equal to 0, got -1",
            ),
            (
                {"infer": {"workers": {"min": 0, "max": 2}}},
                "infer.workers.min: must be greater than or equal to 1, got 0",
            ),
            (
                {"infer": {"workers": {"min": 5, "max": 2}}},
                "infer.workers: workers.max is at least workers.min, got 2 < 5",
            ),
            (
                {"infer": {"workers": 2.5}},
                "infer.workers: must be a valid integer, got a number with a fractional part",
            ),
            ({"infer": {"cases": [1]}}, "infer.cases.0: must be a valid string, got 1"),
            (
                {"data": {"split": {"train": "most"}}},
                "data.split.train: must be a valid number or a valid list",
            ),
            (
                {"preprocessing": {"spatial_size": [96, 96]}},
                "preprocessing.spatial_size.2: must be given",
            ),
            (
                {"preprocessing": {"hu_window": [500, -1000]}},
                "preprocessing.hu_window: hu_window goes from low to high, got (500.0, -1000.0)",
            ),
            (
                {"train": {"learning_rate": float("inf")}},
                "train.learning_rate: must be a finite number, got inf",
            ),
            ({"seed": -1}, "seed: must be greater than or equal to 0, got -1"),
        ],
    )
    def test_says_where_and_what(self, raw: dict[str, Any], said: str) -> None:
        """One plain line per breach: the key as it is written in the file, the rule, the value."""
        assert breaches(raw) == said

    def test_lists_all_breaches_at_once(self) -> None:
        """Whoever mends a file sees everything that is wrong with it."""
        said = breaches({"train": {"epochs": 0, "lr": 1}, "seed": "x"})
        assert said.split("; ") == [
            "seed: must be a valid integer",
            "train.epochs: must be greater than or equal to 1, got 0",
            "train.lr: unknown key",
        ]

    @pytest.mark.parametrize("value", [-1, 2.5, "many", [], {"min": 0}, {"a": 1}, None])
    def test_names_no_types_of_python(self, value: object) -> None:
        """Whatever stands for the workers, the message has none of pydantic's own words."""
        said = breaches({"infer": {"workers": value}})
        assert not re.search(r"constrained|literal\[|WorkerRange|dictionary", said)

    def test_shows_no_text_of_the_file(self) -> None:
        """A value that is text may name a path or a patient: it does not go into the message."""
        assert "secret" not in breaches({"train": {"device": "/home/secret", "epochs": "secret"}})

    def test_keys_are_text(self) -> None:
        """A number as a key is a breach like any other."""
        assert breaches({1: 2}).startswith("1: Keys should be strings")  # type: ignore[dict-item]


class TestOverrides:
    def test_values_are_yaml(self) -> None:
        """Numbers, null, lists and mappings are read as in a file; "=" may be in a value."""
        config = load_config(
            None,
            [
                "train.epochs=7",
                "preprocessing.spatial_size=[32, 16, 16]",
                "preprocessing.augmentation.rotation_deg=null",
                "infer.workers={min: 1, max: 2}",
                "infer.version=3",
                "infer.cases=[a=b, 'c']",
            ],
        )
        assert config.train.epochs == 7
        assert config.preprocessing.spatial_size == (32, 16, 16)
        assert config.preprocessing.augmentation.rotation_deg is None
        assert config.infer.workers == WorkerRange(min=1, max=2)
        assert config.infer.version == "3"
        assert config.infer.cases == ["a=b", "c"]

    def test_change_one_key_and_leave_its_neighbours(self, tmp_path: Path) -> None:
        """Overrides win over the file, later over earlier, and touch nothing else."""
        file = tmp_path / "run.yaml"
        file.write_text("train: {epochs: 3, batch_size: 4}\ndata: {split: {train: 1.0, val: 0.0}}")
        config = load_config(file, ["train.epochs=5", "train.epochs=6", "data.split.test=0.0"])
        assert (config.train.epochs, config.train.batch_size) == (6, 4)
        assert (config.data.split.train, config.data.split.val) == (1.0, 0.0)

    def test_replace_a_whole_section(self, tmp_path: Path) -> None:
        """A section given as a mapping replaces what the file says of it."""
        file = tmp_path / "run.yaml"
        file.write_text("train: {epochs: 3, batch_size: 4}")
        assert load_config(file, ["train={epochs: 9}"]).train.batch_size == 2

    @pytest.mark.parametrize("override", ["train.epochs", "=3", "train..epochs=3", ".a=1"])
    def test_read_key_and_value(self, override: str) -> None:
        """What has no key or no value is refused."""
        with pytest.raises(ConfigError, match=r"reads key\.subkey=value"):
            load_config(None, [override])

    def test_refuse_what_is_no_yaml(self) -> None:
        """Such as an open bracket."""
        with pytest.raises(ConfigError, match="the value of an override is YAML"):
            load_config(None, ["train.epochs=[1"])


class TestFiles:
    def test_default_file_is_taken_where_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without a name, `./lungreg.yaml` counts if there, else the defaults."""
        monkeypatch.chdir(tmp_path)
        assert load_config() == Config()
        (tmp_path / "lungreg.yaml").write_text("seed: 5")
        assert load_config().seed == 5

    def test_missing_file_says_how_to_get_one(self, tmp_path: Path) -> None:
        """A named file must exist; its path is for the console alone."""
        with pytest.raises(ConfigError, match="must exist; write one with 'lungreg init'") as error:
            load_config(tmp_path / "none.yaml")
        assert str(tmp_path) not in error.value.anonymous
        with pytest.raises(ConfigError, match="one file, got a folder; name the file in it"):
            load_config(tmp_path)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"a: [1", "is YAML in UTF-8"),
            (b"a: \xff", "is YAML in UTF-8"),
            (b"!!python/object:os.system {}", "is YAML in UTF-8"),
            (b"- a\n- b", "a mapping of keys, got list"),
            (b"text", "a mapping of keys, got str"),
        ],
    )
    def test_other_files_are_refused(self, tmp_path: Path, data: bytes, said: str) -> None:
        """Broken YAML, other bytes, Python objects and lists are no configuration."""
        file = tmp_path / "run.yaml"
        file.write_bytes(data)
        with pytest.raises(ConfigError, match=said):
            load_config(file)

    def test_empty_file_is_the_defaults(self, tmp_path: Path) -> None:
        """Nothing said, nothing changed."""
        file = tmp_path / "run.yaml"
        file.write_text("# nothing\n")
        assert load_config(file) == Config()

    def test_paths_are_relative_to_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run can be started from anywhere; paths of overrides start where the user stands."""
        (tmp_path / "runs").mkdir()
        (tmp_path / "here").mkdir()
        file = tmp_path / "runs" / "a.yaml"
        file.write_text(
            "backend: {root: ./data}\ningest: {source: ../scans, groups: groups.csv}\n",
            encoding="utf-8",
        )
        monkeypatch.chdir(tmp_path / "here")
        config = load_config(file, ["ingest.groups=mine.csv"])
        assert config.backend.root == str(tmp_path / "runs" / "data")
        assert config.ingest.source == str(tmp_path / "scans")
        assert config.ingest.groups == str(tmp_path / "here" / "mine.csv")

    def test_home_is_the_users(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tilde is no folder's name."""
        monkeypatch.setenv("HOME", str(tmp_path))
        assert load_config(None, ["backend.root=~/lungs"]).backend.root == str(tmp_path / "lungs")

    @pytest.mark.parametrize("source", [*NAMED_SOURCES, "https://host/a.zip", "s3://bucket/a"])
    def test_names_and_urls_are_no_paths(self, tmp_path: Path, source: str) -> None:
        """What is not a file is left as it is written."""
        file = tmp_path / "run.yaml"
        file.write_text(f"ingest: {{source: '{source}'}}\nbackend: {{root: 's3://bucket/x'}}")
        config = load_config(file)
        assert config.ingest.source == source
        assert config.backend.root == "s3://bucket/x"

    def test_shown_configuration_loads_again(self, tmp_path: Path) -> None:
        """What `lungreg config show` prints is a file of the same run."""
        overrides = [
            *("infer.workers={min: 1, max: 2}", "seed=3", "ingest.source=simulate"),
            *("data.split={train: [a], val: [b]}", "cost={credits_per_node_hour: 2.5}"),
            f"backend.root={tmp_path}",
        ]
        config = load_config(None, overrides)
        file = tmp_path / "shown.yaml"
        file.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        assert load_config(file) == config
        assert parse_config(config.model_dump()) == config
