"""The ModelRegistry protocol: versions of models; and the checks that all registries share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from lungreg.config import MODEL_NAME_FORM
from lungreg.errors import ModelError, NotFoundError
from lungreg.records import ModelCard, ModelVersion

CHAMPION = "champion"
LATEST = "latest"


@runtime_checkable
class ModelRegistry(Protocol):
    """Versions of trained models under names, with aliases such as "champion".

    Contract:
        - `add` gives the next whole number as version, starting at "1"; two processes adding at
          once get different ones. A version is visible only once it is complete.
        - `check_add` raises what `add` would raise for want of a right, and leaves nothing.
        - The card comes back with its version and the SHA-256 of the weights. `weights` compares
          the hash and raises `ModelError` where it differs.
        - `resolve` takes a version, an alias, or "latest". Unknown names raise `NotFoundError`
          and list what there is.
        - The first version of a name becomes "champion". `promote` moves an alias.
    """

    def check_add(self, name: str) -> None:
        """Try, before a training, what `add` will need for a model of this name."""

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


def is_model_name(name: str) -> bool:
    """Whether a model or an alias may be called so."""
    return re.fullmatch(MODEL_NAME_FORM, name) is not None


def check_model_name(name: str) -> None:
    """Refuse a name that is not valid for a model.

    Raises:
        ModelError: The name is not valid.
    """
    if not is_model_name(name):
        msg = "a model's name has up to 100 letters, digits, '.', '_' and '-'"
        raise ModelError(msg, got=repr(name))


def check_alias(alias: str) -> None:
    """Refuse an alias that could be mistaken for a version.

    Raises:
        ModelError: The alias is a number, "latest", or not valid as a name.
    """
    if not is_model_name(alias) or alias.isdecimal() or alias == LATEST:
        msg = "an alias has letters, digits, '.', '_' and '-', and is no number nor 'latest'"
        raise ModelError(msg, got=repr(alias))


def check_weights(card: ModelCard, weights: bytes) -> bytes:
    """Return the weights if they are those of the card.

    Raises:
        ModelError: They have another SHA-256.
    """
    if hashlib.sha256(weights).hexdigest() != card.weights_sha256:
        msg = "the weights of a model have the SHA-256 on its card"
        mend = "import or train the model again"
        raise ModelError(msg, got=f"other bytes in version {card.version}", mend=mend)
    return weights


def choose_version(
    name: str,
    version: str,
    versions: Sequence[str],
    aliases: Mapping[str, str],
    names: Callable[[], Sequence[str]],
) -> str:
    """The number of a version, alias or "latest".

    Args:
        name: Of the model.
        version: A number, an alias or "latest".
        versions: Existing numbers, in order.
        aliases: Number by alias.
        names: Returns the names of all models, for the error message.

    Raises:
        NotFoundError: There is no such version.
    """
    number = aliases.get(version, version)
    if version == LATEST and versions:
        number = versions[-1]
    if number not in versions:
        raise unknown_version(name, version, versions, aliases, names)
    return number


def unknown_version(
    name: str,
    version: str,
    versions: Sequence[str],
    aliases: Mapping[str, str],
    names: Callable[[], Sequence[str]],
) -> NotFoundError:
    """The error that lists the existing versions or models; arguments as in `choose_version`."""
    if not versions:
        known = ", ".join(names()) or "none: train one with 'lungreg train'"
        msg = "a model must be in the registry"
        return NotFoundError(msg, got=repr(name), mend=f"there is {known}")
    known = ", ".join([*versions, *aliases, LATEST])
    msg = "a version of a model must be in the registry"
    return NotFoundError(msg, got=repr(f"{name}:{version}"), mend=f"there is {known}")
