"""The history on an officer's page: courses finished, levels that moved and past paths; over the whole system."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.page import at_the_path, press_action, switch_language
from tests.support.platform import Platform, required

pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_history_shows_courses_levels_and_paths(platform: Platform, browser: Browser, width: int) -> None:
    async with at_the_path(platform, browser, width=width, height=844) as (officer, reader):
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
        await page.click('[data-keep^="past-"] summary >> nth=0')
        assert await reader.violations() == []
        assert await reader.overflow() == 0

        await switch_language(page)
        await expect(page.locator("#past-levels-title")).to_have_text("How your levels moved", use_inner_text=True)
        await expect(paths.first).to_contain_text("because of a new assessment", use_inner_text=True)
        assert await reader.violations() == []
        assert await reader.overflow() == 0
