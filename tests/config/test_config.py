"""Configurations: defaults, rules and their messages, files, overrides, schema, template."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from lungreg.config import (
    NAMED_SOURCES,
    Config,
    Cost,
    Pattern,
    WorkerRange,
    load_config,
    parse_config,
    write_template,
)
from lungreg.errors import ConfigError


def breaches(raw: dict[str, Any]) -> str:
    """What is said of a configuration that is refused."""
    with pytest.raises(ConfigError, match="known keys with legal values") as caught:
        parse_config(raw)
    assert caught.value.mend == "see 'lungreg config schema'"
    return str(caught.value.got)


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
        assert config.network.extract_levels == (0, 1, 2, 3)
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

    def test_frozen(self) -> None:
        """A checked configuration stays as it was checked."""
        with pytest.raises(ValueError, match="frozen"):
            Config().train.epochs = 3  # type: ignore[misc]


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
            (
                {"backend": {"kind": "snowflake", "database": "a-b"}},
                "backend.database: a name has letters, digits, _ and $, begins with a letter or _, "
                "and is not quoted",
            ),
            (
                {"backend": {"kind": "snowflake", "egress": {"hosts": ["*.org:443"]}}},
                "backend.egress.hosts.0: a host reads HOST:443, one host by its name, no wildcard",
            ),
            (
                {"backend": {"kind": "snowflake", "batch": {"image_repository": "a/b"}}},
                "backend.batch.image_repository: a name reads [DATABASE.][SCHEMA.]NAME, each of "
                "letters, digits, _ and $",
            ),
            (
                {"backend": {"kind": "snowflake", "warehouse": "Select"}},
                "backend.warehouse: a name is no word that SQL reserves, got 'Select'",
            ),
            (
                {"backend": {"kind": "snowflake", "compute_pool": {"min_nodes": 3}}},
                "backend.compute_pool: min_nodes is at most max_nodes, got 3 > 1",
            ),
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

    @pytest.mark.parametrize(
        ("names", "keys"),
        [
            ({"result_table": "claims"}, ("the table of claims", "result_table")),
            ({"result_table": "Results"}, ("the view", "result_table")),
            ({"utils_schema": "a", "results_schema": "A"}, ("utils_schema", "results_schema")),
            ({"image_stage": "A", "job_stage": "a"}, ("image_stage", "job_stage")),
            ({"roles": {"train": "A", "infer": "a"}}, ("roles.train", "roles.infer")),
            ({"roles": {"read": "lungreg_setup"}}, ("roles.setup", "roles.read")),
        ],
    )
    def test_names_of_one_place_differ(self, names: dict[str, Any], keys: tuple[str, str]) -> None:
        """Snowflake reads names in any case; two roles in one would have both their privileges."""
        said = breaches({"backend": {"kind": "snowflake", **names}})
        assert said.startswith(f"backend: {keys[0]} and {keys[1]} have different names, got ")

    @pytest.mark.parametrize(
        "raw",
        [
            {"PASSWORD": "hunter2"},
            {"private_key_passphrase": "hunter2"},
            {"compute_pool": {"Token": "hunter2"}},
            {"roles": {"secret": "hunter2"}},
        ],
    )
    def test_a_secret_is_refused_wherever_it_stands(self, raw: dict[str, Any]) -> None:
        """In any case and in any section of the backend; its value is not told."""
        said = breaches({"backend": {"kind": "snowflake", **raw}})
        assert "a config holds no secret" in said
        assert "connections.toml" in said
        assert "hunter2" not in said

    @pytest.mark.parametrize("key", ["user", "account", "private_key_file"])
    def test_who_logs_in_belongs_to_the_connection(self, key: str) -> None:
        """A connection is named here and described there."""
        said = breaches({"backend": {"kind": "snowflake", key: "x"}})
        assert said.startswith(f"backend: '{key}' belongs into Snowflake's connections.toml")

    def test_tells_all_breaches_at_once(self) -> None:
        """Whoever mends a file sees everything that is wrong with it."""
        said = breaches({"train": {"epochs": 0, "lr": 1}, "seed": "x"})
        assert said.split("; ") == [
            "seed: must be a valid integer",
            "train.epochs: must be greater than or equal to 1, got 0",
            "train.lr: unknown key",
        ]

    @pytest.mark.parametrize("value", [-1, 2.5, "many", [], {"min": 0}, {"a": 1}, None])
    def test_names_no_types_of_python(self, value: object) -> None:
        """Whatever stands for the workers, nothing of pydantic's own words is told."""
        said = breaches({"infer": {"workers": value}})
        assert not re.search(r"constrained|literal\[|WorkerRange|dictionary", said)

    def test_shows_no_text_of_the_file(self) -> None:
        """A value that is text may name a path or a patient: it does not go into the message."""
        assert "secret" not in breaches({"train": {"device": "/home/secret", "epochs": "secret"}})

    def test_keys_are_text(self) -> None:
        """A number as a key is a breach like any other."""
        assert breaches({1: 2}).startswith("1: Keys should be strings")  # type: ignore[dict-item]


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

    @pytest.mark.parametrize("levels", [[], [-1], [7], [2, 2], [0]])
    def test_levels_exist(self, levels: list[int]) -> None:
        """Levels are different, from 0 to 6, and not the full resolution alone."""
        assert "extract_levels" in breaches({"network": {"extract_levels": levels}})


class TestLoss:
    def test_needs_some_likeness(self) -> None:
        """Regularity alone teaches nothing."""
        said = breaches({"loss": {"mutual_information": 0, "bending_energy": 1}})
        assert said.startswith("loss: mutual_information, dice, lncc or landmarks has a weight")
        parse_config({"loss": {"mutual_information": 0, "bending_energy": 0, "dice": 1}})


