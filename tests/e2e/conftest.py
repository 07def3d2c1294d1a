"""What the tests in a browser share."""

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.e2e.browser import NO_CHROMIUM, chromium, launched


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    executable = chromium()
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NO_CHROMIUM, pytrace=False)
        pytest.skip(NO_CHROMIUM)
    async with launched(executable) as browser:
        yield browser
