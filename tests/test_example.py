"""The example notebook runs as it stands."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parent / "examples" / "notebook.py"


@pytest.mark.slow
def test_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell of the example works on simulated pairs and leaves a page and a picture."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = runpy.run_path(str(NOTEBOOK))
    assert len(left["registered"].results) == 4
    assert not left["registered"].failed
    assert left["page"].stat().st_size > 10_000
    assert (left["folder"] / "case.png").stat().st_size > 10_000
