"""Try the Model Registry: a version of a few bytes is logged, read and dropped."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.check.trial import SESSION, Trial
from lungreg.backends.snowflake.connection.faults import client_refusals
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models.log import NewVersion, log_version, registry_of
from lungreg.backends.snowflake.models.registry import SnowflakeModelRegistry
from lungreg.backends.snowflake.models.storing import try_storing
from lungreg.errors import StoreError
from lungreg.records import counted
from lungreg.stores.names import CARD_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from snowflake.snowpark import Session

_WEIGHTS = b"no weights"
_COMMENT = "a check of the account, to be dropped"
"""Not that of a version of lungreg: no step takes it for a model, and none has it as champion."""


def storing_trials(source: SessionSource) -> list[Trial]:
    """The rows on storing a model, by the role that trains."""
    return [
        Trial(name="temporary stage", work=partial(_temporary_stage, source), needs=(SESSION,)),
        Trial(name="model", work=partial(_round_trip, source), needs=("temporary stage",)),
    ]


def reading_trials(source: SessionSource) -> list[Trial]:
    """The row on reading models, by the role that infers."""
    return [Trial(name="models", work=partial(_listed, source), needs=(SESSION,))]


def experiment_trials(source: SessionSource) -> list[Trial]:
    """The row on training curves, by the role that trains."""
    work = partial(_experiment, source)
    return [Trial(name="experiment", work=work, needs=(SESSION,), is_needed=False)]


def _temporary_stage(source: SessionSource) -> str:
    try_storing(source)
    return "made"


def _round_trip(source: SessionSource) -> str:
    name = f"LUNGREG_CHECK_{secrets.token_hex(6)}".upper()
    # Not tried twice: after a lost connection the version may be there.
    with TemporaryDirectory() as folder, source.use() as session:
        has_lineage = _log(session, source, name, Path(folder))
        try:
            with client_refusals("Snowflake's client gives a version's files"):
                weights = _exported(session, source, name)
        finally:
            session.sql(f"DROP MODEL {source.settings.utils}.{name}").collect()
    if weights != _WEIGHTS:
        msg = "a version's weights are read as they were stored"
        raise StoreError(msg, got=counted(len(weights), "byte"))
    lineage = "with lineage to its input" if has_lineage else "the account refused its lineage"
    return f"logged, loaded, dropped; {lineage}"


def _log(session: Session, source: SessionSource, name: str, folder: Path) -> bool:
    card, weights = folder / CARD_FILE, folder / WEIGHTS_FILE
    card.write_text("{}", encoding="utf-8")
    weights.write_bytes(_WEIGHTS)
    files = {"card": str(card), "weights": str(weights)}
    new = NewVersion(name=name, version="V1", comment=_COMMENT, files=files)
    with client_refusals("Snowflake's client stores a version"):
        return log_version(session, source.settings, new, folder)


def _exported(session: Session, source: SessionSource, name: str) -> bytes:
    with TemporaryDirectory() as folder:
        registry_of(session, source.settings).get_model(name).version("V1").export(folder)
        return next(Path(folder).rglob(WEIGHTS_FILE)).read_bytes()


def _listed(source: SessionSource) -> str:
    """Read the cards of all versions, which takes READ on each model."""
    found = len(SnowflakeModelRegistry(source).list())
    return f"{counted(found, 'version')} read" if found else "none yet"


def _experiment(source: SessionSource) -> str:
    name = f"{source.settings.utils}.LUNGREG_CHECK_{secrets.token_hex(6)}".upper()
    source.run(f"CREATE EXPERIMENT IF NOT EXISTS {name}")
    source.run(f"DROP EXPERIMENT {name}")
    return "made, dropped"
