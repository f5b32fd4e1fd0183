"""A model as one file, to carry it to another site."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

from lungreg.config import parse_config
from lungreg.errors import ModelError, RunError
from lungreg.network import build_network, load_weights
from lungreg.records import ModelCard
from lungreg.stores import ModelRegistry

_CARD, _WEIGHTS = "card.json", "weights.safetensors"
_MAX_CARD_BYTES = 16 * 2**20
_MAX_WEIGHTS_BYTES = 4 * 2**30


def export_model(models: ModelRegistry, name: str, version: str, target: Path) -> ModelCard:
    """Write a version as one zip file: weights, card, and the hash of the weights in the card.

    Raises:
        NotFoundError: No such model.
        RunError: The file exists, or cannot be written.
    """
    card = models.resolve(name, version)
    weights = models.weights(card)
    if target.exists():
        msg = "export writes a new file"
        raise RunError(msg, got="one that exists", mend="choose another name", where=target)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_CARD, card.to_json())
            archive.writestr(_WEIGHTS, weights)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        msg = "the exported file can be written"
        raise RunError(msg, got=error.strerror, where=target) from error
    return card


def import_model(models: ModelRegistry, source: Path, *, name: str | None = None) -> ModelCard:
    """Add an exported file to a registry as the next version of its name.

    Args:
        models: The registry.
        source: A file of `export_model`.
        name: Another name for it.

    Raises:
        ModelError: No export, damaged, or weights that do not fit their card.
    """
    card, weights = _read(source)
    found = hashlib.sha256(weights).hexdigest()
    if found != card.weights_sha256:
        msg = "the weights of an exported model have the hash that its card names"
        raise ModelError(msg, got=found[:16], mend="export it again", where=source)
    config = parse_config({"network": card.config.get("network", {})})
    load_weights(build_network(config.network), weights)
    return models.add(replace(card, name=name or card.name, version=""), weights)


def _read(source: Path) -> tuple[ModelCard, bytes]:
    try:
        with zipfile.ZipFile(source) as archive:
            card = _member(archive, _CARD, _MAX_CARD_BYTES)
            weights = _member(archive, _WEIGHTS, _MAX_WEIGHTS_BYTES)
    except (OSError, KeyError, zipfile.BadZipFile, EOFError) as error:
        msg = f"an exported model is a zip file with {_CARD} and {_WEIGHTS}"
        got = type(error).__name__
        raise ModelError(msg, got=got, mend="export it again", where=source) from error
    return ModelCard.from_json(card), weights


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > limit:
        msg = f"{name} of an exported model has at most {limit} bytes"
        raise ModelError(msg, got=size)
    with archive.open(name) as member:
        return member.read(limit)
