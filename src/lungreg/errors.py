"""The exceptions of lungreg.

Every error has three parts: the rule, what was found instead, and how to mend it.

    LungregError                 anything this library refuses or fails at
    |-- ConfigError              a configuration that cannot be run
    |-- DataError                an input file or pair that breaks a rule
    |   |-- UnreadableFileError  a file that cannot be opened as what it should be
    |   |-- UnsafeInputError     a dangerous file: a bomb, a path out of its folder
    |   `-- MissingFileError     a case lacks a file it must have
    |-- StoreError               a stage, table, registry or tracker that failed
    |   |-- NotFoundError        the name does not exist there
    |   |-- AlreadyExistsError   the name is taken and may not be replaced
    |   `-- StoreUnavailableError  the store itself does not answer, is full or forbids it
    |       `-- ForbiddenError     this user or role may not
    |-- ModelError               a model that does not fit its card, its config or the input
    |-- MissingExtraError        a package of an extra that is not installed
    |-- ResourceError            more processors, memory or workers asked for than there are
    `-- RunError                 a run that cannot start, go on or be found
"""

from __future__ import annotations


class LungregError(Exception):
    """A refused or failed operation.

    Args:
        rule: What must hold, without any case id or path: it is logged and stored in tables.
        got: What was found instead, also without case ids and paths.
        mend: What the user can do about it.
        where: A case id, file or path for the person at the console. It appears in `str(error)`
            and never in `error.anonymous`.
    """

    code = "error"

    def __init__(
        self,
        rule: str,
        *,
        got: object | None = None,
        mend: str | None = None,
        where: object | None = None,
    ) -> None:
        super().__init__(rule)
        self.rule = rule
        self.got = got
        self.mend = mend
        self.where = where

    @property
    def anonymous(self) -> str:
        """The message without `where`: fit for logs at INFO, trackers and result tables."""
        text = self.rule if self.got is None else f"{self.rule}, got {self.got}"
        return text if self.mend is None else f"{text}; {self.mend}"

    def __str__(self) -> str:
        return self.anonymous if self.where is None else f"{self.where}: {self.anonymous}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.rule, self.got, self.mend, self.where)


def _rebuild(
    kind: type[LungregError], rule: str, got: object, mend: str | None, where: object
) -> LungregError:
    return kind(rule, got=got, mend=mend, where=where)


class ConfigError(LungregError):
    """A configuration that cannot be run."""

    code = "config"


class DataError(LungregError):
    """An input file or pair that breaks a rule."""

    code = "data"


class UnreadableFileError(DataError):
    """A file that cannot be opened as what it should be."""

    code = "unreadable_file"


class UnsafeInputError(DataError):
    """A dangerous file: a decompression bomb, or a path that leaves its folder."""

    code = "unsafe_input"


class MissingFileError(DataError):
    """A case lacks a file it must have."""

    code = "missing_file"


class StoreError(LungregError):
    """A stage, table, registry or tracker that failed."""

    code = "store"


class NotFoundError(StoreError):
    """The name does not exist in the store."""

    code = "not_found"


class AlreadyExistsError(StoreError):
    """The name is taken and may not be replaced."""

    code = "already_exists"


class StoreUnavailableError(StoreError):
    """The store does not answer, is full, or forbids the operation."""

    code = "store_unavailable"


class ForbiddenError(StoreUnavailableError):
    """The store refuses the operation to this user or role, or the object is missing or hidden."""

    code = "forbidden"


class ModelError(LungregError):
    """A model that does not fit its card, its config or the input."""

    code = "model"


class MissingExtraError(LungregError):
    """A package that belongs to an extra of lungreg and is not installed."""

    code = "missing_extra"


class ResourceError(LungregError):
    """More processors, memory or workers asked for than there are."""

    code = "resource"


class RunError(LungregError):
    """A run that cannot start, go on or be found."""

    code = "run"
