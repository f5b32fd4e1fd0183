"""Jobs by the clock on a backend's own compute: only where files came, and only new cases."""

from __future__ import annotations

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.errors import ConfigError
from lungreg.stores import Backend, Scheduler


def scheduler_of(config: Config, backend: Backend | None = None) -> Scheduler:
    """The schedules of the backend.

    Raises:
        ConfigError: It has none.
    """
    backend = (backend or open_backend(config.backend)).for_run(None, "jobs")
    if backend.schedules is None:
        msg = "schedules are made on a backend that has compute of its own"
        mend = "let this machine's own clock run the command, or set backend.kind: snowflake"
        raise ConfigError(msg, got=f"backend.kind: {config.backend.kind}", mend=mend)
    return backend.schedules
