"""The steps of one case, measured and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import kept, one_case


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_figures_are_kept_with_machine_date_and_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of the other benchmarks are; not with --dry."""
    results = tmp_path / "results"
    monkeypatch.setattr(kept, "RESULTS", results)
    monkeypatch.setattr(one_case, "keep_freed_memory", lambda: None)
    monkeypatch.chdir(tmp_path)
    words = ["--folder", str(tmp_path / "case"), "--shape", "32", "32", "32", "--repeat", "1"]
    one_case.main([*words, "--dry"])
    assert not results.exists()
    one_case.main(words)
    (file,) = results.glob("*-one-case.json")
    record = json.loads(file.read_text())
    assert record["date"][:10] == file.name[:10]
    assert "torch" in record["machine"]["versions"]
    assert (record["card"], record["shape"], record["repeat"]) == ("cpu", [32, 32, 32], 1)
    assert {"align", "write_outputs", "register_case, not profiled"} <= set(record["cpu_s"])
