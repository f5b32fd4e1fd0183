"""Turn the exceptions of Snowflake's packages into those of the stores' contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lungreg.errors import ForbiddenError, LungregError, RunError, StoreError, StoreUnavailableError

_LOST = {
    240000,  # the service asks to try again
    250001,  # no connection could be made
    250002,  # the connection is closed
    250003,  # the request failed
    250005,  # the server did not answer
    251011,  # time ran out
    251012,  # a status that may pass
    252010,  # a part of the answer did not come
    252013,
    253002,  # a download broke off
    253003,  # an upload broke off
    253009,  # the files already there could not be looked at
    390103,  # the session's token was not sent
    390104,  # the session is unknown: log in again
    390110,  # an identity token ran out
    390111,  # the session is gone
    390112,  # the session ran out
    390113,  # its master token is unknown,
    390114,  # ran out
    390115,  # or is invalid
    390195,  # an identity token is invalid
    390303,  # an OAuth token is invalid: a container's file may hold a newer one
    390318,  # an OAuth token ran out
    394301,  # a key pair's token ran out
}
"""Error numbers after which a new session may succeed."""
_LOST_KINDS = {
    "BadGatewayError",
    "ChunkedEncodingError",  # the answer broke off
    "ConnectionError",
    "ConnectTimeout",
    "GatewayTimeoutError",
    "InternalServerError",
    "OtherHTTPRetryableError",
    "PresignedUrlExpiredError",
    "ReadTimeout",
    "ReauthenticationRequest",
    "RequestExceedMaxRetryError",
    "RequestTimeoutError",
    "RetryRequest",
    "ServiceUnavailableError",
    "TokenExpiredError",
    "TooManyRequests",
}
_LOST_SNOWPARK = {"1404", "1405"}  # the session is closed; it ran out
_BLOCKED = {
    625,  # another session had the lock for too long
    604,  # the statement was cancelled
    630,  # it ran longer than statements or the warehouse may
    90073,  # a deadlock was broken
}
_MISSING = {2003, 2043}
"""Snowflake has one number for an object that does not exist and for one that is not granted."""
_DENIED = {3001}
_NO_WAREHOUSE = {606}
_NO_COLUMN = {904}
"""An identifier that is no column of the statement's tables."""
_STEP_ROLE = "take the role of this step, with --set backend.role=ROLE or in the connection"
_ROLE = "see which role backend.role or the connection asks for, and have it granted to the user"
_KEY = "see that the connection's private_key_file belongs to the user's public key"
_FORBIDDEN = (
    (
        _MISSING,
        "the object exists in the account and this role may use it",
        f"{_STEP_ROLE}; where it has never been made, run 'lungreg setup'",
    ),
    (_DENIED, "the account lets this user and role do the operation", _STEP_ROLE),
    (
        _NO_WAREHOUSE,
        "the session has a warehouse, which this role may use",
        f"see backend.warehouse, and {_STEP_ROLE}",
    ),
)
"""Error numbers of what a role may not do, with the rule and the mend."""
_REFUSED = {
    3013: _ROLE,  # the role is not assigned to this user
    390100: "check the connection's user and key",  # unknown, or the wrong password
    390101: "wait a while, or let an administrator unlock the user",
    390102: "wait a while, or let an administrator unlock the user",
    390144: _KEY,
    390186: _ROLE,  # it is not granted to this user
    390189: _ROLE,  # it does not exist, or is not granted
    390201: "check the connection's role, warehouse and database",
    390422: "let an administrator allow this machine's address in the network policy",
    394300: _KEY,
    394304: _KEY,
    394508: "log in by key pair or OAuth: nobody can answer for a second factor here",
}
"""What to do, by error number of a login that would be refused again."""
_NO_ROLE = {3013, 390186, 390189}
_TOKENS = {390303, 390318}


