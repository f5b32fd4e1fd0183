"""The layout that users describe themselves, by patterns with `{case_id}`."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from lungreg.config import Ingest
from lungreg.errors import ConfigError
from lungreg.sources.layouts.folders import is_ignored, nothing_found, visible
from lungreg.sources.source_case import (
    DISPLACEMENT,
    FIXED,
    FIXED_MASK,
    LANDMARKS,
    MOVING,
    MOVING_MASK,
    SourceCase,
    build_cases,
)

_PLACEHOLDER = "{case_id}"


def list_pattern(folder: Path, settings: Ingest) -> list[SourceCase]:
    """Cases whose files or DICOM folders match `ingest.pattern`, relative to the folder.

    `{case_id}` stands for a name without slash, the same wherever it appears; `*` stands for any
    text without slash; everything else is literal. Where nothing matches and the folder
    contains a single folder, as an archive often does, that one is searched.

    Raises:
        ConfigError: No pattern, or one that leaves the folder.
        DataError: Nothing matches the patterns of the scans.
    """
    pattern = settings.pattern
    if pattern is None:
        msg = "layout 'pattern' needs ingest.pattern with fixed and moving"
        raise ConfigError(msg)
    wanted = {
        FIXED: pattern.fixed,
        MOVING: pattern.moving,
        FIXED_MASK: pattern.fixed_mask,
        MOVING_MASK: pattern.moving_mask,
        LANDMARKS: pattern.landmarks,
        DISPLACEMENT: pattern.displacement,
    }
    parts = {role: _parts(text) for role, text in wanted.items() if text is not None}
    root: Path | None = folder
    while root is not None:
        if cases := _match(root, parts):
            return cases
        root = _only_folder(root)
    rule = f"layout 'pattern' looks for {pattern.fixed!r} and {pattern.moving!r}"
    raise nothing_found(folder, rule)


def _parts(text: str) -> tuple[str, ...]:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        msg = "a pattern is relative to the source and stays inside it"
        raise ConfigError(msg, got=repr(text), mend="correct ingest.pattern")
    return path.parts


def _match(root: Path, parts: dict[str, tuple[str, ...]]) -> list[SourceCase]:
    files: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    matchers = {role: (len(value), _expression("/".join(value))) for role, value in parts.items()}
    depth = max(count for count, _ in matchers.values())
    for level, name in _walk(root, "", depth):
        for role, (count, expression) in matchers.items():
            if count == level and (match := expression.fullmatch(name)):
                files[match["case_id"]][role].append(root / name)
    return build_cases(files, parts)


def _expression(text: str) -> re.Pattern[str]:
    first, *others = text.split(_PLACEHOLDER)
    literal = [re.escape(piece).replace(r"\*", "[^/]*") for piece in (first, *others)]
    named = literal[0] + "(?P<case_id>[^/]+)" + "(?P=case_id)".join(literal[1:])
    return re.compile(named, re.DOTALL)


def _walk(root: Path, prefix: str, depth: int, level: int = 1) -> Iterator[tuple[int, str]]:
    """Names below a folder with their level; the depth also ends loops of links."""
    with os.scandir(root / prefix) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if is_ignored(entry.name):
            continue
        name = f"{prefix}{entry.name}"
        yield level, name
        if level < depth and entry.is_dir():
            yield from _walk(root, f"{name}/", depth, level + 1)


def _only_folder(folder: Path) -> Path | None:
    """The folder that is all that another one holds, or None."""
    found = visible(folder)
    return found[0] if len(found) == 1 and found[0].is_dir() else None
