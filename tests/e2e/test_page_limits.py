"""The officer's page with the largest question and the most feedback that are stored, in a real Chromium."""

from datetime import UTC, datetime
from typing import Any

from playwright.async_api import expect

from services.recommender.feedback import MOST_COURSES, Statement
from tests.support.builders import unique
from tests.support.editors import Tenant
from tests.support.page import Reader, switch_language, wait_for_toast
from tests.support.platform import Officer, Platform
from tests.support.waiting import until

LARGE = "large"
STEM, OPTION, OPTIONS = 2000, 500, 10
"""The most characters of a question and of an option, and the most options, that an item bank accepts."""
THAI, ENGLISH = "การเปิดเผยข้อมูลภาครัฐ", "Opening government data "
AT_FIRST, AT_A_TIME = 30, 50
"""How many statements of a group are shown at first, and how many more at each request."""


def text(words: str) -> dict[str, str]:
    return {"th": words, "en": words}


def filled(begin: str, characters: int) -> dict[str, str]:
    """Return a text of this length in both languages, the Thai one without a space."""
    return {
        "th": (begin + THAI * characters)[:characters],
        "en": (f"{begin} " + ENGLISH * characters)[: characters - 1] + ".",
    }


async def tenant_of_one_skill(platform: Platform) -> Tenant:
    """Return a new tenant with a framework of one skill, and a course that teaches it."""
    name = unique("limits")
    tenant = Tenant(platform, name, await platform.stack.issuer.issue(name, "admin"))
    framework = {
        "id": LARGE,
        "title": text("กรอบ"),
        "areas": [{"id": "area", "title": text("ด้าน")}],
        "skills": [{"id": "skill", "area": "area", "title": text("ทักษะ")}],
        "scale": [{"level": level, "title": text(f"{level}")} for level in range(3)],
        "job_groups": [{"id": "group", "title": text("กลุ่ม")}],
        "stages": [],
        "requirements": [{"job_group": "group", "skill": "skill", "level": 2}],
    }
    await tenant.ask("PUT", f"/v1/frameworks/{LARGE}", json=framework)
    teaches = [{"framework": LARGE, "skill": "skill", "from": 0, "to": 2}]
    await tenant.offer("course", text("หลักสูตร"), teaches=teaches)
    return tenant


async def planned(tenant: Tenant) -> Officer:
    """Return a new officer of the tenant, whose path has its course."""
    officer = Officer(tenant.platform, tenant.name)
    await officer.register(framework=LARGE, job_group="group")

    async def has_the_course() -> bool:
        stored = await officer.path_if_any()
        return stored is not None and [step["course"]["id"] for step in stored["path"]["steps"]] == ["course"]

    await until(has_the_course, "a path with the course")
    return officer


async def reads_whole(reader: Reader, item: dict[str, Any], language: str) -> None:
    """Find all of a question in this language on the page, inside the window and inside its boxes."""
    page = reader.page
    shown = page.locator("#question, .option > span")
    texts = [item["stem"][language], *(option[language] for option in item["options"])]
    await expect(shown).to_have_text(texts, use_inner_text=True)
    async for _ in reader.windows():
        assert await reader.overflow() == 0
        cut_off = await page.locator(".question, .question *").evaluate_all(
            """all => all.filter((one) => {
              const { left, right } = one.getBoundingClientRect();
              const inside = left >= 0 && right <= innerWidth + 1;
              return !one.matches('input') && !(inside && (getComputedStyle(one).display === 'inline'
                || (one.scrollWidth <= one.clientWidth + 1 && one.scrollHeight <= one.clientHeight + 1)));
            }).map(one => one.outerHTML.slice(0, 100))"""
        )
        assert cut_off == []


async def test_the_largest_question_is_shown_whole(platform: Platform, reader: Reader) -> None:
    tenant = await tenant_of_one_skill(platform)
    options = [filled(f"{n}", OPTION) for n in range(OPTIONS)]
    item = {"id": "item", "skill": "skill", "kind": "choice", "level": 1, "stem": filled("", STEM), "key": 0}
    bank = {"framework": LARGE, "title": text("ข้อ"), "items": [item | {"options": options}]}
    for refused in (
        item | {"options": options, "stem": filled("", STEM + 1)},
        item | {"options": [*options[:-1], filled("9", OPTION + 1)]},
        item | {"options": [*options, filled("10", OPTION)]},
    ):
        body = bank | {"items": [refused]}
        status, _ = await platform.ask("assessment", "PUT", f"/v1/item-banks/{LARGE}", key=tenant.key, json=body)
        assert status == 422
    await platform.insist("assessment", "PUT", f"/v1/item-banks/{LARGE}", key=tenant.key, json=bank)
    await platform.insist("assessment", "POST", f"/v1/item-banks/{LARGE}:publish", key=tenant.key)
    officer = await planned(tenant)
    page = reader.page
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await page.click("[data-keep=assess-begin]")
    await reader.has_focus("question")
    for language in ("th", "en"):
        await reads_whole(reader, {"stem": item["stem"], "options": options}, language)
        await reader.is_sound(inside=".assessment")
        await switch_language(page)
    await page.locator(".option").last.click(position={"x": 20, "y": 10})
    await page.click("[data-keep=question-send]")
    await page.wait_for_selector("#session-result")


async def test_feedback_about_the_most_courses_is_read_and_undone_and_one_more_is_refused(
    platform: Platform, reader: Reader
) -> None:
    tenant = await tenant_of_one_skill(platform)
    officer = await planned(tenant)
    now = datetime.now(UTC)
    names = [f"past-{n}-".ljust(64, "x") for n in range(MOST_COURSES)]
    officer.store_statements([Statement(n, name, "not_now", now) for n, name in enumerate(names, 1)])
    page = reader.page
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    rows = page.locator("[data-statement]")
    await expect(rows).to_have_count(AT_FIRST)
    await reader.is_sound()
    await page.click("[data-keep=statements-more-not_now]")
    await expect(rows).to_have_count(AT_FIRST + AT_A_TIME)
    await reader.has_focus(f"undo-list-{names[-1 - AT_FIRST]}")  # the newest one is the first

    await page.click(".step[data-course=course] [data-keep=started-course]")
    await wait_for_toast(reader, "รายการที่ท่านบอกไว้เต็มแล้ว")
    assert len(await officer.feedback()) == MOST_COURSES
    await reader.is_sound()
    await switch_language(page)
    await wait_for_toast(reader, "your list is full")
    await switch_language(page)

    await page.click(f"[data-keep=undo-list-{names[-1]}]")
    await wait_for_toast(reader, "เลิกทำแล้ว")
    await page.wait_for_selector(f"[data-statement={names[-1]}]", state="detached")
    await page.click(".step[data-course=course] [data-keep=started-course]")
    await page.wait_for_selector("[data-statement=course]")
    stored = [one["course"] for one in await officer.feedback()]
    assert stored == [*names[:-1], "course"]
