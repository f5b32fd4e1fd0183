"""Downloads through pooch into a cache; one that was cut off is resumed."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests
from pooch.downloaders import ZenodoRepository

from lungreg.errors import ConfigError, MissingFileError, StoreUnavailableError, UnreadableFileError

OnBytes = Callable[[int, int | None], None]
"""Called during a download with the bytes that are here and the bytes in all.

The second is None while the server has not said it. Bytes of an earlier attempt count."""

ZENODO_URL = "https://zenodo.org"
ZENODO_RECORD = "3835682"
ZENODO_FILE = "training.zip"

FIRST_WAIT_S = 1.0
"""Before a download that was cut off is tried again; twice as long after each further failure."""

_ATTEMPTS = 5
_CHUNK = 2**16
"""A chunk that breaks off is lost, so it is small."""
_TIMEOUT_S = 30.0
_PASSING_STATUS = (408, 416, 425, 429, 500, 502, 503, 504)
_log = logging.getLogger(__name__)


def ignore_bytes(done: int, total: int | None) -> None:
    """Report nothing."""


class ResumingDownloader:
    """A downloader for `pooch.retrieve(downloader=...)` that resumes where it was cut off.

    The bytes received are kept in the cache as a .part file, beside the server's mark of the
    version (ETag or date). The next attempt, or the next run, continues them only while the file
    on the server is the same.

    Args:
        folder: Where parts are kept.
        on_bytes: Called after every chunk.
    """

    def __init__(self, folder: Path, *, on_bytes: OnBytes = ignore_bytes) -> None:
        self.folder = folder
        self.on_bytes = on_bytes

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download a URL to a file; the signature is pooch's.

        Raises:
            MissingFileError: The server has no such file.
            UnreadableFileError: Several attempts in a row brought no further byte.
        """
        part = self.folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.part"
        failures = 0
        while True:
            before = _size(part)
            try:
                self._fetch(url, part)
                break
            except (requests.RequestException, _CutOffError) as error:
                failures = 1 if _size(part) > before else failures + 1
                if failures >= _ATTEMPTS:
                    msg = "a download must come to its end"
                    mend = "check the network and run again: it goes on where it stopped"
                    raise UnreadableFileError(msg, got=type(error).__name__, mend=mend) from error
                _log.info("download interrupted, trying again")
                time.sleep(FIRST_WAIT_S * 2 ** (failures - 1))
        part.replace(output_file)
        _mark(part).unlink(missing_ok=True)

    def _fetch(self, url: str, part: Path) -> None:
        headers = {"Accept-Encoding": "identity", **_resume_headers(part)}
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            _check_status(response, part)
            resumed = response.status_code == requests.codes.partial_content
            done = _size(part) if resumed else 0
            length = response.headers.get("Content-Length")
            total = None if length is None else done + int(length)
            if not resumed:
                _write_mark(part, response)
            with part.open("ab" if resumed else "wb") as file:
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    self.on_bytes(done, total)
        if total is None:
            self.on_bytes(done, done)
        elif done != total:
            raise _CutOffError


class _CutOffError(Exception):
    """The download stopped early, or the server has an error that may pass; try again."""


