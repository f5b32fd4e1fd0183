"""The peer's Model Registry: small, and as strict as the account's where clients rely on it.

A version comes into being in one statement from files on a stage, or not at all; numbers cannot be
taken twice; the first version is the default; a version has one alias at most, an alias one
version; `snow://model/...` shows the files (`Stages`).
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.backends.snowflake.peer.app import Answer, Peer
from tests.backends.snowflake.peer.statement import SqlError, missing

_PART = r'(?:"[^"]+"|[\w$]+)'
_MODEL = rf"(?P<model>{_PART}(?:\.{_PART}){{2}})"
_VERSION = rf"(?P<version>{_PART})"
_TEXT = r"(?:\$\$(?P<dollars>.*?)\$\$|'(?P<quoted>.*?)')"
_SYSTEM = ("DEFAULT", "FIRST", "LAST")
_DONE: Answer = (["status"], [["Statement executed successfully."]])
_VERSION_COLUMNS = ("name", "aliases", "comment", "metadata", "model_spec", "runnable_in")


@dataclass
class Version:
    """One version of a model."""

    name: str
    comment: str = ""
    metadata: str = ""
    alias: str | None = None
    lineage: tuple[str, ...] = ()
    """The queries that its manifest names as its data."""


@dataclass
class Model:
    """One model with its versions, oldest first."""

    versions: dict[str, Version] = field(default_factory=dict)
    default: str = ""

    def aliases(self, name: str) -> list[str]:
        """All aliases of a version, the system's too."""
        names = [*self.versions]
        system = dict(zip(_SYSTEM, (self.default, names[0], names[-1]), strict=True))
        own = self.versions[name].alias
        return [alias for alias, of in system.items() if of == name] + ([own] if own else [])

    def find(self, reference: str) -> Version:
        """A version by name or alias."""
        for name, version in self.versions.items():
            if reference in (name, *self.aliases(name)):
                return version
        raise missing(reference, "Version")


