"""Implementations of the stores, and the one line that chooses between them."""

from __future__ import annotations

import pkgutil

from lungreg.config import BackendSettings
from lungreg.stores import Backend

_OPENERS = {
    "local": "lungreg.backends.local:open_local",
    "snowflake": "lungreg.backends.snowflake:open_snowflake",
}
"""Imported when chosen, so that one backend needs none of the other's packages."""


def open_backend(settings: BackendSettings) -> Backend:
    """The stores that a configuration chose; nothing is connected to yet."""
    backend: Backend = pkgutil.resolve_name(_OPENERS[settings.kind])(settings)
    return backend
