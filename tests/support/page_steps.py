"""What the tests of the controls do again and again at an officer's path."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser

from deploy.local.stack import Stack
from tests.support.officers import Officer, required
from tests.support.page import Reader, reading

SAID = "#word-said"


@asynccontextmanager
async def at_the_path(stack: Stack, browser: Browser, **window: Any) -> AsyncIterator[tuple[Officer, Reader]]:
    """Open the page of an officer who has a path."""
    officer = Officer(stack)
    await officer.registers()
    await officer.is_assessed(required(0.5))
    async with reading(browser, stack.urls["portal"][0], **window) as reader:
        await reader.sign_in(await officer.key())
        await reader.shows("path")
        await reader.page.wait_for_selector(".step")
        await reader.page.wait_for_selector("#what-if-jobGroup")
        await reader.page.wait_for_function("() => !document.querySelector('.notice.provisional')")
        yield officer, reader


async def says(reader: Reader, words: str) -> str:
    """Wait until the word at the foot of the screen has these words; return all of it."""
    await reader.page.wait_for_function(
        "words => document.getElementById('word-said').innerText.includes(words)", arg=words
    )
    return await reader.page.inner_text(SAID)


async def say(reader: Reader, course: str, action: str) -> None:
    """Press the button of an action on the step of a course; what is finished is finished today."""
    card = reader.page.locator(f'.step[data-course="{course}"]')
    if action == "completed":
        await card.locator(f'[data-keep="finish-{course}"]').click()
    elif action != "started" and not await card.locator(".choices").is_visible():
        await card.locator(".say summary").click()
    await card.locator(f'[data-keep="{action}-{course}"]').click()


async def courses(reader: Reader, where: str = ".step") -> list[str]:
    """Return the ids of the courses shown, in order."""
    found: list[str] = await reader.page.locator(where).evaluate_all("all => all.map(one => one.dataset.course)")
    return found
