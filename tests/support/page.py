"""A real Chromium for the tests of the page: the one on PATH, which reaches no address but this machine.

The headless shell is Chromium without windows. The tests of the page take half of the processor time with it.
"""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Error, FloatRect, Locator, Page, Route, async_playwright, expect

from tests.support.axe import violations
from tests.support.platform import Officer, Platform, planned_officer
from tests.support.waiting import until

# Chromium draws the list below the address bar of each window in a process of its own, which costs as much as a page.
# This switch replaces Playwright's, so Playwright's features follow.
_WITHOUT = [
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "LensOverlay"),
    *("HttpsFirstBalancedModeAutoEnable", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning"),
    *("AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled"),
    "PreconnectToSearch",
]
PHONE, DESK = [(390, 844)], [(1280, 900)]
SIZES = [*PHONE, *DESK]
"""Width and height of a window on a phone and at a desk, in CSS pixels."""

IN_BOTH_WINDOWS = pytest.mark.parametrize("reader", [PHONE, DESK], ids=["phone", "desk"], indirect=True)
"""Runs a test in each window, because what a person does there differs or is the main use of the page."""

FLAGS = [
    f"--disable-features={','.join(_WITHOUT)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_PATIENCE_MS = 90_000  # far more than anything takes on a busy machine
_NEVER_LATE = "AbortSignal.timeout = () => new AbortController().signal"  # the pages give a request up after 30 s
_LOOK_MS = 50  # without it Playwright looks at every frame
expect.set_options(timeout=_PATIENCE_MS)
OPEN = """(inside) => {
  const parts = [...document.querySelectorAll(`${inside} details`)];
  for (const one of parts) one.open = true;
  return parts.every((one) => one.children.length > 1);
}"""
_SHOWN = "[document.querySelector('main')?.dataset.view, document.body.innerText.slice(0, 1000)]"
_DRAWN = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
BOXES = "all => all.map(one => document.querySelector(one).getBoundingClientRect().toJSON())"
TOAST = "#toast-text"
NO_CHROMIUM = "the pages' tests need Chromium: apt install chromium-headless-shell"

log = logging.getLogger(__name__)


def chromium() -> str | None:
    """Return the path of Chromium, None if there is none."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@asynccontextmanager
async def launched(executable: str) -> AsyncIterator[Browser]:
    """Start Chromium for as long as the block runs."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


async def switch_language(page: Page) -> None:
    """Press the button of the other language, and wait until the page is drawn in it."""
    shown = await page.get_attribute("html", "lang")
    await page.click("#language")
    await page.wait_for_selector(f"html:not([lang={shown}])")


class Reader:
    """A person at the page: what the person sees, and the requests and errors of the browser.

    `sizes`: the windows in which the page must be sound; the person uses the first.
    """

    def __init__(self, page: Page, url: str, sizes: Sequence[tuple[int, int]]) -> None:
        self.page = page
        self.url = url
        self.sizes = sizes
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._checks = 0
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if "Policy" in line.text else None)

    async def sign_in(self, key: str, at: str = "") -> None:
        await self.page.goto(self.url + at)
        await self.page.fill("#key", key)
        await self.page.press("#key", "Enter")

    async def shows(self, view: str) -> None:
        """Wait until the page shows this view."""
        await self.page.wait_for_selector(f'main[data-view="{view}"][aria-busy="false"]')
        await self.page.wait_for_selector(".colophon", state="attached")  # drawn after what stands above it
        if view == "path":
            await self.page.wait_for_selector("#history-title")  # the last of what is drawn after the head was painted

    async def goes_to(self, name: str) -> None:
        """Open another page of the person's role by its link, which on a narrow screen is in a menu."""
        link = self.page.locator(f"[data-keep=to-{name}]")
        await link.wait_for(state="attached")
        if not await link.is_visible():
            await self.page.click("[data-keep=menu]")
        await link.click()

    async def news(self, words: str) -> str:
        """Wait until the live region contains these words; return all of it."""
        await self.page.wait_for_function(
            "words => document.getElementById('news').innerText.includes(words)", arg=words, polling=_LOOK_MS
        )
        return await self.page.inner_text("#news")

    async def shows_change(self) -> None:
        """Press the button that shows the new path which the news announces."""
        await self.page.click("#show-change")
        await self.page.wait_for_selector("#show-change", state="detached")

    async def dismisses(self) -> None:
        """Dismiss the news, so that the next news is a new one."""
        await self.page.click("#dismiss")
        await self.page.wait_for_selector("#dismiss", state="detached")
        await expect(self.page.locator("#news")).to_be_empty()

    async def reads(self, selector: str, words: str) -> None:
        """Wait until the first of these elements shows these words, whatever spaces are between them."""
        await expect(self.page.locator(selector).first).to_contain_text(words, use_inner_text=True)

    async def text(self, selector: str) -> str:
        """Return the text of an element, with plain spaces for the ones that keep a number beside its word."""
        return (await self.page.inner_text(selector)).replace("\u00a0", " ")

    async def tab_to(self, name: str) -> None:
        """Press Tab until the element of this `data-keep` or id has the focus."""
        await self.tab_into(f'[data-keep="{name}"], [id="{name}"]')

    async def tab_into(self, selector: str) -> None:
        """Press Tab until an element of this selector has the focus."""
        for _ in range(400):
            await self.page.keyboard.press("Tab")
            if await self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(selector)

    async def presses(self, name: str) -> None:
        """Reach the button or link of this `data-keep` or id with Tab, and press Enter once it is not busy."""
        await self.tab_to(name)
        await self.enters()

    async def enters(self) -> None:
        """Press Enter once the focused button is not busy: a busy one does nothing."""
        await self.page.wait_for_selector(":focus:not([aria-disabled=true])", state="attached")
        await self.page.keyboard.press("Enter")

    async def types(self, name: str, text: str) -> None:
        """Reach the field of this `data-keep` or id with Tab, and type in place of what it holds."""
        await self.tab_to(name)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def picks(self, selector: str, value: str) -> None:
        """Reach a select with Tab, and choose the option of this value with the arrow keys."""
        await self.tab_into(selector)
        await self.page.keyboard.press("Home")
        for _ in range(100):
            if await self.page.evaluate("document.activeElement.value") == value:
                return
            await self.page.keyboard.press("ArrowDown")
        raise AssertionError(value)

    async def opens(self, part: Locator) -> None:
        """Open a part, and wait until what is in it is drawn, which moves all that stands below it."""
        await part.locator("summary").first.click()
        await part.locator(":scope > :not(summary)").first.wait_for(state="attached")

    async def opens_all(self, inside: str) -> None:
        """Open every part that opens within a selector, also those in another part, and wait for what is in them."""

        async def are_drawn() -> bool:
            drawn: bool = await self.page.evaluate(OPEN, inside)
            return drawn

        await until(are_drawn, f"the open parts of {inside}")

    async def has_focus(self, name: str) -> None:
        """Wait until the element of this `data-keep` or id has the focus, which the page moves after drawing."""
        await self.page.wait_for_selector(f'[data-keep="{name}"]:focus, [id="{name}"]:focus', state="attached")

    async def focused(self) -> str:
        """Return the `data-keep` or the id of what has the focus."""
        found: str = await self.page.evaluate("document.activeElement.dataset.keep ?? document.activeElement.id")
        return found

    async def windows(self) -> AsyncIterator[int]:
        """Show the page in every window, at last in the one in which the person goes on; yield each width."""
        for width, height in (*self.sizes[1:], self.sizes[0]):
            if len(self.sizes) > 1:
                await self.page.set_viewport_size({"width": width, "height": height})
                await self.page.evaluate(_DRAWN)
            yield width

    async def fits(self) -> None:
        """Check in every window that the page is not wider than it."""
        async for width in self.windows():
            assert await self.overflow() == 0, width

    async def is_sound(self, inside: str = "", outside: str = "") -> None:
        """Check that the page is not wider than any window, and that axe finds no faults, as `violations` does.

        Axe takes long and what it finds hardly depends on the window: it looks in one window, the next time in another.
        """
        judged, _ = self.sizes[self._checks % len(self.sizes)]
        self._checks += 1
        async for width in self.windows():
            assert await self.overflow() == 0, width
            if width == judged:
                assert await self.violations(inside, outside) == [], width

    async def violations(self, inside: str = "", outside: str = "") -> list[str]:
        """Return the faults that axe finds now, on the whole page or only `inside`, or `outside`, of a selector."""
        return await violations(self.page, inside, outside)

    async def fonts(self, selector: str) -> set[str]:
        """Return the names of the fonts that an element is really drawn with."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("DOM.enable")
        await session.send("CSS.enable")
        root: dict[str, Any] = await session.send("DOM.getDocument")
        node = await session.send("DOM.querySelector", {"nodeId": root["root"]["nodeId"], "selector": selector})
        drawn = await session.send("CSS.getPlatformFontsForNode", {"nodeId": node["nodeId"]})
        await session.detach()
        return {font["familyName"] for font in drawn["fonts"]}

    async def boxes(self, *selectors: str) -> list[FloatRect]:
        """Return where the first element of each selector stands, all at one moment: what is drawn late moves them."""
        found: list[FloatRect] = await self.page.evaluate(BOXES, selectors)
        return found

    async def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wider: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return wider

    def left_the_machine(self) -> list[str]:
        """Return the requested addresses that are not the portal's."""
        return [url for url in self.requests if not url.startswith(self.url + "/")]


