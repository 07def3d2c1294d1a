"""Loading files that are large, badly encoded or interrupted, in a real Chromium over the whole system."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from deploy.local.seed import answered, bearer
from tests.support.builders import unique
from tests.support.editors import Tenant, editing
from tests.support.page import PHONE, SIZES, Reader, reading, sign_out, switch_language
from tests.support.platform import Platform
from tests.support.tcp_proxy import TcpProxy, proxied
from tests.support.waiting import until

ROWS = 600
PADDING = "หมายเหตุ " * 1000
"""Text of a column that is not read: the file is larger than what waits between a browser and a portal."""

WIDE = "\n".join(
    ",".join(cells)
    for cells in [
        ["title", "<b>name</b>" * 40, *(f"column{n}" for n in range(118))],
        ["<img src=x onerror=alert(1)>", "\u202eRTL", "ยาว" * 5000, *["W" * 200] * 117],
    ]
)
"""A table of 120 columns with names and cells of any length, as no agency should send it."""

WIDEST = "all => Math.max(...all.map((one) => one.offsetWidth))"

MIDDLE = 2_000_000
"""Bytes of an upload after which it is held or cut."""


def padded(folder: Path) -> Path:
    """Return a file of 15 MB with ROWS courses."""
    file = folder / "courses.csv"
    lines = ["title,hours,provider,languages,remark", *(f"Course {n},{n % 40 + 1},P,th,{PADDING}" for n in range(ROWS))]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert file.stat().st_size > 3 * MIDDLE
    return file


@asynccontextmanager
async def reading_by_proxy(
    platform: Platform, browser: Browser, sizes: Sequence[tuple[int, int]] = SIZES
) -> AsyncIterator[tuple[Tenant, Reader, TcpProxy]]:
    """Yield a new tenant, and somebody at a page that is connected through a TCP proxy."""
    name = unique("editors")
    tenant = Tenant(platform, name, await platform.stack.issuer.issue(name, "admin"))
    async with (
        proxied(platform.portal) as proxy,
        reading(browser, proxy.url, sizes=sizes) as reader,
    ):
        yield tenant, reader, proxy


async def checks(reader: Reader, tenant: Tenant, file: Path, key: str = "") -> None:
    """Sign in as an editor, a new one without `key`, and look at a file."""
    await reader.sign_in(key or await tenant.editor(), "/#view=load")
    await reader.page.wait_for_selector("#file")
    await reader.page.set_input_files("#file", file)
    await reader.page.click("[data-keep=check]")
    await reader.page.wait_for_selector("[data-keep=store]")


async def stores_half(reader: Reader, proxy: TcpProxy) -> None:
    """Store the file, which is held in its middle, until the report of its first rows is stored."""
    proxy.hold(MIDDLE)
    await reader.page.click("[data-keep=store]")
    await proxy.reached.wait()
    await reader.reads("#load-sent", "แถว")


async def own_courses(tenant: Tenant) -> int:
    """Return how many courses the tenant itself has."""
    found: int = 0
    after: str = ""
    while True:
        page = await tenant.ask("GET", f"/v1/courses?limit=500&after={after}")
        found += sum(one["provider"] == {"en": "P"} for one in page["courses"])
        if page["next"] is None:
            return found
        after = page["next"]


async def counts(reader: Reader, verdict: str, number: int) -> None:
    await expect(reader.page.locator(f"[data-verdict={verdict}] dd")).to_have_text(f"{number}", use_inner_text=True)


async def test_an_upload_whose_connection_is_lost_is_not_called_done_and_is_sent_again(
    platform: Platform, browser: Browser, tmp_path: Path
) -> None:
    async with reading_by_proxy(platform, browser) as (tenant, reader, proxy):
        page = reader.page
        await checks(reader, tenant, padded(tmp_path))
        await stores_half(reader, proxy)
        proxy.cut(MIDDLE)
        proxy.release()
        await page.wait_for_selector("[data-keep=load-again]")
        assert proxy.reached.is_set()
        for unknown, lost in (
            ("ก่อนทราบผลการบันทึก", "ติดต่อระบบไม่ได้"),
            ("before the result was known", "The system cannot be reached"),
        ):
            await reader.reads("#load-status", unknown)
            await reader.reads(".notice.refused", lost)
            await reader.is_sound()
            await switch_language(page)
        proxy.mend()
        assert 0 < await own_courses(tenant) < ROWS
        await reader.tab_to("load-again")
        await page.keyboard.press("Enter")
        await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
        await expect(page.locator(".notice.refused")).to_have_count(0)
        assert await own_courses(tenant) == ROWS


async def test_an_upload_shows_how_far_it_is_and_goes_on_while_another_page_is_open(
    platform: Platform, browser: Browser, tmp_path: Path
) -> None:
    async with reading_by_proxy(platform, browser) as (tenant, reader, proxy):
        page = reader.page
        await checks(reader, tenant, padded(tmp_path))
        proxy.hold(MIDDLE)
        await page.click("[data-keep=store]")
        await proxy.reached.wait()
        await page.wait_for_selector(".load-progress progress[value]")
        for words in ("ส่งไฟล์แล้ว", "of the file is sent"):
            await reader.reads("#load-sent", words)
            await reader.is_sound()
            await switch_language(page)
        figure = page.locator("[data-verdict=created] dd")

        async def counted() -> bool:
            return await figure.inner_text() == str(await own_courses(tenant)) != "0"

        await until(counted, "the page counts what is stored while the file is held")
        share = float(await page.get_attribute(".load-progress progress", "value") or "")
        assert 0 < share < 1
        await reader.goes_to("courses")
        await page.wait_for_selector("#q")
        await page.go_back()
        await page.wait_for_selector("[data-keep=stop]")
        await reader.reads("#load-file", "courses.csv")
        await reader.goes_to("courses")
        await page.wait_for_selector("#q")
        proxy.release()
        await page.go_back()
        await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
        await counts(reader, "created", ROWS)
        assert await own_courses(tenant) == ROWS


async def test_an_upload_whose_answers_alone_are_lost_shows_the_stored_report(
    platform: Platform, tenant: Tenant, reader: Reader, tmp_path: Path
) -> None:
    file, rows = tmp_path / "courses.csv", "title,hours,provider,languages\nOne,6,P,th\n,6,P,th\n"
    file.write_text(rows, encoding="utf-8")
    page = reader.page

    async def answers_are_lost(route: Route) -> None:
        path = route.request.url.partition("/api")[2]
        url = platform.stack.urls["catalog"][0] + path
        headers = {**bearer(tenant.key), "Content-Type": "text/csv"}
        async with answered(platform.session, "POST", url, data=rows.encode(), headers=headers) as answer:
            verdicts = await answer.text()
        assert '"finished"' in verdicts
        await route.abort("connectionreset")

    await checks(reader, tenant, file)
    await page.route("**/courses:import*", answers_are_lost)
    await page.click("[data-keep=store]")
    for words, verdict in (("บันทึกเสร็จแล้ว", "ไม่รับ"), ("Done", "Refused")):
        await reader.reads("#load-status", words)
        await reader.reads(".rows > li.refused", verdict)
        await counts(reader, "created", 1)
        await counts(reader, "refused", 1)
        await expect(page.locator(".notice.refused")).to_have_count(0)
        await reader.is_sound()
        await switch_language(page)
    async with page.expect_download() as download:
        await page.click("[data-keep=report]")
    report = (await (await download.value).path()).read_text(encoding="utf-8-sig")
    assert report.count(" (created),") == report.count(" (refused),") == 1


async def test_an_upload_stops_once_its_person_has_signed_out_in_another_tab(
    platform: Platform, browser: Browser, tmp_path: Path
) -> None:
    async with reading_by_proxy(platform, browser) as (tenant, reader, proxy):
        page, key = reader.page, await tenant.editor()
        await checks(reader, tenant, padded(tmp_path), key)
        await stores_half(reader, proxy)
        other = await page.context.new_page()
        await other.goto(reader.url)
        await sign_out(other)
        await other.close()
        await page.wait_for_selector("#key")
        asked = sum("/v1/imports/" in url for url in reader.requests)
        proxy.release()

        async def ended() -> str | None:
            state: str = (await tenant.ask("GET", "/v1/imports"))["imports"][0]["state"]
            return None if state == "running" else state

        assert await until(ended, "the import has ended") == "stopped"
        assert sum("/v1/imports/" in url for url in reader.requests) == asked
        await page.fill("#key", key)
        await page.press("#key", "Enter")
        await reader.reads("#load-status", "ยังบันทึกไม่ครบ")
        await expect(page.locator(".notice.refused")).to_have_count(0)
        await reader.is_sound()
        await page.click("[data-keep=load-again]")
        await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
        assert await own_courses(tenant) == ROWS


async def test_who_stops_an_upload_or_signs_out_reads_that_it_is_stopped_and_of_no_lost_connection(
    platform: Platform, browser: Browser, tmp_path: Path
) -> None:
    async with reading_by_proxy(platform, browser, PHONE) as (tenant, reader, proxy):
        page, key = reader.page, await tenant.editor()
        await checks(reader, tenant, padded(tmp_path), key)
        await stores_half(reader, proxy)
        await page.click("[data-keep=stop]")
        await reader.reads("#load-status", "ยังบันทึกไม่ครบ")
        await expect(page.locator(".notice.refused")).to_have_count(0)
        assert await reader.violations() == []
        proxy.release()
        proxy.hold(MIDDLE)
        await page.click("[data-keep=load-again]")
        await proxy.reached.wait()
        await reader.reads("#load-sent", "แถว")
        await sign_out(page)
        proxy.release()

        async def ended() -> list[str] | None:
            imports = (await tenant.ask("GET", "/v1/imports"))["imports"]
            states = [one["state"] for one in imports]
            return None if "running" in states else states

        assert await until(ended, "the imports have ended") == ["stopped", "stopped"]
        assert await own_courses(tenant) < ROWS
        await page.fill("#key", key)
        await page.press("#key", "Enter")
        await reader.goes_to("load")
        await reader.reads("#load-status", "ยังบันทึกไม่ครบ")
        await expect(page.locator(".notice.refused")).to_have_count(0)
        await page.click("[data-keep=load-again]")
        await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
        assert await own_courses(tenant) == ROWS


async def test_a_file_of_10000_rows_is_looked_at_and_its_report_has_them_all(
    platform: Platform, browser: Browser, tmp_path: Path
) -> None:
    rows, file = 10_000, tmp_path / "รายวิชา.csv"
    about = "เรียนรู้การใช้ข้อมูลเพื่อการบริการประชาชน " * 2
    lines = [f"หลักสูตรที่ {n},{'' if n % 10 == 0 else n % 40 + 1},{about}" for n in range(rows)]
    file.write_text("\n".join(["ชื่อหลักสูตร,จำนวนชั่วโมง,คำอธิบาย", *lines]), encoding="utf-8")
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page
        await checks(reader, tenant, file)
        await reader.reads("#load-status", f"{rows:,} แถว")
        await counts(reader, "created", rows)
        shown = await page.locator(".rows > li").count()
        assert shown == 200
        for _ in ("th", "en"):
            await reader.is_sound()
            await switch_language(page)
        async with page.expect_download() as download:
            await page.click("[data-keep=report]")
        report = (await (await download.value).path()).read_text(encoding="utf-8-sig")
        assert report.count(" (created),") == rows


async def test_files_of_other_encodings_or_very_wide_are_read_and_a_wrong_guess_is_corrected(
    tenant: Tenant, reader: Reader
) -> None:
    page = reader.page
    await reader.sign_in(await tenant.editor(), "/#view=load")

    async def looks(at: bytes) -> None:
        await page.set_input_files("#file", {"name": "courses.csv", "mimeType": "text/csv", "buffer": at})
        await page.click("[data-keep=check]")
        await page.wait_for_selector("#encoding")

    thai = "ชื่อหลักสูตร,จำนวนชั่วโมง\nการวิเคราะห์ข้อมูลภาครัฐ,6\n"
    for encoding, name in (("cp874", "cp874"), ("utf-16", "utf-16"), ("utf-8-sig", "utf-8")):
        await looks(thai.encode(encoding))
        await page.wait_for_selector("[data-column='ชื่อหลักสูตร']")
        await expect(page.locator("[data-column='ชื่อหลักสูตร']")).to_have_value("title")
        await reader.reads("#encoding option:checked", name)
    await looks(WIDE.encode())
    await expect(page.locator(".sample thead th")).to_have_count(101)
    await expect(page.locator("[data-column]")).to_have_count(20)  # each has a list of all that may be read
    await page.click("[data-keep=columns-rest] summary")
    await expect(page.locator("[data-column]")).to_have_count(120)
    await page.select_option("[data-column=column117]", "description")
    await page.wait_for_selector("[data-keep=check-again]")
    await expect(page.locator("[data-column=column117]")).to_be_visible()
    await expect(page.locator(".sample td").first).to_have_text("<img src=x onerror=alert(1)>")
    for words in ("แสดง 100 คอลัมน์แรก", "The first 100 columns"):
        await reader.reads("#sample-columns", words)
        await reader.is_sound()
        await switch_language(page)
    async for _ in reader.windows():
        assert await page.locator(".sample :is(th, td)").evaluate_all(WIDEST) <= 320
    await looks("title,hours\nExcel ก Word ข,6\n".encode("cp874"))  # single letters, as of a Western language
    for words in ("ตามที่ระบบตรวจพบ (cp1252)", "As recognised (cp1252)"):
        await reader.reads("#encoding option:checked", words)
        await reader.is_sound()
        await switch_language(page)
    await page.select_option("#encoding", "tis-620")
    await page.click("[data-keep=check-again]")
    await page.wait_for_selector("[data-keep=store]")
    await expect(page.locator("[data-column=title]")).to_have_value("title")
    await page.click("[data-keep=store]")
    await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
    stored = (await tenant.ask("GET", "/v1/courses?limit=500"))["courses"]
    assert "Excel ก Word ข" in [title for one in stored for title in one["title"].values()]


@pytest.mark.parametrize("body", ["<!doctype html>\n<title>A proxy</title>\n", '{"line": 1, "status": "crea'])
async def test_an_answer_that_is_no_list_of_rows_ends_the_upload_and_the_file_can_be_sent_again(
    platform: Platform, browser: Browser, tmp_path: Path, body: str
) -> None:
    file = tmp_path / "courses.csv"
    file.write_text("title,hours,provider,languages\nOne,6,P,th\n", encoding="utf-8")
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page

        async def unreadable(route: Route) -> None:
            await route.fulfill(status=200, content_type="text/html", body=body)

        await page.route("**/courses:import*", unreadable)
        await reader.sign_in(await tenant.editor(), "/#view=load")
        await page.set_input_files("#file", file)
        await page.click("[data-keep=check]")
        await reader.reads(".notice.refused", "ติดต่อระบบไม่ได้")
        await page.unroute("**/courses:import*")
        await page.click("[data-keep=again]")
        await page.wait_for_selector("[data-keep=store]")
        await page.route("**/courses:import*", unreadable)
        await page.click("[data-keep=store]")
        await reader.reads("#load-status", "ยังบันทึกไม่ครบ")
        await reader.reads(".notice.refused", "ติดต่อระบบไม่ได้")
        assert await reader.violations() == []
        await page.unroute("**/courses:import*")
        await page.click("[data-keep=load-again]")
        await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
        assert await own_courses(tenant) == 1


@pytest.mark.parametrize("button", ["check-again", "store"])
async def test_a_file_that_was_changed_after_it_was_chosen_is_to_be_chosen_again(
    platform: Platform, browser: Browser, tmp_path: Path, button: str
) -> None:
    file = tmp_path / "courses.csv"
    file.write_text("title,hours,provider,languages\nOne,,P,th\n", encoding="utf-8")
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page
        await checks(reader, tenant, file)
        if button == "check-again":
            await page.select_option("[data-column=languages]", "")
        chosen = file.stat().st_mtime
        file.write_text("title,hours,provider,languages\nOne,6,P,th\nTwo,6,P,th\n", encoding="utf-8")
        os.utime(file, (chosen + 60, chosen + 60))  # a browser compares whole seconds
        await page.click(f"[data-keep={button}]")
        for words in ("ไฟล์ถูกแก้ไขหรือย้ายที่", "The file was changed or moved"):
            await reader.reads(".notice.refused", words)
            await expect(page.locator("[data-keep=again], [data-keep=load-again]")).to_have_count(0)
            assert await reader.violations() == []
            await switch_language(page)
        await page.set_input_files("#file", file)
        await page.click("[data-keep=check]")
        await page.wait_for_selector("[data-keep=store]")
        await page.click("[data-keep=store]")
        await reader.reads("#load-status", "บันทึกเสร็จแล้ว")
        assert await own_courses(tenant) == 2


async def test_a_large_file_that_is_no_table_is_refused_with_its_reason(
    platform: Platform, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "courses.csv"
    file.write_bytes(b"PK\x03\x04" + bytes(12_000_000))
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        page = reader.page
        await reader.sign_in(await tenant.editor(), "/#view=load")
        await page.set_input_files("#file", file)
        await page.click("[data-keep=check]")
        await page.wait_for_selector(".notice.refused >> text=ไฟล์นี้ไม่ใช่ไฟล์ข้อความ (ZIP, .xlsx)")
        assert await reader.violations() == []
