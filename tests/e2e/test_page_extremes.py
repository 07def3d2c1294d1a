"""Pages with much to show, with texts in one language, with very long ones, and after an outage; in a real Chromium."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from tests.support.builders import unique
from tests.support.editors import Tenant
from tests.support.page import (
    PHONE,
    SIZES,
    Reader,
    at_the_path,
    courses,
    in_both_languages,
    press_action,
    reading,
    switch_language,
    wait_for_toast,
)
from tests.support.platform import Officer, Platform, planned_officer
from tests.support.waiting import until

LONG = "การพัฒนาศักยภาพบุคลากรภาครัฐด้านการวิเคราะห์ข้อมูลขนาดใหญ่และปัญญาประดิษฐ์เพื่อการให้บริการประชาชนอย่างมีประสิทธิภาพ"
OTHERS = ["数据分析与可视化入门课程", "تحليل البيانات للموظفين", "डेटा विश्लेषण", "😀🎓", "x" * 190, "ก็" * 90]
MANY = 64


def framework(language: str) -> dict[str, Any]:
    """Return a framework of many skills and job groups whose texts are in one language."""

    def text(words: str) -> dict[str, str]:
        return {language: words}

    skills = [f"skill-{n}" for n in range(MANY)]
    groups = [f"group-{n}" for n in range(40)]
    return {
        "id": "long",
        "title": text(LONG),
        "areas": [{"id": "area", "title": text(LONG)}],
        "skills": [{"id": name, "area": "area", "title": text(f"{LONG[:60]}{name}")} for name in skills],
        "scale": [{"level": level, "title": text(f"{level}")} for level in range(3)],
        "job_groups": [{"id": name, "title": text(f"{LONG[:80]}{name}")} for name in groups],
        "stages": [],
        "requirements": [{"job_group": groups[0], "skill": name, "level": 1} for name in skills],
    }


async def with_a_long_path(platform: Platform, language: str) -> tuple[Officer, str]:
    """Return an officer of a new tenant whose path has a course for each of the MANY skills, and the officer's key."""
    name = unique("long")
    tenant = Tenant(platform, name, await platform.stack.issuer.issue(name, "admin"))
    await tenant.ask("PUT", "/v1/frameworks/long", json=framework(language))

    async def offered(n: int) -> None:
        title = f"{LONG} {n}" if language == "th" else f"{OTHERS[n % len(OTHERS)]} {n}"
        teaches = [{"framework": "long", "skill": f"skill-{n}", "from": 0, "to": 1}]
        await tenant.offer(f"course-{n}", {language: title}, teaches=teaches, provider={language: LONG})

    for begin in range(0, MANY, 16):
        await asyncio.gather(*(offered(n) for n in range(begin, begin + 16)))
    officer = Officer(platform, name)
    await officer.register(framework="long", job_group="group-0")

    async def has_every_course() -> bool:
        stored = await officer.path_if_any()
        return stored is not None and len(stored["path"]["steps"]) == MANY

    await until(has_every_course, "a path with every course")
    return officer, await officer.api_key()


@pytest.mark.parametrize("language", ["th", "en"])
async def test_a_long_path_is_shown_in_parts_and_is_whole_on_paper(
    platform: Platform, browser: Browser, language: str
) -> None:
    _, key = await with_a_long_path(platform, language)
    async with reading(browser, platform.portal, sizes=SIZES) as reader:
        page = reader.page
        await reader.sign_in(key)
        await reader.shows("path")
        await reader.reads(".sentence strong", f"{MANY}")
        cards = page.locator(".step .card h3")
        await page.wait_for_function("() => document.querySelectorAll('.step .card').length === 30")
        for _ in range(2):
            await reader.is_sound(inside=".path")
            await switch_language(page)
        await page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        await expect(cards).to_have_count(MANY)
        await page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        await page.wait_for_function("() => document.querySelectorAll('.step .card').length === 30")
        await page.click("[data-keep=steps-more]")
        await page.wait_for_selector(f".step:nth-child({MANY}) .card")
        await expect(page.locator("[data-keep=steps-more]")).to_have_count(0)
        thirty_first = await page.locator(".step[data-course]").nth(30).get_attribute("data-course")
        await reader.has_focus(f"step-{thirty_first}")
        await page.set_viewport_size({"width": 320, "height": 256})
        assert await reader.overflow() == 0


async def test_at_400_percent_a_message_leaves_room_for_what_has_the_focus(
    platform: Platform, browser: Browser
) -> None:
    _, key = await with_a_long_path(platform, "th")
    async with reading(browser, platform.portal, sizes=[(320, 256)]) as reader:
        page = reader.page
        await reader.sign_in(key)
        await reader.shows("path")
        first, second = (await courses(reader))[:2]
        await press_action(reader, first, "started")
        await wait_for_toast(reader, "บันทึกแล้วว่าเริ่มเรียน")
        assert await reader.overflow() == 0
        [toast] = await reader.boxes("#toast")
        assert toast["y"] >= 128  # the upper half stays
        for name in (f"finish-{second}", "toast-undo", "toast-close"):
            await reader.tab_to(name)
            [box] = await reader.boxes(":focus")
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= (256 if name.startswith("toast") else toast["y"]) + 1
        await page.keyboard.press("Enter")
        await expect(page.locator("#toast")).to_be_hidden()


