"""What the end-to-end tests share: a browser, and a platform on the session's stack."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from playwright.async_api import Browser

from deploy.local.stack import Stack
from tests.support.page import NO_CHROMIUM, chromium, launched
from tests.support.platform import Platform
from tests.support.servers import missing


@pytest.fixture(scope="module")
async def browser(pages_missing: str | None) -> AsyncIterator[Browser]:
    if pages_missing is not None:
        missing(pages_missing)
    executable = chromium()
    if executable is None:
        missing(NO_CHROMIUM)
    async with launched(executable) as browser:
        yield browser


@pytest.fixture
async def platform(stack: Stack) -> AsyncIterator[Platform]:
    """Return a platform of the sample tenant."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Platform(stack, session)
