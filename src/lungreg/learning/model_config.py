"""A run's configuration with the sections that belong to a model; imports no MONAI."""

from __future__ import annotations

from lungreg.config import Config, parse_config
from lungreg.errors import ModelError
from lungreg.records import ModelCard

_NOT_COMPARED = {"augmentation"}
"""Keys that shape training alone: a run may set them differently."""


def with_card(config: Config, card: ModelCard) -> Config:
    """The config with the preprocessing and network of a model.

    Raises:
        ModelError: The config sets a key of these sections to another value.
    """
    for section, stored in card.sections.items():
        given = getattr(config, section)
        for key in given.model_fields_set - _NOT_COMPARED:
            mine = given.model_dump(mode="json")[key]
            if key in stored and mine != stored[key]:
                raise _contradiction(section, key, mine, stored[key])
    return parse_config({**config.model_dump(exclude_unset=True), **card.sections})


def _contradiction(section: str, key: str, mine: object, stored: object) -> ModelError:
    msg = f"{section}.{key} is the model's own, {stored}"
    mend = f"leave {section}.{key} out, or choose another model"
    if key == "alignment":
        mend += "; infer.alignment changes it for one run"
    return ModelError(msg, got=mine, mend=mend)
