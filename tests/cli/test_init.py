"""lungreg init: a configuration to start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site import run


def test_a_new_config_is_valid_and_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` writes ./lungreg.yaml, which the next commands find by themselves."""
    monkeypatch.chdir(tmp_path)
    assert run("init").code == 0
    text = (tmp_path / "lungreg.yaml").read_text()
    assert "# " in text
    assert run("config", "validate").out == "the configuration is valid\n"
    done = run("init")
    assert (done.code, "a new file" in done.err) == (1, True)
    assert (tmp_path / "lungreg.yaml").read_text() == text
