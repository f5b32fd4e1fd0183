"""Export a model version as one zip file, and import it at another site."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lungreg.errors import ModelError, RunError
from lungreg.records import ModelCard
from lungreg.stores import ModelRegistry
from lungreg.stores.names import CARD_FILE, WEIGHTS_FILE

_HASHES = "SHA256SUMS"
_DAMAGED = (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, zlib.error)
"""Errors of zipfile for damaged files; RuntimeError for one with a password."""
_MAX_CARD_BYTES = 16 * 2**20
_MAX_WEIGHTS_BYTES = 4 * 2**30


def export_model(models: ModelRegistry, name: str, version: str, target: Path) -> ModelCard:
    """Write a version as one zip file: weights, card, and the hashes of both.

    A file that is there is replaced.

    Raises:
        NotFoundError: No such model.
        RunError: The file cannot be written.
    """
    card = models.resolve(name, version)
    weights = models.weights(card)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            members = {CARD_FILE: card.to_json().encode(), WEIGHTS_FILE: weights}
            for member, data in (*members.items(), (_HASHES, _hashes(members))):
                archive.writestr(member, data)
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
        MissingExtraError: MONAI, which builds the network to check its weights, is not installed.
        ModelError: No export, damaged, or weights that do not fit their card.
    """
    from lungreg.learning.network import build_network, load_weights, network_settings

    members, hashes = _read(source)
    if hashes != _hashes(members):
        msg = f"card and weights of an exported model have the hashes in its {_HASHES}"
        raise ModelError(msg, got="others", mend="export it again", where=source)
    card, weights = ModelCard.from_json(members[CARD_FILE]), members[WEIGHTS_FILE]
    load_weights(build_network(network_settings(card)), weights)
    return models.add(replace(card, name=name or card.name, version=""), weights)


def _read(source: Path) -> tuple[dict[str, bytes], bytes]:
    """Card and weights by name, and their hashes."""
    limits = {CARD_FILE: _MAX_CARD_BYTES, WEIGHTS_FILE: _MAX_WEIGHTS_BYTES}
    try:
        with zipfile.ZipFile(source) as archive:
            members = {name: _member(archive, name, limit) for name, limit in limits.items()}
            hashes = _member(archive, _HASHES, _MAX_CARD_BYTES)
    except FileNotFoundError as error:
        msg = "an exported model is a file that is there"
        raise ModelError(msg, got="nothing", mend="check its name", where=source) from error
    except (*_DAMAGED, KeyError) as error:
        msg = f"an exported model is a zip file with {CARD_FILE}, {WEIGHTS_FILE} and {_HASHES}"
        got = type(error).__name__
        raise ModelError(msg, got=got, mend="export it again", where=source) from error
    return members, hashes


def _hashes(members: Mapping[str, bytes]) -> bytes:
    """Hashes as `sha256sum --check` reads them."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in members.items()]
    return "".join(lines).encode()


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > limit:
        msg = f"{name} of an exported model has at most {limit} bytes"
        raise ModelError(msg, got=size, mend="do not trust this file")
    with archive.open(name) as member:
        return member.read(limit)
