"""YAML for people."""

from __future__ import annotations

import yaml

from lungreg.config.yaml_writing import to_yaml
from lungreg.workflows.demo import demo_config


def test_what_occurs_twice_is_written_twice() -> None:
    """No anchors, as in the demo's file, whose test cases stand in two places; letters stay."""
    value = demo_config([f"case_{number:03d}" for number in range(1, 8)])
    text = to_yaml({**value, "name": "Müller"})
    assert not {"&", "*"} & set(text)
    assert "Müller" in text
    assert yaml.safe_load(text) == yaml.safe_load(yaml.safe_dump({**value, "name": "Müller"}))
