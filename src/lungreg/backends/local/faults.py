"""Turn errors of the operating system or a driver into those of the stores' contract."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from lungreg.errors import AlreadyExistsError, DataError, LungregError, StoreUnavailableError
from lungreg.stores.stage import missing_file

_WRONG_KIND = (FileExistsError, IsADirectoryError, NotADirectoryError)
_MENDS = {
    errno.ENOSPC: "free disk space",
    errno.EDQUOT: "free disk space or raise the quota",
    errno.EFBIG: "raise the limit on file sizes",
    errno.EACCES: "give this user the permission",
    errno.EPERM: "give this user the permission",
    errno.EROFS: "mount it writable",
}


@contextmanager
def reading(where: object) -> Iterator[None]:
    """Raise the contract's errors for errors of reading; a folder is a file not found.

    Raises:
        NotFoundError: There is no such file.
        StoreUnavailableError: The store does not answer or forbids it.
    """
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise missing_file(where) from error
    except LungregError:
        raise
    except Exception as error:  # drivers have exceptions of their own
        raise _fault(error, where) from error


@contextmanager
def writing(where: object) -> Iterator[None]:
    """Raise the contract's errors for errors of writing.

    Raises:
        AlreadyExistsError: The name is taken by a folder, or a part of it by a file.
        StoreUnavailableError: The store does not answer, is full or forbids it.
    """
    try:
        yield
    except _WRONG_KIND as error:
        msg = "a name on the stage is either a file or a folder, and is created only once"
        raise AlreadyExistsError(msg, where=where) from error
    except LungregError:
        raise
    except Exception as error:  # drivers have exceptions of their own
        raise _fault(error, where) from error


def _fault(error: Exception, where: object) -> LungregError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ENAMETOOLONG:
        return DataError("a name on the stage fits the file system", where=where)
    reason = error.strerror if isinstance(error, OSError) else None
    mend = _MENDS.get(number or 0, "check that it can be reached, with 'lungreg doctor'")
    return StoreUnavailableError(
        "the store must answer, have space and permit the operation",
        got=reason or type(error).__name__,
        mend=mend,
        where=where,
    )
