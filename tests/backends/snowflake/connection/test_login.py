"""Who logs in and how, and what is said where the account refuses it."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.config_manager import CONFIG_MANAGER

from lungreg.backends.snowflake.connection import login
from lungreg.backends.snowflake.connection.pool import close_all
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.config import SnowflakeBackend
from lungreg.errors import ForbiddenError, MissingExtraError, StoreUnavailableError
from tests.backends.snowflake.conftest import CONNECTION, CONNECTIONS
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.privileges import Privileges
from tests.backends.snowflake.peer.server import connection_of

PASSPHRASE = "of the key"


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes other connections known to Snowflake's clients."""

    def known(**connections: dict[str, object]) -> None:
        monkeypatch.setenv(CONNECTIONS, tomlkit.dumps(connections))

    return known


@pytest.fixture
def container(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The token file of a container, whose environment names the peer."""
    port = connection_of(peer)["port"]
    monkeypatch.setattr(login, "TOKEN_FILE", tmp_path / "token")
    monkeypatch.setattr(login, "CONTAINER_OPTIONS", {"protocol": "http", "port": port})
    monkeypatch.setenv("SNOWFLAKE_HOST", "127.0.0.1")
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "lungreg")
    (tmp_path / "token").write_text("of the service")
    return tmp_path / "token"


def without_password(peer: Peer) -> dict[str, object]:
    return {key: value for key, value in connection_of(peer).items() if key != "password"}


def in_container(settings: SnowflakeBackend) -> SessionSource:
    return SessionSource(settings.model_copy(update={"connection": None}))


def test_a_key_pair_logs_in(
    settings: SnowflakeBackend, peer: Peer, connections: Any, tmp_path: Path
) -> None:
    """With an encrypted PKCS8 key, as its page shows: a signed token goes, the key stays."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file = tmp_path / "rsa_key.p8"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSPHRASE.encode()),
        )
    )
    file.chmod(0o600)
    pair = {"private_key_file": str(file), "private_key_file_pwd": PASSPHRASE}
    connections(keyed={**without_password(peer), "authenticator": "SNOWFLAKE_JWT", **pair})
    keyed = settings.model_copy(update={"connection": "keyed", "role": "LUNGREG_TRAIN"})
    assert SessionSource(keyed).run("SELECT 7 AS A")[0]["A"] == 7
    (said,) = peer.logins
    assert said["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert len(str(said["TOKEN"]).split(".")) == 3
    assert PASSPHRASE not in json.dumps(said)
    with SessionSource(keyed).use() as session:
        assert str(session.get_current_role()).strip('"') == "LUNGREG_TRAIN"


def test_a_key_that_is_missing_is_named(
    settings: SnowflakeBackend, peer: Peer, connections: Any, tmp_path: Path
) -> None:
    """With the file, and where it is named."""
    key = {"authenticator": "SNOWFLAKE_JWT", "private_key_file": str(tmp_path / "none.p8")}
    connections(keyless={**without_password(peer), **key})
    source = SessionSource(settings.model_copy(update={"connection": "keyless"}))
    with pytest.raises(StoreUnavailableError, match=r"none\.p8: the private key.*private_key_file"):
        source.run("SELECT 1")


def test_an_oauth_connection_logs_in(
    settings: SnowflakeBackend, peer: Peer, connections: Any
) -> None:
    """A connection's token is sent as it is."""
    connections(
        handed={**without_password(peer), "authenticator": "oauth", "token": "of an identity"}
    )
    source = SessionSource(settings.model_copy(update={"connection": "handed"}))
    source.run("SELECT 1")
    (said,) = peer.logins
    assert (said["AUTHENTICATOR"].upper(), said["TOKEN"]) == ("OAUTH", "of an identity")


def test_the_role_of_the_configuration_is_taken(settings: SnowflakeBackend, peer: Peer) -> None:
    """`backend.role` goes before the connection's own."""
    source = SessionSource(settings.model_copy(update={"role": "LUNGREG_INGEST"}))
    with source.use() as session:
        assert str(session.get_current_role()).strip('"') == "LUNGREG_INGEST"


@pytest.mark.parametrize("kept", [False, True])
def test_a_session_has_its_role_alone(kept: bool, settings: SnowflakeBackend, peer: Peer) -> None:
    """What the user's other roles may is put aside, unless the configuration keeps it."""
    privileges = Privileges(peer)
    for role in ("LUNGREG_INGEST", "LUNGREG_READ"):
        privileges.give(role, "USAGE", settings.database)
        privileges.give(role, "USAGE", settings.utils)
    privileges.give("LUNGREG_INGEST", "READ", settings.images)
    update = {"role": "LUNGREG_READ", "secondary_roles": kept}
    reader = SessionSource(settings.model_copy(update=update))
    with nullcontext() if kept else pytest.raises(ForbiddenError):
        reader.run(f"LIST @{settings.images}")


def test_a_service_keeps_the_role_of_its_token(
    settings: SnowflakeBackend, peer: Peer, container: Path
) -> None:
    """A container's token is its owner's role: another one would be refused."""
    with_role = settings.model_copy(update={"connection": None, "role": "LUNGREG_TRAIN"})
    with in_container(with_role).use() as session:
        assert "LUNGREG_TRAIN" not in str(session.get_current_role())
    assert [each["TOKEN"] for each in peer.logins] == ["of the service"]


@pytest.mark.parametrize("name", ["SNOWFLAKE_HOST", "SNOWFLAKE_ACCOUNT"])
def test_a_missing_variable_of_the_container_is_named(
    name: str, settings: SnowflakeBackend, container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token file without its environment is no bare KeyError."""
    monkeypatch.delenv(name)
    with pytest.raises(StoreUnavailableError, match=f"environment variable {name} is set"):
        in_container(settings).run("SELECT 1")


def test_an_unreadable_token_is_an_error(settings: SnowflakeBackend, container: Path) -> None:
    """Also where the file holds no text."""
    container.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(StoreUnavailableError, match="the container's token can be read"):
        in_container(settings).run("SELECT 1")


def test_no_connection_at_all_is_an_error_of_its_own(
    settings: SnowflakeBackend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has never configured one is shown how; the error is not that of an unknown name."""
    close_all()
    nothing = {"connections": {}, "default_connection_name": "default"}
    monkeypatch.setattr(type(CONFIG_MANAGER), "__getitem__", lambda _, key: nothing[key])
    with pytest.raises(StoreUnavailableError, match="a connection is configured") as caught:
        SessionSource(settings.model_copy(update={"connection": None})).run("SELECT 1")
    assert "connections.toml, as the documentation's page" in str(caught.value)
    assert "unknown name" not in str(caught.value)


@pytest.mark.parametrize(("timeout_s", "login_s"), [(600, 60), (5, 5)])
def test_an_account_that_is_away_is_reported_soon(
    settings: SnowflakeBackend, timeout_s: int, login_s: int
) -> None:
    """The client logs in a few times: each try is short however long a statement may take."""
    patient = settings.model_copy(update={"timeout_s": timeout_s})
    with SessionSource(patient).use() as session:
        timeouts = session.connection.login_timeout, session.connection.network_timeout
    assert timeouts == (login_s, timeout_s)


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        ("390100", "check the connection's user and key"),
        ("390101", "let an administrator unlock the user"),
        ("390144", "private_key_file belongs to the user's public key"),
        ("390186", "see which role backend.role or the connection asks for"),
        ("390189", "see which role backend.role or the connection asks for"),
        ("390422", "network policy"),
        ("394508", "log in by key pair or OAuth"),
    ],
)
def test_a_refused_login_says_what_mends_it(
    code: str, mend: str, settings: SnowflakeBackend, peer: Peer
) -> None:
    """At once: a second try locks the user."""
    peer.mischief.refuse_logins(code, "Access is refused.", times=5)
    with pytest.raises(ForbiddenError, match=mend) as caught:
        SessionSource(settings).run("SELECT 1")
    assert code in caught.value.anonymous
    assert "Access is refused." in str(caught.value)
    assert len(peer.logins) == 1


