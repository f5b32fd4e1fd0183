"""What the JSON schema of configurations says of a key: its sentence, values and neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

Path = tuple[str | int, ...]
"""Keys and indexes of lists that lead to a value, from the outermost on."""
_NUMBERS = {"integer": "an integer", "number": "a number"}
_BOUNDS = (
    ("minimum", "from"),
    ("exclusiveMinimum", "above"),
    ("maximum", "to"),
    ("exclusiveMaximum", "below"),
)
_WORDS = {"boolean": "true or false", "null": "null", "object": "a mapping", "array": "a list"}
_MOST_ALIKE = 3
_CUTOFF, _STRICT_CUTOFF = 0.6, 0.8
"""Least likeness (difflib) of two names in one section, and of two in different ones."""


def sentence(path: Path, raw: Mapping[str, Any]) -> str | None:
    """The description of the key, or of the nearest one around it; None for no key of the schema.

    Args:
        path: Of a value.
        raw: The configuration, which says which kind of backend it has.
    """
    schema, found = _schema(), None
    for part in path:
        child = _child(schema, part, raw)
        if child is None:
            break
        schema, found = child, child.get("description", found)
    return found


def allowed(path: Path, raw: Mapping[str, Any]) -> str | None:
    """The values that a key may have, in words; None for no key of the schema."""
    schema = _at(path, raw)
    if schema is None:
        return None
    return " or ".join(dict.fromkeys(_words(option) for option in _options(schema)))


def choices(path: Path, raw: Mapping[str, Any]) -> list[str]:
    """The texts that a key may be, where it has a fixed list of them."""
    options = [] if (schema := _at(path, raw)) is None else list(_options(schema))
    listed = [value for option in options for value in _listed(option)]
    return [value for value in listed if isinstance(value, str)]


def section_keys(path: Path, raw: Mapping[str, Any]) -> list[str]:
    """The keys that a section has; [] for a path that leads to none."""
    schema = _at(path, raw)
    options = [] if schema is None else _options(schema, raw)
    return [key for option in options for key in option.get("properties", {})]


def alike_keys(path: Path, raw: Mapping[str, Any]) -> list[Path]:
    """Keys of the schema that may be meant by an unknown one, the likeliest first, up to three."""
    section, name = path[:-1], str(path[-1]).lower().replace("-", "_")
    own = section_keys(section, raw)
    if name in own:
        return [(*section, name)]
    known = list(_paths(_schema(), (), raw))
    if elsewhere := [found for found in known if found[-1] == name]:
        return elsewhere[:_MOST_ALIKE]
    if near := get_close_matches(name, own, n=1, cutoff=_CUTOFF):
        return [(*section, near[0])]
    names = get_close_matches(name, {str(found[-1]) for found in known}, 1, _STRICT_CUTOFF)
    return [found for found in known if found[-1] in names][:_MOST_ALIKE]


def alike_choice(value: object, known: Sequence[str]) -> str | None:
    """The one of the known texts that may be meant by another one; None where none is near."""
    near = get_close_matches(str(value).lower(), known, n=1, cutoff=_CUTOFF)
    return near[0] if near else None


@cache
def _schema() -> dict[str, Any]:
    from lungreg.config.run import Config

    return Config.model_json_schema()


def _at(path: Path, raw: Mapping[str, Any]) -> dict[str, Any] | None:
    schema: dict[str, Any] | None = _schema()
    for part in path:
        schema = None if schema is None else _child(schema, part, raw)
    return schema


def _child(schema: dict[str, Any], part: str | int, raw: Mapping[str, Any]) -> Any:
    """The schema of a key or list item; None where there is none."""
    for option in _options(schema, raw):
        if part in option.get("properties", {}):
            return option["properties"][part]
        if isinstance(part, int) and option.get("type") == "array":
            listed = option.get("prefixItems", [])
            return listed[part] if part < len(listed) else option.get("items")
    return None


def _options(
    schema: dict[str, Any], raw: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """The types of a value, references followed; with `raw`, of backends the chosen one alone."""
    if "$ref" in schema:
        schema = _schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts is None:
        yield schema
        return
    found = [option for part in parts for option in _options(part, raw)]
    kinds = [option for option in found if raw is not None and _kind(option) == _chosen_kind(raw)]
    yield from kinds if "oneOf" in schema and kinds else found


def _kind(option: dict[str, Any]) -> object:
    return option.get("properties", {}).get("kind", {}).get("const")


def _chosen_kind(raw: Mapping[str, Any]) -> object:
    backend = raw.get("backend")
    return backend.get("kind", "local") if isinstance(backend, dict) else "local"


def _paths(schema: dict[str, Any], start: Path, raw: Mapping[str, Any]) -> Iterator[Path]:
    """All keys of the schema."""
    for option in _options(schema, raw):
        for key, value in option.get("properties", {}).items():
            yield (*start, key)
            yield from _paths(value, (*start, key), raw)


def _listed(option: dict[str, Any]) -> list[object]:
    return option.get("enum") or ([option["const"]] if "const" in option else [])


def _words(option: dict[str, Any]) -> str:
    """One type of value in words."""
    if listed := _listed(option):
        return " or ".join(f'"{value}"' for value in listed)
    kind = option.get("type", "")
    if kind in _NUMBERS:
        bounds = [f"{word} {option[key]:.15g}" for key, word in _BOUNDS if key in option]
        return " ".join([_NUMBERS[kind], *bounds])
    if kind == "array" and "prefixItems" in option:
        return f"a list of {len(option['prefixItems'])}: {_words(option['prefixItems'][0])} each"
    if kind == "string":
        return "a date" if option.get("format") == "date" else "text"
    return _WORDS.get(kind, "a value")
