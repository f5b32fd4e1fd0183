"""A web server on this machine, that can break off, change or lose its files."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server(ThreadingHTTPServer):
    """A web server with ranges, that can break off, change or lose its files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.breaks: list[int] = []
        self.status: list[int] = []
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.says_length = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        data = self.server.files.get(self.path.split("?")[0])
        failing = self.server.status.pop(0) if self.server.status else None
        if failing or data is None:
            self.send_response(failing or 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        mark = f'"{hashlib.sha256(data).hexdigest()}"'
        start = 0
        if wanted and self.server.ranges and self.headers.get("If-Range") == mark:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("ETag", mark)
        if self.server.says_length:
            self.send_header("Content-Length", str(len(data) - start))
        else:
            self.send_header("Connection", "close")
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        stop = self.server.breaks.pop(0) if self.server.breaks else len(data)
        self.wfile.write(data[start : start + stop])
        if start + stop < len(data):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that was cut off is tried again at once."""
    monkeypatch.setattr("lungreg.sources.downloads.FIRST_WAIT_S", 0.0)