def test_a_stale_token_is_read_again(
    settings: SnowflakeBackend, peer: Peer, container: Path
) -> None:
    """An invalid OAuth token may have been replaced in the container's file meanwhile."""
    peer.mischief.refuse_logins("390303", "Invalid OAuth access token.")
    assert in_container(settings).run("SELECT 7 AS A")[0]["A"] == 7
    assert len(peer.logins) == 2


def test_a_token_that_stays_invalid_is_named(
    settings: SnowflakeBackend, peer: Peer, container: Path
) -> None:
    """After some tries the token is named, not the network."""
    peer.mischief.refuse_logins("390303", "Invalid OAuth access token.", times=50)
    with pytest.raises(StoreUnavailableError, match="takes the connection's OAuth token") as caught:
        in_container(settings).run("SELECT 1")
    assert "get a new one" in caught.value.anonymous
    assert len(peer.logins) == 4


def test_a_notebooks_session_names_no_files_in_logs_either(
    settings: SnowflakeBackend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snowflake's client is kept quiet also where somebody else opened the session."""
    from snowflake.snowpark import Session

    close_all()
    names = ("snowflake.connector.storage_client", "snowflake.connector.file_transfer_agent")
    clients = [logging.getLogger(name) for name in names]
    for client in clients:
        monkeypatch.setattr(client, "level", logging.NOTSET)
    session = Session.builder.configs(connection_of(peer)).create()
    try:
        SessionSource(settings.model_copy(update={"connection": None})).run("SELECT 1")
        assert {client.level for client in clients} == {logging.CRITICAL}
    finally:
        session.close()


def test_an_unknown_connection_is_named() -> None:
    """A connection that is not configured is a clear error, and no secret is asked for."""
    settings = SnowflakeBackend(kind="snowflake", connection="nobody", timeout_s=2)
    with pytest.raises(StoreUnavailableError, match=r"nobody in .*connections\.toml") as caught:
        SessionSource(settings).run("SELECT 1")
    assert f"set backend.connection to one that is known ({CONNECTION})" in caught.value.anonymous


def test_packages_that_are_missing_are_named(
    settings: SnowflakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only one of them is, before anything is asked of the account."""
    monkeypatch.setitem(sys.modules, "snowflake.ml", None)
    with pytest.raises(MissingExtraError, match=r"got no snowflake\.ml; .*\[snowflake\]"):
        SessionSource(settings).run("SELECT 1")


def test_the_token_of_the_container_is_read_each_time(
    settings: SnowflakeBackend, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a job without session the short-lived token file logs in, and its newest content."""
    options = connection_of(peer)
    monkeypatch.setattr(login, "TOKEN_FILE", tmp_path / "token")
    monkeypatch.setattr(login, "CONTAINER_OPTIONS", {"protocol": "http", "port": options["port"]})
    monkeypatch.setenv("SNOWFLAKE_HOST", "127.0.0.1")
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "lungreg")
    source = SessionSource(settings.model_copy(update={"connection": None}))
    for token in ("first", "second"):
        (tmp_path / "token").write_text(token)
        source.run("SELECT 1")
        source.discard()
    assert [data["TOKEN"] for data in peer.logins] == ["first", "second"]
    assert all(data["AUTHENTICATOR"].upper() == "OAUTH" for data in peer.logins)


def test_the_default_connection_is_the_last_resort(
    settings: SnowflakeBackend, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With neither a name, a session nor a token, Snowflake's own default decides."""
    monkeypatch.setenv("SNOWFLAKE_DEFAULT_CONNECTION_NAME", CONNECTION)
    SessionSource(settings.model_copy(update={"connection": None})).run("SELECT 1")
    assert len(peer.logins) == 1
