"""Signing in and out on the page where the portal knows the provider of an organisation's accounts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Route, expect

from deploy.local.keys import TENANT
from services.portal.api.page import BUILT
from tests.support.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, openid_provider
from tests.support.page import DESK, PHONE, SIZES, Reader, in_both_languages, reading, sign_out, switch_language
from tests.support.platform import Officer, Platform, planned_officer, required
from tests.support.portal import Portal, running_portal, staged

SENTENCES = {
    "expired": ("การเข้าสู่ระบบใช้เวลานานเกินไป", "Signing in took too long"),
    "refused": ("บัญชีหน่วยงานไม่ยืนยันการเข้าใช้", "did not confirm it"),
    "unknown": ("บัญชีของท่านยังไม่มีสิทธิ์ใช้ระบบนี้", "may not use this system yet"),
    "unavailable": ("ระบบบัญชีหน่วยงานยังไม่ตอบสนอง", "does not answer"),
}


@pytest.fixture(scope="module")
async def portal(kafka_bootstrap: str, mongodb_uri: str) -> AsyncIterator[Portal]:
    async with staged(kafka_bootstrap, mongodb_uri) as (settings, owner), openid_provider() as provider:
        wanted = replace(
            settings,
            portal_url="http://portal.test",
            openid_issuer=provider.url,
            openid_client_id=CLIENT_ID,
            openid_client_secret=CLIENT_SECRET,
            openid_tenant="agency",
        )
        async with running_portal(wanted, owner, pages=BUILT) as portal:
            yield portal


async def shows_outcome(reader: Reader, words: str) -> None:
    await reader.page.wait_for_function(
        "words => document.querySelector('[data-keep=openid]')"
        "?.closest('.message').querySelector('[role=alert]').innerText.includes(words)",
        arg=words,
    )


async def test_sign_in_with_the_organisation_is_offered_and_its_result_is_shown_once(
    portal: Portal, browser: Browser
) -> None:
    async with reading(browser, portal.url, sizes=[(320, 900), *SIZES]) as reader:
        page = reader.page
        for outcome, (thai, english) in SENTENCES.items():
            await page.goto(f"{portal.url}/?sign-in={outcome}#officer=officer-1")
            await shows_outcome(reader, thai)
            await switch_language(page)
            await shows_outcome(reader, english)
            await reader.is_sound()
            await switch_language(page)
        await expect(page).to_have_url(f"{portal.url}/#officer=officer-1")
        address = await page.get_attribute("[data-keep=openid]", "href")
        assert address == "/session/openid?to=%2F%23officer%3Dofficer-1"
        async with portal.session.get(portal.url + address, allow_redirects=False) as answer:
            assert answer.status == 303
        await page.reload()
        await shows_outcome(reader, "")
        await expect(page.locator(".wrong", has_text="บัญชี")).to_have_count(0)


async def test_a_provider_that_is_away_is_explained_on_the_page(platform: Platform, browser: Browser) -> None:
    async with (
        with_a_provider(platform) as provider,
        reading(browser, platform.portal, sizes=SIZES, provider=provider.url) as reader,
    ):
        provider.away = True
        await reader.page.goto(f"{reader.url}/#officer=officer-1")
        await reader.page.click("[data-keep=openid]")
        await in_both_languages(reader, ".message .wrong", *SENTENCES["unavailable"])
        await expect(reader.page).to_have_url(f"{reader.url}/#officer=officer-1")
        provider.away = False
        provider.claims = {"sub": "nobody"}
        async with reader.page.expect_request(f"{provider.url}/authorize*"):
            await reader.page.click("[data-keep=openid]")


async def test_signing_out_everywhere_is_offered_next_to_signing_out(
    portal: Portal, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal.owner, "document", b'{"feedback_sequence": 0, "statements": []}')
    _, key = await portal.officer()
    async with reading(browser, portal.url, sizes=[(320, 900)]) as reader:
        page = reader.page
        await reader.sign_in(key, "/?sign-in=refused")
        await page.wait_for_selector("#sign-out")
        await switch_language(page)
        await expect(page.locator("#sign-out-everywhere")).to_have_text("Sign out on all devices", use_inner_text=True)
        await reader.is_sound()
        async with page.expect_request(lambda request: request.method == "DELETE") as request_info:
            await page.click("#sign-out-everywhere")
        assert (await request_info.value).url == f"{portal.url}/session?everywhere=true"
        await reader.shows("signIn")
        await expect(page.locator("main")).not_to_contain_text("did not confirm", use_inner_text=True)
        async with page.expect_response(f"{portal.url}/session/start") as found:
            await page.reload()
        assert (await (await found.value).json())["session"] is None


@asynccontextmanager
async def with_a_provider(platform: Platform) -> AsyncIterator[Provider]:
    """Have the whole system's portal know a provider, for as long as the block runs."""
    stack = platform.stack
    async with openid_provider() as provider, stack.restored():
        settings = {
            "PORTAL_URL": stack.urls["portal"][0],
            "OPENID_ISSUER": provider.url,
            "OPENID_CLIENT_ID": CLIENT_ID,
            "OPENID_CLIENT_SECRET": CLIENT_SECRET,
            "OPENID_TENANT": TENANT,
            "OPENID_ROLES": "learning-hr=analyst",
        }
        await stack.stop("portal")
        await stack.start("portal", environment=settings)
        yield provider