def number_of(error: BaseException) -> int:
    """Snowflake's number of an error; 0 where it has none."""
    for name in ("sql_error_code", "errno"):
        value = getattr(error, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return 0


def is_lost(error: BaseException) -> bool:
    """Whether the same work may succeed in a new session.

    True after a broken connection, an expired token, a lock that another session had for too long,
    and where the service asks to try again. Causes are examined too, since Snowpark wraps errors.
    """
    seen: BaseException | None = error
    while seen is not None:
        number = number_of(seen)
        kinds = {kind.__name__ for kind in type(seen).__mro__}
        if number in _LOST | _BLOCKED or kinds & _LOST_KINDS:
            return True
        if str(getattr(seen, "error_code", None)) in _LOST_SNOWPARK:
            return True
        seen = getattr(seen, "conn_error", None) or seen.__cause__
    return False


def is_missing(error: BaseException) -> bool:
    """Whether an object does not exist, or is not granted to this role."""
    return _comes_of(error, _MISSING)


def lacks_column(error: BaseException) -> bool:
    """Whether a table does not have a column that a statement names."""
    return _comes_of(error, _NO_COLUMN)


def lacks_privilege(error: BaseException) -> bool:
    """Whether the role lacks a privilege, or cannot see the object."""
    return _comes_of(error, _MISSING | _DENIED)


def refuses_role(error: BaseException) -> bool:
    """Whether the user has not the role that the login or the session asks for."""
    return _comes_of(error, _NO_ROLE)


def is_forbidden(error: BaseException) -> bool:
    """Whether the user or role is refused, or cannot see the object."""
    number = number_of(error)
    return isinstance(error, ForbiddenError) or number in _MISSING | _DENIED | {*_REFUSED}


@contextmanager
def translated(where: object | None = None) -> Iterator[None]:
    """Raise the contract's errors for all errors that Snowflake's packages raise.

    Args:
        where: File or case for the person at the console.

    Raises:
        ForbiddenError: The object is missing, or this user or role may not use it.
        StoreUnavailableError: The account does not answer.
        StoreError: Any other fault, such as SQL that does not compile.
    """
    try:
        yield
    except LungregError:
        raise
    except Exception as error:
        if not is_of_snowflake(error):
            raise
        raise _fault(error, where) from error


@contextmanager
def client_refusals(rule: str) -> Iterator[None]:
    """Raise a plain ValueError or RuntimeError of Snowflake's client as a RunError.

    Where the client wraps an error of the account or the connection, that error is raised: a lost
    connection must not look like a refusal.

    Args:
        rule: The rule that the error states.

    Raises:
        RunError: The client refuses.
    """
    try:
        yield
    except (ValueError, RuntimeError) as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, Exception) and is_of_snowflake(cause):
            raise cause from None
        raise RunError(rule, got=type(error).__name__, where=str(error)) from error


def is_of_snowflake(error: Exception) -> bool:
    """Whether the exception is of Snowflake's packages, or of a lost connection."""
    return type(error).__module__.partition(".")[0] == "snowflake" or is_lost(error)


def _comes_of(error: BaseException, numbers: set[int]) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if number_of(seen) in numbers:
            return True
        seen = seen.__cause__
    return False


def _fault(error: Exception, where: object | None) -> LungregError:
    number = number_of(error)
    got = f"Snowflake's error {number:06d}" if number else type(error).__name__
    place = where or _first_line(error)
    for numbers, msg, mend in _FORBIDDEN:
        if number in numbers:
            return ForbiddenError(msg, got=got, mend=mend, where=place)
    if number in _REFUSED:
        msg = "the account lets this user log in"
        return ForbiddenError(msg, got=got, mend=_REFUSED[number], where=place)
    if number in _TOKENS:
        msg = "the account takes the connection's OAuth token"
        mend = "get a new one: this one is invalid or ran out"
        return StoreUnavailableError(msg, got=got, mend=mend, where=place)
    if is_lost(error):
        msg = "the account must answer"
        mend = "check that it can be reached, with 'lungreg doctor'"
        return StoreUnavailableError(msg, got=got, mend=mend, where=where)
    return StoreError("Snowflake carries out the operation", got=got, where=_first_line(error))


def _first_line(error: Exception) -> str:
    """The first line of Snowflake's message: for the console only, as it may quote a statement."""
    text = str(getattr(error, "raw_message", None) or getattr(error, "msg", None) or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    is_heading = len(lines) > 1 and lines[0].endswith(":")
    return (lines[1] if is_heading else lines[0] if lines else type(error).__name__)[:300]