@asynccontextmanager
async def reading(
    browser: Browser,
    url: str,
    *,
    sizes: Sequence[tuple[int, int]] = DESK,
    scheme: Literal["light", "dark"] = "light",
    provider: str = "",
) -> AsyncIterator[Reader]:
    """Open a fresh page on which nobody is signed in.

    At the end of the block the page must have had no error and sent no request to another machine. `provider`: the
    address of the OpenID provider to which the page may lead. `sizes`: as those of a `Reader`.
    """
    width, height = sizes[0]
    context = await browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(_PATIENCE_MS)
    await context.add_init_script(_NEVER_LATE)
    reader = Reader(await context.new_page(), url, sizes)
    try:
        yield reader
        assert reader.errors == [], reader.errors
        assert [one for one in reader.left_the_machine() if not (provider and one.startswith(provider))] == []
    finally:
        await _log_what_is_shown(context.pages)
        await context.close()


async def _log_what_is_shown(pages: Sequence[Page]) -> None:
    """Log the state of each page, which pytest shows if the test fails."""
    for page in pages:
        with suppress(Error, TimeoutError):
            async with asyncio.timeout(1):  # a page that is being opened may not answer
                log.warning("%s shows %s", page.url, await page.evaluate(_SHOWN))


async def sign_out(page: Page) -> None:
    """Sign out until the page asks for a key: the portal refuses it while it is busy, and the page says so."""
    while not await page.is_visible("#key"):
        await page.click("#sign-out")
        await page.wait_for_selector("#key, #head-wrong:not(:empty)")


