"""Answers of the peer, and ASGI messages: read whole, kept, sent again, cut off."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from tests.backends.snowflake.peer.statement import SqlError


def refusal(code: str, message: str) -> JSONResponse:
    """The answer to a client that is not let in."""
    return JSONResponse({"data": None, "code": code, "message": message, "success": False})


def failure(error: SqlError) -> JSONResponse:
    """The answer to a statement that fails."""
    code = f"{error.number:06d}"
    data = {"errorCode": code, "sqlState": error.state}
    return JSONResponse({"data": data, "code": code, "message": error.message, "success": False})


async def body_of(receive: Any) -> bytes:
    """The whole body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def sent_through(application: Any, scope: Any, body: bytes) -> list[Any]:
    """The messages with which an application answers a request of this body."""
    kept = [
        (key, value)
        for key, value in scope["headers"]
        if key not in (b"content-encoding", b"content-length")
    ]
    headers = [*kept, (b"content-length", str(len(body)).encode())]
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    messages: list[Any] = []

    async def receive() -> Any:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    await application({**scope, "headers": headers}, receive, send)
    return messages


async def replayed(messages: list[Any], send: Any) -> None:
    """Send what an application answered."""
    for message in messages:
        await send(message)


async def hang_up(send: Any) -> None:
    """Close the connection without an answer: uvicorn's cycle knows the socket."""
    send.__self__.transport.abort()


async def break_off(send: Any, data: bytes, promised: int) -> None:
    """Begin an answer and do not finish it: the server then closes the connection."""
    headers = [(b"content-length", str(promised).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": data, "more_body": True})
