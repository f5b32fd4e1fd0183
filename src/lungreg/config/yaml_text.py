"""Read the YAML of a configuration, and remember the line that each key stands in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lungreg.errors import ConfigError

RULE = "a configuration is YAML in UTF-8"
QUOTED_ID = 'put text with {case_id} in quotes, such as "{case_id}/exp.nii.gz"'
"""The mend of a pattern that YAML took for a mapping."""
_IN_QUOTES = re.compile(r"\"[^\"]*\"|'[^']*'")
_UNQUOTED_ID = re.compile(r"\{\s*case_id\s*\}")


@dataclass(frozen=True)
class Lines:
    """The lines of a YAML file by the keys that lead there."""

    root: yaml.Node | None
    """As composed; a key that a merge ("<<") brought in has the line that it was written in."""

    def of(self, path: Sequence[str | int]) -> int | None:
        """The line, from 1, of a key or list item, or of the nearest one around it that is there.

        Args:
            path: Keys and indexes, from the outermost on.
        """
        node, line = self.root, None
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            mark, node = found
            line = mark.line + 1
        return line


def read_yaml(file: Path) -> tuple[Any, Lines]:
    """The value that a file holds, and its lines.

    Raises:
        ConfigError: The file cannot be read, is no YAML, or gives a key twice; with its line.
    """
    text = _text(file)
    loader = _loader(text, file)
    try:
        root = loader.get_single_node()
        _check_keys_stand_once(root, file)
        # Makes the merged keys children of the node, which `Lines` then finds.
        value = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise _no_yaml(error, text, file) from error
    except (ValueError, RecursionError) as error:  # a 13th month; brackets in thousands
        reason = str(error) if isinstance(error, ValueError) else "too many brackets in each other"
        raise ConfigError(RULE, got=reason, where=file) from error
    finally:
        loader.dispose()
    return value, Lines(root)


def misses_quotes(text: str) -> bool:
    """Whether {case_id} stands in a line of YAML without quotes around it."""
    return _UNQUOTED_ID.search(_IN_QUOTES.sub("", text)) is not None


def _text(file: Path) -> str:
    try:
        data = file.read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(RULE, got=error.strerror, where=file) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        mend = "save the file as UTF-8"
        raise ConfigError(RULE, got=error.reason, mend=mend, where=f"{file}:{line}") from error


def _loader(text: str, file: Path) -> yaml.SafeLoader:
    try:
        return yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        got = f"a character that is none of text (code {error.character})"
        mend = "remove it, or save the file as UTF-8 again"
        raise ConfigError(RULE, got=got, mend=mend, where=f"{file}:{line}") from error


def _child(node: yaml.Node | None, part: str | int) -> tuple[Any, yaml.Node] | None:
    """Mark of a key or item, and the node behind it."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark, node.value[part]
    if isinstance(node, yaml.MappingNode):
        # The last one: keys that a merge brought in stand before those that win over them.
        for key, value in reversed(node.value):
            if key.value == str(part):
                return key.start_mark, value
    return None


def _check_keys_stand_once(root: yaml.Node | None, file: Path) -> None:
    """YAML would take the last of two sections of one name, and drop the first in silence."""
    for node in _mappings(root):
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                msg = "a configuration has each key of a section once"
                got = f"{key.value} in lines {lines[key.value]} and {line}"
                mend = "put together what stands under both"
                raise ConfigError(msg, got=got, mend=mend, where=f"{file}:{line}")
            lines[key.value] = line


def _mappings(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """All mappings of a document, each once: aliases may lead back to where they stand."""
    seen: set[int] = set()
    waiting = [] if root is None else [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _no_yaml(error: yaml.YAMLError, text: str, file: Path) -> ConfigError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ConfigError(RULE, got=" ".join(str(error).split()), where=file)
    place = f"{file}:{mark.line + 1}"
    rows = text.splitlines()
    if mark.line < len(rows) and misses_quotes(rows[mark.line]):
        msg = "{case_id} without quotes is a mapping in YAML, and nothing can follow it"
        return ConfigError(msg, mend=QUOTED_ID, where=place)
    problem, context = getattr(error, "problem", None), getattr(error, "context", None)
    begin = getattr(error, "context_mark", None)
    since = "" if begin is None or context is None else f" ({context} from line {begin.line + 1})"
    mend = "indent with spaces, not tabs" if "\\t" in str(problem) else None
    return ConfigError(RULE, got=f"{problem}{since}", mend=mend, where=place)
