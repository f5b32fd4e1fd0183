"""Where `register` may write: a new or empty folder, or one of its own where the user agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from lungreg.errors import RunError
from lungreg.workflows.output_folder import holds_earlier_results
from tests.cli.answering import answer_questions
from tests.site import assert_refused, run


def test_own_results_are_known_and_other_files_refused(tmp_path: Path) -> None:
    """By inputs.json, which register writes; hidden files of the system do not count."""
    assert not holds_earlier_results(tmp_path / "new")
    (tmp_path / ".DS_Store").touch()
    assert not holds_earlier_results(tmp_path)
    (tmp_path / "transform.h5").write_text("of another tool")
    with pytest.raises(RunError, match="got one with other files"):
        holds_earlier_results(tmp_path)
    (tmp_path / "inputs.json").write_text("{}")
    assert holds_earlier_results(tmp_path)


class TestRegister:
    def command(self, out: Path, *options: str) -> tuple[str, ...]:
        gone = str(out.parent / "none.nii.gz")
        return ("register", gone, gone, "-o", str(out), *options)

    def test_a_folder_of_others_is_never_touched(self, tmp_path: Path) -> None:
        """With --overwrite neither."""
        (tmp_path / "thesis.txt").write_text("mine")
        for options in ((), ("--overwrite",)):
            done = run(*self.command(tmp_path, *options))
            assert_refused(done, "a new or empty folder", "name another with -o")
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]

    def test_earlier_results_need_a_word(self, tmp_path: Path) -> None:
        """--overwrite goes on to the scans, which are missing here; without it nothing is read."""
        (tmp_path / "inputs.json").write_text("{}")
        assert_refused(run(*self.command(tmp_path)), "replaced only when asked for", "--overwrite")
        assert_refused(run(*self.command(tmp_path, "--overwrite")), "the file must be there")

    @pytest.mark.parametrize(
        ("answer", "says"), [(True, "the file must be there"), (False, "add --overwrite")]
    )
    def test_at_a_terminal_it_asks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool, says: str
    ) -> None:
        """Once, and takes the answer."""
        (tmp_path / "inputs.json").write_text("{}")
        asked = answer_questions(monkeypatch, answer=answer)
        assert_refused(run(*self.command(tmp_path)), says)
        assert asked == [f"Replace the earlier results in {tmp_path}?"]
