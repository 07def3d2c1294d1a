"""Real servers for the tests that ask for one: started once a session, on free ports, with their data in memory.

A server that cannot be had skips its tests with the reason; with CI=true it fails them.
"""

import os
import shutil
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.local.broker import EmbeddedBroker, find_broker
from deploy.local.pages import build as build_pages
from deploy.local.processes import CannotStart
from deploy.local.servers import Mongod, Server, find_mongodb
from shared import limits, middleware
from tests.support.deadlines import bound_tests, pytest_runtest_call  # noqa: F401 - a hook
from tests.support.servers import DATA, missing, server_data, started_server

ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes is no property of the code."""

settings.register_profile("explore", ANY_SPEED, derandomize=False)
settings.register_profile("tests", ANY_SPEED, derandomize=True, database=None)
settings.load_profile("tests")

# A shell that starts the tests in the background has them, and every process that they start, ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)

FIRST = (
    *("e2e/", "contract/test_write_concern", "unit/test_reference", "unit/test_local_environment", "unit/test_warming"),
    *("unit/test_typescript_client", "contract/test_secured_servers"),
)
"""Parts of the suite that take long, in the order in which they start."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound the tests and order their files: slow ones first, so that no worker is left alone with one at the end.

    The others follow by name, so that files that wait for servers run beside files that compute.
    """
    bound_tests(items)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, str]:
    rank = next((n for n, part in enumerate(FIRST) if part in item.nodeid), len(FIRST))
    return rank, "" if rank == 0 else item.path.name


def pytest_report_header() -> str:
    return "servers: started only by the tests that need them; BROKER=apache|embedded chooses the broker"


@pytest.fixture(scope="session", autouse=True)
def no_request_is_late() -> Iterator[None]:
    """Let no service in the tests' process refuse a request because the machine was busy with the tests."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "_LONGEST_WAIT_SECONDS", 3600.0)
        yield


@pytest.fixture
def timeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass for the rates of requests, however long the requests of a test take."""
    monkeypatch.setattr(middleware, "monotonic", lambda: 0.0)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """Return where this session's servers keep their data and logs; it is gone after the session."""
    directory = server_data() / f"{DATA}{os.getpid()}"
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
async def mongodb_server(server_directory: Path) -> AsyncIterator[Server]:
    """Return a running MongoDB."""
    async for server in started_server(lambda: find_mongodb(server_directory / "mongodb")):
        yield server


@pytest.fixture(scope="session")
async def kafka_server(server_directory: Path) -> AsyncIterator[Server]:
    """Return a running broker: Apache Kafka where it can be had (in CI it must), else the embedded one."""
    forced = "apache" if os.environ.get("CI") == "true" and not os.environ.get("BROKER") else None
    async for server in started_server(lambda: find_broker(server_directory / "kafka", forced=forced)):
        yield server


@pytest.fixture(scope="session")
async def embedded_server(server_directory: Path) -> AsyncIterator[Server]:
    """Return a running embedded broker, whatever the other one is."""
    async for server in started_server(lambda: find_broker(server_directory / "embedded", forced="embedded")):
        yield server


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """Return a running embedded broker of one test, which may freeze and kill it."""
    async for server in started_server(lambda: find_broker(tmp_path / "kafka", forced="embedded")):
        assert isinstance(server, EmbeddedBroker)
        yield server


@pytest.fixture
async def own_mongodb(tmp_path: Path) -> AsyncIterator[Mongod]:
    """Return a running MongoDB of one test, which may stop, freeze and kill it; its data is in `mongodb/data`."""
    async for server in started_server(lambda: find_mongodb(tmp_path / "mongodb")):
        if not isinstance(server, Mongod):
            missing("a MongoDB that is not ours cannot be stopped")
        yield server


@pytest.fixture(scope="session")
def mongodb_uri(mongodb_server: Server) -> str:
    """Return the URI of the session's MongoDB."""
    return mongodb_server.address


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: Server) -> str:
    """Return the bootstrap servers of the session's broker."""
    return kafka_server.address


@pytest.fixture(scope="session")
def embedded_bootstrap(embedded_server: Server) -> str:
    """Return the bootstrap servers of the session's embedded broker."""
    return embedded_server.address


@pytest.fixture(scope="session")
def pages_missing() -> str | None:
    """Build the portal's pages; return why they could not be built, None if they are there."""
    try:
        build_pages(print)
    except CannotStart as error:
        return str(error)
    return None


@pytest.fixture
def namespace() -> str:
    """Return a prefix of its own for this test's databases, topics and consumer groups."""
    return f"t{uuid.uuid4().hex[:10]}-"