class TestSplit:
    def test_shares_sum_to_one(self) -> None:
        """Whole numbers are shares too; rounding is forgiven."""
        shares = {"train": 1, "val": 0, "test": 0}
        assert parse_config({"data": {"split": shares}}).data.split.train == 1.0
        thirds = {"train": 1 / 3, "val": 1 / 3, "test": 1 / 3}
        parse_config({"data": {"split": thirds}})
        assert "sum to 1, got [0.5, 0.2, 0.0]" in breaches({"data": {"split": {"train": 0.5}}})
        negative = {"train": 1.2, "val": -0.2}
        assert "at least 0" in breaches({"data": {"split": negative}})

    def test_lists_leave_no_shares(self) -> None:
        """With lists, a part that is not given is empty; a share beside a list is refused."""
        split = parse_config({"data": {"split": {"train": ["a"], "val": ["b"]}}}).data.split
        assert (split.train, split.val, split.test) == (["a"], ["b"], [])
        mixed = {"train": ["a"], "val": 0.2}
        assert "all shares or all lists" in breaches({"data": {"split": mixed}})

    def test_folds(self) -> None:
        """Folds are at least two, counted from 0, and go without lists and test share."""
        split = parse_config({"data": {"split": {"folds": 5, "fold": 4}}}).data.split
        assert (split.folds, split.fold) == (5, 4)
        assert "from 0 to folds - 1, got 5 of 5" in breaches(
            {"data": {"split": {"folds": 5, "fold": 5}}}
        )
        assert "data.split.folds" in breaches({"data": {"split": {"folds": 1}}})
        for other in ({"train": ["a"]}, {"train": 0.6, "val": 0.2, "test": 0.2}):
            assert "without lists" in breaches({"data": {"split": {"folds": 5, **other}}})


class TestIngest:
    def test_pattern_layout_needs_its_pattern(self) -> None:
        """`layout: pattern` says where the files lie, each with the case in its name."""
        assert "needs ingest.pattern" in breaches({"ingest": {"layout": "pattern"}})
        pattern = {"fixed": "{case_id}/e.nii", "moving": "i.nii"}
        said = breaches({"ingest": {"layout": "pattern", "pattern": pattern}})
        assert said == "ingest.pattern: pattern.moving must contain {case_id}, got 'i.nii'"
        Pattern(fixed="{case_id}/e.nii", moving="{case_id}/i.nii", landmarks="{case_id}.csv")


class TestWorkers:
    @pytest.mark.parametrize("value", ["auto", 0, 3, {"min": 1, "max": 3}])
    def test_auto_number_or_range(self, value: object) -> None:
        """What the pool may be."""
        found = parse_config({"infer": {"workers": value}}).infer.workers
        assert found == (WorkerRange(min=1, max=3) if isinstance(value, dict) else value)

    def test_training_has_a_fixed_number(self) -> None:
        """A range is for the pool of infer alone."""
        assert "train.workers" in breaches({"train": {"workers": {"min": 1, "max": 3}}})


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
        """An open bracket is told as such."""
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


class TestTemplate:
    def test_template_is_the_defaults_where_it_says_so(self, tmp_path: Path) -> None:
        """The file that `lungreg init` writes changes nothing but the source and where it lies."""
        file = tmp_path / "lungreg.yaml"
        write_template(file)
        config = load_config(file)
        assert config.ingest.source == str(tmp_path / "training")
        assert config.backend.root == str(tmp_path / "lungreg-data")
        same = {"backend": {"root": "./lungreg-data"}, "ingest": {"source": None}}
        raw = config.model_dump()
        for section, change in same.items():
            raw[section] |= change
        assert parse_config(raw) == Config()

    def test_commented_lines_are_valid_too(self, tmp_path: Path) -> None:
        """Taking the comment signs away gives a configuration."""
        file = tmp_path / "lungreg.yaml"
        write_template(file)
        lines = file.read_text(encoding="utf-8").splitlines()
        lines = [re.sub(r"^(\s*)# ( *[a-z_]+: ?)", r"\1\2", line) for line in lines[3:]]
        file.write_text("\n".join(lines))
        config = load_config(file)
        assert config.ingest.pattern is not None
        assert config.quality.tre_warn_mm == 4.0
        assert config.cost == Cost(
            credits_per_node_hour=2.68, nodes=1, as_of=date(2026, 11, 22), source="your contract"
        )

    def test_existing_file_is_kept(self, tmp_path: Path) -> None:
        """`lungreg init` never writes over a file, nor into a folder that is not there."""
        file = tmp_path / "lungreg.yaml"
        file.write_text("seed: 1")
        for target in (file, tmp_path / "none" / "lungreg.yaml"):
            with pytest.raises(ConfigError, match="a new file in a folder that exists"):
                write_template(target)
        assert file.read_text() == "seed: 1"


class TestSchema:
    def test_every_key_is_described(self) -> None:
        """The schema says of each key what it means, at every depth."""
        schema = Config.model_json_schema()
        sections = {"Config": schema, **schema["$defs"]}
        assert len(sections) > 10
        bare = [
            f"{name}.{key}"
            for name, section in sections.items()
            for key, value in section["properties"].items()
            if not value.get("description")
        ]
        assert bare == []

    def test_keys_of_the_issue_are_there(self) -> None:
        """The top level is what the README promises."""
        assert set(Config.model_json_schema()["properties"]) == {
            *("backend", "ingest", "train", "infer", "seed", "data", "preprocessing"),
            *("network", "loss", "refine", "quality", "report", "cost"),
        }
