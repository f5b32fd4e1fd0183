"""A stored model: its card, its place in a listing, and the job that a run does with it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lungreg.config import Alignment, Config
from lungreg.errors import ConfigError, ModelError
from lungreg.records.cases import Case, Split
from lungreg.records.summary import Facts, Summary

SCHEMA_VERSION = 1
RESEARCH_USE = "research use only, not a medical device"
MODEL_SECTIONS = ("preprocessing", "network")
"""Sections of the configuration that belong to a model: a run takes them from the model's card."""


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelCard(Summary):
    """A stored model's configuration, metrics and origin."""

    name: str
    version: str = ""
    """Given by the registry."""
    config: dict[str, Any] = field(default_factory=dict)
    """The run's whole configuration, defaults filled in; it builds network and preprocessing."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Validation metrics of the chosen epoch."""
    split: dict[str, list[str]] = field(default_factory=dict)
    """Under "train", "val" and "test": SHA-256 fingerprints of the cases, and of their scans."""
    cases: dict[str, int] = field(default_factory=dict)
    """Number of cases under "train", "val" and "test"; empty in cards of earlier versions."""
    epoch: int | None = None
    """The epoch, from 1, whose weights these are; None in cards of earlier versions."""
    run_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    """Versions of Python and of the packages it was trained with."""
    weights_sha256: str = ""
    created_at: str = ""
    """ISO 8601, UTC."""
    use: str = RESEARCH_USE
    schema_version: int = SCHEMA_VERSION

    def facts(self) -> Facts:
        """The main facts, by name; they are what is shown of it."""
        return {
            "name": self.name,
            "version": self.version or None,
            "run_id": self.run_id or None,
            "created_at": self.created_at or None,
            **self.metrics,
        }

    @property
    def sections(self) -> dict[str, dict[str, Any]]:
        """By name, the sections of the configuration that belong to the model."""
        return {name: self.config.get(name, {}) for name in MODEL_SECTIONS}

    def known(self, case: Case) -> Case:
        """The case, with the fingerprint by which the split has it, if it has it.

        A model has seen a case where it has seen one of its scans: masks or landmarks that came
        later change the case's own fingerprint.
        """
        names = (case.fingerprint, *case.scans)
        for part in (Split.TRAIN, Split.VAL, Split.TEST):
            for name in set(names) & set(self.split.get(part.value, ())):
                return dataclasses.replace(case, fingerprint=name)
        return case

    def to_json(self) -> str:
        """The card as JSON text, keys sorted."""
        return json.dumps(dataclasses.asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ModelCard:
        """Read a card.

        Raises:
            ModelError: Not a JSON object with the fields of a card.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            msg = "a model card is a JSON object with the fields of ModelCard"
            raise ModelError(msg, got=error) from error


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One entry of a model registry's listing."""

    card: ModelCard
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RegistrationJob:
    """The settings that every case of a run is registered with."""

    run_id: str
    config: Config
    """Preprocessing and network from the model's card, the rest from the run."""
    card: ModelCard | None
    """None where no model is used."""
    splits: Mapping[str, Split]
    """By the fingerprint of a case, the part of the model's split that it was in; without a model,
    of the champion's."""
    alignment: Alignment
    """Choice of `A`."""
    provenance: Mapping[str, str]
    """Shown on each case's page; no paths."""

    @property
    def model_columns(self) -> dict[str, Any]:
        """Name and version of the model as columns of the result table."""
        name, version = (self.card.name, self.card.version) if self.card else (None, None)
        return {"model_name": name, "model_version": version}

    @property
    def stored_model(self) -> ModelCard:
        """The card, for an engine that runs a version of the registry.

        Raises:
            ConfigError: The run has no model.
        """
        if self.card is None:
            msg = "infer.engine run-batch runs a version of the model registry"
            mend = "set infer.model, or use infer.engine ray, such as by 'lungreg submit infer'"
            raise ConfigError(msg, got="infer.model null", mend=mend)
        return self.card
