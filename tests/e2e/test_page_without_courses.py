"""What pages say where there is no course, no time, no officer or no proposal, and what to do then; in Chromium."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import expect

from deploy.local.keys import TENANT
from tests.support.builders import unique
from tests.support.editors import FRAMEWORK, Tenant
from tests.support.page import Reader, in_both_languages
from tests.support.platform import Officer, Platform, planned_officer, required
from tests.support.waiting import until

TITLE = ".summary .notice h2"


async def opens_the_path(reader: Reader, officer: Officer) -> None:
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await expect(reader.page.locator(".step, .next")).to_have_count(0)
    await reader.page.wait_for_selector("#what-if-jobGroup")


async def test_who_has_too_little_time_for_any_course_reads_what_to_do(platform: Platform, reader: Reader) -> None:
    soon = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    officer = await planned_officer(platform, required(0.4), weekly_hours=0.5, deadline=soon)
    path = (await officer.path())["path"]
    assert path["short_at_most"]  # the number of hours is an upper limit
    await opens_the_path(reader, officer)
    await in_both_languages(reader, TITLE, "ยังไม่มีหลักสูตรที่เรียนทันในเวลาที่มี", "No course fits into the time that you have")
    await in_both_languages(reader, ".summary .notice", "กรุณาขอให้หน่วยงานของท่าน", "ask your agency for more hours")
    await in_both_languages(reader, ".time .short", "ต้องมีเพิ่มอีกไม่เกิน", "it takes at most")
    await expect(reader.page.locator(".summary > .short")).to_have_count(0)  # the notice says it
    await reader.page.click("[data-keep=notice-time]")
    await expect(reader.page.locator("#what-if-weekly")).to_be_visible()


async def test_who_is_past_the_deadline_reads_so(platform: Platform, reader: Reader) -> None:
    officer = await planned_officer(platform, required(0.4), deadline="2026-01-05")
    await opens_the_path(reader, officer)
    await in_both_languages(reader, ".time", "ครบกำหนดเรียนแล้วเมื่อ 5 มกราคม 2569", "The deadline was 5 January 2026")
    await in_both_languages(reader, ".time", "รวมเวลาเรียนที่มี 0 ชั่วโมง", "0 hours for learning in all")
    await expect(reader.page.locator(".facts > div", has_text="เวลาเรียนที่มี")).to_contain_text("0 ชั่วโมง")
    alone = "all => all.flatMap(one => [...one.childNodes]).filter(one => one.nodeType === Node.TEXT_NODE).length"
    assert await reader.page.locator(".facts").evaluate_all(alone) == 0


async def test_who_dismissed_every_course_is_led_to_what_was_said(platform: Platform, reader: Reader) -> None:
    name = unique("dismissing")
    tenant = Tenant(platform, name, await platform.stack.issuer.issue(name, "admin"))
    title = {"th": "ทักษะ", "en": "Skill"}
    framework = {
        "id": "one",
        "title": title,
        "areas": [{"id": "area", "title": title}],
        "skills": [{"id": "skill", "area": "area", "title": title}],
        "scale": [{"level": level, "title": title} for level in range(3)],
        "job_groups": [{"id": "group", "title": title}],
        "stages": [],
        "requirements": [{"job_group": "group", "skill": "skill", "level": 1}],
    }
    await tenant.ask("PUT", "/v1/frameworks/one", json=framework)
    await tenant.offer("only", title, teaches=[{"framework": "one", "skill": "skill", "from": 0, "to": 1}])
    officer = Officer(platform, name)
    await officer.register(framework="one", job_group="group")

    async def has_a_course() -> bool:
        stored = await officer.path_if_any()
        return stored is not None and bool(stored["path"]["steps"])

    await until(has_a_course, "a path with the course")
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await reader.page.wait_for_selector('.step[data-course="only"]')
    await officer.give_feedback("only", "not_relevant")
    await reader.page.click("#show-change")
    await expect(reader.page.locator(".step")).to_have_count(0)
    await in_both_languages(reader, ".summary .notice", "ไม่เกี่ยวกับงานไว้ 1 หลักสูตร", "1 course that")
    await reader.page.click("[data-keep=notice-statements]")
    await reader.has_focus("statements-title")


async def test_a_level_just_below_the_requirement_is_not_shown_as_the_requirement(
    platform: Platform, reader: Reader
) -> None:
    officer = await planned_officer(platform, {skill: level - 0.04 for skill, level in required(1).items()})
    path = (await officer.path())["path"]
    assert path["open"]
    assert {one["cause"] for one in path["open"]} == {"too_small"}
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await in_both_languages(reader, ".open", "ถึงระดับ 2.96 จากที่งานต้องใช้ 3", "reaches level 2.96 of the 3")
    small = '.gap:has-text("2.96") .verdict'
    await in_both_languages(reader, small, "ขาดเพียง 0.04 ระดับ", "Only 0.04 short")


async def test_a_supervisor_of_an_agency_without_officers_reads_so(platform: Platform, reader: Reader) -> None:
    agency = unique("agency")
    await reader.sign_in(await platform.stack.issuer.issue(TENANT, "supervisor", agency=agency))
    await in_both_languages(
        reader,
        "main .notice",
        f"ยังไม่มีเจ้าหน้าที่ของหน่วยงาน {agency} ที่มีเส้นทางการเรียนรู้",
        f"No officer of agency {agency} has a learning path",
    )
    await expect(reader.page.locator("main .lead")).to_have_count(0)  # nobody is said to share


async def test_an_editor_reads_that_the_filter_leaves_no_proposal(tenant: Tenant, reader: Reader) -> None:
    await reader.sign_in(tenant.key, "/#view=matches")
    await in_both_languages(reader, "#queue-end", "ไม่มีข้อเสนอที่รอตรวจ", "No proposals to check")
    await reader.page.select_option("#match-framework", FRAMEWORK)
    await in_both_languages(reader, "#queue-end", "ในกรอบทักษะหรือทักษะที่เลือก", "in the chosen framework or skill")
