"""What a statement needs, as privileges on objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.backends.snowflake.peer.statement import SqlError, tokens_of

PART = r'(?:"[^"]+"|[\w$]+)'
NAME = rf"(?P<name>{PART}(?:\.{PART})*)"
_FULL = rf"{PART}\.{PART}\.{PART}"
ACCOUNT = "ACCOUNT"
ANY_WAREHOUSE, ITSELF = "warehouse", "itself"
"""What a query of rows needs beside the table, and a question about a role's own grants."""
OWNED_IF_THERE = "ownership, if the role sees it at all"
"""What IF EXISTS needs: what a role does not see is not there for it."""
_MODEL_FILES = "snow://model/"
_APP_FILES = "snow://streamlit/"
SHARED_PYPI = "SNOWFLAKE.SNOWPARK.PYPI_SHARED_REPOSITORY"
MAY_USE_PYPI = "SNOWFLAKE.PYPI_REPOSITORY_USER"
"""The database role that may use it, which PUBLIC has unless it was revoked."""
_TABLES = re.compile(
    rf"\b(?P<verb>MERGE INTO|INSERT INTO|DELETE FROM|UPDATE|FROM|JOIN)\s+(?P<name>{_FULL})",
    re.IGNORECASE,
)
_BY_VERB = {
    "MERGE INTO": ("SELECT", "INSERT", "UPDATE"),
    "INSERT INTO": ("INSERT",),
    "DELETE FROM": ("DELETE",),
    "UPDATE": ("UPDATE",),
}


@dataclass(frozen=True)
class Need:
    """Something that a statement does to an object; owners may."""

    name: str
    """Full, in capitals."""
    privilege: str
    """Empty where any privilege is enough, "OWNERSHIP" where only the owner may."""


def needs_of(text: str) -> Iterator[Need]:
    """What a statement does; refused where that is not known."""
    for pattern, needs in _RULES:
        if match := re.match(pattern, text, re.IGNORECASE):
            yield from needs(text, match)
            return
    raise SqlError(3001, "42501", f"The model of privileges knows no such statement: {text}")


def _files(text: str, match: re.Match[str]) -> Iterator[Need]:
    """PUT, GET, LIST, REMOVE: of a stage, or of a model's files."""
    verb, words = match[1].upper(), tokens_of(text)
    place = words[2] if verb == "PUT" else words[1]
    if place.startswith(_APP_FILES):
        yield Need(stored(place.removeprefix(_APP_FILES).partition("/")[0]), "OWNERSHIP")
    elif place.startswith(_MODEL_FILES):
        yield Need(stored(place.removeprefix(_MODEL_FILES).partition("/")[0]), "READ")
    else:
        yield Need(_stage(place), "WRITE" if verb in ("PUT", "REMOVE", "RM") else "READ")


def _unload(text: str, match: re.Match[str]) -> Iterator[Need]:
    yield Need(_stage(match["stage"]), "WRITE")
    yield from _tables(text, match)


def _tables(text: str, _: object) -> Iterator[Need]:
    yield Need("", ANY_WAREHOUSE)
    for match in _TABLES.finditer(text):
        name = stored(match["name"])
        if ".INFORMATION_SCHEMA." not in name:
            for privilege in _BY_VERB.get(" ".join(match["verb"].upper().split()), ("SELECT",)):
                yield Need(name, privilege)


def _create(text: str, match: re.Match[str]) -> Iterator[Need]:
    schema = stored(match["name"]).rpartition(".")[0]
    kind = match["kind"].upper()
    # Of what is temporary only tables need no privilege of their own.
    is_free = match["temporary"] is not None and kind == "TABLE"
    yield Need(schema, "USAGE" if is_free else f"CREATE {kind}")
    if kind == "STREAM":
        source = re.search(rf" ON STAGE ({_FULL})", text, re.IGNORECASE)
        yield Need(stored(source[1]) if source else "?", "READ")
    if kind == "STREAMLIT":
        for key, privilege in ((r"FROM '@", "READ"), (r"QUERY_WAREHOUSE = ", "USAGE")):
            source = re.search(rf"{key}({PART}(?:\.{PART})*)", text, re.IGNORECASE)
            yield Need(stored(source[1]) if source else "?", privilege)
    if kind == "TASK" and " WAREHOUSE = " not in text.partition(" AS ")[0]:
        yield Need(ACCOUNT, "EXECUTE MANAGED TASK")


def _ml_job(text: str, match: re.Match[str]) -> Iterator[Need]:
    yield Need(stored(match["name"]).rpartition(".")[0], "CREATE SERVICE")
    yield Need(stored(match["pool"]), "USAGE")
    for stage in {_stage(found) for found in re.findall(rf"@({_FULL})", text)}:
        yield Need(stage, "READ")
    for listed in re.findall(r'EXTERNAL_ACCESS_INTEGRATIONS[\\": ]+\[(.*?)\]', text):
        for name in re.findall(r"\w+", listed):
            yield Need(name.upper(), "USAGE")
    for listed in re.findall(r'ARTIFACT_REPOSITORIES[\\": ]+\[(.*?)\]', text):
        for name in re.findall(_FULL, listed):
            yield Need(MAY_USE_PYPI if stored(name) == SHARED_PYPI else stored(name), "USAGE")


