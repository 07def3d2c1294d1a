"""Open pages on a slow network, over a restart, in two tabs, and after an erasure; in a real Chromium."""

import asyncio

from playwright.async_api import Browser, Page, Route, expect

from tests.support.editors import FRAMEWORK, Tenant, editing
from tests.support.page import PHONE, Reader, at_the_path, sign_out, switch_language
from tests.support.platform import Officer, Platform, required

LATENCY_MS = 3000
LOOKED_AT = "document.dispatchEvent(new Event('visibilitychange'))"  # a browser without windows never sends it


async def slow_down(page: Page, latency_ms: int) -> None:
    """Delay every answer from now on; 0: no longer."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    conditions = {"offline": False, "latency": latency_ms, "downloadThroughput": -1, "uploadThroughput": -1}
    await session.send("Network.emulateNetworkConditions", conditions)


async def note_news(reader: Reader) -> None:
    """Note every text that the live region of the news gets from now on."""
    await reader.page.evaluate(
        """() => {
            window.heard = [];
            const news = document.getElementById('news');
            const hear = () => news.innerText && window.heard.push(news.innerText);
            new MutationObserver(hear).observe(news, { childList: true, subtree: true, characterData: true });
        }"""
    )


async def heard(reader: Reader) -> int:
    """Return how many texts were noted."""
    texts: int = await reader.page.evaluate("window.heard.length")
    return texts


async def test_on_a_slow_network_each_press_counts_once_and_the_last_page_asked_for_is_shown(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page
        await tenant.offer("c-1", {"en": "Spreadsheets"})
        await reader.sign_in(tenant.key, "/#view=courses")
        await page.wait_for_selector("#q")
        signed_out: list[str] = []
        page.on("request", lambda one: signed_out.append(one.url) if one.method == "DELETE" else None)
        await slow_down(page, LATENCY_MS)
        for name in ("health", "frameworks", "load"):  # each is asked for before the code of the one before has come
            await reader.goes_to(name)
        await page.wait_for_selector("#file")
        await expect(page.locator("main h1")).to_have_count(1)
        both_pressed = asyncio.Event()

        async def held(route: Route) -> None:
            await both_pressed.wait()
            await route.continue_()

        await page.route("**/session*", held)
        await page.dblclick("#sign-out")
        await expect(page.locator("#sign-out")).to_have_attribute("aria-disabled", "true")
        both_pressed.set()
        await reader.shows("signIn")
        assert len(signed_out) == 1


async def test_a_double_press_drops_no_draft(platform: Platform, browser: Browser) -> None:
    async with editing(platform, browser) as (tenant, reader):
        page = reader.page
        before = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
        await tenant.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", json=before)
        await reader.sign_in(tenant.key, f"/#view=frameworks&framework={FRAMEWORK}")
        await page.click("[data-keep=new-draft]")
        skill = before["skills"][0]["id"]
        await page.select_option(f"#level-{skill}", "")
        await page.fill("#proposer", "ก. วงศ์สุวรรณ")
        await page.click("[data-keep=propose]")
        await page.wait_for_selector("[data-state=draft]")
        await page.dblclick("[data-keep=drop]")
        await page.click("[data-keep=drop]")
        await page.wait_for_selector("[data-keep=drop-surely]")
        assert await reader.violations() == []
        await expect(page.locator("[data-state=draft]")).to_have_count(1)
        await page.click("[data-keep=drop-surely]")
        await page.wait_for_selector("[data-keep=new-draft]")


async def test_changes_of_a_framework_stay_when_their_person_signs_in_again(tenant: Tenant, reader: Reader) -> None:
    page = reader.page
    before = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
    await tenant.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", json=before)
    await reader.sign_in(tenant.key, f"/#view=frameworks&framework={FRAMEWORK}")
    await page.click("[data-keep=new-draft]")
    group, skill = before["job_groups"][0]["id"], before["skills"][0]["id"]
    required_now = {row["skill"]: row["level"] for row in before["requirements"] if row["job_group"] == group}
    level = next(step["level"] for step in before["scale"] if step["level"] not in (0, required_now.get(skill)))
    await page.select_option(f"#level-{skill}", f"{level:g}")
    await page.fill("#proposer-comment", "ตามมติที่ประชุม")

    async def signs_in() -> None:
        await page.fill("#key", tenant.key)
        await page.press("#key", "Enter")
        await page.wait_for_selector("#draft-changes >> text=1")
        await expect(page.locator(f"#level-{skill}")).to_have_value(f"{level:g}")
        await expect(page.locator("#proposer-comment")).to_have_value("ตามมติที่ประชุม")

    other = await page.context.new_page()
    await other.goto(reader.url)
    await sign_out(other)
    await other.close()
    await page.evaluate(LOOKED_AT)
    await reader.shows("signIn")
    await signs_in()
    await sign_out(page)
    await signs_in()
    await sign_out(page)
    await page.fill("#key", await tenant.editor())  # somebody else sees nothing of it
    await page.press("#key", "Enter")
    await page.wait_for_selector("[data-keep=new-draft]")


async def test_a_restart_under_an_open_page_repeats_no_announcement(platform: Platform, browser: Browser) -> None:
    stack = platform.stack
    async with stack.restored(), at_the_path(platform, browser) as (officer, reader):
        page = reader.page
        await officer.assess(required(0.6))
        await reader.news("เพราะมีผลประเมินใหม่")
        await note_news(reader)
        for service in ("recommender", "portal"):
            stack.kill(service)
            if service == "portal":
                await page.wait_for_selector(".connection.lost")
            await stack.start(service)
        await page.wait_for_selector(".connection.open")
        assert await heard(reader) == 0
        await reader.shows_change()
        await reader.dismisses()
        await officer.assess(required(0.7))
        await reader.news("เพราะมีผลประเมินใหม่")
        await expect(page.locator("#news .news-title")).to_have_count(1)


async def test_two_tabs_are_each_in_their_own_language(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser) as (officer, reader):
        page = reader.page
        other = await page.context.new_page()
        await other.goto(reader.url)
        await other.wait_for_selector(".step")
        await switch_language(other)
        await page.evaluate(LOOKED_AT)
        await officer.assess(required(0.6))
        await reader.news("เพราะมีผลประเมินใหม่")
        await other.wait_for_selector("#news >> text=because of a new assessment")
        for one, language in ((page, "th"), (other, "en")):
            await expect(one.locator("html")).to_have_attribute("lang", language)


async def test_an_erasure_leaves_nothing_on_the_open_page_and_is_not_taken_for_an_ended_session(
    officer: Officer, reader: Reader
) -> None:
    page = reader.page
    await officer.assess(required(0.6))
    await reader.news("เพราะมีผลประเมินใหม่")  # a path that is announced is gone as well
    await officer.erase()
    await reader.shows("erased")
    async with page.expect_response("**/session/start"):
        await page.evaluate(LOOKED_AT)
    await expect(page.locator("main")).to_have_attribute("data-view", "erased")
    await expect(page.locator("#show-change, .step, #key")).to_have_count(0)
    await expect(page.locator("#news")).to_have_text("", use_inner_text=True)
    for _ in ("th", "en"):
        await reader.is_sound()
        await switch_language(page)
    await sign_out(page)
    await reader.shows("signIn")