class Models:
    """All models of a peer."""

    def __init__(self, peer: Peer) -> None:
        self._stages = peer.stages
        self._models: dict[str, Model] = {}
        self._lock = threading.RLock()
        self.refuses_lineage = False
        answers: dict[str, Callable[[re.Match[str], Any], Answer]] = {
            r"SELECT SYSTEM\$ML_PLATFORM_CAPABILITIES\(\)": _no_capabilities,
            rf"SHOW MODELS(?: LIKE '(?P<like>.*)')? IN SCHEMA (?P<schema>{_PART}\.{_PART})": (
                self._show_models
            ),
            rf"SHOW VERSIONS(?: LIKE '(?P<like>.*)')? IN MODEL {_MODEL}": self._show_versions,
            rf"SHOW FUNCTIONS IN MODEL {_MODEL} VERSION {_VERSION}": self._show_functions,
            rf"CREATE MODEL {_MODEL} WITH VERSION {_VERSION} FROM (?P<files>\S+)": self._create,
            rf"DROP MODEL {_MODEL}": self._drop,
            rf"ALTER MODEL {_MODEL} ADD VERSION {_VERSION} FROM (?P<files>\S+)": self._add,
            rf"ALTER MODEL {_MODEL} MODIFY VERSION {_VERSION} SET METADATA\s*=\s*{_TEXT}": (
                self._set_metadata
            ),
            rf"ALTER MODEL {_MODEL} MODIFY VERSION {_VERSION} SET COMMENT\s*=\s*{_TEXT}": (
                self._set_comment
            ),
            rf"ALTER MODEL {_MODEL} SET DEFAULT_VERSION\s*=\s*'?{_VERSION}'?": self._set_default,
            rf"ALTER MODEL {_MODEL} VERSION {_VERSION} SET ALIAS\s*=\s*'?(?P<alias>{_PART})'?": (
                self._set_alias
            ),
            rf"ALTER MODEL {_MODEL} VERSION {_VERSION} UNSET ALIAS": self._unset_alias,
        }
        for pattern, answer in answers.items():
            peer.on(rf"^\s*{pattern}\s*;?\s*$", self._parsed(pattern, answer))

    def folder(self, model: str, version: str) -> Path:
        """Where the files of a version lie; `model` is DB.SCHEMA.MODEL."""
        return self._stages.model_folder(model, version)

    def put(
        self, model: str, version: str, files: Path, *, comment: str = "", metadata: str = ""
    ) -> None:
        """Add a version as another client would; `model` is DB.SCHEMA.MODEL."""
        shutil.copytree(files, self.folder(model, version))
        stored = self._models.setdefault(model, Model(default=version))
        stored.versions[version] = Version(version, comment=comment, metadata=metadata)

    def _parsed(
        self, pattern: str, answer: Callable[[re.Match[str], Any], Answer]
    ) -> Callable[[str, Sequence[Any], Any], Answer]:
        compiled = re.compile(pattern, re.IGNORECASE | re.DOTALL)

        def parsed(sql: str, binds: Sequence[Any], connection: Any) -> Answer:
            match = compiled.search(sql)
            with self._lock:
                return answer(match, connection) if match else _DONE

        return parsed

    def _show_models(self, match: re.Match[str], connection: Any) -> Answer:
        schema = _stored(match["schema"])
        rows = [
            [_model_part(stored), "", model.default]
            for stored, model in self._models.items()
            if stored.startswith(f"{schema}.") and _like(_model_part(stored), match["like"])
        ]
        return ["name", "comment", "default_version_name"], rows

    def _show_versions(self, match: re.Match[str], connection: Any) -> Answer:
        model = self._model(match)
        rows = []
        for name, version in model.versions.items():
            if _like(name, match["like"]):
                aliases = json.dumps(model.aliases(name))
                spec = self._specification(match["model"], name)
                values = (version.comment, version.metadata, spec)
                rows.append([name, aliases, *values, '["SNOWPARK_CONTAINER_SERVICES"]'])
        return _VERSION_COLUMNS, rows

    def _show_functions(self, match: re.Match[str], connection: Any) -> Answer:
        version = self._model(match).find(_stored(match["version"]))
        manifest = self.folder(_stored(match["model"]), version.name) / "MANIFEST.yml"
        methods = yaml.safe_load(manifest.read_text())["methods"]
        return ["name", "return_type"], [[each["name"].upper(), "OBJECT"] for each in methods]

    def _create(self, match: re.Match[str], connection: Any) -> Answer:
        stored = _stored(match["model"])
        if stored in self._models:
            raise SqlError(100132, "42710", f"Object '{stored}' already exists.")
        self._put(stored, Model(), match, connection)
        return _DONE

    def _add(self, match: re.Match[str], connection: Any) -> Answer:
        self._put(_stored(match["model"]), self._model(match), match, connection)
        return _DONE

    def _drop(self, match: re.Match[str], connection: Any) -> Answer:
        stored = _stored(match["model"])
        for name in self._model(match).versions:
            shutil.rmtree(self.folder(stored, name))
        del self._models[stored]
        return _DONE

    def _put(self, stored: str, model: Model, match: re.Match[str], connection: Any) -> None:
        name = _stored(match["version"])
        if name in model.versions:
            raise SqlError(2002, "42710", f"Version '{name}' already exists.")
        source = self._stages.place(match["files"].strip("'"), connection)
        files = source.folder / source.path.strip("/")
        if not (files / "MANIFEST.yml").is_file():
            raise SqlError(398507, "22000", "Unable to read file MANIFEST.yml")
        lineage = self._lineage(files, connection)
        shutil.copytree(files, self.folder(stored, name))
        model.versions[name] = Version(name, lineage=lineage)
        model.default = model.default or name
        self._models[stored] = model

    def _set_metadata(self, match: re.Match[str], connection: Any) -> Answer:
        text = match["dollars"] or match["quoted"]
        json.loads(text)
        self._version(match).metadata = text
        return _DONE

    def _set_comment(self, match: re.Match[str], connection: Any) -> Answer:
        self._version(match).comment = match["dollars"] or match["quoted"]
        return _DONE

    def _set_default(self, match: re.Match[str], connection: Any) -> Answer:
        self._model(match).default = self._version(match).name
        return _DONE

    def _set_alias(self, match: re.Match[str], connection: Any) -> Answer:
        model, alias = self._model(match), _stored(match["alias"])
        if match["alias"].startswith('"') or alias in (*_SYSTEM, *model.versions):
            raise SqlError(1003, "42000", f"Invalid alias '{alias}'.")
        if any(version.alias == alias for version in model.versions.values()):
            raise SqlError(2002, "42710", f"Alias '{alias}' already exists.")
        version = self._version(match)
        if version.alias is not None:
            raise SqlError(2002, "42710", "A version has one alias at most.")
        version.alias = alias
        return _DONE

    def _unset_alias(self, match: re.Match[str], connection: Any) -> Answer:
        self._version(match).alias = None
        return _DONE

    def _model(self, match: re.Match[str]) -> Model:
        stored = _stored(match["model"])
        if stored not in self._models:
            raise missing(stored, "Model")
        return self._models[stored]

    def _version(self, match: re.Match[str]) -> Version:
        return self._model(match).find(_stored(match["version"]))

    def _lineage(self, files: Path, connection: Any) -> tuple[str, ...]:
        """The queries of the manifest; one that does not compile is refused."""
        sources = yaml.safe_load((files / "MANIFEST.yml").read_text()).get("lineage_sources", [])
        queries = tuple(each["entity"] for each in sources if each["type"] == "QUERY")
        if queries and self.refuses_lineage:
            raise SqlError(1003, "42000", "SQL compilation error:\nlineage_sources is not allowed")
        for query in queries:
            for stage in re.findall(r"DIRECTORY\((@[\w.]+)\)", query):
                self._stages.place(stage, connection)
        return queries

    def lineage(self, model: str, version: str) -> tuple[str, ...]:
        """The queries that lead from a version to its data; `model` is DB.SCHEMA.MODEL."""
        return self._models[model].versions[version].lineage

    def repositories(self, model: str, version: str) -> dict[str, str]:
        """Where the image of a version gets its packages, by the kind of package."""
        found = yaml.safe_load(self._specification(model, version))["env"]
        return dict(found["artifact_repository_map"])

    def _specification(self, model: str, version: str) -> str:
        file = self.folder(_stored(model), version) / "model" / "model.yaml"
        return file.read_text()


def _no_capabilities(match: re.Match[str], connection: Any) -> Answer:
    return ["FEATURES"], [["{}"]]


def _stored(reference: str) -> str:
    """The name as the account keeps it: unquoted parts in capitals."""
    parts = re.findall(_PART, reference)
    return ".".join(part.strip('"') if part.startswith('"') else part.upper() for part in parts)


def _model_part(stored: str) -> str:
    return stored.split(".", 2)[2]


def _like(name: str, pattern: str | None) -> bool:
    """LIKE of SHOW: any case, "_" for one character, "%" for any."""
    if pattern is None:
        return True
    regex = "".join({"_": ".", "%": ".*"}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(regex, name, re.IGNORECASE) is not None
