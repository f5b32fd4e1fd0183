"""The peer behind a port of this machine."""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH

from tests.backends.snowflake.peer.app import Peer

_LOGGERS = ("fakesnow.server", "uvicorn.access", "uvicorn.asgi", "uvicorn.error")
"""What the server says of each request is not what the client says: tests read the latter."""


@contextmanager
def running_peer() -> Iterator[Peer]:
    """A peer that answers at `peer.stages.url` until the block ends."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_nothing)
    with (
        tempfile.TemporaryDirectory(prefix="peer-") as folder,
        # asyncio sends small answers at once only where the protocol is named.
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener,
    ):
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        peer = Peer(Path(folder), f"http://127.0.0.1:{port}")
        config = uvicorn.Config(peer, log_config=None, lifespan="off", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(0.01)
        try:
            yield peer
        finally:
            server.should_exit = server.force_exit = True  # clients keep connections open
            thread.join(5)
            shutil.rmtree(LOCAL_BUCKET_PATH, ignore_errors=True)  # fakesnow makes it on import


def _nothing(record: logging.LogRecord) -> bool:
    """A filter: unlike a level, it outlives that Streamlit sets up uvicorn's loggers anew."""
    return False


def connection_of(peer: Peer) -> dict[str, object]:
    """How a client reaches a peer, as in `connections.toml`."""
    return {
        "account": "lungreg",
        "user": "tester",
        "password": "any",
        "host": "127.0.0.1",
        "port": int(peer.stages.url.rpartition(":")[2]),
        "protocol": "http",
        "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
    }
