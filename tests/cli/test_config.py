"""lungreg config: validate, show, schema."""

from __future__ import annotations

import json

import yaml

from lungreg.config import Config
from tests.site import Site, run


def test_config_show_fills_in_all_defaults_and_can_be_read_again(raw: Site) -> None:
    """What it prints is a configuration of the same meaning."""
    done = raw.run("config", "show", "--set", "train.epochs=7")
    shown = yaml.safe_load(done.out)
    assert shown["train"]["epochs"] == 7
    assert shown["quality"]["dice_warn"] == Config().quality.dice_warn
    raw.config_file.write_text(done.out)
    assert raw.config() == raw.config("train.epochs=7")
    assert raw.run("config", "show", "--json").document == shown


def test_the_schema_is_printed_as_json() -> None:
    """For people and with --json alike; unknown keys are refused."""
    schema = json.loads(run("config", "schema").out)
    assert run("config", "schema", "--json").document == schema
    assert schema["additionalProperties"] is False
    assert "epochs" in schema["$defs"]["Train"]["properties"]


def test_the_file_may_be_named_without_c(raw: Site) -> None:
    """As people type it; two names are one too many."""
    file = str(raw.config_file)
    assert (
        run("config", "show", file, "--json").document
        == raw.run("config", "show", "--json").document
    )
    raw.config_file.write_text("train: {epoch: 3}")
    failed = run("config", "validate", file)
    assert failed.code == 1
    assert "train.epoch" in failed.err
    assert "one configuration is named" in run("config", "validate", file, "-c", file).err
