"""Where versions of models live."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lungreg.records import ModelCard, ModelVersion


@runtime_checkable
class ModelRegistry(Protocol):
    """Versions of trained models under names, with aliases such as "champion".

    Contract:
        - `add` gives the next whole number as version, starting at "1"; two processes adding at
          once get different ones. A version is visible only once it is complete.
        - The card comes back with its version and the SHA-256 of the weights. `weights` compares
          the hash and raises `ModelError` where it differs.
        - `resolve` takes a version, an alias, or "latest". Unknown names raise `NotFoundError`
          and list what there is.
        - The first version of a name becomes "champion". `promote` moves an alias.
    """

    def add(self, card: ModelCard, weights: bytes) -> ModelCard:
        """Store a model (safetensors bytes) as the next version of `card.name`."""

    def resolve(self, name: str, version: str) -> ModelCard:
        """The card of a version, alias or "latest"."""

    def weights(self, card: ModelCard) -> bytes:
        """The safetensors bytes of a version."""

    def promote(self, name: str, version: str, alias: str = "champion") -> None:
        """Point an alias at a version."""

    def list(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, or those of one name, by name and number."""
