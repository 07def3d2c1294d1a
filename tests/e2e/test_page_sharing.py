"""Showing a plan by a link, and what supervisors read and state; in a real Chromium over the whole system."""

from playwright.async_api import Browser, Route, expect

from deploy.local.keys import TENANT
from tests.support.builders import unique
from tests.support.page import SIZES, Reader, in_both_languages, reading
from tests.support.platform import Officer, Platform, planned_officer, required
from tests.support.waiting import until


async def makes_a_link(own: Reader, officer: Officer) -> str:
    """Make a link that works for 30 days, by keyboard where it can be, and return its address."""
    await own.sign_in(await officer.api_key())
    await own.shows("path")
    assert not [one for one in own.requests if "/shares" in one]
    await own.tab_to("share-show")
    await own.page.keyboard.press("Enter")
    await own.page.wait_for_selector(".share h3 + p")
    await own.has_focus("share-title")
    await own.page.select_option("#share-days", "30")
    await own.page.click("[data-keep=share-make]")
    await own.page.wait_for_selector("#share-address")
    await own.page.wait_for_selector("[data-share]")  # the list is read again after the link is made
    await expect(own.page.locator("[data-share]")).to_have_count(1)
    await in_both_languages(own, ".share", "ลิงก์นี้ใช้ได้ถึงวันที่", "This link works until")
    return await own.page.input_value("#share-address")


async def names_and_weeks(reader: Reader) -> dict[str, list[str]]:
    """Return the areas, the levels of the scale, the facts and the weeks that a page of a path shows."""
    return {
        name: await reader.page.locator(selector).all_text_contents()
        for name, selector in (
            ("areas", "#main .area h3"),
            ("levels", "#main .scale dd"),
            ("facts", "#main .facts dd"),
            ("weeks", "#main .week"),
        )
    }


async def opens_the_link(shown: Reader, own: Reader, address: str, officer: Officer) -> None:
    """Read the path as its officer does at `own`, and ask for nothing else."""
    await shown.page.goto(address)
    await shown.page.wait_for_selector(".step")
    await in_both_languages(shown, "h1", f"เส้นทางการเรียนรู้ของ {officer.name}", f"Learning path of {officer.name}")
    paths = [one.removeprefix(shown.url) for one in shown.requests if "/static/" not in one]
    assert paths == ["/", f"/api/v1/officers/{officer.name}/path?lang=th%2Cen&context=true"]

    async def reads_the_same() -> bool:
        found = await names_and_weeks(shown)
        return all(found.values()) and found == await names_and_weeks(own)

    await until(reads_the_same, "names and weeks as the officer reads them")
    key = address.partition("share=")[2].partition("&")[0]
    assert not [one for one in shown.requests if key in one]
    assert await shown.page.context.cookies() == []
    await expect(shown.page.locator(".feedback, .controls, form, #sign-out")).to_have_count(0)


async def reads_and_rates(head: Reader, officer: Officer, steps: int) -> None:
    """Find the officer, read the same path as the officer, and rate one skill."""
    await head.page.wait_for_selector(f'[data-officer="{officer.name}"]')
    await in_both_languages(head, "h1", "เส้นทางการเรียนรู้ของเจ้าหน้าที่ในหน่วยงาน", "Learning paths of your officers")
    await head.page.click(f'[data-keep="plan-{officer.name}"]')
    await head.page.wait_for_selector(".step")
    await expect(head.page.locator(".step")).to_have_count(steps)
    await expect(head.page.locator(".feedback, .controls, form")).to_have_count(0)
    await in_both_languages(head, ".summary .notice", "ท่านดูได้อย่างเดียว", "change nothing")
    await head.page.click("[data-keep=plan-rate]")
    await head.page.wait_for_selector(".rating fieldset")
    await head.page.click("[data-keep=rating-send]")
    await head.page.wait_for_selector("#rating-wrong:not(:empty)")
    await in_both_languages(head, "#rating-wrong", "อย่างน้อย 1 ทักษะ", "at least one skill")
    await head.page.check(".rating fieldset >> nth=0 >> input >> nth=2")
    await rates_by_area(head, officer)
    await head.page.click("[data-keep=rating-send]")
    await in_both_languages(head, "h1", "ส่งผลประเมินแล้ว", "The rating is sent")


async def rates_by_area(head: Reader, officer: Officer) -> None:
    """See one area at a time and how many of its skills are rated; what was chosen stays while the list is open."""
    page = head.page
    all_of_them = await page.locator(".rating fieldset").count()
    await in_both_languages(head, ".session-progress", f"1 จาก {all_of_them} ทักษะ", f"1 of {all_of_them} skills rated")
    await in_both_languages(head, ".rating details >> nth=0 >> summary", "ประเมินแล้ว 1 จาก", "1 of")
    later = page.locator(".rating details >> nth=1")
    await expect(later.locator("fieldset >> nth=0")).to_be_hidden()
    await later.locator("summary").focus()
    await page.keyboard.press("Enter")
    await later.locator("fieldset >> nth=0").wait_for()
    await head.is_sound()
    await page.click("[data-keep=to-list]")
    await page.click(f'[data-keep="rate-{officer.name}"]')
    await page.wait_for_selector(".rating fieldset")
    await expect(page.locator(".rating fieldset >> nth=0 >> input >> nth=2")).to_be_checked()


async def is_over(shown: Reader) -> None:
    """Open the link again until it opens nothing; a process may remember its key for two seconds."""
    over = shown.page.locator("h1", has_text="ลิงก์นี้ใช้ไม่ได้แล้ว")
    while True:
        await shown.page.reload()
        await over.or_(shown.page.locator(".step")).first.wait_for()
        if await over.count():
            return


