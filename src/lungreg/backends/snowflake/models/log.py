"""Log one version with Snowflake's client, and name the data that it was trained on."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lungreg.backends.snowflake.connection.faults import is_lost, is_of_snowflake
from lungreg.backends.snowflake.models.package import (
    packaged,
    requirements,
    signatures,
    write_code,
)
from lungreg.backends.snowflake.models.storing import save_options
from lungreg.config import SnowflakeBackend

if TYPE_CHECKING:
    from snowflake.ml.model.custom_model import CustomModel
    from snowflake.ml.registry import Registry
    from snowflake.snowpark import Session

logger = logging.getLogger(__name__)

USER_FILES = "lungreg"
"""Folder of a version's files that can be read without loading it."""


@dataclass(frozen=True, kw_only=True)
class NewVersion:
    """A version to log."""

    name: str
    """Of the model, as an identifier."""
    version: str
    """Snowflake's name of it, such as V1."""
    comment: str
    files: Mapping[str, str]
    """Paths of the card and the weights, by their names in `PackagedModel`."""
    metrics: Mapping[str, float] = field(default_factory=dict)


def log_version(
    session: Session, settings: SnowflakeBackend, new: NewVersion, folder: Path
) -> bool:
    """Log a version, which is visible as a whole or not at all.

    Its lineage leads to the stage of the scans. A version is worth more than its lineage: where the
    account refuses it, it is logged once more without.

    Args:
        session: Of the account.
        settings: Name the schema, and how models are logged.
        new: What to log.
        folder: Empty but for the files; the package's code is written there.

    Returns:
        Whether its lineage was taken.
    """
    code = write_code(folder)
    try:
        _log(session, settings, new, code, model=_with_input(packaged(dict(new.files)), settings))
    except Exception as error:
        if not is_of_snowflake(error) or is_lost(error) or "already exist" in str(error):
            raise
        try:
            _log(session, settings, new, code, model=packaged(dict(new.files)))
        except ValueError:  # the version is there, so that it was not its lineage
            raise error from None
        logger.warning("the model is stored without lineage, which the account refused")
        return False
    return True


def registry_of(session: Session, settings: SnowflakeBackend) -> Registry:
    """The client's registry of the schema of the models."""
    from snowflake.ml.registry import Registry

    return Registry(session, database_name=settings.database, schema_name=settings.utils_schema)


def input_query(settings: SnowflakeBackend) -> str:
    """The query that leads from a version to its input in Snowflake's lineage.

    It names the stage with the scans by its directory, and no scan.
    """
    return f"SELECT relative_path FROM DIRECTORY(@{settings.images})"  # noqa: S608  # validated


def repository_map(settings: SnowflakeBackend) -> dict[str, str] | None:
    """Where the image of a model gets its packages, for `log_model`; None for Snowflake's choice.

    The client takes one repository, under the key "pip". Its docstring (2.6.0) says that images of
    containers do not heed it yet, Snowflake's page "Snowflake Model Registry" that they do.
    """
    first = next(iter(settings.artifact_repositories), None)
    return None if first is None else {"pip": first}


def _with_input(model: CustomModel, settings: SnowflakeBackend) -> CustomModel:
    """Name a model's input, by the attribute that Snowflake's own models have.

    The client reads it first. Its other way, `sample_input_data`, would read rows of case ids and
    scans, and is not meant to be given beside `signatures`.
    """
    from snowflake.ml.data import DataFrameInfo

    model._data_sources = [DataFrameInfo(input_query(settings))]  # noqa: SLF001
    return model


def _log(
    session: Session, settings: SnowflakeBackend, new: NewVersion, code: Path, *, model: Any
) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # the client would draw a progress bar there
        registry_of(session, settings).log_model(
            model,
            model_name=new.name,
            version_name=new.version,
            comment=new.comment,
            metrics=dict(new.metrics),
            pip_requirements=list(settings.model_pip_requirements) or requirements(),
            artifact_repository_map=repository_map(settings),
            target_platforms=["SNOWPARK_CONTAINER_SERVICES"],
            signatures=signatures(),
            user_files={USER_FILES: [new.files["card"]]},
            code_paths=[str(code)],
            options=save_options(settings),
        )
