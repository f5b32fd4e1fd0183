"""The configuration that `lungreg init` writes."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from lungreg.config import Config, Cost, load_config, parse_config, write_template
from lungreg.errors import ConfigError


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
        assert config.quality.tre_warn_mm == 2.0
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
