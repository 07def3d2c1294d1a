"""What an officer asks and tries on the page: why not, what if, how much time; in Chromium over the whole system."""

import math
from datetime import UTC, date, datetime, timedelta

from playwright.async_api import Browser, Route, expect

from tests.support.page import SIZES, Reader, at_the_path, courses, switch_language
from tests.support.platform import Officer, Platform, planned_officer, required
from tests.support.waiting import until


def in_two_weeks() -> str:
    """Return a day as the date fields take it."""
    return (datetime.now(UTC) + timedelta(days=15)).date().isoformat()


async def test_why_not_answers_with_a_reason_in_both_languages(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=SIZES) as (_, reader):
        page = reader.page
        shown = set(await courses(reader))
        await page.click("button[data-keep='contents']")  # the links are folded on a phone
        await page.click("text=ทำไมไม่มีหลักสูตรนี้ >> nth=0")
        await reader.has_focus("why-not-title")
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
        await reader.is_sound()
        await switch_language(page)
        await expect(page.locator("#why-not-answer p >> nth=0")).not_to_have_text(thai, use_inner_text=True)
        await expect(page.locator("#why-not-course")).to_have_value(absent)
        await reader.is_sound()

        runner_up = page.locator(".step [data-keep^='why-']").first
        await reader.opens_all(".step")
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
        await reader.reads("#why-not-answer", "no longer there")


async def test_alternatives_of_a_pushed_path_are_fetched_when_opened(officer: Officer, reader: Reader) -> None:
    page = reader.page
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if "/path?" in request.url else None)
    await officer.assess(required(0.7))
    await reader.news("เพราะมีผลประเมินใหม่")
    await reader.shows_change()
    assert requests == []
    await reader.opens_all(".step")
    await page.wait_for_selector(".step [data-keep^='why-']", state="attached")
    assert len(requests) == 1
    async for _ in reader.windows():  # the buttons stand apart
        above, below = await reader.boxes(".step li:last-child > [data-keep^='why-']", ".step [data-keep^='similar-']")
        assert below["y"] - above["y"] - above["height"] >= 8


async def test_what_if_is_shown_next_to_the_current_path_and_stores_nothing(
    platform: Platform, browser: Browser
) -> None:
    async with at_the_path(platform, browser, sizes=SIZES) as (officer, reader):
        page = reader.page
        before = await officer.path()
        present = await courses(reader)
        await page.select_option("#what-if-jobGroup", "technology")
        await page.select_option("#what-if-stage", "mature")
        await page.select_option("#what-if-myTime", "total")
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector("#what-if-wrong:not(:empty)")
        await reader.has_focus("what-if-total")
        await reader.is_sound()
        await page.fill("#what-if-total", "20")
        await page.click(".what-if details summary")
        await page.select_option("#took-skill", "path")
        await page.select_option("#took-course", present[0])
        await page.click(".what-if .picker button")
        await expect(page.locator(".took li")).to_have_count(1)
        await page.click(".what-if button[type=submit]")
        await page.wait_for_selector(".tried")
        await reader.has_focus("what-if-result")
        await reader.reads(".not-stored", "ไม่มีการบันทึก")
        assert await courses(reader, ".route:first-child ol li") == present
        imagined = await courses(reader, ".route:last-child ol li")
        assert imagined != present
        assert present[0] not in imagined
        await reader.reads(".tried > .short", "เวลาไม่พอ")
        async for width in reader.windows():
            boxes = await reader.boxes(".route:first-child", ".route:last-child")
            (left, upper), (right, lower) = [(box["x"], box["y"]) for box in boxes]
            assert (left == right, upper == lower) == (width < 800, width >= 800)  # on a phone below each other
            assert left < right or upper < lower
        await reader.is_sound()
        assert (await officer.path())["revision"] == before["revision"]
        assert await officer.feedback() == []


async def test_a_what_if_stays_while_the_current_path_changes(officer: Officer, reader: Reader) -> None:
    page = reader.page
    await page.select_option("#what-if-jobGroup", "technology")
    await page.select_option("#what-if-myTime", "total")
    await page.fill("#what-if-total", "20")
    await page.click(".what-if button[type=submit]")
    await page.wait_for_selector(".tried")
    imagined = await courses(reader, ".route:last-child ol li")
    await officer.assess(required(0.7))
    await reader.news("เพราะมีผลประเมินใหม่")

    async def is_beside_the_present_one() -> bool:
        shown = [await courses(reader, where) for where in (".step", ".route:first-child ol li")]
        return shown[0] == shown[1]

    await until(is_beside_the_present_one, "the present path beside the imagined one")
    await reader.shows_change()
    await until(is_beside_the_present_one, "the new path beside the imagined one")
    assert await courses(reader, ".route:last-child ol li") == imagined
    await expect(page.locator("#what-if-jobGroup")).to_have_value("technology")
    await expect(page.locator("#what-if-total")).to_have_value("20")
    await switch_language(page)
    await reader.reads(".not-stored", "Nothing was saved")
    await reader.is_sound()
    await page.click("[data-keep=what-if-close]")
    await expect(page.locator(".tried")).to_have_count(0)
    await reader.has_focus("what-if-title")


async def test_an_officer_tries_other_hours_and_a_deadline(officer: Officer, reader: Reader) -> None:
    page = reader.page
    await expect(page.locator(".time form")).to_have_count(0)
    await page.click("[data-keep=time-try]")
    await reader.has_focus("what-if-weekly")
    await page.fill("#what-if-deadline", in_two_weeks())
    await page.fill("#what-if-weekly", "")
    await page.click(".what-if button[type=submit]")
    await page.wait_for_selector("#what-if-wrong:not(:empty)")
    await page.fill("#what-if-weekly", "1")
    await page.click(".what-if button[type=submit]")
    await page.wait_for_selector(".tried > .short")
    await reader.reads(".tried > .short", "เวลาไม่พอ")
    await reader.fits()
    assert (await officer.path())["path"].get("budget_hours") is None


