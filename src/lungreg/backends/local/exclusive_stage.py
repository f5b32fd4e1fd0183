"""The ExclusiveStage protocol: a stage that also creates a file only if no other file is there."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lungreg.stores import Stage


@runtime_checkable
class ExclusiveStage(Stage, Protocol):
    """A stage with exclusive creation, by which the local model registry reserves versions.

    Contract, beside that of `lungreg.stores.Stage`:
        - `create` writes a file only if there is none of this name, atomically against all other
          processes: of many callers exactly one succeeds, the others get `AlreadyExistsError`.
        - A failed `create` leaves nothing behind.
    """

    def create(self, name: str, data: bytes) -> None:
        """Write a file that must not exist yet."""
