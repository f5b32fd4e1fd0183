"""Who may do what in the account: what the grants that setup runs allow, and nothing else.

Sessions without role, and those in the role that setup takes, may do everything; of each other
role all that it was not granted is refused, statements that are not known here too. An object
belongs to the role that made it. Where a session has not put its secondary roles aside, what any
role may is allowed but for making objects. It is a model of Snowflake's rules, not Snowflake: roles
of roles, and what a job does inside a container are not in it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.statement import SqlError, missing, tokens_of

_PART = r'(?:"[^"]+"|[\w$]+)'
_NAME = rf"(?P<name>{_PART}(?:\.{_PART})*)"
_FULL = rf"{_PART}\.{_PART}\.{_PART}"
_ACCOUNT = "ACCOUNT"
_MODEL_FILES = "snow://model/"
_GRANT = re.compile(
    r"^GRANT (?P<privileges>.+?) ON (?P<kind>(?:ALL |FUTURE )?[A-Z ]+?)(?P<scope> IN SCHEMA)? "
    r"(?P<name>[\w.$]+) TO ROLE (?P<role>\w+)$",
    re.IGNORECASE,
)
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


class Privileges:
    """The account's grants. A peer's guard."""

    def __init__(self, peer: Peer, *, setup: str = "LUNGREG_SETUP") -> None:
        self._setup = setup
        self._held: dict[tuple[str, str], set[str]] = defaultdict(set)
        """By role and object, the privileges."""
        self._future: dict[str, set[tuple[str, str]]] = defaultdict(set)
        """By schema, role and privilege on the models that come."""
        self._owners: dict[str, str] = {}
        self._models: set[str] = set()
        self.refused: list[tuple[str, str]] = []
        """Roles and the statements that they were refused."""
        peer.guard = self
        peer.on(r"^SHOW STAGES IN SCHEMA", _shown)

    def check(self, sql: str, binds: Sequence[Any], role: str | None, *, alone: bool) -> None:
        """Let a statement pass, or refuse it; grants and new objects are noted."""
        named = re.sub(r"identifier\(\?\)", lambda _: str(binds[0]), sql, flags=re.IGNORECASE)
        text = " ".join(named.split())
        if role in (None, self._setup):
            self._note_grant(text)
            return
        try:
            for need in _needs(text):
                self._require_of_any(str(role), need, alone=alone)
        except SqlError:
            self.refused.append((str(role), text))
            raise
        self._note_new(text, str(role))

    def take(self, role: str, privilege: str, name: str) -> None:
        """Take a privilege on an object from a role, as an administrator would."""
        self._held[role, name].discard(privilege)

    def give(self, role: str, privilege: str, name: str) -> None:
        """Grant a role a privilege on an object."""
        self._held[role, name].add(privilege)

    def visible(self, sql: str, role: str | None, answer: Answer) -> Answer:
        """Rows of SHOW about objects that the role has a privilege on."""
        match = re.match(
            rf"\s*SHOW (STAGES|MODELS|COMPUTE POOLS)\b(?:.* IN SCHEMA {_NAME})?", sql, re.IGNORECASE
        )
        if match is None or role in (None, self._setup):
            return answer
        names, rows = answer
        column = [*names].index("name")
        before = f"{_stored(match['name'])}." if match["name"] else ""
        return names, [row for row in rows if self._sees(str(role), f"{before}{row[column]}")]

    def _require_of_any(self, role: str, need: Need, *, alone: bool) -> None:
        others = {each for each, _ in self._held} - {role}
        if not alone and not need.privilege.startswith("CREATE "):
            for other in others:
                with suppress(SqlError):
                    self._require(other, need)
                    return
        self._require(role, need)

    def _require(self, role: str, need: Need) -> None:
        for parent in _parents(need.name):
            if "USAGE" not in self._held[role, parent]:
                raise missing(parent)
        held = self._held[role, need.name]
        if (
            self._owner(need.name) == role
            or need.privilege in held
            or (held and not need.privilege)
        ):
            return
        if need.name != _ACCOUNT and not self._sees(role, need.name):
            raise missing(need.name)
        text = f"SQL access control error:\nInsufficient privileges to operate on '{need.name}'."
        raise SqlError(3001, "42501", text)

    def _sees(self, role: str, name: str) -> bool:
        return bool(self._held[role, name.upper()]) or self._owner(name.upper()) == role

    def _owner(self, name: str) -> str | None:
        """Of an object, or of what is known by its last part alone, as temporary things are."""
        return self._owners.get(name) or self._owners.get(name.rpartition(".")[2])

    def _note_grant(self, text: str) -> None:
        match = _GRANT.match(text)
        if match is None:
            return
        role, name, kind = match["role"].upper(), _stored(match["name"]), match["kind"].upper()
        for privilege in match["privileges"].upper().split(", "):
            if kind.startswith("FUTURE "):
                self._future[name].add((role, privilege))
            elif kind.startswith("ALL "):
                for model in self._models:
                    if model.startswith(f"{name}."):
                        self._held[role, model].add(privilege)
            else:
                self._held[role, name].add(privilege)

    def _note_new(self, text: str, role: str) -> None:
        for name, kind, is_temporary in _made(text):
            key = name.rpartition(".")[2] if is_temporary else name
            self._owners.setdefault(key, role)
            if kind == "MODEL":
                self._models.add(name)
                for other, privilege in self._future[name.rpartition(".")[0]]:
                    self._held[other, name].add(privilege)


def _needs(text: str) -> Iterator[Need]:
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
    if place.startswith(_MODEL_FILES):
        yield Need(_stored(place.removeprefix(_MODEL_FILES).partition("/")[0]), "READ")
    else:
        yield Need(_stage(place), "WRITE" if verb in ("PUT", "REMOVE", "RM") else "READ")


def _unload(text: str, match: re.Match[str]) -> Iterator[Need]:
    yield Need(_stage(match["stage"]), "WRITE")
    yield from _tables(text, match)


def _tables(text: str, _: object) -> Iterator[Need]:
    for match in _TABLES.finditer(text):
        name = _stored(match["name"])
        if ".INFORMATION_SCHEMA." not in name:
            for privilege in _BY_VERB.get(" ".join(match["verb"].upper().split()), ("SELECT",)):
                yield Need(name, privilege)


def _create(text: str, match: re.Match[str]) -> Iterator[Need]:
    schema = _stored(match["name"]).rpartition(".")[0]
    kind = match["kind"].upper()
    # Of what is temporary only tables need no privilege of their own.
    is_free = match["temporary"] is not None and kind == "TABLE"
    yield Need(schema, "USAGE" if is_free else f"CREATE {kind}")


def _ml_job(text: str, match: re.Match[str]) -> Iterator[Need]:
    yield Need(_stored(match["name"]).rpartition(".")[0], "CREATE SERVICE")
    yield Need(_stored(match["pool"]), "USAGE")
    for stage in {_stage(found) for found in re.findall(rf"@({_FULL})", text)}:
        yield Need(stage, "READ")
    for listed in re.findall(r'EXTERNAL_ACCESS_INTEGRATIONS[\\": ]+\[(.*?)\]', text):
        for name in re.findall(r"\w+", listed):
            yield Need(name.upper(), "USAGE")


def _inference(text: str, match: re.Match[str]) -> Iterator[Need]:
    yield Need(_stored(match["name"]).rpartition(".")[0], "CREATE SERVICE")
    yield Need(_stored(match["pool"]), "USAGE")
    yield Need(_stored(match["model"]), "USAGE")
    yield Need(_stage(match["source"]), "READ")
    yield Need(_ACCOUNT, "BIND SERVICE ENDPOINT")
    if repository := re.search(rf"image_repo\w*:\W+({_FULL})", text):
        for privilege in ("READ", "WRITE", "SERVICE READ", "SERVICE WRITE"):
            yield Need(_stored(repository[1]), privilege)
    output = re.search(rf"stage_location:\W+({_FULL})", text)
    yield Need(_stage(output[1]) if output else "?", "WRITE")


def _on(privilege: str) -> Callable[[str, re.Match[str]], Iterator[Need]]:
    def needs(_: str, match: re.Match[str]) -> Iterator[Need]:
        yield Need(_stored(match["name"]), privilege)

    return needs


def _nothing(_: str, __: object) -> Iterator[Need]:
    return iter(())


_KIND = r"(?P<kind>TABLE|VIEW|STAGE|MODEL|EXPERIMENT)"
_CREATE = (
    r"CREATE (?:OR REPLACE )?(?P<temporary>(?:SCOPED )?TEMP(?:ORARY)? )?"
    rf"{_KIND} (?P<there>IF NOT EXISTS )?{_NAME}"
)
_ML_JOB = rf"CALL SYSTEM\$EXECUTE_ML_JOB\('{_NAME}', '(?P<pool>\w+)'"
_INFERENCE = (
    r"EXECUTE INFERENCE JOB SERVICE IN COMPUTE POOL (?P<pool>\S+) .*FROM (?P<source>\S+) "
    rf"MODEL = (?P<model>\S+) VERSION .* NAME = {_NAME}"
)
_RULES: tuple[tuple[str, Callable[[str, Any], Iterator[Need]]], ...] = (
    (r"(USE|ALTER SESSION)\b", _nothing),
    (r"(PUT|GET|LIST|LS|REMOVE|RM) ", _files),
    (r"COPY INTO '?(?P<stage>@[^\s']+)", _unload),
    (_CREATE, _create),
    (_INFERENCE, _inference),
    (_ML_JOB, _ml_job),
    (r"(?:CALL|SELECT) SYSTEM\$GET_ML_JOB_RUNTIME\('(?P<name>\w+)'", _on("USAGE")),
    (rf"(?:ALTER|DROP) {_KIND} (?:IF EXISTS )?{_NAME}", _on("OWNERSHIP")),
    (rf"SHOW (?:MODELS|STAGES)\b.* IN SCHEMA {_NAME}", _on("USAGE")),
    (rf"SHOW (?:VERSIONS|FUNCTIONS)\b.* ?IN MODEL {_NAME}", _on("")),
    (rf"SHOW RUNS\b.* IN EXPERIMENT {_NAME}", _on("OWNERSHIP")),
    (rf"DESCRIBE STAGE '?@?{_NAME}", _on("")),
    (r"SHOW (DATABASES|SCHEMAS|COMPUTE POOLS|PARAMETERS|SERVICE INSTANCES)", _nothing),
    (r"DESCRIBE SERVICE", _nothing),
    (r"(SELECT|CALL)\b(?!.*\bFROM\b)", _nothing),
    (r"(SELECT|WITH|INSERT|UPDATE|DELETE|MERGE)\b", _tables),
)


def _made(text: str) -> Iterator[tuple[str, str, bool]]:
    """Name and kind of what a statement makes, and whether only its session sees it."""
    if match := re.match(_CREATE, text, re.IGNORECASE):
        yield _stored(match["name"]), match["kind"].upper(), match["temporary"] is not None


def _stage(place: str) -> str:
    return _stored(place.lstrip("'@").partition("/")[0].rstrip("'"))


def _stored(name: str) -> str:
    parts = re.findall(_PART, name)
    return ".".join(part.strip('"') if part[0] == '"' else part.upper() for part in parts)


def _parents(name: str) -> list[str]:
    """Database and schema of an object."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, min(len(parts), 3))]


def _shown(sql: str, _: object, connection: Any) -> Answer:
    cursor = connection.cursor()
    cursor.execute(sql)
    return [item.name for item in cursor.description], cursor.fetchall()
