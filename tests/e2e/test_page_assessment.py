"""An officer takes the assessment on the page, stops, continues, and the path follows; over the whole system."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.page import at_the_path, switch_language
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(400)
SIZES = [(390, 844), (1280, 900)]
QUESTION = ".session-progress span >> nth=0"


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_an_interrupted_assessment_continues_and_the_path_follows(
    platform: Platform, browser: Browser, width: int, height: int
) -> None:
    async with at_the_path(platform, browser, width=width, height=height) as (officer, reader):
        page = reader.page
        before = (await officer.path())["path"]["versions"]["profile"]
        await reader.tab_to("assess-begin")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#question")
        await reader.has_focus("question")
        await page.click("[data-keep=question-send]")
        await page.wait_for_selector("#question-wrong:not(:empty)")
        assert await reader.violations() == []
        assert await reader.overflow() == 0
        heights = await page.locator(".option").evaluate_all("all => all.map(one => one.offsetHeight)")
        assert min(heights) >= 44
        for number in (1, 2, 3):
            await reader.reads(QUESTION, f"ข้อที่ {number} ")
            await page.locator(".option input").last.focus()
            await page.keyboard.press("Space")
            await page.keyboard.press("Enter")
            await page.wait_for_function(
                "number => document.querySelector('.session-progress')?.innerText.includes(number)",
                arg=f"\u00a0{number + 1}",
            )
        question = await page.inner_text("#question")
        await page.click("[data-keep=assess-later]")
        await page.wait_for_selector("#question", state="detached")
        await page.reload()  # as on another device: nothing of it is kept here
        await reader.shows("path")
        await page.click("[data-keep=assess-begin]")
        await page.wait_for_selector("#question")
        await expect(page.locator("#question")).to_have_text(question, use_inner_text=True)
        await reader.reads(QUESTION, "ข้อที่ 4 ")
        await switch_language(page)
        await reader.reads(QUESTION, "Question 4 ")
        assert await reader.violations() == []
        assert await reader.overflow() == 0
        await switch_language(page)
        await page.click("[data-keep=assess-stop]")
        await page.wait_for_selector("#session-result")
        await reader.has_focus("session-result")
        assert await reader.violations() == []
        await reader.news("เพราะมีผลประเมินใหม่")
        await page.wait_for_selector("#dismiss")  # it was requested here, so it is shown at once
        assert (await officer.path())["path"]["versions"]["profile"] > before
