"""Ports of local servers: a port that is given to one process is given to no other, although its server binds later."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.ports import free_port, kept_port, port_is_free
from deploy.local.processes import ROOT

OTHER_STACK = """
import sys
from deploy.local.ports import free_port
from tests.unit.test_local_ports import drawing
with drawing(int(sys.argv[1])):
    print(free_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def drawing(port: int) -> Iterator[None]:
    """Have `free_port` try this port first while the block runs."""
    draw, first = random.randint, iter([port])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "randint", lambda lowest, highest: next(first, 0) or draw(lowest, highest))
        yield


@contextmanager
def other_stack(port: int) -> Iterator[int]:
    """Yield the port that another process gets that tries this one first; it keeps it while the block runs."""
    argv = [sys.executable, "-c", OTHER_STACK, str(port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def test_a_port_is_below_those_of_outgoing_connections_and_can_be_bound() -> None:
    port = free_port()
    assert 20_000 <= port < 32_000
    assert port_is_free(port)


def test_a_port_that_waits_for_its_server_is_given_to_nobody_else(tmp_path: Path) -> None:
    """The server binds later: when its storage is formatted, or when it is started again."""
    for waiting in (free_port(), kept_port(tmp_path)):
        with other_stack(waiting) as theirs, drawing(waiting):
            assert waiting not in (theirs, free_port())


def test_a_port_that_waits_for_a_server_of_another_process_is_not_taken(tmp_path: Path) -> None:
    note = tmp_path / "port"
    with other_stack(0) as theirs:
        assert port_is_free(theirs)
        with drawing(theirs):
            assert free_port() != theirs
        note.write_text(f"{theirs}\n")
        assert kept_port(tmp_path) != theirs


def test_the_ports_of_a_process_that_has_ended_can_be_given_again() -> None:
    with other_stack(0) as theirs:
        pass
    with drawing(theirs):
        assert free_port() == theirs


def test_a_data_directory_keeps_its_port(tmp_path: Path) -> None:
    port = kept_port(tmp_path)
    assert kept_port(tmp_path) == port
    assert port_is_free(port)