async def test_an_officer_shares_the_plan_and_a_supervisor_reads_and_rates(
    platform: Platform, browser: Browser
) -> None:
    agency = unique("agency")
    officer = await planned_officer(platform, agency=agency)
    url = platform.portal
    async with (
        reading(browser, url, sizes=SIZES) as own,
        reading(browser, url, sizes=SIZES) as shown,
        reading(browser, url, sizes=SIZES) as head,
    ):
        address = await makes_a_link(own, officer)
        assert address.startswith(f"{url}/#share=")
        await opens_the_link(shown, own, address, officer)
        steps = await own.page.locator(".step").count()
        await expect(shown.page.locator(".step")).to_have_count(steps)

        await head.sign_in(await platform.stack.issuer.issue(TENANT, "supervisor", agency=agency))
        await reads_and_rates(head, officer, steps)
        await own.news("เพราะมีผลประเมินใหม่")
        history = await platform.insist("assessment", "GET", f"/v1/officers/{officer.name}/assessments")
        assert sorted(one["kind"] for one in history["assessments"]) == ["supervisor", "test"]

        await own.page.click("[data-keep^=share-end-]")
        await own.page.wait_for_selector("[data-share]", state="detached")
        await own.has_focus("share-open")
        await own.is_sound()
        await is_over(shown)
        await in_both_languages(shown, "h1", "ลิงก์นี้ใช้ไม่ได้แล้ว", "This link no longer works")
        await head.page.click("[data-keep=to-list]")
        await in_both_languages(
            head, ".notice", "ยังไม่มีเจ้าหน้าที่แบ่งปันเส้นทางการเรียนรู้", "No officer shows you a learning path yet"
        )


async def test_missing_permissions_have_a_plain_message(platform: Platform, browser: Browser) -> None:
    agency = unique("agency")
    officer = await planned_officer(platform, agency=agency)
    url = platform.portal
    async with reading(browser, url, sizes=[(320, 640), *SIZES]) as reader:
        await reader.page.goto(f"{url}/#share=damaged&officer={officer.name}")
        await in_both_languages(reader, "h1", "ลิงก์ไม่ครบถ้วน", "The link is incomplete")
        never = f"0123456789abcdef.{'x' * 43}"
        await reader.page.evaluate(f"location.hash = '#share={never}&officer={officer.name}'")
        await in_both_languages(reader, "h1", "ลิงก์นี้ใช้ไม่ได้แล้ว", "This link no longer works")
        assert not [one for one in reader.requests if "/session" in one]
        await reader.page.evaluate("location.hash = ''")  # from a link to signing in
        await reader.page.fill("#key", await platform.stack.issuer.issue(TENANT, "supervisor", agency=agency))
        await reader.page.press("#key", "Enter")
        await in_both_languages(
            reader, ".notice", "ยังไม่มีเจ้าหน้าที่แบ่งปันเส้นทางการเรียนรู้", "No officer shows you a learning path yet"
        )
        await reader.page.evaluate(f"location.hash = '#plan={officer.name}'")
        await in_both_languages(reader, ".notice.refused", "ไม่มีเส้นทางที่ท่านดูได้", "no learning path that you may read")
        await reader.page.evaluate("location.hash = '#rate=nobody-knows'")
        await in_both_languages(reader, ".notice.refused", "ไม่พบเจ้าหน้าที่คนนี้", "no such officer in your agency")
        await reader.page.click("[data-keep=to-list]")
        await reader.page.fill("#officer", "no one")
        await reader.page.press("#officer", "Enter")
        await reader.page.wait_for_selector("#officer[aria-invalid]")
        await reader.is_sound()
        await reader.page.fill("#officer", officer.name)
        await reader.page.press("#officer", "Enter")
        await reader.page.wait_for_selector(".rating fieldset")
        await expect(reader.page.locator(".rating fieldset")).to_have_count(len(required(1)))


async def test_a_supervisor_of_many_finds_an_officer_and_comes_back_to_the_list(
    platform: Platform, browser: Browser
) -> None:
    agency = unique("agency")
    sharing = [await planned_officer(platform, agency=agency) for _ in range(3)]
    for one in sharing:
        path = f"/v1/officers/{one.name}/shares"
        await platform.insist("assessment", "POST", path, key=await one.api_key(), json={"days": 7})
    officers = sorted(one.name for one in sharing)
    async with reading(browser, platform.portal, sizes=SIZES) as head:
        page = head.page

        async def with_short_pages(route: Route) -> None:
            await route.continue_(url=route.request.url.replace("limit=200", "limit=1"))

        await page.route("**/paths?*", with_short_pages)
        await head.sign_in(await platform.stack.issuer.issue(TENANT, "supervisor", agency=agency))
        rows = page.locator("[data-officer]")
        await expect(rows).to_have_count(1)
        await in_both_languages(head, "#find-title", "ค้นหาด้วยรหัสเจ้าหน้าที่", "Find an officer by the code")
        await page.click("[data-keep=more-officers]")
        await expect(rows).to_have_count(2)
        await page.click(f'[data-keep="plan-{officers[1]}"]')
        await page.wait_for_selector(".step")
        await page.go_back()
        await expect(rows).to_have_count(2)  # as many as were asked for
        await page.fill("#find", "no such code")
        await page.press("#find", "Enter")
        await head.has_focus("find")
        await page.fill("#find", officers[2])
        await page.press("#find", "Enter")
        await page.wait_for_selector(f'h1:has-text("{officers[2]}")')
        await page.reload()
        await page.wait_for_selector(f'h1:has-text("{officers[2]}")')
