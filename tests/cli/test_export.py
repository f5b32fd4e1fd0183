"""lungreg export: exit code of a run with a damaged case."""

from __future__ import annotations

from tests.site import CASES, Site


def test_an_export_with_a_case_that_failed_is_exit_code_3(finished: tuple[Site, str]) -> None:
    """The others are written, and the reason is shown."""
    site, run_id = finished
    site.backend().stage.delete(f"runs/{run_id}/cases/{CASES[0]}/displacement.json")
    done = site.run("export", run_id, "--format", "learn2reg", "-o", str(site.folder / "out"))
    assert done.code == 3
    assert f"{CASES[0]}" in done.out
    assert len(list((site.folder / "out").glob("disp_*.nii.gz"))) == len(CASES) - 1
