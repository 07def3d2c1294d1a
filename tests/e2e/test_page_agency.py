"""The agency's page in a real Chromium over the whole system: what heads of agencies read, ask and take along."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from deploy.local.keys import TENANT, links
from tests.support.agencies import agency_of
from tests.support.page import PHONE, SIZES, Reader, change_answers, reading, switch_language
from tests.support.platform import Platform

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

    def earlier(body: dict[str, Any]) -> None:
        body["history"].insert(0, body["history"][0] | {"day": "2026-01-05", "before": 0.11})

    await change_answers(reader.page, "**/gaps*", earlier)
    await reader.page.reload()
    await reader.page.wait_for_selector(".over-time .gap")
    await expect(reader.page.locator(".over-time .gap")).to_have_count(2)
    await reader.reads('.over-time [data-row="2026-01-05"]', "11%")
    await reader.page.wait_for_selector(".in-time form")
    await reader.opens_all(".agency")
    await expect(reader.page.locator(".over-time tbody tr")).to_have_count(2)
    await reader.is_sound()


def text_of(file: Path) -> str:
    """Return what a report says."""
    return file.read_text(encoding="utf-8-sig")


def rows_of(file: Path) -> list[dict[str, str]]:
    """Return the lines of a report; of what stands in Thai with the English name beside it, that name."""

    def english(cell: str) -> str:
        found = re.fullmatch(r"[\u0e00-\u0e7f ]+ \((\w+)\)", cell)
        return found[1] if found else cell

    lines = csv.reader(io.StringIO(text_of(file)))
    header, *rows = [[english(cell) for cell in line] for line in lines]
    return [dict(zip(header, row, strict=True)) for row in rows]


async def test_an_agency_report_is_read_queried_and_exported(
    platform: Platform, reader: Reader, agencies: dict[str, str]
) -> None:
    agency = await made(platform, agencies, "many")
    page = reader.page
    await reader.sign_in(platform.stack.keys.platform, "/#view=agency")
    await page.wait_for_selector("#agency")
    await reader.is_sound()
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
    await reader.opens_all(".agency")
    for language, heading, hire, more_time in WORDS:
        await page.wait_for_selector(f"html[lang={language}]")
        await reader.reads("h1", heading)
        for advice, words in (("hire", hire), ("more_time", more_time)):
            answer = page.locator(".in-time .answer", has_text=words)
            await expect(answer).to_have_count(int(advice in advised))
        await reader.is_sound()
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


async def test_tables_that_nobody_opened_are_on_paper_and_frameworks_have_their_names(
    platform: Platform, reader: Reader, agencies: dict[str, str]
) -> None:
    agency = await made(platform, agencies, "many")
    framework = await platform.insist("catalog", "GET", "/v1/frameworks/th-digital-2018")
    page = reader.page
    await reader.sign_in(platform.stack.keys.platform, f"/#view=agency&agency={agency}")
    await page.wait_for_selector(".in-time form")
    await expect(page.locator(".agency > p", has_text=framework["title"]["th"])).to_have_count(1)
    await expect(page.locator("tbody")).to_have_count(0)
    await page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    await page.emulate_media(media="print")
    for part in ("groups", "agency-skills", "group-skills", "agency-courses"):
        rows = page.locator(f".{part} tbody tr")
        await expect(rows).not_to_have_count(0)
        for row in await rows.all():
            await expect(row).to_be_visible()
    await page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    await page.emulate_media(media="screen")
    await expect(page.locator(".groups tbody tr >> nth=0")).to_be_visible()  # what was opened stays open


@pytest.mark.parametrize(
    ("groups", "officers", "pooled"),
    [({"technology": 5, "service": 2}, 5, 0), ({"technology": 5, "service": 3, "others": 2}, 10, 1)],
)
async def test_a_small_job_group_is_in_no_figure_chart_file_or_print(  # noqa: PLR0917 - cases
    platform: Platform, reader: Reader, agencies: dict[str, str], groups: dict[str, int], officers: int, pooled: int
) -> None:
    """`officers`: those whose figures are shown; `pooled`: how many groups of pooled officers."""
    if (kind := str(groups)) not in agencies:
        agencies[kind], _ = await agency_of(platform, **groups)
    agency = agencies[kind]
    key = await platform.stack.issuer.issue(TENANT, "analyst", agency=agency)
    framework = await platform.insist("catalog", "GET", "/v1/frameworks/th-digital-2018", key=key)
    small = [one for one in framework["job_groups"] if groups.get(one["id"], 0) in range(1, 5)]
    forbidden = [
        words
        for one in small
        for words in (
            one["title"]["th"],
            *(form.format(one["title"]["en"]) for form in (">{}<", ",{},", '"en":"{}"')),  # a skill has that word too
            *(form.format(one["id"]) for form in ('"{}"', ",{},", "group-{}")),
        )
    ]
    page = reader.page
    async with page.expect_response("**/gaps*") as answered:
        await reader.sign_in(key)
    answer = await (await answered.value).text()
    await page.wait_for_selector(".groups .gap")
    await page.fill("#agency-deadline", (datetime.now(UTC) + timedelta(days=90)).date().isoformat())
    async with page.expect_response("**/gaps*") as answered:
        await page.click("[data-keep=ask-in-time]")
    in_time = await (await answered.value).text()
    await page.wait_for_selector(".in-time .answer")
    await page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for text in ("th", "en"):
        await page.wait_for_selector(f"html[lang={text}]")
        await expect(page.locator(".groups .gap")).to_have_count(1 + pooled)
        await expect(page.locator(".group-skills tbody")).to_have_count(1 + pooled)
        await reader.reads(".sentence", f"{officers}")
        for media in ("screen", "print"):
            await page.emulate_media(media=media)
            shown = await page.content()
            assert [one for one in forbidden if one in shown] == []
        await page.emulate_media(media="screen")
        await reader.fits()
        await switch_language(page)
    async with page.expect_download() as downloading:
        await page.click("[data-keep=agency-csv]")
    file = Path(await (await downloading.value).path())
    assert [one for one in forbidden if one in text_of(file) + answer + in_time] == []
    rows = rows_of(file)
    assert [row["officers"] for row in rows if row["part"] == "job_group"] == ["5"] * (1 + pooled)
    counted = {row[name] for row in rows for name in ("officers", "short", "unreachable", "insufficient_time")}
    assert counted <= {"", "0", "<5", "5", "10"}


async def test_two_thousand_job_groups_are_shown_in_parts_and_are_whole_in_the_file(
    platform: Platform, reader: Reader, agencies: dict[str, str]
) -> None:
    agency = await made(platform, agencies, "many")
    many, first = 2000, 50
    page = reader.page

    def multiplied(body: dict[str, Any]) -> None:
        found = body["groups"]
        body["groups"] = [found[n % 2] | {"job_group": f"g{n}", "title": {"th": f"กลุ่มงานที่ {n}"}} for n in range(many)]
        [today] = body["history"]
        past = [today["groups"][n % 2] | {"job_group": f"g{n}", "before": 0.11} for n in range(many)]
        body["history"] = [today | {"day": day, "groups": past} for day in ("2026-01-05", "2026-02-05")]

    await change_answers(page, "**/gaps*", multiplied)
    await reader.sign_in(platform.stack.keys.platform, f"/#view=agency&agency={agency}")
    await page.wait_for_selector(".groups .gap")
    await expect(page.locator(".groups .gap")).to_have_count(first)
    await expect(page.locator(".group-skills > details")).to_have_count(first + 1)
    await page.wait_for_selector(".over-time .gap")
    await expect(page.locator(".group-skills > details >> nth=0 >> .group-past .gap")).to_have_count(2)
    await reader.reads(".group-past .gap", "11%")
    for words in ("กลุ่มงานอื่นอีก 1,950 กลุ่ม", "1,950 more job groups"):
        await reader.reads("[data-keep=more-groups] > summary", words)
        await reader.fits()
        await switch_language(page)
    await reader.is_sound(outside=".groups details")
    await page.focus("[data-keep=more-groups] > summary")
    await page.keyboard.press("Enter")
    await expect(page.locator(".groups .gap")).to_have_count(many)
    await page.focus("[data-keep=more-group-skills] > summary")
    await page.keyboard.press("Enter")
    await expect(page.locator(".group-skills [data-keep^=group-g]:not([data-keep$=table])")).to_have_count(many)
    await reader.fits()
    async with page.expect_download() as downloading:
        await page.click("[data-keep=agency-csv]")
    rows = rows_of(Path(await (await downloading.value).path()))
    assert sum(row["part"] == "job_group" for row in rows) == many
    assert sum(row["part"] == "past_job_group" for row in rows) == 2 * many


async def test_an_agency_of_forty_job_groups_is_read_as_one_of_two(
    platform: Platform, browser: Browser, agencies: dict[str, str]
) -> None:
    agency = await made(platform, agencies, "many")
    title = "เจ้าหน้าที่วิเคราะห์นโยบายและแผนด้านเทคโนโลยีสารสนเทศและการสื่อสารเพื่อการบริหารราชการส่วนภูมิภาค"
    async with reading(browser, platform.portal, sizes=[(320, 640), *SIZES]) as reader:
        page = reader.page

        def multiplied(body: dict[str, Any]) -> None:
            found = body["groups"]
            body["groups"] = [
                found[n % len(found)] | {"job_group": f"group-{n}", "before": n / 40, "title": {"th": f"{title} {n}"}}
                for n in range(40)
            ]

        await change_answers(page, "**/gaps*", multiplied)
        await reader.sign_in(platform.stack.keys.platform, f"/#view=agency&agency={agency}")
        await page.wait_for_selector(".groups .gap")
        await expect(page.locator(".groups .gap")).to_have_count(40)
        await expect(page.locator(".groups .verdict")).to_have_count(1)
        await expect(page.locator(".group-skills details[open]")).to_have_count(1)
        one_group = await page.locator(".group-skills .gap").count()
        assert 0 < one_group < 40
        for _ in ("th", "en"):
            await reader.is_sound()
            await switch_language(page)
        await page.click("[data-keep=groups-table] > summary")
        await page.wait_for_selector(".groups tbody")
        async for width in reader.windows():
            wide = int(width < 480)  # px, the least width of a table
            await expect(page.locator(".groups .scrolls", has_text="เลื่อนตาราง")).to_have_count(wide)
        await page.locator(".group-skills > details > summary").last.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_function("() => document.querySelectorAll('.group-skills > details[open]').length === 2")
        await page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        await expect(page.locator(".group-skills > details tbody")).to_have_count(40)


async def test_the_report_is_read_by_keyboard_alone(
    platform: Platform, browser: Browser, agencies: dict[str, str]
) -> None:
    agency = await made(platform, agencies, "many")
    async with reading(browser, platform.portal, sizes=PHONE) as reader:
        page = reader.page
        await reader.sign_in(await platform.stack.issuer.issue(TENANT, "analyst"))
        await page.wait_for_selector("#agency")
        await reader.tab_to("agency")
        await page.keyboard.type(agency)
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".groups .gap")
        await reader.tab_to("agency-csv")
        async with page.expect_download():
            await page.keyboard.press("Enter")
        for part in ("groups", "agency-skills", "agency-courses"):
            while not await page.evaluate(f"document.activeElement.matches('[data-keep={part}-table] > summary')"):
                await page.keyboard.press("Tab")
            await page.keyboard.press("Enter")
            await page.locator(f".{part} tbody tr >> nth=0").wait_for()
        for name, typed in (("agency-weekly", "0.5"), ("agency-deadline", f"{datetime.now(UTC):1231%Y}")):
            await reader.tab_to(name)
            await page.keyboard.press("Control+A")
            await page.keyboard.type(typed)
        await reader.tab_to("ask-in-time")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(".in-time .answer")
        await reader.has_focus("ask-in-time")


async def test_small_and_unknown_agencies_have_a_plain_message(
    platform: Platform, browser: Browser, agencies: dict[str, str]
) -> None:
    few = await made(platform, agencies, "few")
    async with reading(browser, platform.portal, sizes=[(320, 640), *SIZES]) as reader:
        page = reader.page
        await reader.sign_in(await platform.stack.issuer.issue(TENANT, "admin"), f"/#view=agency&agency={few}")
        await page.wait_for_selector(".agency .notice")
        await reader.reads(".agency .notice", "ไม่ให้ระบุตัวบุคคลได้")
        await expect(page.locator(".agency .gap")).to_have_count(0)
        await switch_language(page)
        await reader.reads(".agency .notice", "nobody can be recognised")
        await reader.is_sound()
        await page.evaluate("location.hash = '#view=agency&agency=nobody-knows-it'")
        await page.wait_for_selector(".notice.refused")
        await reader.reads(".notice.refused", "We know no officers of this agency")
        await reader.is_sound()
        await page.click("[data-keep=another-agency]")
        await page.fill("#agency", few)
        await page.press("#agency", "Enter")
        await page.wait_for_selector(".agency .notice:not(.refused)")


async def test_an_analyst_signs_in_by_link_to_the_figures_and_to_nothing_of_one_officer(
    platform: Platform, browser: Browser, agencies: dict[str, str]
) -> None:
    agency, url, keys = await made(platform, agencies, "many"), platform.portal, platform.stack.keys
    async with reading(browser, url, sizes=SIZES) as reader:
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
            await reader.is_sound()
            await switch_language(page)
        assert [one for one in reader.requests if "/officers" in one] == []
        await page.click("[data-keep=another-agency]")
        await page.wait_for_selector("#agency")


async def test_an_analyst_of_one_agency_sees_that_one_at_once_and_no_other(
    platform: Platform, reader: Reader, agencies: dict[str, str]
) -> None:
    agency, other = await made(platform, agencies, "many"), await made(platform, agencies, "few")
    key = await platform.stack.issuer.issue(TENANT, "analyst", agency=agency)
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
        await reader.is_sound()
        await page.click("[data-keep=another-agency]")  # the way back to the own one
        await page.wait_for_selector(".groups .gap")
        await switch_language(page)
