"""lungreg export: exit code of a run with a damaged case; what is there is replaced when asked."""

from __future__ import annotations

import pytest

from tests.cli.answering import answer_questions
from tests.site import CASES, Site, assert_refused


def test_an_export_with_a_case_that_failed_is_exit_code_3(finished: tuple[Site, str]) -> None:
    """The others are written, and the reason is shown."""
    site, run_id = finished
    site.backend().stage.delete(f"runs/{run_id}/cases/{CASES[0]}/displacement.json")
    done = site.run("export", run_id, "--format", "learn2reg", "-o", str(site.folder / "out"))
    assert done.code == 3
    assert f"{CASES[0]}" in done.out
    assert len(list((site.folder / "out").glob("disp_*.nii.gz"))) == len(CASES) - 1


def test_files_of_another_export_are_replaced_only_when_asked_for(
    finished: tuple[Site, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for all of them; files of other names are no question."""
    site, run_id = finished
    out = site.folder / "out"
    out.mkdir()
    mine = [out / name for name in ("disp_0001_0001.nii.gz", "cases.csv")]
    for path in mine:
        path.write_text("mine")
    export = ("export", run_id, "--format", "learn2reg", "-o", str(out))
    assert_refused(site.run(*export), "replaced only when asked for", "got 2 files of these names")
    asked = answer_questions(monkeypatch, answer=False)
    assert_refused(site.run(*export), "add --overwrite, or name another folder with -o")
    assert asked == [f"Replace 2 files in {out}?"]
    assert sorted(out.iterdir()) == sorted(mine)
    assert site.run("export", run_id, "--format", "ants", "-o", str(out)).code == 0
    assert [path.read_text() for path in mine] == ["mine"] * 2
    assert site.run(*export, "--overwrite").code == 0
    assert b"mine" not in [path.read_bytes() for path in mine]
    assert len(asked) == 1
