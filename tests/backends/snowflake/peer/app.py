"""The peer as an ASGI application around fakesnow's."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import fakesnow.server
from fakesnow.instance import FakeSnow
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tests.backends.snowflake.peer import dialect
from tests.backends.snowflake.peer.mischief import HangUpError, Mischief
from tests.backends.snowflake.peer.roles import Guard, Roles
from tests.backends.snowflake.peer.shortcuts import take_shortcuts
from tests.backends.snowflake.peer.stages import FILES, Stages
from tests.backends.snowflake.peer.statement import (
    Answer,
    SqlError,
    Statement,
    binds_of,
    missing,
    parse_request,
    rows_as_answer,
    rows_as_sql,
)
from tests.backends.snowflake.peer.wire import (
    body_of,
    break_off,
    failure,
    hang_up,
    refusal,
    replayed,
    sent_through,
)

Canned = Callable[[str, Sequence[Any], Any], Answer]
_QUERY = "/queries/v1/query-request"
_LOGIN = "/session/v1/login-request"
_STATUS = "/monitoring/queries/"
_RENEW = "/session/token-request"
_KEPT_ANSWERS = 200


class Peer:
    """The server's side, and what tests see of it."""

    def __init__(self, root: Path, url: str) -> None:
        self.stages = Stages(root, url)
        self.mischief = Mischief()
        self.roles = Roles()
        self.guard: Guard | None = None
        """Lets everybody do everything where there is none."""
        self.statements: list[Statement] = []
        self.logins: list[dict[str, Any]] = []
        """What clients said of themselves when they logged in."""
        self._canned: list[tuple[re.Pattern[str], Canned]] = []
        self._tags: dict[str, str] = {}
        self._answers: dict[str, list[Any]] = {}
        self._writing = asyncio.Lock()
        """Writers wait for each other, as Snowflake's do: DuckDB would refuse the second."""
        take_shortcuts()
        fakesnow.server.shared_fs = FakeSnow(
            create_database_on_connect=False, create_schema_on_connect=False
        )
        fakesnow.server.sessions.clear()

    def on(self, pattern: str, answer: Canned) -> None:
        """Answer statements that match with `answer(sql, binds, connection)`: names and rows.

        The last one registered goes first. It may raise `SqlError`, or LookupError for an object
        that does not exist.
        """
        self._canned.insert(0, (re.compile(pattern, re.I | re.S), answer))

    def said(self, pattern: str = "") -> list[Statement]:
        """The recorded statements whose text matches."""
        return [item for item in self.statements if re.search(pattern, item.text, re.I | re.S)]

    def expire_tokens(self, *, renewable: bool = False) -> None:
        """Let every token that is out there run out."""
        self.mischief.expired.update(fakesnow.server.sessions)
        self.mischief.renewable = renewable

    def forget(self) -> None:
        """Drop canned answers, faults and recorded statements; data stay."""
        self._canned.clear()
        self.guard = None
        self.roles.known = None
        self.roles.granted.clear()
        self.statements.clear()
        self.logins.clear()
        self.forget_faults()
        self.stages.is_encrypted_by_client, self.stages.part_bytes = False, 0
        self.stages.times = ""

    def forget_faults(self) -> None:
        """Let nothing go wrong from now on."""
        self.mischief = Mischief()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        try:
            await self._dispatch(scope, receive, send)
        except HangUpError:
            await hang_up(send)

    async def _dispatch(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        if path.startswith(FILES):
            await self._transfer(scope, receive, send)
        elif path == _RENEW:
            await self._renew(parse_request(await body_of(receive), dict(scope["headers"])))(
                scope, receive, send
            )
        elif path == _QUERY:
            await self._query(scope, receive, send)
        elif path == _LOGIN:
            await self._login(scope, receive, send)
        elif path.startswith(_STATUS) and self.mischief.holds_queries:
            held = {"data": {"queries": [{"status": "RUNNING"}]}, "success": True}
            await JSONResponse(held)(scope, receive, send)
        else:
            await fakesnow.server.app(scope, receive, send)

    async def _login(self, scope: Any, receive: Any, send: Any) -> None:
        """The login of fakesnow, with what a client needs to renew its token and to log out."""
        request = parse_request(await body_of(receive), dict(scope["headers"]))
        self.logins.append(request["data"])
        asked = self.roles.refusal(scope["query_string"])
        if refused := self.mischief.refused_login() or asked:
            await refusal(*refused)(scope, receive, send)
            return
        answer = await sent_through(fakesnow.server.app, scope, json.dumps(request).encode())
        content = json.loads(answer[1]["body"])
        if data := content.get("data"):
            data["masterToken"] = secrets.token_urlsafe(32)
            data["sessionId"] = len(self.logins)
            self.roles.log_in(scope["query_string"], request["data"], data)
        await JSONResponse(content)(scope, receive, send)

    async def _query(self, scope: Any, receive: Any, send: Any) -> None:
        request = parse_request(await body_of(receive), dict(scope["headers"]))
        token, sql = _token_of(scope), request["sqlText"]
        if token in self.mischief.expired:
            await refusal("390112", "Session no longer exists.")(scope, receive, send)
            return
        # A client that lost the answer sends the request again, under the same id.
        request_id = parse_qs(scope["query_string"].decode()).get("requestId", [""])[0]
        answer = self._answers.get(request_id)
        if answer is None:
            answer = await self._run(scope, request, token)
            self._answers[request_id] = answer
            while len(self._answers) > _KEPT_ANSWERS:
                self._answers.pop(next(iter(self._answers)))
            self.mischief.after(sql)
        await replayed(answer, send)

    async def _run(self, scope: Any, request: dict[str, Any], token: str) -> list[Any]:
        if dialect.IS_WRITE.match(request["sqlText"]):
            async with self._writing:
                return await self._carry_out(scope, request, token)
        return await self._carry_out(scope, request, token)

    async def _carry_out(self, scope: Any, request: dict[str, Any], token: str) -> list[Any]:
        sql, binds = request["sqlText"], binds_of(request)
        self._record(sql, binds, token)
        connection = fakesnow.server.sessions.get(token)
        try:
            self._admit(sql, binds, token)
            whole = None
            if connection is not None:
                whole = await run_in_threadpool(self._prepare, request, binds, connection)
            answer = (
                await self._by_fakesnow(scope, request, connection)
                if whole is None
                else json.dumps(whole).encode()
            )
            noted = self.roles.noted(sql, token, answer)
            return await sent_through(Response(noted, media_type="application/json"), scope, b"")
        except SqlError as error:
            return await sent_through(failure(error), scope, b"")
        except HangUpError:
            raise
        except Exception:  # noqa: BLE001 - a client would wait for a server that has a fault
            error = SqlError(603, "XX000", traceback.format_exc())
            return await sent_through(failure(error), scope, b"")
        finally:
            if dialect.IS_DROP.match(sql):
                self.stages.look_again()

    async def _by_fakesnow(self, scope: Any, request: dict[str, Any], connection: Any) -> bytes:
        body = json.dumps(request).encode()
        answer = await sent_through(fakesnow.server.app, scope, body)
        if answer[0]["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise SqlError(603, "XX000", f"fakesnow cannot run this: {answer[1]['body']!r}")
        await run_in_threadpool(dialect.note_encryption, request["sqlText"], connection)
        return dialect.renumbered(answer[1]["body"])

    def _admit(self, sql: str, binds: Sequence[Any], token: str) -> None:
        self.mischief.before(sql)
        if self.guard is not None:
            alone = self.roles.is_alone(token)
            self.guard.check(sql, binds, self.roles.of(token), alone=alone)

    def _prepare(
        self, request: dict[str, Any], binds: Sequence[Any], connection: Any
    ) -> dict[str, Any] | None:
        """Change the request so that fakesnow can answer it, or give the whole answer."""
        sql = request["sqlText"]
        for pattern, answer in self._canned:
            if pattern.search(sql):
                return self._given(partial(answer, sql, binds, connection), sql, connection)
        if dialect.IS_FILES.match(sql):
            return self.stages.answer(sql, connection)
        if dialect.IS_UNLOAD.match(sql):
            unload = partial(dialect.unload, sql, connection, self.stages)
            return self._given(unload, sql, connection)
        if dialect.IS_IGNORED.match(sql):
            return self._given(lambda: dialect.DONE, sql, connection)
        warehouse: str | None = dialect.WAREHOUSE
        if self.guard is not None:
            warehouse = self.guard.warehouse(self.roles.of_connection(connection))
        request["sqlText"] = dialect.adapted(sql, connection, warehouse)
        return None

    def _given(self, answer: Callable[[], Answer], sql: str, connection: Any) -> dict[str, Any]:
        """The answer that is known without fakesnow; a later statement may ask for it again."""
        try:
            shown = answer()
            if self.guard is not None:
                shown = self.guard.visible(sql, self.roles.of_connection(connection), shown)
        except LookupError as error:
            raise missing(error) from error
        whole = rows_as_answer(*shown)
        connection.results_cache[whole["data"]["queryId"]] = rows_as_sql(*shown)
        return whole

    async def _transfer(self, scope: Any, receive: Any, send: Any) -> None:
        name = unquote(scope["path"].removeprefix(FILES))
        if scope["method"] == "PUT":
            answer = await self._receive(scope, receive, name)
            await answer(scope, receive, send)
            return
        found = await run_in_threadpool(self.stages.send, name)
        if found is None:
            await Response(status_code=404)(scope, receive, send)
        elif self.mischief.cuts_download():
            await break_off(send, found[: len(found) // 2], len(found))
        else:
            content = _changed(found) if self.mischief.spoils() else found
            await Response(content)(scope, receive, send)

    async def _receive(self, scope: Any, receive: Any, name: str) -> Response:
        if self.mischief.cuts_upload():
            await receive()  # a part of it
            raise HangUpError
        data = await body_of(receive)
        digest = dict(scope["headers"]).get(b"x-goog-meta-sfc-digest", b"").decode()
        if self.mischief.spoils():
            data, digest = _changed(data), ""
        is_kept = await run_in_threadpool(self.stages.receive, name, data, digest)
        return Response(status_code=200 if is_kept else 503)

    def _renew(self, request: dict[str, Any]) -> JSONResponse:
        """A new token for an old one, if expired ones may be renewed."""
        old = request.get("oldSessionToken", "")
        connection = fakesnow.server.sessions.get(old)
        if connection is None or not self.mischief.renewable:
            return refusal("390114", "Authentication token has expired. Log in again.")
        token = secrets.token_urlsafe(32)
        fakesnow.server.sessions[token] = connection
        data = {"sessionToken": token, "masterToken": token, "validityInSecondsST": 3600}
        return JSONResponse({"data": data, "success": True, "code": None, "message": None})

    def _record(self, sql: str, binds: Sequence[Any], token: str) -> None:
        if tag := dialect.SET_TAG.match(sql):
            self._tags[token] = tag[1]
        self.statements.append(Statement(sql, tuple(binds), self._tags.get(token, "")))


def _token_of(scope: Any) -> str:
    header: str = dict(scope["headers"]).get(b"authorization", b"").decode()
    return header.removeprefix('Snowflake Token="').removesuffix('"')


def _changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1]) if data else b"?"
