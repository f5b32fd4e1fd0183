"""Unpack untrusted archives safely, inside their target folder and within caps.

An archive is refused if a member is neither file nor folder, or if its name leads elsewhere. Caps
are compared with the bytes really unpacked, not only with those that the headers declare.
"""

from __future__ import annotations

import errno
import io
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from isal import igzip, igzip_lib

from lungreg.errors import (
    LungregError,
    StoreUnavailableError,
    UnreadableFileError,
    UnsafeInputError,
)
from lungreg.formats.nifti import GZIP_MAGIC

_CHUNK = 2**20
_MAX_SINGLE_READ = 2**26
_TAR_BLOCK = 10_240
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, OSError, ValueError),
    cast("type[Exception]", igzip_lib.IsalError),
)


def unpack(archive: Path, target: Path, *, max_members: int, max_bytes: int) -> None:
    """Unpack a .zip, .tar or .tar.gz, recognised by content; after a failure nothing is left.

    Args:
        archive: The file.
        target: An empty folder.
        max_members: Most entries.
        max_bytes: Most bytes unpacked.

    Raises:
        UnsafeInputError: A member outside the target, a link or device, a name twice, or more
            than a cap allows.
        UnreadableFileError: Not such an archive, damaged, or locked with a password.
        StoreUnavailableError: The disk is full.
    """
    target = target.resolve()
    budget = _Budget(max_members=max_members, max_bytes=max_bytes)
    try:
        with _own_errors(), archive.open("rb") as file:
            if zipfile.is_zipfile(file):
                _unpack_zip(file, target, budget)
            else:
                _unpack_tar(file, target, budget)
    except BaseException as error:
        for child in target.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        if isinstance(error, LungregError) and error.where is None:
            error.where = archive
        raise


class _Budget:
    """Counts what has been unpacked, and refuses more than the caps."""

    def __init__(self, *, max_members: int, max_bytes: int) -> None:
        self.max_members = max_members
        self.max_bytes = max_bytes
        self._members = 0
        self._bytes = 0

    def add_member(self) -> None:
        self._members += 1
        if self._members > self.max_members:
            msg = f"an archive has at most {self.max_members} members"
            raise UnsafeInputError(
                msg, got="more", mend="if it is to be trusted, raise ingest.max_members"
            )

    def add_bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self.max_bytes:
            msg = f"an archive unpacks to at most {self.max_bytes / 1e9:g} GB"
            mend = "if it is to be trusted, raise ingest.max_unpacked_gb"
            raise UnsafeInputError(msg, got="more", mend=mend)


class _CappedReader(io.RawIOBase):
    """A file with a cap on single reads, since a tar's headers may ask for gigabytes."""

    def __init__(self, file: IO[bytes], max_position: int) -> None:
        super().__init__()
        self._file = file
        self._max_position = max_position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _MAX_SINGLE_READ:
            msg = "headers of an archive are small"
            raise UnsafeInputError(msg, got=f"one of {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset > self._max_position:
            msg = "an archive unpacks to no more than its cap"
            raise UnsafeInputError(msg, got="more", mend="raise ingest.max_unpacked_gb")
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _unpack_zip(file: IO[bytes], target: Path, budget: _Budget) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        _Budget(max_members=0, max_bytes=budget.max_bytes).add_bytes(
            sum(member.file_size for member in members)
        )
        for member in members:
            budget.add_member()
            place = _place(target, member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                _refuse_kind()
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            if member.flag_bits & 1:
                msg = "an archive is not locked with a password"
                raise UnreadableFileError(msg, mend="unpack it and give the folder")
            with archive.open(member) as content:
                _write(content, place, budget)


def _unpack_tar(file: IO[bytes], target: Path, budget: _Budget) -> None:
    file.seek(0)
    packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    plain = cast("IO[bytes]", cast("Any", igzip.IGzipFile)(fileobj=file)) if packed else file
    highest = budget.max_bytes + (budget.max_members + 1) * _TAR_BLOCK
    reader = cast("IO[bytes]", _CappedReader(plain, highest))
    with tarfile.open(fileobj=reader, mode="r:") as archive:
        for member in archive:
            budget.add_member()
            place = _place(target, member.name)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                content = archive.extractfile(member)
                if content is not None:
                    _write(content, place, budget)
            else:
                _refuse_kind()


def _place(target: Path, name: str) -> Path:
    """The path that a member is written to; refused if it is outside the target."""
    parts = [part for part in name.rstrip("/").split("/") if part != "."]
    outside = name.startswith("/") or any(part in ("", "..") for part in parts)
    if outside or "\\" in name or ":" in (parts[0][1:2] if parts else ""):
        msg = "members of an archive lie inside its folder"
        got = "an absolute name, a '..' or a backslash"
        raise UnsafeInputError(
            msg, got=got, mend="do not trust this archive", where=repr(name[:80])
        )
    return target.joinpath(*parts)


def _write(content: IO[bytes], place: Path, budget: _Budget) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        while chunk := content.read(_CHUNK):
            budget.add_bytes(len(chunk))
            file.write(chunk)


def _refuse_kind() -> None:
    msg = "an archive holds files and folders only"
    got = "a link or device"
    raise UnsafeInputError(msg, got=got, mend="pack the files themselves, not links to them")


@contextmanager
def _own_errors() -> Iterator[None]:
    """Turn the errors of zipfile, tarfile and gzip into those of lungreg."""
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        msg = "an archive has every name once"
        raise UnsafeInputError(msg, got="one twice", mend="pack it again") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            msg = "there must be room to unpack an archive"
            mend = "free some space, or unpack it elsewhere and give the folder"
            raise StoreUnavailableError(msg, got="a full disk", mend=mend) from error
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            msg = "names in an archive fit the file system"
            mend = "rename the files in it"
            raise UnreadableFileError(msg, got="a longer one", mend=mend) from error
        msg = "a source is a folder, or a complete .zip, .tar or .tar.gz archive"
        raise UnreadableFileError(msg, got="something else", mend="copy it again") from error
