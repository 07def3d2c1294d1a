"""The officers' page in a real Chromium, over the whole system: what an officer sees, and what they can do."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.support.editors import editing
from tests.support.page import (
    IN_BOTH_WINDOWS,
    PHONE,
    Reader,
    at_the_path,
    in_both_languages,
    reading,
    sign_out,
    switch_language,
)
from tests.support.platform import Officer, Platform, planned_officer, required
from tests.support.waiting import until

FONT = "Noto Sans Thai"


@IN_BOTH_WINDOWS
async def test_a_path_arrives_on_the_open_page_and_each_change_is_announced(platform: Platform, reader: Reader) -> None:
    officer = Officer(platform)
    page = reader.page
    await page.goto(reader.url)
    await reader.shows("signIn")
    await expect(page.locator("html")).to_have_attribute("lang", "th")
    await reader.is_sound()

    await reader.sign_in(await officer.api_key())
    await reader.shows("waiting")
    await expect(page.locator("h1").first).to_have_text("กำลังรอเส้นทางของท่าน", use_inner_text=True)
    await in_both_languages(reader, "#main", "กรุณาติดต่อหน่วยงาน", "ask the agency")
    await reader.is_sound()

    await officer.register()
    assert "เส้นทางของท่านมาถึงแล้ว" in await reader.news("มาถึงแล้ว")
    await reader.shows("path")
    await expect(page.locator(".notice h2").first).to_have_text("เส้นทางชั่วคราว", use_inner_text=True)
    await reader.is_sound()
    await reader.dismisses()

    await officer.assess(required(0.5))
    news = await reader.news("เพราะมีผลประเมินใหม่")
    assert "%" in news
    assert "ยังเป็นของเดิม" in news
    await expect(page.locator(".notice.provisional")).to_have_count(1)  # nothing jumps while somebody reads
    await reader.is_sound()
    await reader.shows_change()
    await reader.has_focus("dismiss")
    await expect(page.locator(".step")).not_to_have_count(0)
    await expect(page.locator(".notice.provisional")).to_have_count(0)
    await expect(page.locator("#news")).to_have_attribute("role", "status")
    await expect(page.locator(".step:not(:has(.so-far progress))")).to_have_count(0)  # each card is drawn by itself
    hours: list[float] = await page.locator(".so-far progress").evaluate_all("all => all.map(one => one.value)")
    assert hours == sorted(hours)
    assert hours[-1] == 1
    await reader.is_sound()
    for selector in ("h1", ".step h3", ".reason", ".gap-title strong"):
        fonts = await reader.fonts(selector)
        assert all(font.startswith(FONT) for font in fonts), fonts  # ours, whatever the machine has
    await reader.dismisses()

    levels = required(0.5)
    await officer.assess(levels | dict.fromkeys(list(levels)[: len(levels) // 2], 4))
    assert "เวลาเรียน" in await reader.news("นำออก")
    await expect(page.locator(".step .mark")).to_have_count(0)
    await reader.shows_change()
    await page.wait_for_function(
        "() => document.querySelectorAll('.step .mark').length"
        " === document.querySelectorAll('.step.new, .step.moved').length"
    )
    await page.click("text=ดูเป็นตาราง")
    await page.click("text=ตัวเลขเหล่านี้หมายความว่าอะไร")
    await expect(page.locator("table tbody tr")).to_have_count(len(levels))
    await reader.is_sound()


async def test_the_page_shows_when_no_gap_is_left_and_when_the_officer_was_erased(
    platform: Platform, reader: Reader
) -> None:
    officer = await planned_officer(platform, required(2))
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await in_both_languages(reader, ".notice h2", "มีทักษะครบตามที่งานต้องใช้แล้ว", "All skills that the work needs are there")
    await officer.erase()
    await reader.shows("erased")
    await in_both_languages(reader, "h1", "ข้อมูลนี้ถูกลบแล้ว", "These records were erased")


async def test_the_language_is_switched_with_one_press_and_remembered(platform: Platform, reader: Reader) -> None:
    officer = await planned_officer(platform)
    page = reader.page
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await page.wait_for_selector(".facts dd:not([lang])")
    await expect(page.locator("#language")).to_have_text("English", use_inner_text=True)
    await reader.reads(".facts time", "25")  # the Buddhist era: 25xx
    await reader.reads(".coverage-words .likely", "ตามที่ผู้เรียนมักเรียนจบ")
    await switch_language(page)
    await expect(page.locator("h1").first).to_have_text("Your learning path", use_inner_text=True)
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await reader.reads(".coverage-words .likely", "As courses are usually completed")
    await expect(page.locator("#language")).to_have_attribute("lang", "th")
    await reader.reads(".facts time", str(datetime.now(UTC).year))
    await reader.is_sound()
    await page.reload()
    await reader.shows("path")
    await expect(page.locator("h1").first).to_have_text("Your learning path", use_inner_text=True)
    storage = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert json.loads(storage) == [{"language": "en", "role": "officer"}, {}, ""]


async def test_a_language_that_cannot_be_fetched_is_reported_and_the_page_stays(reader: Reader) -> None:
    page = reader.page
    await page.route("**/static/en-*.js", lambda route: route.abort())
    await page.goto(reader.url)
    await reader.shows("signIn")
    await page.fill("#key", "entered")
    await page.click("#language")
    await page.wait_for_selector("#head-wrong:not(:empty)")
    await reader.reads("#head-wrong", "เป็นภาษาอังกฤษไม่ได้")
    await reader.reads("#head-wrong", "could not be shown in English")
    await expect(page.locator("html")).to_have_attribute("lang", "th")
    await expect(page.locator("#key")).to_have_value("entered")
    await reader.is_sound()
    await page.unroute("**/static/en-*.js")
    await switch_language(page)
    await expect(page.locator("#head-wrong")).to_be_empty()
    await expect(page.locator("#key")).to_have_value("entered")


@IN_BOTH_WINDOWS
async def test_the_page_is_used_with_the_keyboard_alone(platform: Platform, reader: Reader) -> None:
    officer = await planned_officer(platform)
    key = await officer.api_key()
    page, focused = reader.page, "document.activeElement.id || document.activeElement.localName"
    await page.goto(reader.url)
    await reader.shows("signIn")
    order = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        order.append(await page.evaluate(focused))
    assert order == ["skip", "language", "key", "button"]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.type(key)
    await page.keyboard.press("Enter")
    await reader.shows("path")
    await reader.has_focus("main")
    while await page.evaluate("document.activeElement.localName") != "summary":
        await page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(outline) == "solid"
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".step details[open] .closes")
    await officer.assess(required(0.6))
    await reader.news("%")
    await page.wait_for_selector("summary:focus, body:not(:has(:focus))")
    await page.focus("#language")
    await page.keyboard.press("Enter")
    await reader.has_focus("language")
    await expect(page.locator("h1").first).to_have_text("Your learning path", use_inner_text=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_nothing_is_wider_than_the_screen(platform: Platform, browser: Browser, scheme: Any) -> None:
    officer = await planned_officer(platform, required(0.4))
    async with reading(browser, platform.portal, sizes=[(360, 740)], scheme=scheme) as reader:
        await reader.page.goto(reader.url)
        await reader.shows("signIn")
        assert await reader.overflow() == 0
        await reader.sign_in(await officer.api_key())
        await reader.shows("path")
        for _ in ("th", "en"):
            await reader.opens_all("main")
            await reader.is_sound()
            await switch_language(reader.page)


async def test_a_wrong_key_and_a_lost_connection_are_explained(platform: Platform, reader: Reader) -> None:
    officer = Officer(platform)
    await officer.register()
    page = reader.page
    await reader.sign_in("no.key")
    await page.wait_for_selector("#key[aria-invalid]")
    await reader.has_focus("key")
    await in_both_languages(reader, "#key-wrong", "รหัสนี้ใช้ไม่ได้", "This key does not work")
    await reader.sign_in(await officer.api_key())
    await reader.shows("path")
    await page.wait_for_selector("#connection.open")
    async with platform.stack.restored():
        await platform.stack.stop("portal")
        await page.wait_for_selector("#connection.lost")
        await in_both_languages(reader, "#connection", "ขาดการเชื่อมต่อ", "The connection is lost")
        await officer.assess(required(0.5))
    await page.wait_for_selector("#connection.open", timeout=120_000)
    await reader.news("เพราะมีผลประเมินใหม่")

    async def no_cookies() -> bool:
        return await page.context.cookies() == []

    await sign_out(page)
    await reader.shows("signIn")
    await until(no_cookies, "the session's cookie is gone")


async def test_a_platform_chooses_the_officer(platform: Platform, reader: Reader) -> None:
    officer = Officer(platform)
    page = reader.page
    await reader.sign_in(platform.stack.keys.platform)
    await reader.shows("choose")
    await in_both_languages(reader, "h1", "ดูเส้นทางของใคร", "Whose path would you like to see?")
    await page.fill("#officer", "not an id")
    await page.press("#officer", "Enter")
    await page.wait_for_selector("#officer[aria-invalid]")
    await page.fill("#officer", officer.name)
    await page.press("#officer", "Enter")
    await reader.shows("unknown")
    await in_both_languages(reader, "h1", "ยังไม่พบเจ้าหน้าที่รหัสนี้", "We do not know this officer yet")
    await in_both_languages(reader, "#main", "กรุณาติดต่อผู้ที่ลงทะเบียน", "ask those who register")
    await page.go_back()
    await reader.shows("choose")
    await page.go_forward()
    await reader.shows("unknown")
    await officer.register()
    await reader.shows("path")
    await reader.reads(".whose", officer.name)
    await page.click(".whose a")
    await reader.shows("choose")


async def test_the_first_view_is_small_plain_and_begins_with_the_next_step(
    platform: Platform, browser: Browser
) -> None:
    async with at_the_path(platform, browser, sizes=PHONE) as (_, reader):
        page = reader.page
        entries: list[list[Any]] = await page.evaluate(
            "performance.getEntriesByType('resource').map(one => [one.name, one.encodedBodySize])"
        )
        weights = {name: size for name, size in entries if name.endswith((".js", ".css")) and "/en-" not in name}
        assert len(weights) >= 4
        assert all(weights.values())
        assert sum(weights.values()) <= 80_000
        [shown] = await reader.boxes(".next h2")
        assert shown["y"] + shown["height"] < 844  # the next step stands on the first screen
        for words in ("ซึ่งงานต้องใช้", "which the work requires"):
            await reader.reads(".next-why", words)
            await expect(page.locator(".next-why")).not_to_contain_text(re.compile(r"\d"))  # levels stand further down
            await expect(page.locator(".summary")).not_to_contain_text("%")
            await switch_language(page)
        await expect(page.locator(".gaps .coverage")).to_have_count(1)


DRAWN = """
  window.drawn = [];
  const parts = '.next, .facts, .card, #time-title, #gaps-title, #what-if-title, #why-not-title, #history-title';
  new MutationObserver((records) => {
    const added = records.flatMap((one) => [...one.addedNodes]).filter((one) => one.nodeType === Node.ELEMENT_NODE);
    const found = added.flatMap((one) => [one, ...one.querySelectorAll('*')]).filter((one) => one.matches(parts));
    if (found.length > 0) window.drawn.push(found.map((one) => one.id || one.className));
  }).observe(document, { childList: true, subtree: true });
