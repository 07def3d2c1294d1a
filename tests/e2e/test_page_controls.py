"""What an officer states of the courses on the page, and withdraws, in a real Chromium over the whole system."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Route, expect

from deploy.local.seed import put
from tests.support.page import (
    IN_BOTH_WINDOWS,
    Reader,
    at_the_path,
    courses,
    press_action,
    reached,
    reading,
    switch_language,
    wait_for_toast,
)
from tests.support.platform import Officer, Platform, required

ACTIONS = {
    "started": "เริ่มเรียนแล้ว",
    "completed": "เรียนจบแล้ว",
    "pin": "เก็บไว้ในเส้นทาง",
    "not_now": "ไว้ทีหลัง",
    "not_relevant": "ไม่เกี่ยวกับงานที่ทำ",
}


@IN_BOTH_WINDOWS
async def test_each_statement_about_a_step_is_listed_and_can_be_undone(officer: Officer, reader: Reader) -> None:
    page = reader.page
    await reader.reads(".statements", "ยังไม่มี")
    for action, words in ACTIONS.items():
        course = (await courses(reader))[1]
        if action == "completed":
            await reader.reads(f'[data-keep="finish-{course}"]', words)
        else:
            await expect(await reached(reader, course, action)).to_contain_text(words, use_inner_text=True)
        await press_action(reader, course, action)
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.wait_for_selector(f'.statements [data-statement="{course}"]')
        assert [(one["course"], one["action"]) for one in await officer.feedback()] == [(course, action)]
        if action in ("completed", "not_relevant"):
            await expect(page.locator(f'.step[data-course="{course}"]')).to_have_count(0)
        if action == "started":
            await expect(page.locator(".step").first).to_have_attribute("data-course", course)
        await reader.is_sound()
        await page.click("#toast-close")
        await page.locator(f'.statements [data-statement="{course}"] button').click()
        await wait_for_toast(reader, "เลิกทำแล้ว")
        await page.wait_for_selector(f'.statements [data-statement="{course}"]', state="detached")
        assert await officer.feedback() == []
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.click("#toast-close")
    await switch_language(page)
    course = (await courses(reader))[1]
    await press_action(reader, course, "not_now")
    await wait_for_toast(reader, "Postponed:")
    await wait_for_toast(reader, "Your new path is here.")
    await page.click("#toast-undo")
    await wait_for_toast(reader, "Undone:")
    assert await officer.feedback() == []
    await reader.is_sound()


async def test_undo_is_busy_until_the_statements_are_read(platform: Platform, browser: Browser) -> None:
    """Pressed before, it would do nothing, because the feedback before it is not finished."""
    async with at_the_path(platform, browser) as (officer, reader):
        page, course, read = reader.page, (await courses(reader))[1], asyncio.Event()

        async def held(route: Route) -> None:
            if route.request.method == "GET":
                await read.wait()
            await route.continue_()

        await page.route("**/feedback", held)
        await press_action(reader, course, "not_now")
        await page.wait_for_selector("#toast-undo[aria-disabled=true]")
        read.set()
        await page.click("#toast-undo:not([aria-disabled])")
        await wait_for_toast(reader, "เลิกทำแล้ว")
        assert await officer.feedback() == []


async def test_a_course_is_finished_today_or_on_a_day_before_and_never_in_the_future(
    officer: Officer, reader: Reader
) -> None:
    page, course = reader.page, (await courses(reader))[0]
    field, save = f"#finished-{course}", f'[data-keep="completed-{course}"]'
    opened = datetime.now(UTC)
    await page.clock.set_fixed_time(opened)  # the page's day does not change during the test
    today = opened.astimezone().date()
    await page.click(f'[data-keep="finish-{course}"]')
    await reader.has_focus(f"finished-{course}")
    await expect(page.locator(field)).to_have_value(today.isoformat())
    for wrong in ((today + timedelta(days=1)).isoformat(), ""):
        await page.fill(field, wrong)
        await page.click(save)
        await page.wait_for_selector(f"{field}[aria-invalid]")
        await expect(page.locator(f"{field}-wrong")).to_have_text("กรุณาเลือกวันนี้หรือวันก่อนหน้า", use_inner_text=True)
        await reader.has_focus(f"finished-{course}")
        await reader.is_sound()
    assert await officer.feedback() == []
    before = today - timedelta(days=40)
    await page.fill(field, before.isoformat())
    await reader.reads(f"{field}-words", str(before.year + 543))
    await page.click(save)
    await wait_for_toast(reader, "บันทึกแล้วว่าเรียนจบ")
    [statement] = await officer.feedback()
    assert (statement["action"], datetime.fromisoformat(statement["at"]).astimezone().date()) == (
        "completed",
        before,
    )
    entry = f'.statements [data-statement="{course}"]'
    await reader.reads(f"{entry} time", f"{before.day} ")
    await reader.reads(entry, statement["title"]["th"])
    await switch_language(page)
    await expect(page.locator(f"{entry} time").first).to_have_text(
        f"on {before.day} {before:%B} {before.year}", use_inner_text=True
    )
    await page.click(f"{entry} button")
    await wait_for_toast(reader, "Undone")
    await page.wait_for_selector(f'.step[data-course="{course}"]')
    pressed = datetime.now(UTC)
    await press_action(reader, course, "completed")
    await wait_for_toast(reader, "Noted as finished")
    [statement] = await officer.feedback()
    assert pressed <= datetime.fromisoformat(statement["at"]) <= datetime.now(UTC)


async def test_mandatory_courses_are_marked_and_cannot_be_dismissed(platform: Platform, browser: Browser) -> None:
    officer = Officer(platform, "requiring")
    async with aiohttp.ClientSession() as session:
        rules = f"{platform.stack.urls['recommender'][0]}/v1/rules"
        await put(
            session, rules, await platform.stack.issuer.issue("requiring", "admin"), {"mandatory": ["zero-trust"]}
        )
    await officer.register()
    await officer.assess(required(0.5))
    await officer.is_planned()
    async with reading(browser, platform.portal) as reader:
        page = reader.page
        await reader.sign_in(await officer.api_key())
        await reader.shows("path")
        await page.wait_for_selector(".statements >> text=ยังไม่มี")
        origins = {step["course"]["id"]: step.get("origin") for step in (await officer.path())["path"]["steps"]}
        first = [course for course, origin in origins.items() if origin == "mandatory"]
        assert first[-1] == "zero-trust"
        assert len(first) > 1
        assert first[0] == next(iter(origins))
        either = {"th": "หรือต้องเรียนก่อนหลักสูตรที่กำหนด", "en": ", or needed for what it requires"}
        for language, words in (("th", "หน่วยงานกำหนดให้เรียน"), ("en", "Required by your agency")):
            await expect(page.locator('.step[data-course="zero-trust"] .origin').first).to_have_text(
                words, use_inner_text=True
            )
            for course in first[:-1]:
                marked = page.locator(f'.step[data-course="{course}"] .origin')
                await expect(marked).to_have_text(re.compile(f"^{words}.*{either[language]}$"), use_inner_text=True)
            await expect(page.locator(".step .origin")).to_have_count(len(first))
            await reader.reads(".next .origin", words)
            assert await reader.violations() == []
            await switch_language(page)
        await expect(page.locator('[data-keep="not_relevant-zero-trust"]')).to_have_count(0)
        await press_action(reader, "zero-trust", "pin")
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await expect(page.locator('.step[data-course="zero-trust"] .origin').first).to_have_text(
            "หน่วยงานกำหนดให้เรียน", use_inner_text=True
        )


async def test_the_newest_statement_can_be_undone_from_the_step_and_the_toast_and_survives_a_reload(
    platform: Platform, browser: Browser
) -> None:
    async with at_the_path(platform, browser) as (officer, reader):
        page = reader.page
        course = (await courses(reader))[0]
        await press_action(reader, course, "started")
        await wait_for_toast(reader, "บันทึกแล้วว่าเริ่มเรียน")
        await page.reload()
        await page.wait_for_selector(f'.statements [data-statement="{course}"]')
        card = page.locator(f'.step[data-course="{course}"]')
        await expect(card.locator(".statement")).to_contain_text(ACTIONS["started"], use_inner_text=True)
        await card.locator(".statement button").click()
        await wait_for_toast(reader, "เลิกทำแล้ว")
        await card.locator(".statement").wait_for(state="detached")
        await press_action(reader, course, "not_relevant")
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.click("#toast-undo")
        await wait_for_toast(reader, "เลิกทำแล้ว")
        assert await officer.feedback() == []
        await press_action(reader, (await courses(reader))[0], "completed")
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.click("#toast-change")
        await reader.reads("#news", "ตามที่ท่านบอก")
        await reader.has_focus("dismiss")


async def test_a_double_press_and_a_lost_answer_store_one_statement(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser) as (officer, reader):
        page = reader.page
        first, second = (await courses(reader))[:2]
        idempotency_keys: list[str] = []
        all_pressed = asyncio.Event()

        async def held(route: Route) -> None:
            if route.request.method == "POST":
                idempotency_keys.append(route.request.headers["idempotency-key"])
                await all_pressed.wait()
            await route.continue_()

        await page.route("**/feedback", held)
        button = page.locator(f'[data-keep="started-{first}"]')
        await button.focus()
        for _ in range(3):
            await page.keyboard.press("Enter")
        await button.dispatch_event("click")
        all_pressed.set()
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        assert len(idempotency_keys) == len(await officer.feedback()) == 1
        await page.wait_for_selector("button:focus")

        lost: list[str] = []

        async def lose(route: Route) -> None:
            if route.request.method != "POST":
                return await route.continue_()
            lost.append(route.request.headers["idempotency-key"])
            if len(lost) > 1:
                return await route.continue_()
            await route.fetch()  # the service receives it; its answer never comes
            return await route.abort()

        await page.unroute("**/feedback")
        await page.route("**/feedback", lose)
        await press_action(reader, second, "completed")
        await wait_for_toast(reader, "บันทึกแล้วว่าเรียนจบ")
        assert [one["action"] for one in await officer.feedback()] == ["started", "completed"]


async def test_a_rejection_is_explained_and_a_retry_is_the_same_submission(
    platform: Platform, browser: Browser
) -> None:
    async with at_the_path(platform, browser) as (officer, reader):
        page = reader.page
        course = (await courses(reader))[0]
        keys: list[str] = []
        answers = iter([503, 409, 403, 0])

        async def refuse(route: Route) -> None:
            if route.request.method != "POST":
                return await route.continue_()
            keys.append(route.request.headers["idempotency-key"])
            status = next(answers, 200)
            if status == 200:
                return await route.continue_()
            if status == 0:
                return await route.abort()
            return await route.fulfill(status=status, json={"status": status})

        await page.route("**/feedback", refuse)
        for words in ("ระบบยังไม่พร้อม", "ขัดกับสิ่งที่บอกไว้ก่อนหน้า", "ไม่มีสิทธิ์", "ติดต่อระบบไม่ได้"):
            await press_action(reader, course, "started")
            assert "ยังไม่ได้บันทึก" in await wait_for_toast(reader, words)
            await reader.has_focus(f"started-{course}")
            assert await reader.violations() == []
        await switch_language(page)
        await wait_for_toast(reader, "The system cannot be reached")
        await press_action(reader, course, "started")
        await wait_for_toast(reader, "Noted as started")
        assert len(set(keys)) == 1
        assert len(await officer.feedback()) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_every_control_fits_and_the_two_paths_are_stacked(
    platform: Platform, browser: Browser, scheme: Any
) -> None:
    async with at_the_path(platform, browser, sizes=[(360, 740)], scheme=scheme) as (_, reader):
        page = reader.page
        await press_action(reader, (await courses(reader))[0], "pin")
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.locator("[data-keep^=finish-]").first.click()
        await page.select_option("#what-if-jobGroup", "technology")
        await page.select_option("#what-if-myTime", "weekly")
        await page.fill("#what-if-deadline", (datetime.now(UTC) + timedelta(days=60)).date().isoformat())
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector(".tried")
        upper, lower = await reader.boxes(".route:first-child", ".route:last-child")
        assert (lower["x"], lower["y"] > upper["y"]) == (upper["x"], True)
        for _ in ("th", "en"):
            await reader.opens_all("main")
            await reader.is_sound()
            small = await page.evaluate(
                "[...document.querySelectorAll('.feedback button, .controls :is(button, select), .toast button,"
                " .page-nav a')]"
                ".filter(one => one.offsetParent && one.getBoundingClientRect().height < 24).length"
            )
            assert small == 0
            await switch_language(page)


async def test_the_controls_are_used_with_the_keyboard_alone(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser) as (officer, reader):
        page, course = reader.page, (await courses(reader))[0]
        await reader.tab_to(f"finish-{course}")
        await reader.enters()
        await reader.has_focus(f"finished-{course}")
        await reader.enters()
        await wait_for_toast(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.wait_for_selector("#toast-close:focus")  # the button is gone with its step: the focus is not lost
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Shift+Tab")
        await reader.has_focus("toast-undo")
        await reader.enters()
        await wait_for_toast(reader, "เลิกทำแล้ว")
        assert await officer.feedback() == []
        await page.focus("#main")
        await reader.tab_to("nav-what-if-title")
        await reader.enters()
        await reader.has_focus("what-if-title")
        await reader.tab_to("what-if-send")
        await reader.enters()
        await page.wait_for_selector(".tried")
        await reader.has_focus("what-if-result")
