"""What a service says about a refused request reaches the person in their language, with the field that is to blame.

Each request is changed on its way, so that the real service refuses it.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Route, expect

from deploy.local.keys import TENANT
from tests.support.builders import unique
from tests.support.editors import Tenant
from tests.support.page import Reader, switch_language
from tests.support.platform import Officer, Platform, planned_officer, required
from tests.support.waiting import until


def changed(change: Callable[[dict[str, Any]], None], method: str = "POST") -> Callable[[Route], Awaitable[None]]:
    """Return a handler that sends a request on with another body."""

    async def handle(route: Route) -> None:
        if route.request.method != method:
            return await route.continue_()
        body = json.loads(route.request.post_data or "{}")
        change(body)
        return await route.continue_(post_data=json.dumps(body))

    return handle


async def says(reader: Reader, place: str, thai: tuple[str, str], english: tuple[str, str]) -> None:
    """Find how the field is called and what the service says of it, in both languages."""
    for words, other in ((thai, english), (english, thai)):
        await reader.page.wait_for_selector(f"{place} >> text={words[1]}")
        shown = await reader.text(place)
        assert words[0] in shown
        assert other[1] not in shown
        await reader.is_sound()
        await switch_language(reader.page)


async def test_a_refused_correction_of_a_match_says_why(tenant: Tenant, reader: Reader) -> None:
    page = reader.page
    await tenant.offer("only", {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"})
    await until(tenant.has_proposals, "a proposed match")
    await reader.sign_in(tenant.key)
    await page.wait_for_selector(".match")

    def other(body: dict[str, Any]) -> None:
        body["matches"][0]["right"]["skill"] = "no-such-skill"

    await page.route("**/matches:correct", changed(other))
    await page.click("[data-keep=correct]")
    await page.click("[data-keep=correct-send]")
    await says(
        reader,
        ".done .wrong",
        ("ช่องที่ต้องแก้: ทักษะที่สอนจริง", "ไม่มีทักษะ 'no-such-skill'"),
        ("The field to correct: Skill that it teaches", "has no skill 'no-such-skill'"),
    )
    assert await tenant.teaches("only") == []


async def test_a_refused_rating_says_why_and_keeps_what_was_chosen(platform: Platform, reader: Reader) -> None:
    agency = unique("agency")
    officer = Officer(platform)
    await officer.register(agency=agency)
    await officer.assess(required(0.5))
    page = reader.page
    key = await platform.stack.issuer.issue(TENANT, "supervisor", agency=agency)
    await reader.sign_in(key, f"/#rate={officer.name}")
    await page.wait_for_selector(".rating fieldset")

    def above(body: dict[str, Any]) -> None:
        body["results"][0]["level"] = 99

    await page.route("**/assessments*", changed(above))
    await page.check(".rating fieldset >> nth=0 >> input >> nth=2")
    await page.click("[data-keep=rating-send]")
    thai = await page.inner_text(".rating legend >> nth=0")
    await switch_language(page)
    english = await page.inner_text(".rating legend >> nth=0")
    await switch_language(page)
    await says(
        reader,
        ".rating .notice.refused",
        (f"ช่องที่ต้องแก้: {thai}", "สูงกว่าระดับสูงสุดของมาตรวัด"),
        (f"The field to correct: {english}", "above the scale's top"),
    )
    await expect(page.locator(".rating fieldset >> nth=0 >> input >> nth=2")).to_be_checked()


async def test_a_refused_choice_of_what_supervisors_see_says_why(tenant: Tenant, reader: Reader) -> None:
    page = reader.page
    await reader.sign_in(tenant.key, "/#view=supervision")
    await page.wait_for_selector("[data-keep=supervision-save]")

    def unknown(body: dict[str, Any]) -> None:
        body["paths"] = "everybody"

    await page.route("**/supervision", changed(unknown, "PUT"))
    await page.click("[data-keep=supervision-save]")
    await says(
        reader,
        ".supervision .notice.refused",
        ("ช่องที่ต้องแก้: ผู้บังคับบัญชาดูเส้นทางการเรียนรู้ของใครได้บ้าง", "ค่าที่ใช้ได้คือ"),
        ("The field to correct: Whose learning paths supervisors may read", "allowed:"),
    )


async def test_refused_hours_name_the_field_in_words(platform: Platform, reader: Reader) -> None:
    officer = await planned_officer(platform)
    page = reader.page
    await reader.sign_in(platform.stack.keys.platform, f"/#officer={officer.name}")
    await reader.shows("path")
    await page.wait_for_selector("#time-weekly")

    def too_many(body: dict[str, Any]) -> None:
        body["weekly_hours"] = 20_000

    await page.route(f"**/officers/{officer.name}", changed(too_many, "PUT"))
    await page.fill("#time-weekly", "3")
    await page.click("[data-keep=time-send]")
    await page.wait_for_selector("#time-wrong .detail >> text=ต้องเป็นตัวเลขไม่เกิน 168")
    await reader.reads("#time-wrong", "ช่องที่ต้องแก้: ชั่วโมงเรียนต่อสัปดาห์")
    await switch_language(page)
    await page.wait_for_selector("#time-wrong .detail >> text=is to be a number of at most 168")
    await expect(page.locator("#time-wrong")).not_to_contain_text("weekly_hours", use_inner_text=True)
