"""Notebooks in the account: a workspace that its roles read, and what they install."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.setup import SnowflakeProvisioner, notebook_files
from lungreg.backends.snowflake.setup.notebook_files import NotebookFile, notebook_config
from lungreg.backends.snowflake.setup.notebooks import notebook_script, workspace_url
from lungreg.config import Config, SnowflakeBackend, parse_config
from lungreg.errors import ForbiddenError, RunError, StoreError
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.setup.account import Account, of_database
from tests.backends.snowflake.setup.test_script import notebooks

CONFIG = parse_config(
    {"backend": {"kind": "snowflake"}, "ingest": {"source": "zenodo-lung-ct"}, "seed": 7}
)


@pytest.fixture
def made(settings: SnowflakeBackend, account: Account) -> SnowflakeProvisioner:
    """A database as setup makes it, from whose jobs and notebooks an index can be reached."""
    egress = settings.egress.model_copy(update={"hosts": ("pypi.org:443",)})
    account.objects["INTEGRATION", egress.name.upper()] = ""
    return SnowflakeProvisioner(SessionSource(settings.model_copy(update={"egress": egress})))


@pytest.fixture
def guard(peer: Peer, made: SnowflakeProvisioner, account: Account) -> Privileges:
    """Who may do what; the step's own privileges on the database are there."""
    account.users_roles.add("LUNGREG_INGEST")
    found, settings = Privileges(peer), made.source.settings
    for name in (settings.database, settings.utils):
        found.give("LUNGREG_INGEST", "USAGE", name)
    return found


def published(made: SnowflakeProvisioner, account: Account) -> dict[str, bytes]:
    return account.workspaces.published(made.source.settings.notebooks)


def test_the_notebooks_are_there_for_those_who_may_read_them(
    made: SnowflakeProvisioner, account: Account, guard: Privileges
) -> None:
    """Notebooks, configuration and what installs lungreg; run again they are replaced."""
    assert made.make_notebooks(CONFIG) == made.make_notebooks(CONFIG) == 10
    files = published(made, account)
    assert {*files} == {
        *("01_ingest.ipynb", "02_train.ipynb", "03_infer.ipynb", "notebooks.yaml"),
        *("install_lungreg.py", "install_lungreg.json"),
    }
    settings = made.source.settings
    about = json.loads(files["install_lungreg.json"])
    assert about == {"stage": f"@{settings.packages}", "python": None, "nodes": None}
    assert yaml.safe_load(files["notebooks.yaml"])["ingest"] == {"source": "zenodo-lung-ct"}
    reader = SessionSource(settings.model_copy(update={"role": "LUNGREG_INGEST"}))
    listed = [str(row["name"]) for row in reader.run(f"LIST @{settings.packages}/")]
    assert [name.partition("/")[2] for name in listed] == [
        "start/job.json",
        f"start/{next(iter(wheel_names(listed)))}",
        "start/needed.txt",
        "start/start.py",
    ]
    for refused in (
        f"REMOVE @{settings.packages}/start/",
        f"CREATE WORKSPACE IF NOT EXISTS {settings.utils}.MINE",
    ):
        with pytest.raises(ForbiddenError):
            reader.run(refused)


def wheel_names(listed: list[str]) -> list[str]:
    return [name.rpartition("/")[2] for name in listed if name.endswith(".whl")]


def test_an_upload_that_broke_off_is_gone_on_with(
    made: SnowflakeProvisioner, account: Account, peer: Peer, tmp_path: Path
) -> None:
    """The version that it left open is written to again, and nobody has seen a half of it.

    The peer refuses as an account does: no upload without a version, no notebook of the old kind.
    """
    peer.mischief.deny("COMMIT$")
    with pytest.raises(ForbiddenError):
        made.make_notebooks(CONFIG)
    assert published(made, account) == {}
    peer.forget_faults()
    made.make_notebooks(CONFIG)
    assert "02_train.ipynb" in published(made, account)

    settings = made.source.settings
    file = tmp_path / "a.sql"
    file.write_text("SELECT 1")
    for sql in (
        f"PUT 'file://{file}' '{workspace_url(settings)}' AUTO_COMPRESS = FALSE",
        f"CREATE NOTEBOOK {settings.utils}.N FROM '@{settings.packages}' MAIN_FILE = 'a.ipynb'",
        f"GRANT READ ON WORKSPACE {settings.utils}.NONE TO ROLE LUNGREG_TRAIN",
    ):
        with pytest.raises(StoreError):
            made.source.run(sql)


