"""Stages of the peer: folders on disk, whose files travel over HTTP as from a bucket."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.backends.snowflake.peer.statement import (
    missing,
    options_of,
    rows_as_answer,
    succeeded,
    tokens_of,
)

FILES = "/stage-files/"
"""Path of the URLs that files are sent to and taken from."""
_MODEL = "snow://model/"
WORKSPACE_FILES = "snow://workspace/"
STREAMLIT_FILES = "snow://streamlit/"
_PARTS = "_parts"
"""Folder of uploads in progress: an object store shows no file before it is complete."""


class Place(NamedTuple):
    """Where a statement's stage path leads."""

    folder: Path
    """Of the stage."""
    path: str
    """Inside the stage; a prefix in LIST, GET and REMOVE."""
    label: str
    """What LIST puts before the names."""


class Stages:
    """All stages, below one folder."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.is_encrypted_by_client = False
        """Whether LIST has checksums of encrypted bytes, as for stages without SSE."""
        self.part_bytes = 0
        """Size of the parts in which larger files arrive, so that LIST has the checksum of their
        checksums; 0 where all arrive whole."""
        self.times = ""
        """Text that LIST has in place of each file's time, where it is not empty."""
        self.workspace_place: Callable[[str], Place] | None = None
        """Where the files of a workspace lie; None where the account has none."""
        self.streamlit_place: Callable[[str], Place] | None = None
        """Where the files of a Streamlit app lie; None where the account has none."""
        self.directories: dict[Path, set[str]] = {}
        """Names in the directory table of each stage, as it was when last refreshed."""
        self._digests: dict[tuple[Path, int, int], str] = {}
        self._known: set[tuple[str, str, str]] = set()

    def answer(self, sql: str, connection: Any) -> dict[str, Any]:
        """The rows of a file statement, or what the client needs for a transfer."""
        words = tokens_of(sql)
        verb = words[0].upper()
        if verb == "ALTER":
            path = options_of(sql).get("SUBPATH", "")
            return self._refreshed(self.place(f"@{words[2]}/{path}", connection))
        if verb == "PUT":
            return succeeded(self._upload(sql, words, self.place(words[2], connection)))
        place = self.place(words[1], connection)
        pattern = options_of(sql).get("PATTERN")
        found = [*self._files(place, pattern)]
        if verb == "GET":
            return succeeded(self._download(sql, words, place, found))
        if verb in ("REMOVE", "RM"):
            return self._remove(place, found)
        rows = []
        for file, name in found:
            with suppress(FileNotFoundError):  # removed by another session meanwhile
                rows.append(self._listed(file, f"{place.label}/{name}"))
        return rows_as_answer(["name", "size", "md5", "last_modified"], rows)

    def place(self, reference: str, connection: Any) -> Place:
        """The stage and path that a reference such as "@DB.SC.STG/folder" names."""
        if reference.startswith(_MODEL):
            return self._model_place(reference)
        if reference.startswith(WORKSPACE_FILES) and self.workspace_place is not None:
            return self.workspace_place(reference)
        if reference.startswith(STREAMLIT_FILES) and self.streamlit_place is not None:
            return self.streamlit_place(reference)
        name, _, path = reference.removeprefix("@").partition("/")
        parts = [part.strip('"') if part[:1] == '"' else part.upper() for part in name.split(".")]
        full = [connection.database, connection.schema][: 3 - len(parts)] + parts
        if tuple(full) not in self._known:
            self._known |= _stages_of(connection, *full[:2])
        if tuple(full) not in self._known:
            raise missing(".".join(map(str, full)), "Stage")
        return Place(self.root.joinpath(*full), path, full[-1].lower())

    def model_folder(self, name: str, version: str) -> Path:
        """Where the files of a model's version lie; `name` is DB.SCHEMA.MODEL."""
        return self.root / "_models" / name.replace('"', "") / version.upper()

    def receive(self, name: str, data: bytes, digest: str | None) -> bool:
        """Store an uploaded file at once and complete; False if it is not what was sent."""
        if digest and base64.b64encode(hashlib.sha256(data).digest()).decode() != digest:
            return False
        target = self._inside(name)
        part = self.root / _PARTS / uuid.uuid4().hex
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(data)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
        return True

    def send(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        try:
            return self._inside(name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return None

    def look_again(self) -> None:
        """A statement may have dropped a stage."""
        self._known.clear()

    def _inside(self, name: str) -> Path:
        file = (self.root / name).resolve()
        if not file.is_relative_to(self.root.resolve()):
            raise missing(name, "File")
        return file

    def _model_place(self, reference: str) -> Place:
        name, _, rest = reference.removeprefix(_MODEL).partition("/versions/")
        version, _, path = rest.partition("/")
        folder = self.model_folder(name, version)
        if not folder.exists():
            raise missing(reference, "Model")
        return Place(folder, path.strip("/"), f"versions/{folder.name}")

    def _files(self, place: Place, pattern: str | None) -> Iterator[tuple[Path, str]]:
        """Files whose path begins with the place's: a prefix, not a folder."""
        for file in sorted(place.folder.rglob("*")):
            name = file.relative_to(place.folder).as_posix()
            if not file.is_file() or not name.startswith(place.path.lstrip("/")):
                continue
            # Nothing says that a pattern is compared in full: here it need not be.
            if pattern is None or re.search(pattern, f"{place.label}/{name}"):
                yield file, name

    def _upload(self, sql: str, words: list[str], place: Place) -> dict[str, Any]:
        options = options_of(sql)
        source = words[1].removeprefix("file://")
        target = place.folder / place.path.strip("/") / Path(source).name
        return {
            "command": "UPLOAD",
            "src_locations": [source],
            "parallel": int(options.get("PARALLEL", 4)),
            "autoCompress": options.get("AUTO_COMPRESS", "TRUE").upper() == "TRUE",
            "sourceCompression": options.get("SOURCE_COMPRESSION", "AUTO_DETECT").lower(),
            "overwrite": options.get("OVERWRITE", "FALSE").upper() == "TRUE",
            "stageInfo": {**self._bucket(place), "presignedUrl": self._url_of(target)},
        }

    def _download(
        self, sql: str, words: list[str], place: Place, found: list[tuple[Path, str]]
    ) -> dict[str, Any]:
        return {
            "command": "DOWNLOAD",
            "localLocation": words[2].removeprefix("file://"),
            "src_locations": [name for _, name in found],
            "presignedUrls": [self._url_of(file) for file, _ in found],
            "parallel": int(options_of(sql).get("PARALLEL", 10)),
            "encryptionMaterial": [],
            "stageInfo": self._bucket(place),
        }

    def _refreshed(self, place: Place) -> dict[str, Any]:
        """Let the directory of a stage list the files that are below a path now."""
        known = self.directories.setdefault(place.folder, set())
        known -= {name for name in known if name.startswith(place.path)}
        known |= (found := {name for _, name in self._files(place, None)})
        rows = [[f"{place.label}/{name}", "REGISTERED_NEW"] for name in sorted(found)]
        return rows_as_answer(["file", "status"], rows)

    def _bucket(self, place: Place) -> dict[str, Any]:
        """GCS with URLs signed beforehand: the one kind whose URLs the server chooses."""
        return {"locationType": "GCS", "location": f"{place.label}/", "creds": {}}

    def _url_of(self, file: Path) -> str:
        return f"{self.url}{FILES}{quote(file.relative_to(self.root).as_posix(), safe='/')}"

    def _remove(self, place: Place, found: list[tuple[Path, str]]) -> dict[str, Any]:
        for file, _ in found:
            file.unlink(missing_ok=True)
        rows = [[f"{place.label}/{name}", "removed"] for _, name in found]
        return rows_as_answer(["name", "result"], rows)

    def _listed(self, file: Path, name: str) -> list[object]:
        status = file.stat()
        key = (file, status.st_mtime_ns, status.st_ino)
        if key not in self._digests:
            self._digests[key] = hashlib.md5(file.read_bytes()).hexdigest()
        modified = self.times or formatdate(status.st_mtime, usegmt=True)
        digest = self._digests[key][::-1] if self.is_encrypted_by_client else self._digests[key]
        if 0 < self.part_bytes < status.st_size:
            digest = _digest_of_parts(file.read_bytes(), self.part_bytes)
        return [name, status.st_size, digest, modified]


def _digest_of_parts(data: bytes, size: int) -> str:
    """As S3 makes it."""
    parts = [data[first : first + size] for first in range(0, len(data), size)]
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    return f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"


def _stages_of(connection: Any, database: str, schema: str) -> set[tuple[str, str, str]]:
    cursor = connection.cursor()
    cursor.execute(f'SHOW STAGES IN SCHEMA "{database}"."{schema}"')
    return {(database, schema, row[1]) for row in cursor.fetchall()}
