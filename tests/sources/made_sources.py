"""Folders and archives in the layouts of a source, and settings for them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

from lungreg.config import Ingest, Pattern
from lungreg.sources import open_source

ZENODO = Ingest(layout="zenodo")
L2R = Ingest(layout="learn2reg")


def put(root: Path, *names: str) -> Path:
    """Empty files of these names."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def zenodo(root: Path, *case_ids: str) -> Path:
    """The Zenodo layout with all files of each case."""
    for case_id in case_ids:
        for folder in ("scans", "lungMasks"):
            put(root, f"{folder}/{case_id}_exp.nii.gz", f"{folder}/{case_id}_insp.nii.gz")
        put(root, f"keypoints/{case_id}.csv")
    return root


def learn2reg(root: Path, *numbers: int, **index: object) -> Path:
    """The Learn2Reg layout."""
    pairs = []
    for number in numbers:
        names = [f"LungCT_{number:04d}_{breath:04d}.nii.gz" for breath in (0, 1)]
        put(root, *(f"{folder}/{name}" for folder in ("imagesTr", "masksTr") for name in names))
        fixed, moving = (f"./imagesTr/{name}" for name in names)
        pairs.append({"fixed": fixed, "moving": moving})
    content = {"training_paired_images": pairs, "registration_val": pairs[:1], **index}
    (root / "LungCT_dataset.json").write_text(json.dumps(content))
    return root


def ingest(source: Path | str, **limits: object) -> Ingest:
    """Settings for one source."""
    return Ingest.model_validate({"source": str(source), **limits})


def by_pattern(**patterns: str) -> Ingest:
    """Settings for the user's own patterns."""
    return Ingest(layout="pattern", pattern=Pattern.model_validate(patterns))


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    """A real zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, *members: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    """A real tar with members of any kind; files are filled with zeros."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)) if member.isreg() else None)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int = 0, to: str = "") -> object:
    """A tar member."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, to
    return info


def outcome(settings: Ingest, cache: Path, **options: object) -> list[str]:
    """Names of all files of an opened source."""
    with open_source(settings, cache, **options) as folder:
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