async def signs_in(reader: Reader, language: str) -> None:
    """Go to the provider and back from the page in a language."""
    await reader.page.goto(reader.url)
    await reader.shows("signIn")
    if await reader.page.get_attribute("html", "lang") != language:
        await switch_language(reader.page)
    await reader.page.wait_for_selector(f"html[lang={language}]")
    await reader.is_sound()
    await reader.page.click("[data-keep=openid]")


async def test_people_sign_in_with_the_account_of_their_organisation_and_out_everywhere(
    platform: Platform, browser: Browser
) -> None:
    officer, url = await planned_officer(platform), platform.portal
    async with with_a_provider(platform) as provider:
        provider.claims = {"sub": officer.name, "preferred_username": officer.name}
        async with (
            reading(browser, url, sizes=PHONE, provider=provider.url) as phone,
            reading(browser, url, sizes=DESK, provider=provider.url) as desk,
        ):
            for reader, language, heading in (
                (phone, "th", "เส้นทางการเรียนรู้ของท่าน"),
                (desk, "en", "Your learning path"),
            ):
                await signs_in(reader, language)
                await reader.shows("path")
                await expect(reader.page.locator("h1").first).to_have_text(heading, use_inner_text=True)
                await expect(reader.page.locator(".step")).not_to_have_count(0)
                await expect(reader.page).to_have_url(f"{url}/")
                [cookie] = await reader.page.context.cookies()
                assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
                assert await reader.violations() == []
            await desk.page.click("#sign-out-everywhere")
            await desk.shows("signIn")
            await phone.shows("signIn")  # its live stream is ended, by itself
            assert await phone.violations() == []
            provider.claims = {"sub": "hr", "realm_access": {"roles": ["learning-hr"]}, "agency": "*"}
            await signs_in(desk, "en")
            await desk.page.wait_for_selector("#agency")
            assert await desk.violations() == []


async def test_a_session_that_ends_loses_nothing_that_was_typed(officer: Officer, reader: Reader) -> None:
    page, key = reader.page, await officer.api_key()
    await page.select_option("#what-if-myTime", "total")
    await page.fill("#what-if-total", "37.5")
    await page.context.clear_cookies()  # as after the last second of a session
    await page.click("[data-keep=what-if-send]")
    await reader.shows("signIn")
    for words in ("การเข้าใช้งานสิ้นสุดแล้ว", "Your visit has ended"):
        await reader.reads("#key-wrong", words)
        await expect(page.locator("#what-if-total")).to_be_hidden()
        await expect(page.locator("#sign-out")).to_have_count(0)
        await page.wait_for_selector("#main:focus, #language:focus")
        await reader.is_sound()
        await switch_language(page)
    await page.fill("#key", key)
    await page.press("#key", "Enter")
    await reader.shows("path")
    await expect(page.locator("#what-if-total")).to_have_value("37.5")
    await reader.has_focus("what-if-send")
    await page.wait_for_selector('#connection:has-text("เชื่อมต่ออยู่")')
    await page.click("[data-keep=what-if-send]")
    await page.wait_for_selector("#what-if-result")
    await officer.assess(required(0.6))  # the stream goes on as well
    await reader.news("เพราะมีผลประเมินใหม่")


async def test_a_sign_out_that_fails_says_that_somebody_is_still_signed_in(officer: Officer, reader: Reader) -> None:
    page, key = reader.page, await officer.api_key()

    async def away(route: Route) -> None:
        await route.abort()

    await page.route("**/session?*", away)
    await page.click("#sign-out")
    await in_both_languages(reader, "#head-wrong", "ท่านยังอยู่ในระบบ", "You are still signed in")
    await expect(page.locator(".step")).not_to_have_count(0)
    await page.unroute("**/session?*")
    await page.context.clear_cookies()  # as after the last second of a session
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await reader.shows("signIn")
    await page.fill("#key", key)
    await page.press("#key", "Enter")
    await reader.shows("path")
    await expect(page.locator("#head-wrong")).to_be_empty()
    await sign_out(page)
    await reader.shows("signIn")
    await expect(page.locator("#head-wrong")).to_be_empty()


async def test_a_tab_never_goes_on_as_the_person_who_signed_in_in_another(
    platform: Platform, officer: Officer, reader: Reader
) -> None:
    page, key = reader.page, await officer.api_key()
    other = await page.context.new_page()
    await other.goto(reader.url)
    await sign_out(other)
    await other.fill("#key", await platform.stack.issuer.issue(TENANT, "analyst"))
    await other.press("#key", "Enter")
    await other.wait_for_selector("#agency")
    look = "document.dispatchEvent(new Event('visibilitychange'))"  # a browser without windows never sends it
    await page.evaluate(look)
    await reader.shows("signIn")
    await in_both_languages(reader, "#key-wrong", "หน้าต่างอื่น", "as another person in another tab")
    await sign_out(other)
    await other.fill("#key", key)
    await other.press("#key", "Enter")
    await other.wait_for_selector(".step")
    await page.evaluate(look)  # the same person again
    await reader.shows("path")