def _inference(text: str, match: re.Match[str]) -> Iterator[Need]:
    yield Need(stored(match["name"]).rpartition(".")[0], "CREATE SERVICE")
    yield Need(stored(match["pool"]), "USAGE")
    yield Need(stored(match["model"]), "USAGE")
    yield Need(_stage(match["source"]), "READ")
    yield Need(ACCOUNT, "BIND SERVICE ENDPOINT")
    if repository := re.search(rf"image_repo\w*:\W+({_FULL})", text):
        for privilege in ("READ", "WRITE", "SERVICE READ", "SERVICE WRITE"):
            yield Need(stored(repository[1]), privilege)
    output = re.search(rf"stage_location:\W+({_FULL})", text)
    yield Need(_stage(output[1]) if output else "?", "WRITE")


def _on(privilege: str) -> Callable[[str, re.Match[str]], Iterator[Need]]:
    def needs(_: str, match: re.Match[str]) -> Iterator[Need]:
        yield Need(stored(match["name"]), privilege)

    return needs


def _nothing(_: str, __: object) -> Iterator[Need]:
    return iter(())


_KIND = r"(?P<kind>TABLE|VIEW|STAGE|MODEL|EXPERIMENT|TASK|STREAM(?!LIT)|STREAMLIT)"
_CREATE = (
    r"CREATE (?:OR REPLACE )?(?P<temporary>(?:SCOPED )?TEMP(?:ORARY)? )?"
    rf"{_KIND} (?P<there>IF NOT EXISTS )?{NAME}"
)
_ML_JOB = rf"CALL SYSTEM\$EXECUTE_ML_JOB\('{NAME}', '(?P<pool>\w+)'"
_INFERENCE = (
    r"EXECUTE INFERENCE JOB SERVICE IN COMPUTE POOL (?P<pool>\S+) .*FROM (?P<source>\S+) "
    rf"MODEL = (?P<model>\S+) VERSION .* NAME = {NAME}"
)
_RULES: tuple[tuple[str, Callable[[str, Any], Iterator[Need]]], ...] = (
    (r"(USE|ALTER SESSION)\b", _nothing),
    (r"(BEGIN|COMMIT|ROLLBACK)$", _nothing),
    (r"(PUT|GET|LIST|LS|REMOVE|RM) ", _files),
    (rf"ALTER STAGE {NAME} REFRESH", _on("WRITE")),
    (rf"SHOW (?:FUTURE )?GRANTS TO ROLE {NAME}", _on(ITSELF)),
    (r"COPY INTO '?(?P<stage>@[^\s']+)", _unload),
    (_CREATE, _create),
    (_INFERENCE, _inference),
    (_ML_JOB, _ml_job),
    (r"(?:CALL|SELECT) SYSTEM\$GET_ML_JOB_RUNTIME\('(?P<name>\w+)'", _on("USAGE")),
    (rf"(?:ALTER|DROP) {_KIND} IF EXISTS {NAME}", _on(OWNED_IF_THERE)),
    (rf"(?:ALTER|DROP) {_KIND} {NAME}", _on("OWNERSHIP")),
    (rf"SHOW (?:MODELS|STAGES)\b.* IN SCHEMA {NAME}", _on("USAGE")),
    (rf"SHOW (?:VERSIONS|FUNCTIONS)\b.* ?IN MODEL {NAME}", _on("")),
    (rf"SHOW RUNS\b.* IN EXPERIMENT {NAME}", _on("OWNERSHIP")),
    (rf"DESCRIBE STAGE '?@?{NAME}", _on("")),
    (r"SHOW (TASKS|DATABASES|SCHEMAS|COMPUTE POOLS|PARAMETERS|SERVICE INSTANCES)", _nothing),
    (r"DESCRIBE SERVICE", _nothing),
    (r"(SELECT|CALL)\b(?!.*\bFROM\b)", _nothing),
    (r"(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE)\b", _tables),
)


def made_by(text: str) -> Iterator[tuple[str, str, bool]]:
    """Name and kind of what a statement makes, and whether only its session sees it."""
    if match := re.match(_CREATE, text, re.IGNORECASE):
        yield stored(match["name"]), match["kind"].upper(), match["temporary"] is not None


def _stage(place: str) -> str:
    return stored(place.lstrip("'@").partition("/")[0].rstrip("'"))


def stored(name: str) -> str:
    parts = re.findall(PART, name)
    return ".".join(part.strip('"') if part[0] == '"' else part.upper() for part in parts)
