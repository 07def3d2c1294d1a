"""An officer takes the assessment on the page, stops, continues, and the path follows; over the whole system."""

from playwright.async_api import Page, Route, expect

from tests.support.page import Reader, in_both_languages, switch_language
from tests.support.platform import Officer, Platform, required

QUESTION = ".session-progress span >> nth=0"


async def test_an_interrupted_assessment_continues_and_the_path_follows(officer: Officer, reader: Reader) -> None:
    page = reader.page
    before = (await officer.path())["path"]["versions"]["profile"]
    await reader.tab_to("assess-begin")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#question")
    await reader.has_focus("question")
    await page.click("[data-keep=question-send]")
    await page.wait_for_selector("#question-wrong:not(:empty)")
    await reader.is_sound()
    async for _ in reader.windows():
        heights = await page.locator(".option").evaluate_all("all => all.map(one => one.offsetHeight)")
        assert min(heights) >= 44
    for number in (1, 2, 3):
        await reader.reads(QUESTION, f"ข้อที่ {number} ")
        await page.locator(".option input").last.focus()
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await page.wait_for_function(
            "number => document.querySelector('.session-progress')?.innerText.includes(number)",
            arg=f"\u00a0{number + 1}",
        )
    question = await page.inner_text("#question")
    await page.click("[data-keep=assess-later]")
    await page.wait_for_selector("#question", state="detached")
    await page.reload()  # as on another device: nothing of it is kept here
    await reader.shows("path")
    await page.click("[data-keep=assess-begin]")
    await page.wait_for_selector("#question")
    await expect(page.locator("#question")).to_have_text(question, use_inner_text=True)
    await reader.reads(QUESTION, "ข้อที่ 4 ")
    await switch_language(page)
    await reader.reads(QUESTION, "Question 4 ")
    await reader.is_sound()
    await switch_language(page)
    await page.click("[data-keep=assess-stop]")
    await page.wait_for_selector("#session-result")
    await reader.has_focus("session-result")
    await reader.is_sound()
    await reader.news("เพราะมีผลประเมินใหม่")
    await page.wait_for_selector("#dismiss")  # it was requested here, so it is shown at once
    await in_both_languages(reader, ".assessment .notice", "จัดจากผลนี้แล้ว", "takes this into account")
    assert (await officer.path())["path"]["versions"]["profile"] > before


async def begins(page: Page) -> None:
    """Open the question that the assessment stands at."""
    await page.click("[data-keep=assess-begin]")
    await page.wait_for_selector("#question")


async def answers(page: Page, option: int) -> None:
    """Choose an option, by its place, and send it."""
    await page.locator(".option input").nth(option).check()
    await page.click("[data-keep=question-send]")


async def says(reader: Reader, thai: str, english: str) -> None:
    """Find what the page says below the question, in both languages, with nothing that axe objects to."""
    for language, words in (("th", thai), ("en", english)):
        await reader.page.wait_for_selector(f"html[lang={language}]")
        await reader.reads("#assessment-wrong", words)
        await reader.is_sound(inside=".assessment")
        await switch_language(reader.page)


MOVED = ("ไม่ได้รับคำตอบนี้", "This answer was not taken")


async def test_an_answer_to_what_another_window_has_answered_shows_where_the_assessment_stands(
    platform: Platform, officer: Officer, reader: Reader
) -> None:
    page = reader.page
    await begins(page)
    other = await page.context.new_page()
    await other.goto(reader.url)
    await begins(other)
    await answers(other, 0)
    await other.wait_for_selector(".session-progress >> text=/ข้อที่\\s2\\s/")

    await answers(page, 1)
    await says(reader, *MOVED)
    await reader.reads(QUESTION, "ข้อที่ 2 ")
    await expect(page.locator("#question")).to_have_text(await other.inner_text("#question"), use_inner_text=True)
    await expect(page.locator(".option input:checked")).to_have_count(0)

    await other.click("[data-keep=assess-stop]")
    await other.wait_for_selector("#session-result")
    await answers(page, 0)
    await page.wait_for_selector("#session-result")
    await reader.has_focus("session-result")
    await says(reader, *MOVED)
    sessions = await platform.insist("assessment", "GET", f"/v1/officers/{officer.name}/sessions")
    assert [one["status"] for one in sessions["sessions"]] == ["finished"]


async def test_an_answer_survives_a_lost_connection_and_the_end_of_the_session(
    platform: Platform, officer: Officer, reader: Reader
) -> None:
    page, key = reader.page, await officer.api_key()
    await begins(page)

    async def away(route: Route) -> None:
        await route.abort()

    async def lost(route: Route) -> None:
        await route.fetch()  # the service receives it; its answer never comes
        await route.abort()

    for handler in (away, lost):
        await page.route("**/answers", handler)
        await answers(page, 1)
        await says(reader, "ติดต่อระบบไม่ได้", "The system cannot be reached")
        await expect(page.locator(".option input").nth(1)).to_be_checked()
        await page.unroute("**/answers")
    await page.click("[data-keep=question-send]")
    await reader.reads(QUESTION, "ข้อที่ 2 ")
    await reader.has_focus("question")
    await expect(page.locator("#assessment-wrong")).to_be_empty()

    await page.context.clear_cookies()  # as after the last second of a session
    await answers(page, 0)
    await reader.shows("signIn")
    await page.fill("#key", key)
    await page.press("#key", "Enter")
    await reader.shows("path")
    await reader.has_focus("question-send")
    await says(reader, "กรุณาส่งอีกครั้ง", "Please send it again")
    await expect(page.locator(".option input").first).to_be_checked()
    await page.click("[data-keep=question-send]")
    await reader.reads(QUESTION, "ข้อที่ 3 ")
    [session] = (await platform.insist("assessment", "GET", f"/v1/officers/{officer.name}/sessions"))["sessions"]
    assert (session["status"], session["answered"]) == ("open", 2)


async def test_an_assessment_that_measures_nothing_changes_nothing_that_is_read_later(
    officer: Officer, reader: Reader
) -> None:
    page, before = reader.page, (await officer.path())["revision"]
    await begins(page)
    await page.click("[data-keep=assess-stop]")
    await reader.has_focus("session-result")
    await in_both_languages(reader, ".assessment .notice", "ยังไม่มีคำตอบพอ", "There were not enough answers")
    assert (await officer.path())["revision"] == before
    await officer.assess(required(0.7))  # by somebody else: it is announced, and shown when the officer asks
    await reader.news("เพราะมีผลประเมินใหม่")
    await page.wait_for_selector("#show-change")
