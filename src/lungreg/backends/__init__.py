"""The backends, which implement the stores, and the choice between them."""

from __future__ import annotations

import pkgutil

from lungreg.config import BackendSettings
from lungreg.stores import Backend

_OPENERS = {
    "local": "lungreg.backends.local.opening:open_local",
    "snowflake": "lungreg.backends.snowflake:open_snowflake",
}
"""Imported when chosen, so that no backend needs the packages of the other."""


def open_backend(settings: BackendSettings) -> Backend:
    """The stores that a configuration chooses; no connection is opened yet."""
    backend: Backend = pkgutil.resolve_name(_OPENERS[settings.kind])(settings)
    return backend
