"""Takes the pictures of an officer's first look for docs/pages.md: `python -m tests.screenshots`.

It starts a system of its own, with the starter catalog and an officer who was assessed, and needs Chromium.
"""

import asyncio
import sys
from pathlib import Path
from typing import Literal

import aiohttp
from playwright.async_api import Browser

from deploy.local.pages import build
from deploy.local.stack import Stack
from tests.support.page import NO_CHROMIUM, chromium, launched, reading, switch_language
from tests.support.platform import Officer, Platform, required

PLACE = Path(__file__).parents[1] / "docs" / "img"
MOST_BYTES = 150_000
LOOKS: tuple[tuple[Literal["th", "en"], int, int], ...] = (("th", 390, 844), ("en", 1280, 900))


async def take(browser: Browser, url: str, key: str, look: tuple[Literal["th", "en"], int, int]) -> Path:
    """Write what an officer sees first in one language at one size; return the file. Raises ValueError if too large."""
    language, width, height = look
    async with reading(browser, url, sizes=[(width, height)]) as reader:
        await reader.sign_in(key)
        await reader.shows("path")
        await reader.page.wait_for_selector(".step")
        if language == "en":
            await switch_language(reader.page)
            await reader.page.wait_for_selector("html[lang=en]")
        await reader.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        await reader.page.evaluate("document.fonts.ready.then(() => true)")
        path = PLACE / f"officer-{language}-{width}.png"
        picture = await reader.page.screenshot()
    if len(picture) > MOST_BYTES:
        raise ValueError(f"{path.name} has {len(picture)} bytes, more than {MOST_BYTES}")
    path.write_bytes(picture)
    return path


async def main() -> None:
    """Start everything, take the pictures, and print where they are."""
    executable = chromium()
    if executable is None:
        raise SystemExit(NO_CHROMIUM)
    build(print)
    async with Stack("screenshots") as stack, aiohttp.ClientSession() as session, launched(executable) as browser:
        officer = Officer(Platform(stack, session))
        await officer.register()
        await officer.assess(required(0.5))
        await officer.is_planned()
        for look in LOOKS:
            path = await take(browser, stack.urls["portal"][0], await officer.api_key(), look)
            sys.stdout.write(f"{path.relative_to(PLACE.parents[1])} {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    asyncio.run(main())
