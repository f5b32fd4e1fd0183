"""The page of the results in the account: its files, who may see it, and what it reads there."""

from __future__ import annotations

import json
from types import SimpleNamespace

from lungreg.backends.snowflake.app.streamlit_app import AccountData, spelled, viewer_of
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.files.stage import SnowflakeStage
from lungreg.backends.snowflake.files.stage_names import spelled as spelled_by_lungreg
from lungreg.backends.snowflake.setup import SnowflakeProvisioner
from lungreg.backends.snowflake.tables.results import SnowflakeResultTable
from lungreg.stores.names import RunNames
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.setup.account import Account, of_database
from tests.contracts.results import result

APP = "PAGED.RESULTS.LUNGREG_RESULTS"


def test_the_page_is_made_replaced_and_reads_what_is_there(account: Account, peer: Peer) -> None:
    """For who reads; a second time only its files change. One account for the whole story."""
    privileges = Privileges(peer)
    made = of_database("PAGED")
    made.make()
    assert made.make_app() == APP
    files = account.streamlits.shown(APP)
    assert files.keys() == {"streamlit_app.py", "page.py", "app.json", "environment.yml"}
    assert account.streamlits.viewers == {APP: {"LUNGREG_READ", "LUNGREG_INFER"}}
    assert account.streamlits.owners == {APP: "LUNGREG_APP"}
    assert made.make_app() == APP
    account.users_roles.add("LUNGREG_APP")
    reads_and_writes(made, json.loads(files["app.json"]))
    assert privileges.refused == []
    found = made.removals()
    assert not any("not lungreg's" in removal.holds for removal in found)
    made.remove(found)
    assert not any(kind == "ROLE" for kind, _ in account.objects)
    assert account.streamlits.viewers == {}


def reads_and_writes(made: SnowflakeProvisioner, about: dict[str, str]) -> None:
    """The rows of the view, a case's page from the stage, and the latest of two ratings.

    With the privileges of the app's role, which has no others.
    """
    source = SessionSource(made.source.settings.model_copy(update={"role": "LUNGREG_SETUP"}))
    row = result("case 1")
    SnowflakeResultTable(source).write([row])
    page = RunNames(row.run_id).case("case 1").page
    SnowflakeStage(source).write(page, b"<p>a page</p>")
    of_app = made.source.settings.model_copy(update={"role": "LUNGREG_APP"})
    with SessionSource(of_app).use() as session:
        data = AccountData(session, about, "ANNA")
        shown = data.results()
        assert list(shown["case_id"]) == ["case 1"]
        assert "dice_score" in shown.columns
        assert data.page(row.run_id, "case 1") == "<p>a page</p>"
        assert data.page(row.run_id, "case 2") is None
        assert data.ratings().empty
        for rating in ("good", "bad"):
            data.rate(row.run_id, "case 1", rating, 'it\'s "noted"')
        (kept,) = data.ratings().to_dict("records")
    assert (kept["rating"], kept["rated_by"], kept["note"]) == ("bad", "ANNA", 'it\'s "noted"')


def test_an_app_goes_before_its_role_where_its_schema_stays(account: Account, peer: Peer) -> None:
    """Else it would run with the rights of who drops the role."""
    made = of_database("KEPT")
    made.make()
    made.make_app()
    account.comments["KEPT.RESULTS"] = "of another team"
    made.remove(made.removals())
    assert [item.text for item in peer.said("^DROP (STREAMLIT|ROLE IF EXISTS LUNGREG_APP)")] == [
        "DROP STREAMLIT IF EXISTS KEPT.RESULTS.LUNGREG_RESULTS",
        "DROP ROLE IF EXISTS LUNGREG_APP",
    ]
    assert account.streamlits.viewers == {}


def test_names_on_the_stage_are_spelled_alike() -> None:
    """The page runs without lungreg, and finds the files of a case all the same."""
    for name in ("runs/r/cases/case 1/qc.html", "runs/r/cases/Müller=1/qc.html", "a/b'c/d"):
        assert spelled(name) == spelled_by_lungreg(name)


def test_who_looks_is_named_by_any_release() -> None:
    """And is nobody's name where Streamlit says nothing."""
    new = SimpleNamespace(user={"user_name": "ANNA"})
    old = SimpleNamespace(experimental_user={"email": "a@b.org"})
    assert (viewer_of(new), viewer_of(old), viewer_of(object())) == ("ANNA", "a@b.org", "unknown")
