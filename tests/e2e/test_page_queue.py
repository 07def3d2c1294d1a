"""The queue of proposed matches with hundreds of them, and with two editors at once, in a real Chromium."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route

from tests.support.editors import Tenant, editing
from tests.support.page import reading
from tests.support.platform import Platform
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
MANY = 300
Match = tuple[str, str]
"""A course and a skill."""


async def proposed(tenant: Tenant, status: str = "proposed") -> set[Match]:
    """Return the matches of a status."""
    found: set[Match] = set()
    after: str | None = ""
    while after is not None:
        body = await tenant.ask("GET", f"/v1/matches?status={status}&limit=500&after={after}")
        found |= {(one["course"], row["skill"]) for one in body["courses"] for row in one["matches"]}
        after = body["next"]
    return found


async def with_matches(tenant: Tenant, number: int) -> set[Match]:
    """Offer so many courses without skills, and return the matches that are proposed for them: one or more for each."""
    titles = ["การวิเคราะห์ข้อมูล", "ความมั่นคงปลอดภัยไซเบอร์", "การใช้งานโปรแกรมตารางคำนวณ", "การจัดการโครงการดิจิทัล"]
    for begin in range(0, number, 16):
        await asyncio.gather(
            *(
                tenant.offer(f"course-{n:03}", {"th": f"{titles[n % len(titles)]} รุ่นที่ {n}"})
                for n in range(begin, min(begin + 16, number))
            )
        )

    async def are_there() -> bool:
        return len({course for course, _ in await proposed(tenant)}) == number

    await until(are_there, "matches of all courses")
    return await proposed(tenant)


async def shown(page: Page) -> Match:
    """Return the match that is shown."""
    course, skill = await page.eval_on_selector(".match", "one => [one.dataset.course, one.dataset.skill]")
    return course, skill


async def decides(page: Page, key: str) -> None:
    """Press a key, and wait for another match or the end of the queue."""
    before = await shown(page)
    await page.keyboard.press(key)
    await page.wait_for_function(
        """([course, skill]) => {
            const one = document.querySelector('.match');
            return one ? one.dataset.course !== course || one.dataset.skill !== skill
                : document.getElementById('queue-end') !== null;
        }""",
        arg=list(before),
    )


async def test_hundreds_of_matches_are_decided_by_keyboard_alone(platform: Platform, browser: Browser) -> None:
    async with editing(platform, browser, width=390, height=844) as (tenant, reader):
        page = reader.page
        expected = await with_matches(tenant, MANY)
        await reader.sign_in(tenant.key)
        await page.wait_for_selector(".match")
        await reader.tab_to("confirm")
        decided: dict[Match, str] = {}
        while await page.locator(".match").count():
            assert await page.evaluate("document.activeElement.closest('.match') !== null")
            key = "cr"[len(decided) % 2]
            decided[await shown(page)] = key
            await decides(page, key)
        assert set(decided) == expected
        await page.wait_for_function(
            "n => document.getElementById('queue-status').innerText.replace(/\\D/g, '') === n", arg=str(len(expected))
        )
        assert await reader.violations() == []
        assert await proposed(tenant) == set()
        assert await proposed(tenant, "confirmed") == {match for match, key in decided.items() if key == "c"}
        assert await proposed(tenant, "rejected") == {match for match, key in decided.items() if key == "r"}


async def test_of_two_editors_who_decide_a_match_at_once_one_is_stored_and_the_other_is_shown_it(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser) as (tenant, first), reading(browser, first.url) as second:
        await with_matches(tenant, 4)
        both_are_sent = asyncio.Barrier(2)

        async def held(route: Route) -> None:
            await both_are_sent.wait()
            await route.continue_()

        for reader, key in ((first, tenant.key), (second, await tenant.editor())):
            await reader.sign_in(key)
            await reader.page.wait_for_selector(".match")
            await reader.page.focus("#match-title")
        contested = await shown(first.page)
        assert await shown(second.page) == contested
        await first.page.route("**/matches:confirm", held)
        await second.page.route("**/matches:reject", held)
        await asyncio.gather(decides(first.page, "c"), decides(second.page, "r"))

        async def verdict(reader: Any) -> bool:
            await reader.page.wait_for_function("() => !document.querySelector('.done').innerText.includes('กำลังบันทึก')")
            return await reader.page.locator(".done .wrong").count() == 0  # type: ignore[no-any-return]

        confirmed, rejected = await verdict(first), await verdict(second)
        assert confirmed != rejected
        assert (contested in await proposed(tenant, "confirmed")) == confirmed
        assert (contested in await proposed(tenant, "rejected")) == rejected
        loser = second if confirmed else first
        assert await loser.violations() == []

        await first.page.unroute("**/matches:confirm")  # what one decides, the other is not asked again
        await second.page.unroute("**/matches:reject")
        winner = first if confirmed else second
        settled = await shown(winner.page)
        await winner.page.focus("#match-title")
        await decides(winner.page, "c")

        async def is_stored() -> bool:
            return settled in await proposed(tenant, "confirmed")

        await until(is_stored, "the decision of the other editor")
        if await shown(loser.page) == settled:
            await loser.page.focus("#match-title")
            await decides(loser.page, "r")
            await loser.page.wait_for_function("() => document.querySelectorAll('.done .wrong').length === 2")
        assert settled in await proposed(tenant, "confirmed")