@asynccontextmanager
async def at_the_path(platform: Platform, browser: Browser, **window: Any) -> AsyncIterator[tuple[Officer, Reader]]:
    """Open the page of an officer who has a path."""
    async with reading(browser, platform.portal, **window) as reader:
        yield await opened_at_the_path(platform, reader), reader


async def opened_at_the_path(platform: Platform, reader: Reader) -> Officer:
    """Sign in as a new officer who has a path, and return the officer once the path is drawn."""
    officer = await planned_officer(platform)
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await reader.page.wait_for_selector(".step")
    await reader.page.wait_for_selector("#what-if-jobGroup")
    return officer


async def change_answers(page: Page, pattern: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Let `change` alter the JSON of the answers to these requests.

    A service that asks to come again is asked again, because the page would wait for the answer of a failed handler.
    """

    async def changed(route: Route) -> None:
        answer = await route.fetch(timeout=_PATIENCE_MS)
        while answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            await asyncio.sleep(1)
            answer = await route.fetch(timeout=_PATIENCE_MS)
        body = await answer.json()
        change(body)
        await route.fulfill(response=answer, json=body)

    await page.route(pattern, changed)


async def in_both_languages(reader: Reader, selector: str, thai: str, english: str) -> None:
    """Check that an element shows these words in Thai, then in English, without faults of axe and without overflow."""
    for language, words in (("th", thai), ("en", english)):
        await reader.page.wait_for_selector(f"html[lang={language}]")
        await reader.page.wait_for_selector(f"{selector}:has-text('{words}')")
        await reader.is_sound()
        await switch_language(reader.page)
    await reader.page.wait_for_selector("html[lang=th]")


async def wait_for_toast(reader: Reader, words: str) -> str:
    """Wait until the toast contains these words; return all of it."""
    await reader.page.wait_for_function(
        "words => document.getElementById('toast-text').innerText.includes(words)", arg=words, polling=_LOOK_MS
    )
    return await reader.page.inner_text(TOAST)


async def reached(reader: Reader, course: str, action: str) -> Locator:
    """Return the button of an action on the step of a course, after opening the part of the step that holds it."""
    card = reader.page.locator(f'.step[data-course="{course}"]')
    if action == "completed":
        await card.locator(f'[data-keep="finish-{course}"]').click()
    elif action != "started" and not await card.locator(".choices").is_visible():
        await card.locator(".feedback summary").click()
    return card.locator(f'[data-keep="{action}-{course}"]')


async def press_action(reader: Reader, course: str, action: str) -> None:
    """Press the button of an action on the step of a course; a course that is finished is finished today."""
    await (await reached(reader, course, action)).click()


async def courses(reader: Reader, where: str = ".step") -> list[str]:
    """Return the ids of the courses shown, in order."""
    found: list[str] = await reader.page.locator(where).evaluate_all("all => all.map(one => one.dataset.course)")
    return found
