"""Chooses ports of 127.0.0.1 for local servers; a chosen port is reserved for this process while it runs."""

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

from deploy.local.processes import CannotStart

_LOWEST, _HIGHEST = 20_000, 31_999

_given: set[int] = set()


def free_port() -> int:
    """Return a free port, and reserve it while this process runs. Raises CannotStart.

    A server uses the port only later, after its data are prepared or when it is restarted. So the port is reserved
    among all local stacks and tests of this user. It is below the range from which operating systems take the ports of
    outgoing connections.
    """
    for _ in range(200):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311 - no secret
        if port not in _given and _reserve(port):
            return port
    raise CannotStart(f"no free port between {_LOWEST} and {_HIGHEST} on 127.0.0.1")


def kept_port(directory: Path) -> int:
    """Return the port that is recorded in the data directory of a server, and reserve it as `free_port` does.

    If none is recorded, or it is not free, a new port is chosen and recorded. Raises CannotStart.
    """
    note = directory / "port"
    with contextlib.suppress(OSError, ValueError):
        if _reserve(port := int(note.read_text())):
            return port
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{port}\n")
    return port


def port_is_free(port: int) -> bool:
    """Return whether no server listens on a port of 127.0.0.1 yet."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Reserve a port until this process ends; return False if another process has reserved or uses it."""
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _given.add(port)
    return port_is_free(port)


@cache
def _reservations() -> int:
    """Return the descriptor of the file whose byte N is locked to reserve the port N.

    The operating system removes the locks when the process ends.
    """
    path = Path(tempfile.gettempdir()) / f"learning-path-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
