"""Loaded by every Python process that has this folder on its path: it writes down whom they call.

Each line of the file that LUNGREG_WATCH names is one event: "start", "local", "remote" or "import",
with what it was. Ray's workers are Python processes with the environment of their driver.
"""

import os
import socket
import sys

_FILE = os.environ.get("LUNGREG_WATCH")
_OWN = set((os.environ.get("LUNGREG_OWN_ADDRESSES") or "").split(","))
_CALLS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}


def _write(kind: str, what: object) -> None:
    handle = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{kind} {os.getpid()} {what}\n".encode())
    os.close(handle)


def _host(address: object) -> str | None:
    """The host of an internet address; None for a socket in the file system."""
    if isinstance(address, tuple):
        return str(address[0])
    return None


def _is_own(host: str) -> bool:
    return host.startswith("127.") or host.removeprefix("::ffff:") in _OWN


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "import" and str(arguments[0]).split(".")[0] == "snowflake":
        _write("import", arguments[0])
    if event not in _CALLS:
        return
    target = arguments[_CALLS[event]]
    host = _host(target) if event in ("socket.connect", "socket.sendto") else str(target)
    if host is not None:
        _write("local" if _is_own(host) else "remote", f"{event} {host}")


if _FILE:
    _OWN |= {"", "None", "localhost", "::1", "::", "0.0.0.0", socket.gethostname()}
    _write("start", " ".join(sys.orig_argv)[:300].replace("\n", " "))
    sys.addaudithook(_watch)
