"""Files of a stage as a `lungreg.stores.ModelRegistry`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass

from lungreg.backends.local.exclusive_stage import ExclusiveStage
from lungreg.errors import AlreadyExistsError, ModelError
from lungreg.records import ModelCard, ModelVersion
from lungreg.stores import (
    CHAMPION,
    check_alias,
    check_model_name,
    check_weights,
    choose_version,
    is_model_name,
    unknown_version,
)
from lungreg.stores.names import ALIAS_SUFFIX, ALIASES_FOLDER, CARD_FILE, MODELS, ModelNames


@dataclass(frozen=True)
class StageModelRegistry:
    """Models under `models/NAME/VERSION/`. Implements `lungreg.stores.ModelRegistry`.

    A process reserves a version by creating its file `claim`. The version is visible once
    `card.json` is there, which is written last: one whose process died before is never listed, and
    its number is not used again.
    """

    stage: ExclusiveStage

    def check_add(self, name: str) -> None:
        """Refuse a name that `add` would refuse.

        Raises:
            ModelError: The name is none for a model.
        """
        check_model_name(name)

    def add(self, card: ModelCard, weights: bytes) -> ModelCard:
        """Store a model (safetensors bytes) as the next version of `card.name`.

        Raises:
            ModelError: The name is none for a model.
        """
        check_model_name(card.name)
        version = self._claim(card.name)
        digest = hashlib.sha256(weights).hexdigest()
        stored = dataclasses.replace(card, version=version, weights_sha256=digest)
        names = ModelNames(card.name)
        self.stage.write(names.weights(version), weights)
        self.stage.write(names.card(version), stored.to_json().encode())
        with suppress(AlreadyExistsError):
            self.stage.create(names.alias(CHAMPION), _alias_json(version))
        return stored

    def resolve(self, name: str, version: str) -> ModelCard:
        """The card of a version, alias or "latest"."""
        versions, aliases = self._versions(name), self._aliases(name)
        return self._card(name, choose_version(name, version, versions, aliases, self._names))

    def weights(self, card: ModelCard) -> bytes:
        """The safetensors bytes of a version, compared with the hash on its card."""
        if card.version not in (versions := self._versions(card.name)):
            aliases = self._aliases(card.name)
            raise unknown_version(card.name, card.version, versions, aliases, self._names)
        data = self.stage.read(ModelNames(card.name).weights(card.version))
        return check_weights(card, data)

    def promote(self, name: str, version: str, alias: str = CHAMPION) -> None:
        """Point an alias at a version.

        Raises:
            ModelError: The alias reads like a version.
        """
        check_alias(alias)
        number = self.resolve(name, version).version
        self.stage.write(ModelNames(name).alias(alias), _alias_json(number))

    def _entries(self, name: str) -> list[ModelVersion]:
        aliases = self._aliases(name)
        return [
            ModelVersion(
                card=self._card(name, version),
                aliases=tuple(alias for alias, target in aliases.items() if target == version),
            )
            for version in self._versions(name)
        ]

    def _claim(self, name: str) -> str:
        """Reserve the next version number, against all other processes."""
        numbers = [int(part) for part in self._parts(name) if part.isdecimal()]
        number = max(numbers, default=0) + 1
        while True:
            try:
                self.stage.create(ModelNames(name).claim(number), b"")
            except AlreadyExistsError:
                number += 1
            else:
                return str(number)

    def _names(self) -> list[str]:
        files = (info.name.split("/") for info in self.stage.list(MODELS))
        return sorted({parts[1] for parts in files if parts[3:] == [CARD_FILE]})

    def _parts(self, name: str) -> dict[str, list[str]]:
        """Names of a model's files by the folder that they are in: versions and "aliases"."""
        parts: dict[str, list[str]] = {}
        if is_model_name(name):
            for info in self.stage.list(ModelNames(name).folder):
                _, _, folder, *rest = info.name.split("/")
                parts.setdefault(folder, []).extend(rest)
        return parts

    def _versions(self, name: str) -> list[str]:
        """Complete versions, by number."""
        complete = [part for part, files in self._parts(name).items() if CARD_FILE in files]
        return sorted((part for part in complete if part.isdecimal()), key=int)

    def _aliases(self, name: str) -> dict[str, str]:
        """Version by alias."""
        files = sorted(self._parts(name).get(ALIASES_FOLDER, []))
        aliases = [f.removesuffix(ALIAS_SUFFIX) for f in files if f.endswith(ALIAS_SUFFIX)]
        return {alias: self._target(name, alias) for alias in aliases}

    def _target(self, name: str, alias: str) -> str:
        try:
            return str(json.loads(self.stage.read(ModelNames(name).alias(alias)))["version"])
        except (ValueError, KeyError, TypeError) as error:
            msg = "an alias of a model is a JSON object with a version"
            mend = "set it again with 'lungreg models promote'"
            where = ModelNames(name).alias(alias)
            raise ModelError(msg, got=f"alias {alias!r}", mend=mend, where=where) from error

    def _card(self, name: str, version: str) -> ModelCard:
        file = ModelNames(name).card(version)
        try:
            return ModelCard.from_json(self.stage.read(file))
        except ModelError as error:
            error.where = file
            raise

    def list(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, or those of one name, by name and number."""
        names = self._names() if name is None else [name]
        return [entry for each in names for entry in self._entries(each)]


def _alias_json(version: str) -> bytes:
    return json.dumps({"version": version}).encode()