def test_without_the_schema_there_is_no_place_for_them(account: Account) -> None:
    """Setup comes first, which the command does by itself."""
    with pytest.raises(ForbiddenError):
        of_database("NOWHERE").make_notebooks(CONFIG)


def test_teardown_drops_them_with_their_schema(
    provisioner: SnowflakeProvisioner, account: Account
) -> None:
    """And does not take their stage for somebody else's."""
    made = provisioner
    made.make()
    made.make_notebooks(CONFIG)
    found = made.removals()
    assert not any("not lungreg's" in removal.holds for removal in found)
    made.remove(found)
    assert account.workspaces.names == set()


def test_each_role_reads_and_none_writes() -> None:
    """What one role installs no other role can have changed; ingest gets a pool to run on."""
    granted = {sql for sql in notebooks() if sql.startswith("GRANT")}
    roles = [f"LUNGREG_{step}" for step in ("INGEST", "TRAIN", "INFER")]
    assert granted == {
        *(f"GRANT READ ON STAGE LUNGREG.UTILS.PACKAGES TO ROLE {role}" for role in roles),
        *(f"GRANT READ ON WORKSPACE LUNGREG.UTILS.NOTEBOOKS TO ROLE {role}" for role in roles),
        "GRANT USAGE ON COMPUTE POOL LUNGREG_GPU TO ROLE LUNGREG_INGEST",
        "GRANT USAGE ON INTEGRATION LUNGREG_EGRESS TO ROLE LUNGREG_INGEST",
    }


def test_the_script_says_what_is_uploaded() -> None:
    """In comments, since the files are made by the command; the rest can be run as it is."""
    script = notebook_script(SnowflakeBackend(kind="snowflake"))
    for upload in (
        "start/*' '@LUNGREG.UTILS.PACKAGES/start/'",
        "'@LUNGREG.UTILS.PACKAGES/wheels/'",
    ):
        assert upload in script
    assert "'snow://workspace/LUNGREG.UTILS.NOTEBOOKS/versions/live/' AUTO_COMPRESS" in script
    run = [line for line in script.splitlines() if line and not line.startswith("--")]
    assert all(line.startswith(("CREATE", "GRANT")) for line in run)
    assert script.splitlines()[-1].endswith("its service the compute pool LUNGREG_GPU.")
    others = SnowflakeBackend(kind="snowflake", integrations=("PYPI_EAI",))
    assert "--   GRANT USAGE ON INTEGRATION PYPI_EAI TO ROLE LUNGREG_INGEST;" in notebook_script(
        others
    )


@pytest.mark.parametrize(
    "ingest",
    [{"source": "./scans"}, {"source": "https://a.org/x.zip", "pseudonymise": True}, {}],
)
def test_a_source_of_this_machine_stays_here(ingest: dict[str, object]) -> None:
    """So does a cohort whose key of pseudonyms lies here; a public address travels."""
    assert "ingest" not in sent(ingest)
    public = {"source": "https://a.org/x.zip", "groups": "g.csv", "layout": "zenodo"}
    assert sent(public)["ingest"] == {"source": "https://a.org/x.zip", "layout": "zenodo"}


def sent(ingest: dict[str, object]) -> dict[str, object]:
    config = parse_config({"backend": {"kind": "snowflake"}, "ingest": ingest})
    return notebook_config(config, SnowflakeBackend(kind="snowflake"))


def test_wheels_for_a_python_that_no_notebook_has_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is packed; with hosts to install from it does not matter."""
    monkeypatch.setattr(notebook_files, "this_python", lambda: "3.14")
    with pytest.raises(RunError, match=r"run it with Python 3\.11, 3\.12"):
        write(CONFIG, {}, tmp_path)
    assert write(CONFIG, {"egress": {"hosts": ["pypi.org:443"]}}, tmp_path)


def write(config: Config, changes: dict[str, object], folder: Path) -> list[NotebookFile]:
    settings = SnowflakeBackend.model_validate({"kind": "snowflake", **changes})
    return notebook_files.write_notebooks(config, settings, folder)
