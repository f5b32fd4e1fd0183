"""Snowflake's Model Registry as a `lungreg.stores.ModelRegistry`."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lungreg.backends.snowflake.connection.faults import is_missing
from lungreg.backends.snowflake.connection.session import SessionSource
from lungreg.backends.snowflake.models.log import (
    USER_FILES,
    NewVersion,
    log_version,
    registry_of,
)
from lungreg.backends.snowflake.models.names import confusable, identifier_of, name_of, version_name
from lungreg.backends.snowflake.models.package import write_files
from lungreg.backends.snowflake.models.stored_versions import (
    MARK,
    NO_VERSIONS,
    StoredVersions,
    default_versions,
    full_name,
    read_versions,
    set_alias,
    set_default,
)
from lungreg.backends.snowflake.models.storing import try_storing
from lungreg.errors import ModelError, StoreError, StoreUnavailableError
from lungreg.records import ModelCard, ModelVersion
from lungreg.stores import (
    CHAMPION,
    check_alias,
    check_model_name,
    check_weights,
    choose_version,
    unknown_version,
)
from lungreg.stores.names import CARD_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from snowflake.ml.model import ModelVersion as SnowflakeVersion
    from snowflake.snowpark import Session

_TRIES = 20


@dataclass(frozen=True)
class SnowflakeModelRegistry:
    """Models of one schema. Implements `lungreg.stores.ModelRegistry`.

    Version "3" is V3 there. A version is made whole, in one statement, and is visible once its
    comment says that it is lungreg's. Other models and versions in the schema are passed over.
    """

    source: SessionSource

    def check_add(self, name: str) -> None:
        """Try what storing a model of this name will need; nothing is left in the account.

        Raises:
            ModelError: The name is none for a model, or Snowflake would confuse it with another.
            RunError: The installed client does not know an option that a model is stored with.
            ForbiddenError: This role may not store models.
        """
        self._check_name(name)
        try_storing(self.source)

    def add(self, card: ModelCard, weights: bytes) -> ModelCard:
        """Store a model (safetensors bytes) as the next version of `card.name`.

        Raises:
            ModelError: The name is none for a model, or Snowflake would confuse it with another.
            StoreUnavailableError: The account does not answer or forbids it.
        """
        self._check_name(card.name)
        digest, tried = hashlib.sha256(weights).hexdigest(), ""
        for _ in range(_TRIES):
            number = str(self._stored(card.name).highest + 1)
            if number == tried:
                msg = "a model of another role's is not in the way"
                mend = "choose another train.model, or take the role that owns it"
                raise StoreUnavailableError(msg, got="a name that is taken", mend=mend)
            stored = dataclasses.replace(card, version=number, weights_sha256=digest)
            try:
                self._log(stored, weights)
            except (ValueError, StoreError) as error:
                if not _is_taken(error):
                    raise
                tried = number
            else:
                return stored
        msg = "a new version gets a number that no other process takes"
        raise StoreError(msg, got=f"{_TRIES} that were taken", mend="try again")

    def resolve(self, name: str, version: str) -> ModelCard:
        """The card of a version, alias or "latest"."""
        return self._card(name, self._number(name, version))

    def weights(self, card: ModelCard) -> bytes:
        """The safetensors bytes of a version, compared with the hash on its card."""
        stored = self._stored(card.name)
        if card.version not in stored.versions:
            versions = [*stored.versions]
            raise unknown_version(card.name, card.version, versions, stored.aliases, self._names)
        return check_weights(card, self.source.attempt(lambda session: self._export(session, card)))

    def promote(self, name: str, version: str, alias: str = CHAMPION) -> None:
        """Point an alias at a version.

        Raises:
            ModelError: The alias reads like a version.
        """
        check_alias(alias)
        number = self._number(name, version)
        if alias == CHAMPION:
            set_default(self.source, name, number)
        else:
            set_alias(self.source, name, self._stored(name), number, alias)

    def snowflake_version(self, session: Session, card: ModelCard) -> SnowflakeVersion:
        """A version as Snowflake's client has it, usable while the session is."""
        model = registry_of(session, self.source.settings).get_model(identifier_of(card.name))
        return model.version(version_name(card.version))

    def _check_name(self, name: str) -> None:
        check_model_name(name)
        others = [other for other in default_versions(self.source) if other != name]
        clashes = [other for other in others if confusable(name, other)]
        if name_of(name) != name or clashes:
            msg = "a model's name differs from others in more than case and '_'"
            mend = f"use {clashes[0] if clashes else name_of(name)!r}, or choose another name"
            raise ModelError(msg, got=repr(name), mend=mend)

    def _log(self, card: ModelCard, weights: bytes) -> None:
        """Store a version; not again after a lost connection, since it may have been stored."""
        with tempfile.TemporaryDirectory() as name, self.source.use() as session:
            folder = Path(name)
            new = NewVersion(
                name=identifier_of(card.name),
                version=version_name(card.version),
                comment=f"{MARK}: {card.use}",
                files=write_files(folder, card, weights),
                metrics={key: one for key, one in card.metrics.items() if math.isfinite(one)},
            )
            log_version(session, self.source.settings, new, folder)

    def _export(self, session: Session, card: ModelCard) -> bytes:
        """The weights by `export`: `load` needs the owner's role, and runs code."""
        with tempfile.TemporaryDirectory() as folder:
            self.snowflake_version(session, card).export(folder)
            return next(Path(folder).rglob(WEIGHTS_FILE)).read_bytes()

    def _card(self, name: str, number: str) -> ModelCard:
        """The card in a version's files, with the name and number that Snowflake lists."""
        version = f"{full_name(self.source.settings, name)}/versions/{version_name(number)}"
        place = f"snow://model/{version}/user_files/{USER_FILES}/{CARD_FILE}"

        def fetch(session: Session) -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                session.file.get(place, folder)
                return (Path(folder) / CARD_FILE).read_bytes()

        card = ModelCard.from_json(self.source.attempt(fetch))
        return dataclasses.replace(card, name=name, version=number)

    def _number(self, name: str, version: str) -> str:
        stored = self._stored(name)
        return choose_version(name, version, [*stored.versions], stored.aliases, self._names)

    def _stored(self, name: str) -> StoredVersions:
        default = default_versions(self.source).get(name)
        return NO_VERSIONS if default is None else self._read(name, default)

    def _read(self, name: str, default: str) -> StoredVersions:
        """The versions of a model; none where somebody has dropped or renamed it meanwhile."""
        try:
            return read_versions(self.source, name, default)
        except StoreUnavailableError as error:
            if not is_missing(error):
                raise
            return NO_VERSIONS

    def _names(self) -> list[str]:
        return [*dict.fromkeys(entry.card.name for entry in self.list())]

    def list(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, or those of one name, by name and number."""
        found = default_versions(self.source)
        names = [each for each in found if name in (None, each)]
        read = {each: self._read(each, found[each]) for each in names}
        return [
            ModelVersion(
                card=self._card(each, number),
                aliases=tuple(alias for alias, of in stored.aliases.items() if of == number),
            )
            for each, stored in read.items()
            for number in stored.versions
        ]


def _is_taken(error: Exception) -> bool:
    """Whether another process was faster; client and server have only words for it."""
    texts = (str(error), str(error.__cause__))
    return any("already exist" in text for text in texts)
