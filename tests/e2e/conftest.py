"""A platform on the session's stack."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from deploy.local.stack import Stack
from tests.e2e.platform import Platform


@pytest.fixture
async def platform(stack: Stack) -> AsyncIterator[Platform]:
    """Return a platform of the sample tenant."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Platform(stack, session)
