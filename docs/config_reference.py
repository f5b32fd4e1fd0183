"""The reference of every key of a configuration, in Markdown, from its JSON schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lungreg.config import Config

Schema = Mapping[str, Any]
_HEAD = ("| key | values | default | what it means |", "|---|---|---|---|")
_WORDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
}
_LIMITS = (
    *(("minimum", "at least {}"), ("exclusiveMinimum", "above {}")),
    *(("maximum", "at most {}"), ("exclusiveMaximum", "below {}")),
)


def config_reference() -> str:
    """One section for each top-level key, one row for each key below it."""
    schema = Config.model_json_schema()
    parts = []
    for name, key in schema["properties"].items():
        parts += [f"## {name}", "", key["description"], ""]
        kinds = _sections(key, schema)
        if not kinds:
            parts += [*_HEAD, _row(name, key, schema), ""]
        for section in kinds:
            if len(kinds) > 1:
                kind = section["properties"]["kind"]["const"]
                parts += [f"### {name}, kind {kind}", ""]
            parts += [_one_line(section.get("description", "")), "", *_HEAD]
            parts += [*_rows(name, section, schema), ""]
    return "\n".join(parts)


def all_keys() -> list[str]:
    """Every key with its section, such as "train.epochs", in the order of the reference."""
    schema = Config.model_json_schema()
    found = []
    for name, key in schema["properties"].items():
        sections = _sections(key, schema)
        found += [path for section in sections for path, _ in _keys(name, section, schema)]
        found += [] if sections else [name]
    return found


def _rows(prefix: str, section: Schema, schema: Schema) -> list[str]:
    return [_row(path, key, schema) for path, key in _keys(prefix, section, schema)]


def _keys(prefix: str, section: Schema, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The keys of a section with their paths, those of sections in it behind their own."""
    for name, key in section["properties"].items():
        yield f"{prefix}.{name}", key
        for inner in _sections(key, schema):
            yield from _keys(f"{prefix}.{name}", inner, schema)


def _sections(key: Schema, schema: Schema) -> list[Schema]:
    """The sections that a key may hold: none for a plain value, two for the kinds of backend."""
    choices = [key, *key.get("anyOf", ()), *key.get("oneOf", ()), *key.get("allOf", ())]
    names = [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]
    found = [schema["$defs"][name] for name in names]
    return [section for section in found if "properties" in section]


def _row(path: str, key: Schema, schema: Schema) -> str:
    default = "" if _sections(key, schema) else _default(key)
    cells = (f"`{path}`", _values(key, schema), default, _one_line(key.get("description", "")))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(key: Schema) -> str:
    return f"`{json.dumps(key['default'])}`" if "default" in key else "must be given"


def _values(key: Schema, schema: Schema) -> str:
    """What a key may hold, in words."""
    if "$ref" in key:
        target = schema["$defs"][key["$ref"].rpartition("/")[2]]
        return "section" if "properties" in target else _values(target, schema)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in key:
            words = [_values(choice, schema) for choice in key[several]]
            return " or ".join(dict.fromkeys(words))
    if "const" in key:
        return f"`{key['const']}`"
    if "enum" in key:
        return ", ".join(f"`{value}`" for value in key["enum"])
    return _plain(key, schema)


def _plain(key: Schema, schema: Schema) -> str:
    kind = key.get("type")
    if kind == "null":
        return "`null`"
    if kind == "array":
        several = key.get("prefixItems")
        if several:
            return f"{len(several)} of: {_values(several[0], schema)}"
        return f"list of: {_values(key.get('items', {}), schema)}"
    limits = [words.format(key[name]) for name, words in _LIMITS if name in key]
    return ", ".join([_WORDS.get(str(kind), "any"), *limits])


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("[", "\\[")
