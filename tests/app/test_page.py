"""The page of the results over a local backend, by Streamlit's own testing tool."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

import lungreg
from lungreg.backends import open_backend
from lungreg.config import parse_config
from lungreg.records import CaseResult, Status, Verdict
from lungreg.stores import Backend
from lungreg.stores.names import RunNames

RUN = "infer-20261128-020000-3fa9c1"
VERDICTS = {"case_a": Verdict.PASS, "case_b": Verdict.FAIL, "case_c": Verdict.PASS}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three registered cases, one with a page, and one that failed; no registration is run."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "lungreg.yaml").write_text(f"backend: {{root: {folder / 'stage'}, tracking: false}}")
    now = datetime(2026, 11, 28, tzinfo=UTC)
    rows = [
        CaseResult(
            run_id=RUN,
            case_id=case_id,
            verdict=verdict,
            reasons=None if verdict == "pass" else "the scans hardly agree",
            tre_mm=1.5,
            dice_score=0.97,
            started_at=now,
            finished_at=now,
        )
        for case_id, verdict in VERDICTS.items()
    ]
    failed = CaseResult(
        run_id=RUN, case_id="case_d", status=Status.FAILED, started_at=now, finished_at=now
    )
    backend = backend_of(folder)
    backend.results.write([*rows, failed])
    backend.stage.write(RunNames(RUN).case("case_a").page, b"<p>page of case_a</p>")
    return folder


def backend_of(folder: Path) -> Backend:
    raw = {"backend": {"root": str(folder / "stage"), "tracking": False}}
    return open_backend(parse_config(raw).backend)


@pytest.fixture
def page(there: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """The page as Streamlit draws it first."""
    testing = pytest.importorskip("streamlit.testing.v1")
    monkeypatch.chdir(there)
    monkeypatch.setattr("sys.argv", ["local.py"])
    script = Path(lungreg.__file__).parent / "app" / "local.py"
    drawn = testing.AppTest.from_file(script, default_timeout=30).run()
    assert not drawn.exception, drawn.exception
    return drawn


def test_filters_leave_what_was_asked_for(page: object) -> None:
    """Counts and table follow; a case that failed has no registration to show.

    And no text that was not meant for people: Streamlit shows strings that stand by themselves.
    """
    assert [text.value for text in page.markdown] == []
    assert [one.value for one in page.metric] == ["3 of 3", "2", "0", "1"]
    assert list(page.dataframe[0].value["case_id"]) == ["case_a", "case_b", "case_c"]
    whys = page.dataframe[0].value["reasons"]
    assert list(whys.notna()) == [one not in ("case_a", "case_c") for one in VERDICTS]
    page.sidebar.multiselect(key="verdict").set_value(["pass"]).run()
    assert [one.value for one in page.metric] == ["2 of 3", "2", "0", "0"]
    assert page.selectbox(key="case").options == ["case_a", "case_c"]
    page.sidebar.text_input(key="text").set_value("zzz").run()
    assert page.info[0].value.startswith("No case is left")


def test_a_rating_is_saved_and_shown(page: object, there: Path) -> None:
    """Beside the case's page; the table has it, and one may filter by it."""
    page.button[0].click().run()
    assert page.warning[0].value == "Choose a rating first."
    page.radio[0].set_value("bad")
    page.button[0].click().run()
    assert page.success[0].value.startswith("Saved: bad")
    assert backend_of(there).stage.exists(RunNames(RUN).rating("case_a"))
    page.run()
    assert list(page.dataframe[0].value["rating"]) == ["bad", "not rated", "not rated"]
    page.sidebar.multiselect(key="rating").set_value(["bad"]).run()
    assert page.metric[0].value == "1 of 3"
    page.sidebar.multiselect(key="rating").set_value(["not rated"]).run()
    assert page.info[0].value.startswith("This run made no pages")


@pytest.mark.parametrize("script", ["app/local.py", "backends/snowflake/app/streamlit_app.py"])
def test_a_script_has_no_string_that_streamlit_would_show(script: str) -> None:
    """But for its docstring, which is not shown."""
    tree = ast.parse((Path(lungreg.__file__).parent / script).read_text(encoding="utf-8"))
    assert not [node for node in tree.body[1:] if isinstance(node, ast.Expr)]
