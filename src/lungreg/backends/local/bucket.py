"""A stage in a bucket, or in any other store with an fsspec driver."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.spec import AbstractFileSystem

from lungreg.backends.local.faults import reading, writing
from lungreg.backends.local.partial import is_partial, partial_beside, partial_name
from lungreg.errors import DataError, NotFoundError, StoreUnavailableError
from lungreg.stores import FileInfo, check_name
from lungreg.stores.stage import is_name, open_upload

_DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
}
"""Object stores, whose puts are atomic and can be made conditional, and their packages."""

_MEMORY_LOCK = threading.Lock()


@dataclass(frozen=True)
class BucketStage:
    """Files under one fsspec URL. Implements `ExclusiveStage`.

    Object stores write a file at once, and `create` is their conditional put (fsspec's
    `pipe_file(mode="create")`). With other drivers a file is written under a partial name and
    renamed, and `create` opens it exclusively. Credentials come from the driver's own environment
    or files.
    """

    url: str
    """Such as s3://bucket/folder."""

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        path = self._path(name)
        with reading(name):
            data: bytes = self._driver().cat_file(path)
            return data

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""
        path = self._path(name)
        with writing(name), self._replacing(path) as place:
            self._driver().pipe_file(place, data)

    def create(self, name: str, data: bytes) -> None:
        """Write a file that must not exist yet."""
        path = self._path(name)
        with writing(name):
            if self._protocol in _DRIVERS:
                self._driver().pipe_file(path, data, mode="create")
            else:
                self._create_exclusively(path, data)

    def download(self, name: str, path: Path) -> None:
        """Copy a file of the stage to a local path, whose folder is made."""
        self.size(name)  # of a folder, drivers would copy all files
        with writing(path), partial_beside(Path(path)) as partial:
            with reading(name):
                self._driver().get_file(self._path(name), str(partial))
            partial.replace(path)

    def upload(self, path: Path, name: str) -> None:
        """Copy a local file to the stage, replacing what is there.

        Raises:
            UnreadableFileError: The local file cannot be opened.
        """
        target = self._path(name)
        with open_upload(path), writing(name), self._replacing(target) as place:
            self._driver().put_file(str(path), place)

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.exists(name):
            with writing(name):
                try:
                    self._driver().rm_file(self._path(name))
                except FileNotFoundError:
                    return

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there."""
        try:
            self.size(name)
        except NotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """Size of a file in bytes."""
        path = self._path(name)
        with reading(name):
            info = self._driver().info(path)
            if info["type"] != "file":
                raise IsADirectoryError
            return int(info["size"])

    def uri(self, name: str) -> str:
        """The file's URL."""
        return f"{self.url}{'' if self.url.endswith('/') else '/'}{check_name(name)}"

    def list(self, folder: str = "") -> list[FileInfo]:
        """All files under a folder, without those that a name cannot hold."""
        start = self._path(folder) if folder else self._root
        with reading(folder or self.url):
            try:
                found = self._driver().find(start, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return []
        below = f"{start}/"
        files = [
            FileInfo(name=path.removeprefix(f"{self._root}/"), size=int(info["size"]))
            for path, info in found.items()
            if path.startswith(below) and info["type"] == "file"
        ]
        return sorted(filter(_is_visible, files), key=lambda info: info.name)

    def folders(self, folder: str = "") -> Sequence[str]:
        """The folders directly in a folder, without those that a name cannot hold."""
        start = self._path(folder) if folder else self._root
        with reading(folder or self.url):
            try:
                found = self._driver().ls(start, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return []
        paths = (str(info["name"]).rstrip("/") for info in found if info["type"] == "directory")
        names = (path.removeprefix(f"{self._root}/") for path in paths if path != start)
        return sorted(filter(is_name, names))

    @property
    def _protocol(self) -> str:
        return self.url.partition("://")[0]

    @property
    def _root(self) -> str:
        """The URL in the driver's own spelling, without slash at its end."""
        return self._open()[1]

    def _path(self, name: str) -> str:
        if is_partial(check_name(name)):
            msg = "a name on the stage is none of a file being written"
            raise DataError(msg, where=repr(name), mend="rename the file")
        return f"{self._root}/{name}"

    def _driver(self) -> AbstractFileSystem:
        return self._open()[0]

    def _open(self) -> tuple[AbstractFileSystem, str]:
        """Driver and root; fsspec caches drivers, which must not cache listings."""
        try:
            driver, root = fsspec.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            package = _DRIVERS.get(self._protocol)
            mend = f"python -m pip install {package}" if package else str(error)
            msg = "a bucket needs its fsspec driver"
            raise StoreUnavailableError(msg, got=self._protocol, mend=mend) from error
        except ValueError as error:
            msg = "a stage is a folder or a URL that fsspec knows"
            raise StoreUnavailableError(msg, got=self._protocol) from error
        return driver, str(root).rstrip("/")

    @contextmanager
    def _replacing(self, path: str) -> Iterator[str]:
        """A path to write to, so that the file appears at `path` at once and complete."""
        if self._protocol in _DRIVERS:
            yield path
            return
        driver = self._driver()
        folder = path.rpartition("/")[0]
        driver.makedirs(folder, exist_ok=True)
        place = f"{folder}/{partial_name()}"
        try:
            yield place
            _rename(driver, place, path)
        finally:
            if driver.exists(place):
                driver.rm_file(place)

    def _create_exclusively(self, path: str, data: bytes) -> None:
        driver = self._driver()
        driver.makedirs(path.rpartition("/")[0], exist_ok=True)
        if self._protocol == "memory":
            with _MEMORY_LOCK:  # the driver looks first, then writes
                driver.pipe_file(path, data, mode="create")
            return
        handle = driver.open(path, "xb")
        try:
            with handle:
                handle.write(data)
        except BaseException:
            driver.rm_file(path)
            raise


def _rename(driver: AbstractFileSystem, place: str, path: str) -> None:
    if type(driver).mv is AbstractFileSystem.mv:
        # The generic move copies too, and takes "*", "?" and "[" in a name for wildcards.
        driver.cp_file(place, path)
    else:
        driver.mv(place, path)


def _is_visible(info: Any) -> bool:
    return is_name(info.name) and not is_partial(info.name)