def fetch_url(
    url: str, cache: Path, *, checksum: str | None, on_bytes: OnBytes = ignore_bytes
) -> Path:
    """The path of a URL's file in the cache; it is downloaded unless it is there.

    Args:
        url: http or https.
        cache: Folder; the file comes into being in one step, when it is complete and checked.
        checksum: "sha256:..." or "md5:..."; without it nothing is checked.
        on_bytes: Called after every chunk of a download; not for a file in the cache.

    Raises:
        ConfigError: Another kind of URL, or a checksum of another form.
        MissingFileError: The server has no such file.
        UnreadableFileError: It cannot be downloaded, or has another checksum.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        msg = "a URL begins with http:// or https://"
        raise ConfigError(msg, got=urlsplit(url).scheme, mend="download it and give the file")
    _check_form(checksum)
    make_private(cache)
    downloader = ResumingDownloader(cache, on_bytes=on_bytes)
    try:
        with _quiet_pooch():
            return Path(pooch.retrieve(url, checksum, path=cache, downloader=downloader))
    except (UnreadableFileError, MissingFileError) as error:
        error.where = url
        raise
    except ValueError as error:
        msg = "a downloaded file has the checksum that is given for it"
        mend = "check ingest.checksum, or run again"
        raise UnreadableFileError(msg, got="another", mend=mend, where=url) from error


def fetch_zenodo(
    cache: Path, *, on_bytes: OnBytes = ignore_bytes, zenodo_url: str = ZENODO_URL
) -> Path:
    """Download the Learn2Reg lung CT pairs, training.zip of Zenodo record 3835682.

    Zenodo's API gives the file's address and checksum.

    Args:
        cache: Folder of downloads.
        on_bytes: Called after every chunk of a download; not for a file in the cache.
        zenodo_url: Where Zenodo's API answers.

    Raises:
        UnreadableFileError: Zenodo does not answer, or the file cannot be downloaded.
    """
    repository = ZenodoRepository(
        doi=f"10.5281/zenodo.{ZENODO_RECORD}", archive_url=f"{zenodo_url}/records/{ZENODO_RECORD}"
    )
    repository.base_api_url = f"{zenodo_url}/api/records"
    repository.kwargs = {"timeout": _TIMEOUT_S}
    listing = pooch.create(path=cache, base_url="")
    try:
        repository.populate_registry(listing)
        url = repository.download_url(ZENODO_FILE)
        checksum = listing.registry[ZENODO_FILE]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        msg = "Zenodo must answer with the files of its record"
        mend = "check the network, or download training.zip and give the file"
        raise UnreadableFileError(msg, got=type(error).__name__, mend=mend) from error
    return fetch_url(url, cache, checksum=checksum, on_bytes=on_bytes)


def make_private(folder: Path) -> None:
    """Make a folder, or change an existing one, so that only this user can read it.

    Raises:
        StoreUnavailableError: It cannot be made, or belongs to somebody else.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        msg = "the folder of downloads is this user's own"
        raise StoreUnavailableError(msg, got=error.strerror, where=folder) from error


def _check_form(checksum: str | None) -> None:
    if checksum is None:
        return
    kind, _, digest = checksum.rpartition(":")
    known = (kind or "sha256") in hashlib.algorithms_available
    if not known or not digest or any(char not in "0123456789abcdefABCDEF" for char in digest):
        msg = "a checksum is written sha256:... or md5:..., with hexadecimal digits"
        raise ConfigError(msg, got=checksum, mend="correct ingest.checksum")


def _check_status(response: requests.Response, part: Path) -> None:
    status = response.status_code
    if status in (404, 410):
        msg = "the URL names a file on its server"
        raise MissingFileError(msg, got=f"status {status}", mend="check ingest.source")
    if status == requests.codes.requested_range_not_satisfiable:
        part.unlink(missing_ok=True)
    if status in _PASSING_STATUS:
        raise _CutOffError
    if status not in (200, 206):
        msg = "the server gives the file"
        raise UnreadableFileError(msg, got=f"status {status}", mend="download it by hand")
    begins = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-")[0]
    if status == requests.codes.partial_content and begins != str(_size(part)):
        part.unlink(missing_ok=True)
        raise _CutOffError


def _resume_headers(part: Path) -> dict[str, str]:
    mark = _mark(part)
    if not _size(part) or not mark.exists():
        return {}
    return {"Range": f"bytes={_size(part)}-", "If-Range": mark.read_text(encoding="latin-1")}


def _write_mark(part: Path, response: requests.Response) -> None:
    """Keep the server's mark of the version: a strong ETag or a date (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag", "")
    value = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    _mark(part).unlink(missing_ok=True)
    if value:
        _mark(part).write_text(value, encoding="latin-1")


def _mark(part: Path) -> Path:
    return part.with_suffix(".mark")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def _quiet_pooch() -> Iterator[None]:
    """Keep pooch from logging URLs and paths, which it does at INFO."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
