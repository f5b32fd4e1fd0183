"""A version is logged with lineage to its input, and without where the account refuses that."""

from __future__ import annotations

from pathlib import Path

import pytest
from snowflake.snowpark.exceptions import SnowparkSQLException

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models import log
from lungreg.backends.snowflake.models.log import NewVersion, input_query, log_version
from tests.backends.snowflake.peer import Peer
from tests.backends.snowflake.peer.models import Models


def version(folder: Path) -> NewVersion:
    """Of a few bytes."""
    files = {"card": folder / "card.json", "weights": folder / "weights.safetensors"}
    for file in files.values():
        file.write_text("{}")
    named = {name: str(file) for name, file in files.items()}
    return NewVersion(name="TINY", version="V1", comment="", files=named)


def test_a_version_names_the_stage_of_its_scans(
    source: SessionSource, peer: Peer, tmp_path: Path
) -> None:
    """In the manifest that the client writes, as a query that names no scan.

    Beside the repository of its packages, where there is one.
    """
    models = Models(peer)
    repositories = {"artifact_repositories": ("A.B.PYPI", "A.B.MORE")}
    settings = source.settings.model_copy(update=repositories)
    with source.use() as session:
        assert log_version(session, settings, version(tmp_path), tmp_path)
    assert models.repositories(f"{settings.utils}.TINY", "V1") == {"pip": "A.B.PYPI"}
    query = input_query(source.settings)
    assert models.lineage(f"{source.settings.utils}.TINY", "V1") == (query,)
    assert query.endswith(f"FROM DIRECTORY(@{source.settings.images})")


@pytest.mark.parametrize("fault", ["lineage", "taken"])
def test_a_version_is_worth_more_than_its_lineage(
    source: SessionSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Refused with lineage, it is logged without; a name that is taken is told as it is."""
    logged: list[bool] = []

    def refuse_first(*_: object, model: object) -> None:
        logged.append(hasattr(model, "_data_sources"))
        if logged[-1]:
            text = "refused" if fault == "lineage" else "Version 'V1' already exists."
            raise SnowparkSQLException(text, sql_error_code=1003)

    monkeypatch.setattr(log, "_log", refuse_first)
    with source.use() as session:
        if fault == "lineage":
            assert not log_version(session, source.settings, version(tmp_path), tmp_path)
        else:
            with pytest.raises(SnowparkSQLException):
                log_version(session, source.settings, version(tmp_path), tmp_path)
    assert logged == ([True, False] if fault == "lineage" else [True])