async def test_what_a_colour_says_stays_with_the_colours_of_the_reader(platform: Platform, browser: Browser) -> None:
    officer = await planned_officer(platform)
    async with reading(browser, platform.portal, sizes=PHONE) as reader:
        await reader.page.emulate_media(forced_colors="active")
        await reader.sign_in(await officer.api_key())
        await reader.shows("path")
        colours = await reader.page.locator(".coverage-words li").evaluate_all(
            "all => all.slice(0, 2).map(one => getComputedStyle(one, '::before').backgroundColor)"
        )
        paper = await reader.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert len({*colours, paper}) == 3
        assert await reader.violations() == []


async def test_a_page_that_could_not_be_opened_opens_by_itself_later(platform: Platform, reader: Reader) -> None:
    officer = await planned_officer(platform)
    away = True

    async def live(route: Route) -> None:
        if not away:
            return await route.continue_()
        body = 'retry: 100\nevent: status\ndata: {"status":"unavailable"}\n\n'
        return await route.fulfill(status=200, content_type="text/event-stream", body=body)

    await reader.page.route("**/live*", live)
    await reader.sign_in(await officer.api_key())
    await reader.shows("failed")
    await reader.page.wait_for_selector("text=เรากำลังลองใหม่ให้")
    await reader.is_sound()
    away = False
    await reader.shows("path")
    await expect(reader.page.locator("[data-keep=again]")).to_have_count(0)


async def test_who_has_no_result_yet_is_led_to_the_assessment(platform: Platform, reader: Reader) -> None:
    officer = Officer(platform)
    await officer.register()
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await in_both_languages(reader, ".notice.provisional h2", "เส้นทางชั่วคราว", "A provisional path")
    await reader.page.click("[data-keep=notice-assess]")
    await reader.has_focus("assessment-title")
    await reader.is_sound()


async def test_the_head_is_there_before_any_code_and_stays_where_it_is(platform: Platform, browser: Browser) -> None:
    held = asyncio.Event()
    async with reading(browser, platform.portal, sizes=PHONE) as reader:
        page = reader.page

        async def hold(route: Route) -> None:
            await held.wait()
            await route.continue_()

        await page.route("**/*.js", hold)
        await page.goto(reader.url, wait_until="commit")
        await page.wait_for_selector(".masthead >> text=เส้นทางการเรียนรู้")
        before = await reader.boxes(".masthead")
        held.set()
        await reader.shows("signIn")
        await expect(page.locator(".masthead")).to_have_count(1)
        assert await reader.boxes(".masthead") == before


async def reads_why_there_is_no_course(reader: Reader, thai: str, english: str) -> None:
    """Find the message in both languages, and nothing of a path."""
    await in_both_languages(reader, ".summary .notice h2", thai, english)
    await expect(reader.page.locator(".step, .next, .coverage, [data-keep=calendar]")).to_have_count(0)
    await reader.page.wait_for_selector("#history-title")


OPEN = {
    "skill": "skill",
    "title": {"th": LONG, "en": "A skill that no course teaches"},
    "reached": 1,
    "required": 2,
    "cause": "no_course",
    "reason": {"th": LONG, "en": "No course teaches it."},
}
WITHOUT_PATH = {
    "ready": ("ยังไม่มีหลักสูตรที่เหมาะ", "There is no suitable course yet"),
    "waiting_for_framework": ("กำลังรอรับกรอบทักษะ", "Waiting for the skill framework"),
    "refused": ("ระบบยังจัดเส้นทางให้ไม่ได้", "We cannot make a path for you yet"),
}


async def test_who_has_no_path_reads_why(platform: Platform, browser: Browser) -> None:
    officer = await planned_officer(platform)
    stored, key = await officer.path(), await officer.api_key()
    for status, sentences in WITHOUT_PATH.items():
        nothing: dict[str, Any] = {"status": status, "steps": [], "gaps": [], "open": [OPEN], "hours": 0}
        sent = json.dumps({**stored, "path": {**stored["path"], **nothing}})
        body = f"retry: 60000\nevent: path\ndata: {sent}\n\n"

        async def live(route: Route, *, body: str = body) -> None:
            await route.fulfill(status=200, content_type="text/event-stream", body=body)

        async with reading(browser, platform.portal, sizes=SIZES) as reader:
            await reader.page.route("**/live*", live)
            await reader.sign_in(key)
            await reader.shows("path")
            await reads_why_there_is_no_course(reader, *sentences)


async def test_an_old_bookmark_opens_the_page_of_who_is_signed_in(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=PHONE) as (officer, reader):
        page = reader.page
        for bookmark in ("/?year=2568#view=courses&q=excel", "/#officer=somebody-else", "/#gaps-title", "/#%E0%A4%A"):
            await page.goto("about:blank")
            await page.goto(reader.url + bookmark)
            await reader.shows("path")
            await expect(page.locator(".step")).not_to_have_count(0)
        asked = {one.split("/v1/officers/")[1].split("/")[0] for one in reader.requests if "/v1/officers/" in one}
        assert asked == {officer.name}
