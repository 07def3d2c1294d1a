"""The history on an officer's page: courses finished, levels that moved and past paths; over the whole system."""

from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, Route, expect

from services.recommender.feedback import Statement
from tests.support.page import SIZES, Reader, at_the_path, press_action, switch_language
from tests.support.platform import Officer, Platform, required
from tests.support.waiting import until

# How many pixels are left of the widest number of a list of courses, which no element holds.
ROOM_FOR_NUMBERS = """() => {
  const list = document.querySelector('.history ol:not(.plain)');
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = getComputedStyle(list.firstElementChild).font;
  return list.firstElementChild.getBoundingClientRect().left - pen.measureText('100. ').width;
}"""


async def test_the_history_shows_courses_levels_and_paths(platform: Platform, browser: Browser) -> None:
    async with at_the_path(platform, browser, sizes=SIZES) as (officer, reader):
        page = reader.page
        assert not [one for one in reader.requests if "history" in one or "/paths" in one]  # nothing of it is fetched
        first = await page.get_attribute(".step >> nth=0", "data-course")
        assert first
        await press_action(reader, first, "completed")
        await reader.news("ตามที่ท่านบอก")
        await officer.assess(required(0.7))
        await reader.news("เพราะมีผลประเมินใหม่")
        await reader.shows_change()

        await reader.tab_to("history-show")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#past-paths-title")
        await reader.has_focus("history-title")
        for part in ("finished", "levels", "paths"):
            await page.wait_for_selector(f'section[aria-labelledby="past-{part}-title"][aria-busy="false"]')
            await page.click(f'[data-keep="{part}-table"] summary')
        await expect(page.locator('[data-keep="finished-table"] tbody tr')).to_have_count(1)
        stored = await officer.path()
        paths = page.locator('[data-keep="paths-table"] tbody tr')
        await page.wait_for_function(
            "n => document.querySelectorAll('[data-keep=paths-table] tbody tr').length === n", arg=stored["revision"]
        )
        await expect(paths.first).to_contain_text("เพราะมีผลประเมินใหม่", use_inner_text=True)
        levels = page.locator('[data-keep="levels-table"] tbody tr')
        await expect(levels).to_have_count(len(required(1)))
        await expect(page.locator('[data-keep="levels-table"] thead th')).to_have_count(
            3
        )  # the skill and two assessments
        await reader.reads('section[aria-labelledby="past-levels-title"] li >> nth=0', "จาก")
        await reader.reads('[data-keep^="past-"] summary', "ดูหลักสูตรในเส้นทางนี้")
        await reader.opens(page.locator('[data-keep^="past-"]').first)
        await page.wait_for_selector(".history ol:not(.plain) > li")
        async for _ in reader.windows():
            assert await page.evaluate(ROOM_FOR_NUMBERS) > 0
        await reader.is_sound()

        await switch_language(page)
        await expect(page.locator("#past-levels-title")).to_have_text("How your levels moved", use_inner_text=True)
        await expect(paths.first).to_contain_text("because of a new assessment", use_inner_text=True)
        await reader.is_sound()


FINISHED, PATHS, FIRST_PATHS = 300, 12, 10
"""How many courses and paths the officer has, and how many paths are shown at first."""

MOST_PERIODS = 24
"""In so many months, or else years, finished courses are counted at most."""


async def with_a_long_history(platform: Platform) -> Officer:
    """Return an officer with FINISHED finished courses, one every ten days, and PATHS paths."""
    officer = Officer(platform)
    await officer.register()
    for n in range(1, PATHS):
        sequence = await officer.assess(required(0.3 + n / 50))

        async def follows(profile: int = sequence) -> bool:
            stored = await officer.path_if_any()
            return stored is not None and bool(stored["path"]["versions"]["profile"] == profile)

        await until(follows, f"a path after assessment {n}")
    now = datetime.now(UTC)
    statements = [
        Statement(n, f"past-{n}", "completed", now - timedelta(days=10 * (FINISHED - n)))
        for n in range(1, FINISHED + 1)
    ]
    officer.store_statements(statements)
    return officer


async def test_a_long_history_is_shown_in_parts_and_what_fails_can_be_tried_again(
    platform: Platform, reader: Reader
) -> None:
    officer = await with_a_long_history(platform)
    page = reader.page
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")

    async def away(route: Route) -> None:
        await route.abort()

    await page.route("**/paths?*", away)
    await page.click("[data-keep=history-show]")
    await page.wait_for_selector("#past-paths-wrong:not(:empty)")
    await reader.reads("#past-paths-wrong", "ติดต่อระบบไม่ได้")
    await switch_language(page)
    await reader.reads("#past-paths-wrong", "The system cannot be reached")
    await reader.is_sound(inside=".history")
    await page.unroute("**/paths?*")
    await page.click("[data-keep=past-paths-again]")
    paths = page.locator('section[aria-labelledby="past-paths-title"] > ol > li')
    await expect(paths).to_have_count(FIRST_PATHS)
    await expect(page.locator("#past-paths-wrong")).to_be_empty()

    await page.route("**/paths?*", away)
    await page.click("[data-keep=history-older]")
    await page.wait_for_selector("#past-paths-wrong:not(:empty)")
    await expect(paths).to_have_count(FIRST_PATHS)
    await page.unroute("**/paths?*")
    await page.click("[data-keep=history-older]:not([aria-disabled])")
    await expect(paths).not_to_have_count(FIRST_PATHS)
    await expect(page.locator("[data-keep=history-older]")).to_have_count(0)
    await expect(paths.nth(FIRST_PATHS)).to_be_focused()

    await page.click('[data-keep="finished-table"] summary')
    await expect(page.locator('[data-keep="finished-table"] tbody tr')).to_have_count(FINISHED)
    periods = page.locator('section[aria-labelledby="past-finished-title"] > ul > li')
    await expect(periods.nth(1)).to_be_visible()
    await expect(periods.nth(MOST_PERIODS)).to_have_count(0)
    for _ in range(2):
        await reader.is_sound(inside=".history")
        await switch_language(page)
