"""Where a reader is on a page stays when it is loaded again or come back to, and what failed can be asked for again."""

import re

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.editors import editing
from tests.support.page import PHONE, Reader, at_the_path, in_both_languages, switch_language
from tests.support.platform import Platform
from tests.support.waiting import until

PAST_PATHS = 'section[aria-labelledby="past-paths-title"][aria-busy="false"]'
FRAMEWORKS = re.compile(r"/api/v1/frameworks/")
SIMILAR = re.compile(r"/similar\b")
COURSES = re.compile(r"/api/v1/courses\?")
LOST = "ติดต่อระบบไม่ได้"


SCROLL = """async (top) => {
  await document.fonts.ready;
  window.scrollTo({ top, behavior: 'instant' });
  return history.state?.top === top;
}"""


async def scroll_to(page: Page, top: int) -> None:
    """Scroll until the page has noted the place: what is drawn above it in the meantime moves the page on."""

    async def is_noted() -> bool:
        noted: bool = await page.evaluate(SCROLL, top)
        return noted

    await until(is_noted, f"the place {top}")


async def is_at(page: Page, top: int) -> None:
    """Wait until the page is that far down."""
    await page.wait_for_function("top => Math.abs(window.scrollY - top) < 2", arg=top)


async def lost(route: Route) -> None:
    await route.abort()


@pytest.mark.usefixtures("officer")
async def test_loading_the_page_again_and_coming_back_lead_to_where_the_officer_was(reader: Reader) -> None:
    page = reader.page
    await switch_language(page)
    details = page.locator(".step details[data-keep^=more-]").nth(2)
    await reader.opens(details)
    await page.click("[data-keep=history-show]")
    await page.wait_for_selector(PAST_PATHS)
    top = 2000
    await scroll_to(page, top)

    async def is_as_it_was() -> None:
        await reader.shows("path")
        await expect(page.locator("html")).to_have_attribute("lang", "en")
        await expect(details).to_have_attribute("open", "")
        await page.wait_for_selector(PAST_PATHS)
        await is_at(page, top)

    await page.reload()
    await is_as_it_was()
    await page.goto("about:blank")
    await page.go_back()
    await is_as_it_was()
    await details.locator("summary").click()  # what the reader does from here on counts
    await page.reload()
    await reader.shows("path")
    await expect(details).not_to_have_attribute("open", "")


async def test_who_signs_in_next_begins_at_the_top(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=PHONE) as (officer, reader):
        page = reader.page
        await reader.opens(page.locator(".step details[data-keep^=more-]").first)
        await scroll_to(page, 2000)
        await page.evaluate("document.getElementById('sign-out').click()")
        await page.wait_for_selector("#key")
        assert await page.evaluate("history.state?.kept") is None
        await page.fill("#key", await officer.api_key())
        await page.press("#key", "Enter")
        await reader.shows("path")
        await expect(page.locator(".step details[open]")).to_have_count(0)
        assert await page.evaluate("window.scrollY") < 2000


@pytest.mark.usefixtures("officer")
async def test_the_question_that_is_open_is_there_again_and_no_answer_is_sent_twice(reader: Reader) -> None:
    page = reader.page
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    await page.click("[data-keep=assess-begin]")
    for number in range(1, 5):
        await reader.reads(".session-progress", f"ข้อที่ {number} ")
        await page.locator(".option").first.click()
        await page.click("[data-keep=question-send]")
    await reader.reads(".session-progress", "ข้อที่ 5 ")
    question = await page.inner_text("#question")
    requests = list(sent)
    await page.reload()
    await reader.shows("path")
    await reader.reads(".session-progress", "ข้อที่ 5 ")
    await reader.reads("#question", question)
    assert sent == requests
    await page.click("[data-keep=assess-later]")  # who has put it off is not led back to it
    await page.reload()
    await reader.shows("path")
    await page.wait_for_selector("[data-keep=assess-begin]")
    await page.wait_for_load_state("load")
    await expect(page.locator("#question")).to_have_count(0)


async def test_a_framework_that_could_not_be_fetched_is_fetched_again(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=PHONE) as (_, reader):
        page = reader.page
        named = await page.inner_text(".facts dd >> nth=0")
        await page.route(FRAMEWORKS, lost)
        await page.reload()
        await in_both_languages(reader, "#names-failed", "ขณะนี้ดึงชื่อบางรายการไม่ได้", "Some names cannot be shown")
        await page.unroute(FRAMEWORKS)
        await page.wait_for_selector("#what-if-jobGroup")
        await expect(page.locator("#names-failed")).to_have_count(0)
        await reader.reads(".facts dd", named)


async def _opens_a_step(reader: Reader) -> None:
    await reader.page.locator(".step details[data-keep^=more-] summary").first.click()


async def test_what_was_lost_on_the_way_can_be_asked_for_again(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=PHONE) as (_, reader):
        page = reader.page
        await page.route(SIMILAR, lost)
        await page.route(COURSES, lost)
        await _opens_a_step(reader)
        similar = page.locator(".step [data-keep^=similar-]").first
        await similar.click()
        await reader.reads(".step [id^=similar-][id$=-wrong]", LOST)
        skill = await page.locator("#why-not-skill option").nth(1).get_attribute("value")
        await page.select_option("#why-not-skill", skill)
        await reader.reads("#why-not-status", LOST)
        assert await reader.violations() == []
        await page.unroute(SIMILAR)
        await page.unroute(COURSES)
        await page.click("[data-keep=why-not-again]")
        await expect(page.locator("#why-not-course option").nth(1)).to_be_attached()
        await similar.click()
        found = page.locator(".step [id^=similar-]:focus")
        await expect(found).to_contain_text("หลักสูตรที่สอนคล้ายกัน")


async def test_signing_out_in_one_tab_asks_in_the_other_at_once_and_who_signs_in_again_is_where_they_were(
    platform: Platform, browser: Browser
) -> None:
    async with at_the_path(platform, browser, sizes=PHONE) as (officer, reader):
        page = reader.page
        other = await page.context.new_page()
        await other.goto(reader.url)
        await other.wait_for_selector("#history-title")
        await scroll_to(page, 2000)
        await other.click("#sign-out")
        await in_both_languages(reader, "#key-wrong", "หมดเวลาหรือมีการออกจากระบบ", "or you signed out elsewhere")
        somebody_else = await platform.register()
        await other.fill("#key", await somebody_else.api_key())
        await other.press("#key", "Enter")
        await other.wait_for_selector("main[data-view=waiting], main[data-view=path]")
        await reader.shows("signIn")
        await page.fill("#key", await officer.api_key())
        await page.press("#key", "Enter")
        await reader.shows("path")
        await is_at(page, 2000)
        await other.wait_for_selector("#key-wrong:has-text('รหัสหรือบัญชีอื่น')")


async def test_another_page_begins_at_its_top_and_the_list_is_come_back_to(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page
        for number in range(20):
            await tenant.offer(f"c-{number}", {"th": f"หลักสูตร {number}", "en": f"Course {number}"})
        await reader.sign_in(tenant.key, "/#view=courses")
        course = page.locator('main a[href*="course="]').nth(15)
        await course.wait_for()
        await scroll_to(page, 900)
        await course.evaluate("one => one.click()")
        await page.wait_for_selector("#main:focus")
        await is_at(page, 0)
        await page.go_back()
        await course.wait_for()
        await is_at(page, 900)