"""
"""Notes which of the page's large parts are added to it together."""


async def fetched_of_officers(reader: Reader, shown: str) -> tuple[int, int]:
    """Load the page until something is shown; return how many files of the officers' page were fetched, of all."""
    reader.requests.clear()
    await reader.page.reload()
    await reader.page.wait_for_selector(shown)
    names = (await reader.page.get_attribute("script[data-files]", "data-files") or "").split()
    return sum(f"{reader.url}{name}" in reader.requests for name in names), len(names)


async def test_the_files_of_the_officers_page_are_fetched_early_for_no_other_role(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=PHONE) as (tenant, reader):
        await reader.page.goto(reader.url)
        fetched, named = await fetched_of_officers(reader, "#key")
        assert fetched == named > 1
        await reader.sign_in(await tenant.editor())
        await reader.page.wait_for_selector("#queue-end")
        assert await fetched_of_officers(reader, "#queue-end") == (0, named)


@pytest.mark.usefixtures("officer")
async def test_what_is_read_first_is_drawn_first_and_each_large_part_by_itself(reader: Reader) -> None:
    await reader.page.add_init_script(DRAWN)
    await reader.page.reload()
    await reader.shows("path")
    await reader.page.wait_for_selector("#why-not-title")
    drawn: list[list[str]] = await reader.page.evaluate("drawn")
    assert drawn[:2] == [["next"], ["facts"]]
    assert [together for together in drawn if len(together) > 1] == []
    assert drawn.count(["card"]) > 1
    await expect(reader.page.locator(".step .card")).to_have_count(drawn.count(["card"]))


