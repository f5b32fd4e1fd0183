"""The directory table of a stage, which SQL and Snowsight read, and which is refreshed by hand.

Snowflake refreshes those of internal stages by itself on AWS alone. WRITE is enough to do so.
"""

from __future__ import annotations

import logging

from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.errors import LungregError

logger = logging.getLogger(__name__)


def refresh_directory(source: SessionSource, stage: str, folder: str = "") -> None:
    """Let a stage's directory list the files that are there now.

    Args:
        source: Sessions of a role that may write there.
        stage: Full name.
        folder: A folder on it, of our own naming; empty for the whole stage.

    Raises:
        StoreError: The account refuses.
    """
    part = f" SUBPATH = '{folder}'" if folder else ""
    source.run(f"ALTER STAGE {stage} REFRESH{part}")


def refresh_after_writes(source: SessionSource) -> None:
    """Refresh the directory of the stage that a step has written to; a failure is only logged.

    Args:
        source: Sessions of the step, which names the stage: `ingest` writes scans.
    """
    settings = source.settings
    stage = settings.images if source.step == "ingest" else settings.runs
    try:
        refresh_directory(source, stage)
    except LungregError as error:
        logger.warning("the directory of stage %s is not refreshed: %s", stage, error.anonymous)
