"""Setup and teardown of a backend that lives in an account."""

from __future__ import annotations

from lungreg.backends import open_backend
from lungreg.config import Config
from lungreg.errors import ConfigError
from lungreg.stores import Backend, Provisioner


def provisioner_of(config: Config, backend: Backend | None = None) -> Provisioner:
    """The provisioner of the backend, which creates and drops its objects in the account.

    Raises:
        ConfigError: The backend has no objects in an account.
    """
    backend = (backend or open_backend(config.backend)).for_run(None, "setup")
    if backend.provisioner is None:
        msg = "a backend that is set up lives in an account"
        mend = "go on with 'lungreg ingest', or set backend.kind: snowflake"
        raise ConfigError(msg, got=f"backend.kind: {config.backend.kind}", mend=mend)
    return backend.provisioner