Entry = dict[str, str]


async def saved_calendar(reader: Reader) -> list[Entry]:
    """Press the button for the calendar file; return its entries, property -> value (RFC 5545)."""
    async with reader.page.expect_download() as download:
        await reader.page.click("[data-keep=calendar]")
    found = await download.value
    assert found.suggested_filename == "learning-path.ics"
    raw = (await found.path()).read_bytes()
    lines = raw.split(b"\r\n")
    assert lines.pop() == b""
    assert max(map(len, lines)) <= 75
    assert b"\n" not in b"".join(lines)
    assert all(line.decode("utf-8") for line in lines)  # no line ends within a character
    entries: list[Entry] = []
    for line in raw.replace(b"\r\n ", b"").decode("utf-8").splitlines():
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            entries.append({})
        elif entries and name not in ("END", "BEGIN"):
            entries[-1][name.partition(";")[0]] = value
    return entries


async def test_the_plan_is_saved_to_a_calendar_by_week_and_printed(officer: Officer, reader: Reader) -> None:
    page = reader.page
    await expect(page.locator(".step .week")).not_to_have_count(0)
    steps = (await officer.path())["path"]["steps"]
    saved: dict[str, list[Entry]] = {}
    for language, hours in (("th", "ชั่วโมง"), ("en", "hour")):
        await page.wait_for_selector(f"html[lang={language}]")
        saved[language] = entries = await saved_calendar(reader)
        uids = [f"{step['course']['id']}.{officer.name}@learning-path" for step in steps]
        assert [entry["UID"] for entry in entries] == uids
        for step, entry in zip(steps, entries, strict=True):
            assert hours in entry["SUMMARY"]
            assert entry["SUMMARY"].startswith(step["course"]["title"][language].replace(",", "\\,"))
            assert entry["DESCRIPTION"].replace("\\", "").replace("\u00a0", " ") == step["reason"][language]
            begin, end = (datetime.strptime(entry[name], "%Y%m%d") for name in ("DTSTART", "DTEND"))  # noqa: DTZ007 - days
            assert (begin.weekday(), end.weekday(), begin < end) == (0, 0, True)  # whole weeks, from Monday on
        await reader.is_sound(inside=".path")
        await switch_language(page)

    await officer.assess(required(0.6))
    await reader.news("เพราะมีผลประเมินใหม่")
    await reader.shows_change()
    again = await saved_calendar(reader)
    stay = {entry["UID"]: int(entry["SEQUENCE"]) for entry in again}
    before = {entry["UID"]: int(entry["SEQUENCE"]) for entry in saved["th"]}
    assert stay.keys() & before.keys()
    assert all(stay[uid] >= before[uid] for uid in stay.keys() & before.keys())

    await page.evaluate("window.print = () => { window.printed = true; }")
    await page.click("[data-keep=print]")
    assert await page.evaluate("window.printed")
    await page.emulate_media(media="print")
    await expect(page.locator(".controls").first).to_be_hidden()
    await expect(page.locator(".step h3 >> nth=0")).to_be_visible()
    pressed = page.locator("main :is(button, .button)")
    assert not await pressed.evaluate_all("all => all.filter(one => one.checkVisibility()).length")
    await reader.fits()
