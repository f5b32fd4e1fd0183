"""Knobs: what a network and an account can do to a client."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.backends.snowflake.peer.statement import SqlError


class HangUpError(Exception):
    """The peer hangs up without an answer."""


@dataclass
class _Drop:
    pattern: re.Pattern[str]
    times: int
    after: bool


@dataclass
class Mischief:
    """Faults that are waiting to happen."""

    _drops: list[_Drop] = field(default_factory=list)
    _denied: list[re.Pattern[str]] = field(default_factory=list)
    _refusals: list[tuple[str, str]] = field(default_factory=list)
    _uploads: int = 0
    _downloads: int = 0
    _spoiled: int = 0
    expired: set[str] = field(default_factory=set)
    """Tokens that are no longer honoured."""
    renewable: bool = False
    """Whether a client with an expired token may get another without a new login."""
    holds_queries: bool = False
    """Whether statements that were sent without waiting still run."""
    happened: int = 0
    """How often a connection was dropped."""

    def drop(self, pattern: str, *, times: int = 1, after: bool = False) -> None:
        """Hang up on the next statements that match, before or after they were carried out."""
        self._drops.append(_Drop(re.compile(pattern, re.I | re.S), times, after))

    def drop_uploads(self, times: int = 1) -> None:
        """Hang up in the middle of the next uploads."""
        self._uploads = times

    def drop_downloads(self, times: int = 1) -> None:
        """Hang up in the middle of the next downloads."""
        self._downloads = times

    def spoil_files(self, times: int = 1) -> None:
        """Change a byte of the next files that come or go, as a bad disk would."""
        self._spoiled = times

    def deny(self, pattern: str) -> None:
        """Refuse statements that match, for want of a privilege, from now on."""
        self._denied.append(re.compile(pattern, re.I | re.S))

    def refuse_logins(self, code: str, message: str, *, times: int = 1) -> None:
        """Let nobody log in the next times."""
        self._refusals += [(code, message)] * times

    def refused_login(self) -> tuple[str, str] | None:
        """Number and message with which this login is refused, if it is."""
        return self._refusals.pop(0) if self._refusals else None

    def allow(self) -> None:
        """Refuse nothing any longer."""
        self._denied.clear()

    def before(self, sql: str) -> None:
        """Do what waits for a statement that is not yet carried out.

        Raises:
            HangUpError: The client is to lose the connection.
            SqlError: The privilege is missing.
        """
        if any(pattern.search(sql) for pattern in self._denied):
            text = "SQL access control error:\nInsufficient privileges to operate on it."
            raise SqlError(3001, "42501", text)
        self._maybe_drop(sql, after=False)

    def after(self, sql: str) -> None:
        """Do what waits for a statement that was carried out."""
        self._maybe_drop(sql, after=True)

    def cuts_upload(self) -> bool:
        """Whether this upload is to be cut off."""
        self._uploads, cut = max(0, self._uploads - 1), self._uploads > 0
        self.happened += cut
        return cut

    def cuts_download(self) -> bool:
        """Whether this download is to be cut off."""
        self._downloads, cut = max(0, self._downloads - 1), self._downloads > 0
        self.happened += cut
        return cut

    def spoils(self) -> bool:
        """Whether a byte of this file is to be changed."""
        self._spoiled, spoil = max(0, self._spoiled - 1), self._spoiled > 0
        self.happened += spoil
        return spoil

    def _maybe_drop(self, sql: str, *, after: bool) -> None:
        for drop in self._drops:
            if drop.times > 0 and drop.after == after and drop.pattern.search(sql):
                drop.times -= 1
                self.happened += 1
                raise HangUpError
