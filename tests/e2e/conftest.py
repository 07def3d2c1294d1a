"""What the end-to-end tests share: a browser, and a platform on one stack."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser
from pymongo import MongoClient

from deploy.local.processes import CannotStart
from deploy.local.servers import Server
from deploy.local.stack import Stack
from tests.support.editors import Tenant, new_tenant
from tests.support.page import (
    NO_CHROMIUM,
    SIZES,
    Reader,
    chromium,
    launched,
    opened_at_the_path,
    reading,
)
from tests.support.platform import Officer, Platform
from tests.support.servers import missing


@pytest.fixture(scope="package")
async def browser(pages_missing: str | None) -> AsyncIterator[Browser]:
    """Return a browser, shared by these tests: each opens a context of its own."""
    if pages_missing is not None:
        missing(pages_missing)
    executable = chromium()
    if executable is None:
        missing(NO_CHROMIUM)
    async with launched(executable) as browser:
        yield browser


@pytest.fixture(scope="package")
async def stack(mongodb_server: Server, kafka_server: Server, pages_missing: str | None) -> AsyncIterator[Stack]:
    """Return the whole system, one copy of each service, with the starter catalog, shared by these tests.

    It stops when a worker goes on to other tests: its processes would take a tenth of a core from them.
    """
    try:
        async with Stack("e2e", mongodb=mongodb_server, broker=kafka_server, namespace="e2e-") as whole:
            yield whole
    except CannotStart as error:  # the servers are there: this is a fault of ours
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def documents(stack: Stack) -> Iterator[MongoClient[dict[str, Any]]]:
    client: MongoClient[dict[str, Any]]
    with MongoClient(stack.mongodb.address) as client:
        yield client


@pytest.fixture
async def platform(stack: Stack) -> AsyncIterator[Platform]:
    """Return a platform of the sample tenant."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Platform(stack, session)


@pytest.fixture
async def reader(request: pytest.FixtureRequest, platform: Platform, browser: Browser) -> AsyncIterator[Reader]:
    """Return a fresh page on which nobody is signed in, used on a phone and sound at a desk as well.

    A test that takes `IN_BOTH_WINDOWS` is run on a phone and again at a desk.
    """
    async with reading(browser, platform.portal, sizes=getattr(request, "param", SIZES)) as reader:
        yield reader


@pytest.fixture
async def tenant(platform: Platform) -> Tenant:
    """Return a new tenant."""
    return await new_tenant(platform)


@pytest.fixture
async def officer(platform: Platform, reader: Reader) -> Officer:
    """Return an officer who has a path, at which the page of `reader` is open."""
    return await opened_at_the_path(platform, reader)
