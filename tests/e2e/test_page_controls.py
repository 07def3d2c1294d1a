"""What an officer can say, ask and try on the page, in a real Chromium over the whole system."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Route

from deploy.local.stack import Stack
from tests.e2e.browser import Reader, reading
from tests.e2e.officers import Officer, required

pytestmark = pytest.mark.timeout(180)
SAID = "#word-said"
UNDO = "เลิกทำ"
ACTIONS = {
    "started": "เริ่มเรียนแล้ว",
    "completed": "เรียนจบแล้ว",
    "pin": "เก็บไว้ในเส้นทาง",
    "not_now": "ไว้ทีหลัง",
    "not_relevant": "ไม่เกี่ยวกับงานที่ทำ",
}


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
    """Press the button of an action on the step of a course."""
    card = reader.page.locator(f'.step[data-course="{course}"]')
    if action not in ("started", "completed") and not await card.locator(".choices").is_visible():
        await card.locator(".say summary").click()
    await card.locator(f'[data-keep="{action}-{course}"]').click()


async def courses(reader: Reader, where: str = ".step") -> list[str]:
    """Return the ids of the courses shown, in order."""
    found: list[str] = await reader.page.locator(where).evaluate_all("all => all.map(one => one.dataset.course)")
    return found


async def test_each_thing_said_about_a_step_stands_in_the_list_and_can_be_undone(
    stack: Stack, browser: Browser
) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
        page = reader.page
        assert "ยังไม่มี" in await page.inner_text(".told-list")
        for action, words in ACTIONS.items():
            course = (await courses(reader))[1]
            button = page.locator(f'[data-keep="{action}-{course}"]')
            assert (await button.text_content() or "").startswith(words)
            await say(reader, course, action)
            await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
            await page.wait_for_selector(f'.told-list [data-said="{course}"]')
            assert [(one["course"], one["action"]) for one in await officer.feedback()] == [(course, action)]
            if action in ("completed", "not_relevant"):
                assert course not in await courses(reader)
            if action == "started":
                assert (await courses(reader)).index(course) == 0
            assert await reader.violations() == []
            await page.click("#word-close")
            await page.locator(f'.told-list [data-said="{course}"] button').click()
            await says(reader, "เลิกทำแล้ว")
            await page.wait_for_selector(f'.told-list [data-said="{course}"]', state="detached")
            assert await officer.feedback() == []
            await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
            await page.click("#word-close")
            assert not await page.is_visible("#word")


async def test_what_was_just_said_is_undone_from_the_step_and_from_the_word_and_outlives_a_reload(
    stack: Stack, browser: Browser
) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
        page = reader.page
        course = (await courses(reader))[0]
        await say(reader, course, "started")
        await says(reader, "บันทึกแล้วว่าเริ่มเรียน")
        await page.reload()
        await page.wait_for_selector(f'.told-list [data-said="{course}"]')
        card = page.locator(f'.step[data-course="{course}"]')
        assert ACTIONS["started"] in await card.locator(".said").inner_text()
        await card.locator(".said button").click()
        await says(reader, "เลิกทำแล้ว")
        await card.locator(".said").wait_for(state="detached")
        await say(reader, course, "not_relevant")
        await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.click("#word-undo")
        await says(reader, "เลิกทำแล้ว")
        assert await officer.feedback() == []
        await say(reader, (await courses(reader))[0], "completed")
        await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.click("#word-change")
        assert "ตามที่ท่านบอก" in await page.inner_text("#news")
        assert await page.evaluate("document.activeElement.id") == "dismiss"


async def test_two_presses_are_one_statement_and_a_lost_answer_does_no_harm(stack: Stack, browser: Browser) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
        page = reader.page
        first, second = (await courses(reader))[:2]
        asked: list[str] = []

        async def slow(route: Route) -> None:
            if route.request.method == "POST":
                asked.append(route.request.headers["idempotency-key"])
                await asyncio.sleep(0.3)
            await route.continue_()

        await page.route("**/feedback", slow)
        button = page.locator(f'[data-keep="started-{first}"]')
        await button.focus()
        for _ in range(3):
            await page.keyboard.press("Enter")
        await button.dispatch_event("click")
        await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
        assert len(asked) == len(await officer.feedback()) == 1
        assert await page.evaluate("document.activeElement.localName") == "button"

        lost: list[str] = []

        async def lose(route: Route) -> None:
            if route.request.method != "POST":
                return await route.continue_()
            lost.append(route.request.headers["idempotency-key"])
            if len(lost) > 1:
                return await route.continue_()
            await route.fetch()  # the service hears it; its answer never comes
            return await route.abort()

        await page.unroute("**/feedback")
        await page.route("**/feedback", lose)
        await say(reader, second, "completed")
        await says(reader, "บันทึกแล้วว่าเรียนจบ")
        assert [one["action"] for one in await officer.feedback()] == ["started", "completed"]


async def test_a_refusal_is_told_in_plain_words_and_the_second_attempt_is_the_same_submission(
    stack: Stack, browser: Browser
) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
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
            await say(reader, course, "started")
            assert "ยังไม่ได้บันทึก" in await says(reader, words)
            assert await page.evaluate("document.activeElement.dataset.keep") == f"started-{course}"
            assert await reader.violations() == []
        await page.click("#language")
        await says(reader, "The system cannot be reached")
        await say(reader, course, "started")
        await says(reader, "Noted as started")
        assert len(set(keys)) == 1
        assert len(await officer.feedback()) == 1


async def test_why_not_a_course_is_answered_with_its_reason_in_both_languages(stack: Stack, browser: Browser) -> None:
    async with at_the_path(stack, browser) as (_, reader):
        page = reader.page
        shown = set(await courses(reader))
        await page.click("text=ทำไมไม่มีหลักสูตรนี้ >> nth=0")
        assert await page.evaluate("document.activeElement.id") == "why-not-title"
        await page.select_option("#why-not-skill", index=1)
        await page.wait_for_function("() => document.getElementById('why-not-course').options.length > 1")
        offered: list[str] = await page.locator("#why-not-course option").evaluate_all(
            "all => all.map(one => one.value)"
        )
        absent = next(course for course in offered if course and course not in shown)
        await page.select_option("#why-not-course", absent)
        await page.click(".why-not button.main")
        await page.wait_for_selector("#why-not-answer h3")
        thai = await page.inner_text("#why-not-answer p >> nth=0")
        assert any("\u0e00" <= letter <= "\u0e7f" for letter in thai)
        assert await reader.violations() == []
        await page.click("#language")
        english = await page.inner_text("#why-not-answer p >> nth=0")
        assert english != thai
        assert await page.input_value("#why-not-course") == absent
        assert await reader.violations() == []

        runner_up = page.locator(".step [data-keep^='why-']").first
        await page.evaluate("document.querySelectorAll('.step details').forEach(one => { one.open = true; })")
        title = await runner_up.locator(".unseen span").inner_text()
        await runner_up.click()
        await page.wait_for_function(
            "title => document.querySelector('#why-not-answer h3')?.textContent === title", arg=title
        )

        async def gone(route: Route) -> None:
            await route.fulfill(status=404, json={"status": 404})

        await page.route("**/why-not/*", gone)
        await page.click(".why-not button.main")
        await page.wait_for_selector("#why-not-answer .wrong")
        assert "no longer there" in await page.inner_text("#why-not-answer")


async def test_what_if_stands_beside_the_present_path_and_stores_nothing(stack: Stack, browser: Browser) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
        page = reader.page
        before = await officer.path()
        present = await courses(reader)
        await page.select_option("#what-if-jobGroup", "technology")
        await page.select_option("#what-if-stage", "mature")
        await page.select_option("#what-if-myTime", "total")
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector("#what-if-wrong:not(:empty)")
        assert await page.evaluate("document.activeElement.id") == "what-if-total"
        assert await reader.violations() == []
        await page.fill("#what-if-total", "20")
        await page.click(".what-if details summary")
        await page.select_option("#took-skill", "path")
        await page.select_option("#took-course", present[0])
        await page.click(".what-if .picker button")
        assert await page.locator(".took li").count() == 1
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector(".tried")
        assert await page.evaluate("document.activeElement.id") == "what-if-result"
        assert "ไม่มีการบันทึก" in await page.inner_text(".not-stored")
        assert await courses(reader, ".route:first-child li") == present
        imagined = await courses(reader, ".route:last-child li")
        assert imagined != present
        assert present[0] not in imagined
        assert "เวลาไม่พอ" in await page.inner_text(".route:last-child .short")
        left, right = [await page.locator(".route").nth(i).bounding_box() for i in (0, 1)]
        assert left
        assert right
        assert (left["y"], left["x"] < right["x"]) == (right["y"], True)
        assert await reader.violations() == []
        assert (await officer.path())["revision"] == before["revision"]
        assert await officer.feedback() == []

        await officer.is_assessed(required(0.7))  # the real path changes beneath the trial
        await reader.news("เพราะมีผลประเมินใหม่")
        assert await courses(reader, ".route:first-child li") == await courses(reader)
        assert await courses(reader, ".route:last-child li") == imagined
        assert await page.input_value("#what-if-jobGroup") == "technology"
        assert await page.input_value("#what-if-total") == "20"
        await page.click("#language")
        assert "Nothing was saved" in await page.inner_text(".not-stored")
        assert await reader.violations() == []
        await page.click("[data-keep=what-if-close]")
        assert await page.locator(".tried").count() == 0
        assert await page.evaluate("document.activeElement.id") == "what-if-title"


async def test_a_platform_sets_hours_and_deadline_and_an_officer_tries_them(stack: Stack, browser: Browser) -> None:
    soon = (datetime.now(UTC) + timedelta(days=15)).date().isoformat()
    async with at_the_path(stack, browser) as (officer, reader):
        page = reader.page
        assert await page.locator(".time form").count() == 0
        await page.click("[data-keep=time-try]")
        assert await page.evaluate("document.activeElement.id") == "what-if-weekly"
        await page.fill("#what-if-deadline", soon)
        await page.fill("#what-if-weekly", "")
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector("#what-if-wrong:not(:empty)")
        await page.fill("#what-if-weekly", "1")
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector(".tried .short")
        assert (await officer.path())["path"].get("budget_hours") is None

        await page.click("#sign-out")
        await reader.shows("signIn")
        await reader.sign_in(stack.keys.platform, f"/#officer={officer.name}")
        await reader.shows("path")
        await page.wait_for_selector("#time-weekly")
        await page.fill("#time-deadline", "2020-01-01")
        await page.click("[data-keep=time-send]")
        await page.wait_for_selector("#time-wrong:not(:empty)")
        assert await page.evaluate("document.activeElement.id") == "time-deadline"
        assert await reader.violations() == []
        await page.fill("#time-weekly", "1.5")
        await page.fill("#time-deadline", soon)
        await page.click("[data-keep=time-send]")
        await reader.news("เพราะข้อมูลงานของท่านเปลี่ยน")
        assert "เวลาไม่พอ" in await page.inner_text(".time .short")
        assert (await officer.path())["path"]["budget_hours"] <= 5
        assert await reader.violations() == []
        await officer.registers(weekly_hours=3)
        await reader.news("3")
        assert await page.input_value("#time-weekly") == "1.5"  # what was typed is not taken away
        await page.focus("#skip")
        await page.keyboard.press("Enter")
        assert officer.name in await page.inner_text(".whose")

        async def stale(route: Route) -> None:
            if route.request.method == "PUT":
                return await route.fulfill(status=412, json={"status": 412})
            return await route.continue_()

        await page.route(f"**/officers/{officer.name}", stale)
        await page.click("[data-keep=time-send]")
        await page.wait_for_selector("#time-wrong:not(:empty)")
        assert "เพิ่งถูกแก้จากที่อื่น" in await page.inner_text("#time-wrong")


async def test_what_to_assess_first_is_said_with_its_reason(stack: Stack, browser: Browser) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
        levels = required(1)
        await officer.is_assessed(dict(list(levels.items())[:2]))
        unsure = Officer(stack)
        await unsure.registers()
        await reader.page.click("#sign-out")
        await reader.shows("signIn")
        await reader.sign_in(await unsure.key())
        await reader.shows("path")
        first = (await unsure.path())["path"]["assess_first"]
        assert first
        assert await reader.page.locator(".assess li").count() == len(first)
        assert first[0]["reason"]["th"] in await reader.page.inner_text(".assess")
        await reader.page.click("#language")
        assert first[0]["reason"]["en"] in await reader.page.inner_text(".assess")
        assert await reader.violations() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_every_control_fits_and_the_two_paths_are_stacked(
    stack: Stack, browser: Browser, scheme: Any
) -> None:
    async with at_the_path(stack, browser, width=360, height=740, scheme=scheme) as (_, reader):
        page = reader.page
        await say(reader, (await courses(reader))[0], "pin")
        await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
        await page.select_option("#what-if-jobGroup", "technology")
        await page.select_option("#what-if-myTime", "weekly")
        await page.fill("#what-if-deadline", (datetime.now(UTC) + timedelta(days=60)).date().isoformat())
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector(".tried")
        upper, lower = [await page.locator(".route").nth(i).bounding_box() for i in (0, 1)]
        assert upper
        assert lower
        assert (lower["x"], lower["y"] > upper["y"]) == (upper["x"], True)
        for _ in ("th", "en"):
            await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            small = await page.evaluate(
                "[...document.querySelectorAll('.say button, .desk button, .desk select, .word button, .jumps a')]"
                ".filter(one => one.offsetParent && one.getBoundingClientRect().height < 24).length"
            )
            assert small == 0
            await page.click("#language")


async def test_the_controls_are_used_with_the_keyboard_alone(stack: Stack, browser: Browser) -> None:
    async with at_the_path(stack, browser) as (officer, reader):
        page, keep = reader.page, "document.activeElement.dataset.keep ?? document.activeElement.id"

        async def tab_to(name: str) -> None:
            for _ in range(400):
                await page.keyboard.press("Tab")
                if await page.evaluate(keep) == name:
                    return
            raise AssertionError(name)

        course = (await courses(reader))[0]
        await tab_to(f"completed-{course}")
        await page.keyboard.press("Enter")
        await says(reader, "จัดเส้นทางใหม่ให้แล้ว")
        assert await page.evaluate(keep) == "word-close"  # the button is gone with its step: the focus is not lost
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Shift+Tab")
        assert await page.evaluate(keep) == "word-undo"
        await page.keyboard.press("Enter")
        await says(reader, "เลิกทำแล้ว")
        assert await officer.feedback() == []
        await page.focus("#main")
        await tab_to("jump-what-if-title")
        await page.keyboard.press("Enter")
        assert await page.evaluate(keep) == "what-if-title"
        await tab_to("what-if-send")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".tried")
        assert await page.evaluate(keep) == "what-if-result"


async def test_every_word_of_the_controls_is_there_in_both_languages(stack: Stack, browser: Browser) -> None:
    keys = """async () => {
      const all = (words, at = '') => Object.entries(words).flatMap(([key, value]) =>
        typeof value === 'object' ? all(value, `${at}${key}.`) : [`${at}${key}`]);
      const { WORDS } = await import('/static/words.js');
      const { CONTROL_WORDS } = await import('/static/control_words.js');
      const hidden = Object.keys(CONTROL_WORDS.th).filter((key) => WORDS.th[key] !== CONTROL_WORDS.th[key]);
      return JSON.stringify([all(WORDS.th), all(WORDS.en), hidden]);
    }"""
    async with reading(browser, stack.urls["portal"][0]) as reader:
        await reader.page.goto(reader.url)
        thai, english, hidden = json.loads(await reader.page.evaluate(keys))
        assert thai == english
        assert hidden == []
