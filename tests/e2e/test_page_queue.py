"""The queue of proposed matches with more than a hundred of them, and with two editors at once, in a real Chromium."""

import asyncio

import pytest
from playwright.async_api import Browser, Page, Route

from tests.support.editors import Tenant, editing
from tests.support.page import PHONE, Reader, reading
from tests.support.platform import Platform
from tests.support.waiting import until

COURSES = 60
MANY = 120
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
    titles = ["การวิเคราะห์ข้อมูล", "ความมั่นคงปลอดภัยไซเบอร์"]
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


async def shown(page: Page) -> Match | None:
    """Return the match that is shown."""
    found: list[str] | None = await page.evaluate(
        "(one => one && [one.dataset.course, one.dataset.skill])(document.querySelector('.match'))"
    )
    return (found[0], found[1]) if found else None


async def decides(page: Page, key: str, match: Match) -> None:
    """Press a key on a match, and wait for another one with the focus in it, or for the end of the queue."""
    await page.keyboard.press(key)
    await page.wait_for_function(
        """([course, skill]) => {
            const one = document.querySelector('.match');
            if (!one) return document.getElementById('queue-end') !== null;
            const isOther = one.dataset.course !== course || one.dataset.skill !== skill;
            return isOther && one.contains(document.activeElement);
        }""",
        arg=list(match),
    )


async def test_more_than_a_hundred_matches_are_decided_by_keyboard_alone(platform: Platform, browser: Browser) -> None:
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page
        expected = await with_matches(tenant, COURSES)
        assert len(expected) >= MANY
        await reader.sign_in(tenant.key)
        await page.wait_for_selector(".match")
        await reader.tab_to("confirm")
        decided: dict[Match, str] = {}
        while (match := await shown(page)) is not None:
            decided[match] = "cr"[len(decided) % 2]
            await decides(page, decided[match], match)
        assert set(decided) == expected
        await page.wait_for_function(
            "n => document.getElementById('queue-status').innerText.replace(/\\D/g, '') === n", arg=str(len(expected))
        )
        assert await reader.violations() == []
        assert await proposed(tenant) == set()
        assert await proposed(tenant, "confirmed") == {match for match, key in decided.items() if key == "c"}
        assert await proposed(tenant, "rejected") == {match for match, key in decided.items() if key == "r"}


@pytest.mark.parametrize("same", [False, True], ids=["otherwise", "alike"])
async def test_of_two_editors_who_decide_a_match_at_once_one_is_stored_and_the_other_is_shown_it(
    platform: Platform, browser: Browser, *, same: bool
) -> None:
    """Who decides it like the other one is not contradicted."""
    second_key, second_verb = ("c", "confirm") if same else ("r", "reject")
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
        assert contested is not None
        assert await shown(second.page) == contested
        await first.page.route("**/matches:confirm", held)
        await second.page.route(f"**/matches:{second_verb}", held)
        await asyncio.gather(decides(first.page, "c", contested), decides(second.page, second_key, contested))

        async def verdict(reader: Reader) -> bool:
            await reader.page.wait_for_function("() => !document.querySelector('.done').innerText.includes('กำลังบันทึก')")
            return await reader.page.locator(".done .wrong").count() == 0

        confirmed, rejected = await verdict(first), await verdict(second)
        if same:
            assert (confirmed, rejected) == (True, True)
            assert contested in await proposed(tenant, "confirmed")
            return
        assert confirmed != rejected
        assert (contested in await proposed(tenant, "confirmed")) == confirmed
        assert (contested in await proposed(tenant, "rejected")) == rejected
        loser = second if confirmed else first
        await loser.is_sound()
