"""The pages of those who keep the catalog, in a real Chromium over the whole system."""

import pytest
from playwright.async_api import Browser

from tests.support.editors import FRAMEWORK, editing
from tests.support.platform import Platform
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
SIZES = [(390, 844), (1280, 900)]


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_matches_are_decided_with_one_key_each(
    platform: Platform, browser: Browser, width: int, height: int
) -> None:
    async with editing(platform, browser, width=width, height=height) as (tenant, reader):
        page, focused = reader.page, "document.activeElement.id"
        await tenant.offer("right", {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"})
        await tenant.offer("wrong", {"en": "Data Analytics and Data Visualization"}, description={"en": "With data."})
        await tenant.offer("other", {"th": "ความมั่นคงปลอดภัยไซเบอร์", "en": "Cybersecurity"})

        async def proposed() -> list[tuple[str, str]]:
            found = await tenant.ask("GET", "/v1/matches?status=proposed")
            rows = [(row["confidence"], one["course"], row["skill"]) for one in found["courses"] for row in one["matches"]]
            return [(course, skill) for _, course, skill in sorted(rows, key=lambda row: (-row[0], row[1]))]

        async def all_three() -> bool:
            return len({course for course, _ in await proposed()}) == 3

        await until(all_three, "matches of all courses")
        order = await proposed()

        await reader.sign_in(tenant.key)
        await reader.shows("page")
        await page.wait_for_selector(".match")
        here = ".match[data-course='{}'][data-skill='{}']"
        for _ in ("th", "en"):
            await page.wait_for_selector(".match .about")
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            assert "%" in await page.inner_text(".sureness")
            await page.click("#language")
        assert await page.inner_text("h1") == "ตรวจทักษะที่ระบบเสนอ"
        assert [order[0]] == [
            (await page.get_attribute(".match", "data-course"), await page.get_attribute(".match", "data-skill"))
        ]

        await page.focus("#match-title")
        await page.keyboard.press("c")
        await page.wait_for_selector(here.format(*order[1]))
        assert await page.evaluate(focused) == "match-title"
        await page.keyboard.press("r")
        await page.wait_for_selector(here.format(*order[2]))
        await page.keyboard.press("e")
        await page.wait_for_selector("#correct-skill")
        assert await page.evaluate(focused) == "correct-skill"
        assert await reader.violations() == []
        await page.select_option("#correct-from", "2")
        await page.select_option("#correct-to", "1")
        await page.click("[data-keep=correct-send]")
        await page.wait_for_selector("#correct-wrong:not(:empty)")
        await page.select_option("#correct-to", "3")
        await page.click("[data-keep=correct-send]")
        await page.wait_for_function("document.getElementById('queue-status').innerText.includes('3')")
        assert [row for row in await proposed() if row in order[:3]] == []
        course, skill = order[0]
        assert skill in [row[0] for row in await tenant.teaches(course)]
        assert order[1][1] not in [row[0] for row in await tenant.teaches(order[1][0])]
        assert (order[2][1], 2, 3) in await tenant.teaches(order[2][0])

        await page.locator(".done button").last.click()  # the first decision is taken back by another one
        await page.wait_for_selector(here.format(*order[0]))
        await page.keyboard.press("r")
        await page.wait_for_function("document.querySelector('.done li:last-child').innerText.includes('ไม่ใช่')")
        await page.wait_for_function("!document.querySelector('.done').innerText.includes('กำลังบันทึก')")
        assert skill not in [row[0] for row in await tenant.teaches(course)]
        assert await reader.violations() == []


async def test_a_decision_that_does_not_arrive_is_told_and_sent_again(platform: Platform, browser: Browser) -> None:
    async with editing(platform, browser) as (tenant, reader):
        page = reader.page
        await tenant.offer("only", {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"})

        async def proposed() -> bool:
            return bool((await tenant.ask("GET", "/v1/matches?status=proposed"))["courses"])

        await until(proposed, "a match")
        await reader.sign_in(tenant.key)
        await page.wait_for_selector(".match")
        skill = await page.get_attribute(".match", "data-skill")
        await page.route("**/matches:confirm", lambda route: route.abort())
        await page.click("[data-keep=confirm]")
        await page.wait_for_selector("[data-keep=send-again]")
        assert await tenant.teaches("only") == []
        assert await reader.violations() == []
        await page.unroute("**/matches:confirm")
        await page.click("[data-keep=send-again]")
        await page.wait_for_selector("[data-keep=send-again]", state="detached")
        assert skill in [row[0] for row in await tenant.teaches("only")]
