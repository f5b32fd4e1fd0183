"""Open a source: a folder as it is, an archive unpacked, a URL downloaded first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lungreg.config import NAMED_SOURCES, Ingest
from lungreg.errors import ConfigError, MissingFileError
from lungreg.sources.archives import unpack
from lungreg.sources.downloads import (
    ZENODO_URL,
    OnBytes,
    fetch_url,
    fetch_zenodo,
    ignore_bytes,
    make_private,
)

ZENODO_DATASET = "zenodo-lung-ct"


@contextmanager
def open_source(
    settings: Ingest,
    cache: Path,
    *,
    on_bytes: OnBytes = ignore_bytes,
    zenodo_url: str = ZENODO_URL,
) -> Iterator[Path]:
    """Yield the folder of a source, unpacked into a temporary one where it is an archive.

    A download is removed once the block has ended without an error, unless the settings keep it
    or it is the public dataset; after an error the next call goes on with it.

    Args:
        settings: `source`, `checksum`, `keep_download` and the caps on archives.
        cache: Where downloads are kept and archives are unpacked for the time being; it becomes
            this user's alone.
        on_bytes: Called after every chunk of a download; not for a file in the cache.
        zenodo_url: Where Zenodo answers.

    Raises:
        ConfigError: No source, or one that is made here ("simulate").
        MissingFileError: Nothing at the path or URL.
        UnreadableFileError: Neither folder nor archive, damaged, or a download that failed.
        UnsafeInputError: An archive that would leave its folder or exceeds a cap.
        StoreUnavailableError: No room to unpack.
    """
    path = _locate(settings, cache, on_bytes, zenodo_url)
    if path.is_dir():
        yield path
        return
    make_private(cache)
    with TemporaryDirectory(prefix="unpacked-", dir=cache) as folder:
        max_bytes = int(settings.max_unpacked_gb * 1e9)
        unpack(path, Path(folder), max_members=settings.max_members, max_bytes=max_bytes)
        yield Path(folder)
    if "://" in str(settings.source) and not settings.keep_download:
        path.unlink(missing_ok=True)


def _locate(settings: Ingest, cache: Path, on_bytes: OnBytes, zenodo_url: str) -> Path:
    source = settings.source
    if source is None or (source in NAMED_SOURCES and source != ZENODO_DATASET):
        msg = "ingest.source names a folder, an archive, a URL or a dataset to be opened"
        raise ConfigError(msg, got=source, mend="set ingest.source")
    if source == ZENODO_DATASET:
        return fetch_zenodo(cache, on_bytes=on_bytes, zenodo_url=zenodo_url)
    if "://" in source:
        return fetch_url(source, cache, checksum=settings.checksum, on_bytes=on_bytes)
    path = Path(source)
    if not path.exists():
        msg = "the source must be there"
        raise MissingFileError(msg, got="nothing", mend="check ingest.source", where=path)
    return path