async def test_what_if_hours_work_on_a_phone_and_with_the_keyboard(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=[(360, 740)]) as (officer, reader):
        page, deadline = reader.page, date.fromisoformat(in_two_weeks())
        await reader.tab_to("time-try")
        await page.keyboard.press("Enter")
        await reader.has_focus("what-if-weekly")
        await page.keyboard.press("Control+A")
        await page.keyboard.type("1.5")
        await page.keyboard.press("Tab")
        await reader.has_focus("what-if-deadline")
        await page.keyboard.type(f"{deadline:%m%d%Y}")
        await expect(page.locator("#what-if-deadline")).to_have_value(deadline.isoformat())
        await reader.tab_to("what-if-send")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".tried")
        await reader.has_focus("what-if-result")
        result = await officer.what_if(weekly_hours=1.5, deadline=deadline.isoformat())
        changes, path = result["changes"], result["path"]
        assert path["short_hours"] > 0
        thai = {"added": "เพิ่ม {} หลักสูตร", "removed": "นำออก {} หลักสูตร", "moved": "ย้ายลำดับ {} หลักสูตร"}
        english = {"added": "{} courses added", "removed": "{} courses removed", "moved": "{} courses moved"}
        is_limit = path.get("short_at_most", False)
        hours = math.ceil(path["short_hours"] * 10 - 1e-6) / 10 if is_limit else round(path["short_hours"], 1)
        for sentences, short in (
            (thai, f"เวลาไม่พอ: ต้องมีเพิ่มอีก{'ไม่เกิน' * is_limit} {hours:g} ชั่วโมง"),
            (english, f"Not enough time: it takes {'at most ' * is_limit}{hours:g} more hours"),
        ):
            await reader.reads(".tried > .short", short)
            lines = (await reader.text(".tried-words")).split("\n")
            expected = [sentences[name].format(len(changes[name])) for name in sentences if changes[name]]
            assert [line.replace("course ", "courses ") for line in lines[:-2]] == expected
            assert f"({changes['hours']:+g})" in lines[-2]
            await reader.is_sound()
            head, foot = await reader.boxes("#what-if-result", ".tried > .short")
            assert foot["y"] + foot["height"] - head["y"] < 740  # shown on the first screen of the answer
            await switch_language(page)


async def test_a_platform_sets_hours_and_deadline_and_sees_what_does_not_fit(
    platform: Platform, reader: Reader
) -> None:
    officer = await planned_officer(platform)
    page = reader.page
    await reader.sign_in(platform.stack.keys.platform, f"/#officer={officer.name}")
    await reader.shows("path")
    await page.wait_for_selector("#time-weekly")
    await page.fill("#time-deadline", "2020-01-01")
    await page.click("[data-keep=time-send]")
    await page.wait_for_selector("#time-wrong:not(:empty)")
    await reader.has_focus("time-deadline")
    await reader.is_sound()
    await page.fill("#time-weekly", "1.5")
    await page.fill("#time-deadline", in_two_weeks())
    await page.click("[data-keep=time-send]")
    await reader.news("เพราะข้อมูลงานของท่านเปลี่ยน")
    await reader.reads(".time .short", "เวลาไม่พอ")
    assert (await officer.path())["path"]["budget_hours"] <= 5
    await reader.is_sound()
    await officer.register(weekly_hours=3)
    await reader.news("3")
    await expect(page.locator("#time-weekly")).to_have_value("1.5")  # what was typed is not taken away
    await page.focus("#skip")
    await page.keyboard.press("Enter")
    await reader.reads(".whose", officer.name)

    async def stale(route: Route) -> None:
        if route.request.method == "PUT":
            return await route.fulfill(status=412, json={"status": 412})
        return await route.continue_()

    await page.route(f"**/officers/{officer.name}", stale)
    await page.click("[data-keep=time-send]")
    await page.wait_for_selector("#time-wrong:not(:empty)")
    await reader.reads("#time-wrong", "เพิ่งถูกแก้จากที่อื่น")


async def test_what_to_assess_first_is_shown_with_its_reason(platform: Platform, reader: Reader) -> None:
    officer = await planned_officer(platform, required(0.98), sd=1)  # nearly there, and hardly known
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await reader.page.wait_for_selector(".assess")
    first = (await officer.path())["path"]["assess_first"]
    assert first
    await expect(reader.page.locator(".assess li")).to_have_count(len(first))
    await reader.reads(".assess", first[0]["reason"]["th"])
    await switch_language(reader.page)
    await reader.reads(".assess", first[0]["reason"]["en"])
    await reader.is_sound()


async def test_a_pinned_course_that_does_not_fit_is_shown_with_its_reason(officer: Officer, reader: Reader) -> None:
    page = reader.page
    longest = max((await officer.path())["path"]["steps"], key=lambda step: step["course"]["hours"])["course"]
    await officer.register(weekly_hours=1, deadline=in_two_weeks())
    await reader.news("เพราะข้อมูลงานของท่านเปลี่ยน")
    await officer.give_feedback(longest["id"], "pin")  # stated elsewhere: the open page follows
    await page.wait_for_selector(f'.statements [data-statement="{longest["id"]}"]')
    await reader.news("ตามที่ท่านบอก")
    await reader.shows_change()
    await page.wait_for_selector(f'.notes [data-course="{longest["id"]}"]')
    [note] = (await officer.path())["path"]["notes"]
    await reader.reads(".notes", note["reason"]["th"])
    await switch_language(page)
    await reader.reads(".notes", note["reason"]["en"])
    await reader.is_sound()
