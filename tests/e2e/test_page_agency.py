"""The agency's page in a real Chromium over the whole system: what heads of agencies read, ask and take along."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from deploy.local.keys import TENANT, links
from tests.support.agencies import agency_of
from tests.support.page import Reader, reading, switch_language
from tests.support.platform import Platform

pytestmark = pytest.mark.timeout(400)
SIZES = [(390, 844), (1280, 900)]
WORDS = [
    ("th", "ทักษะของหน่วยงาน", "ควรรับคนเพิ่มหรือจ้างเหมา", "ต้องการเวลาเพิ่ม"),
    ("en", "Skills of agency", "Hire or contract", "Give more time"),
]


@pytest.fixture(scope="module")
def agencies() -> dict[str, str]:
    """Return the agencies that were made already: of many officers, and of few."""
    return {}


async def made(platform: Platform, agencies: dict[str, str], kind: str) -> str:
    if kind not in agencies:
        groups = {"technology": 5, "service": 6} if kind == "many" else {"service": 2}
        agencies[kind], _ = await agency_of(platform, **groups)
    return agencies[kind]


async def is_printed(reader: Reader) -> None:
    """Find the figures on paper, and nothing to fill in."""
    await reader.page.emulate_media(media="print")
    await expect(reader.page.locator(".agency form").first).to_be_hidden()
    await expect(reader.page.locator(".agency-skills table").first).to_be_visible()
    await reader.page.emulate_media(media="screen")


async def shows_another_day(reader: Reader) -> None:
    """Load the page again, with figures of an earlier day among those that the service returns."""
    await expect(reader.page.locator(".over-time")).to_have_count(0)  # there is one day only

    async def earlier(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        body["history"].insert(0, body["history"][0] | {"day": "2026-01-05", "before": 0.11})
        await route.fulfill(response=answer, json=body)

    await reader.page.route("**/gaps*", earlier)
    await reader.page.reload()
    await reader.page.wait_for_selector(".over-time .gap")
    await expect(reader.page.locator(".over-time .gap")).to_have_count(2)
    await expect(reader.page.locator(".over-time tbody tr")).to_have_count(2)
    await reader.reads('.over-time [data-row="2026-01-05"]', "11%")
    await reader.page.evaluate("for (const one of document.querySelectorAll('.agency details')) one.open = true")
    assert await reader.violations() == []
    assert await reader.overflow() == 0


def rows_of(file: Path) -> list[dict[str, str]]:
    """Return the lines of a report; of what stands in Thai with the English name beside it, that name."""

    def english(cell: str) -> str:
        found = re.fullmatch(r"[\u0e00-\u0e7f ]+ \((\w+)\)", cell)
        return found[1] if found else cell

    lines = csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    header, *rows = [[english(cell) for cell in line] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_an_agency_report_is_read_queried_and_exported(
    platform: Platform, browser: Browser, agencies: dict[str, str], width: int, height: int
) -> None:
    agency = await made(platform, agencies, "many")
    async with reading(browser, platform.stack.urls["portal"][0], width=width, height=height) as reader:
        page = reader.page
        await reader.sign_in(platform.stack.keys.platform, "/#view=agency")
        await page.wait_for_selector("#agency")
        assert await reader.violations() == []
        await page.fill("#agency", "no such")
        await page.press("#agency", "Enter")
        await page.wait_for_selector("#agency[aria-invalid]")
        await page.click(f'[data-keep="agency-{agency}"]')
        await page.wait_for_selector(".agency .gap")
        groups = ["technology", "service"]
        await expect(page.locator(".groups .gap")).to_have_count(len(groups))
        assert await page.locator(".groups .gap").evaluate_all("all => all.map(one => one.dataset.row)") == groups
        await expect(page.locator('.groups .gap[data-row="technology"] .verdict')).to_have_count(1)
        await expect(page.locator(".groups .verdict")).to_have_count(1)
        await page.fill("#agency-weekly", "0")
        await page.click("[data-keep=ask-in-time]")
        await page.wait_for_selector("#agency-wrong:not(:empty)")
        deadline = (datetime.now(UTC) + timedelta(days=365)).date()
        await page.fill("#agency-deadline", deadline.isoformat())
        await page.fill("#agency-weekly", "0.5")
        await page.click("[data-keep=ask-in-time]")
        await page.wait_for_selector(".in-time .answer")
        query = {"deadline": deadline.isoformat(), "weekly_hours": "0.5"}
        found = await platform.insist("recommender", "GET", f"/v1/agencies/{agency}/gaps", params=query)
        advised = {skill["recommendation"] for skill in found["in_time"]["skills"]}
        assert advised
        await page.click("[data-keep=groups-table] > summary")
        await expect(page.locator(".groups tbody tr")).to_have_count(2)
        await page.evaluate("for (const one of document.querySelectorAll('.agency details')) one.open = true")
        for language, heading, hire, more_time in WORDS:
            await page.wait_for_selector(f"html[lang={language}]")
            await reader.reads("h1", heading)
            for advice, words in (("hire", hire), ("more_time", more_time)):
                answer = page.locator(".in-time .answer", has_text=words)
                await expect(answer).to_have_count(int(advice in advised))
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            await switch_language(page)
        for table in ("groups", "agency-skills", "group-skills", "agency-courses"):
            shown = await page.locator(f".{table} .gap").count()
            assert shown > 0
            await expect(page.locator(f".{table} tbody tr")).to_have_count(shown)  # each picture has its table
        async with page.expect_download() as downloading:
            await page.click("[data-keep=agency-csv]")
        file = await downloading.value
        rows = rows_of(Path(await file.path()))
        assert [row["id"] for row in rows if row["part"] == "job_group"] == groups
        assert {row["recommendation"] for row in rows if row["part"] == "not_in_time"} == advised
        assert file.suggested_filename == f"{agency}-th-digital-2018.csv"
        await is_printed(reader)
        await shows_another_day(reader)


@pytest.mark.parametrize(("width", "height"), [(320, 640), *SIZES])
async def test_an_agency_of_forty_job_groups_is_read_as_one_of_two(
    platform: Platform, browser: Browser, agencies: dict[str, str], width: int, height: int
) -> None:
    agency = await made(platform, agencies, "many")
    title = "เจ้าหน้าที่วิเคราะห์นโยบายและแผนด้านเทคโนโลยีสารสนเทศและการสื่อสารเพื่อการบริหารราชการส่วนภูมิภาค"
    async with reading(browser, platform.stack.urls["portal"][0], width=width, height=height) as reader:
        page = reader.page

        async def multiplied(route: Route) -> None:
            answer = await route.fetch()
            body = await answer.json()
            found = body["groups"]
            body["groups"] = [
                found[n % len(found)] | {"job_group": f"group-{n}", "before": n / 40, "title": {"th": f"{title} {n}"}}
                for n in range(40)
            ]
            await route.fulfill(response=answer, json=body)

        await page.route("**/gaps*", multiplied)
        await reader.sign_in(platform.stack.keys.platform, f"/#view=agency&agency={agency}")
        await page.wait_for_selector(".groups .gap")
        await expect(page.locator(".groups .gap")).to_have_count(40)
        await expect(page.locator(".groups .verdict")).to_have_count(1)
        await expect(page.locator(".group-skills details[open]")).to_have_count(1)
        one_group = await page.locator(".group-skills .gap").count()
        assert 0 < one_group < 40
        for _ in ("th", "en"):
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            await switch_language(page)
        await page.click("[data-keep=groups-table] > summary")
        await page.wait_for_selector(".groups tbody")
        wide = int(width < 480)  # px, the least width of a table
        await expect(page.locator(".groups .scrolls", has_text="เลื่อนตาราง")).to_have_count(wide)
        await page.locator(".group-skills > details > summary").last.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_function("() => document.querySelectorAll('.group-skills > details[open]').length === 2")
        await page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        await expect(page.locator(".group-skills > details tbody")).to_have_count(40)


@pytest.mark.parametrize(("width", "height"), [(320, 640), *SIZES])
async def test_small_and_unknown_agencies_have_a_plain_message(
    platform: Platform, browser: Browser, agencies: dict[str, str], width: int, height: int
) -> None:
    few = await made(platform, agencies, "few")
    async with reading(browser, platform.stack.urls["portal"][0], width=width, height=height) as reader:
        page = reader.page
        await reader.sign_in(await platform.stack.issuer.issue(TENANT, "admin"), f"/#view=agency&agency={few}")
        await page.wait_for_selector(".agency .notice")
        await reader.reads(".agency .notice", "ไม่ให้ระบุตัวบุคคลได้")
        await expect(page.locator(".agency .gap")).to_have_count(0)
        await switch_language(page)
        await reader.reads(".agency .notice", "nobody can be recognised")
        assert await reader.violations() == []
        assert await reader.overflow() == 0
        await page.evaluate("location.hash = '#view=agency&agency=nobody-knows-it'")
        await page.wait_for_selector(".notice.refused")
        await reader.reads(".notice.refused", "We know no officers of this agency")
        assert await reader.violations() == []
        await page.click("[data-keep=another-agency]")
        await page.fill("#agency", few)
        await page.press("#agency", "Enter")
        await page.wait_for_selector(".agency .notice:not(.refused)")


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_an_analyst_signs_in_by_link_to_the_figures_and_to_nothing_of_one_officer(
    platform: Platform, browser: Browser, agencies: dict[str, str], width: int, height: int
) -> None:
    agency, url, keys = await made(platform, agencies, "many"), platform.stack.urls["portal"][0], platform.stack.keys
    async with reading(browser, url, width=width, height=height) as reader:
        page = reader.page
        await page.goto(links(url, keys, next(iter(keys.officers)))["analyst"])
        await page.click(f'[data-keep="agency-{agency}"]')
        for language, heading, title in (
            ("th", "ทักษะของหน่วยงาน", "ทักษะของหน่วยงาน"),
            ("en", "Skills of agency", "An agency's skills"),
        ):
            await page.wait_for_selector(f"html[lang={language}]")
            await page.wait_for_selector(f"h1:has-text('{heading}')")
            await expect(page).to_have_title(re.compile(title))
            await expect(page.locator(".groups .gap")).to_have_count(2)
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            await switch_language(page)
        assert [one for one in reader.requests if "/officers" in one] == []
        await page.click("[data-keep=another-agency]")
        await page.wait_for_selector("#agency")


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_an_analyst_of_one_agency_sees_that_one_at_once_and_no_other(
    platform: Platform, browser: Browser, agencies: dict[str, str], width: int, height: int
) -> None:
    agency, other = await made(platform, agencies, "many"), await made(platform, agencies, "few")
    key = await platform.stack.issuer.issue(TENANT, "analyst", agency=agency)
    async with reading(browser, platform.stack.urls["portal"][0], width=width, height=height) as reader:
        page = reader.page
        await reader.sign_in(key)
        for language, heading, unknown in (
            ("th", "ทักษะของหน่วยงาน", "ไม่พบเจ้าหน้าที่ของหน่วยงานนี้"),
            ("en", "Skills of agency", "We know no officers of this agency"),
        ):
            await page.wait_for_selector(f"html[lang={language}] .groups .gap")
            await reader.reads("h1", f"{heading} {agency}")
            await expect(page.locator("[data-keep=another-agency]")).to_have_count(0)
            await page.evaluate(f"location.hash = '#view=agency&agency={other}'")
            await page.wait_for_selector(f".notice.refused:has-text('{unknown}')")
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            await page.click("[data-keep=another-agency]")  # the way back to the own one
            await page.wait_for_selector(".groups .gap")
            await switch_language(page)
