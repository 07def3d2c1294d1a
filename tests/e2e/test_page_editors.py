"""The pages of those who maintain the catalog, in a real Chromium over the whole system."""

import asyncio
from pathlib import Path

from playwright.async_api import Browser, FileChooser, expect

from tests.support.editors import FRAMEWORK, Tenant, editing
from tests.support.page import IN_BOTH_WINDOWS, Reader, in_both_languages, switch_language
from tests.support.platform import Platform
from tests.support.waiting import until


@IN_BOTH_WINDOWS
async def test_matches_are_decided_with_one_key_each(tenant: Tenant, reader: Reader) -> None:
    page = reader.page
    await tenant.offer("right", {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"})
    await tenant.offer("wrong", {"en": "Data Analytics and Data Visualization"}, description={"en": "With data."})
    await tenant.offer("other", {"th": "ความมั่นคงปลอดภัยไซเบอร์", "en": "Cybersecurity"})

    async def proposed() -> list[tuple[str, str]]:
        found = await tenant.ask("GET", "/v1/matches?status=proposed")
        rows = [(row["confidence"], one["course"], row["skill"]) for one in found["courses"] for row in one["matches"]]
        return [(course, skill) for _, course, skill in sorted(rows, key=lambda row: (-row[0], row[1]))]

    async def all_three() -> bool:
        return len({course for course, _ in await proposed()}) == 3

    await until(all_three, "matches of all courses")
    order = await proposed()
    here = ".match[data-course='{}'][data-skill='{}']"

    await reader.sign_in(tenant.key)
    await page.wait_for_selector(here.format(*order[0]))
    for _ in ("th", "en"):
        await page.wait_for_selector(".match .about")
        await reader.is_sound()
        await reader.reads(".sureness", "%")
        async for width in reader.windows():
            for selector in (".about-keys", ".match kbd"):  # a phone has no keys
                await expect(page.locator(selector).first).to_be_visible(visible=width > 480)
        await switch_language(page)

    await page.focus("#match-title")
    await page.keyboard.press("c")
    await page.wait_for_selector(here.format(*order[1]))
    await reader.has_focus("match-title")
    await page.keyboard.press("r")
    await page.wait_for_selector(here.format(*order[2]))
    await page.keyboard.press("e")
    await page.wait_for_selector("#correct-skill")
    await reader.has_focus("correct-skill")
    await reader.is_sound()
    await page.select_option("#correct-from", "2")
    await page.select_option("#correct-to", "1")
    await page.click("[data-keep=correct-send]")
    await page.wait_for_selector("#correct-wrong:not(:empty)")
    await page.select_option("#correct-to", "3")
    await page.click("[data-keep=correct-send]")
    await page.wait_for_function("() => document.getElementById('queue-status').innerText.includes('3')")
    assert [row for row in await proposed() if row in order[:3]] == []
    course, skill = order[0]
    assert skill in [row[0] for row in await tenant.teaches(course)]
    assert order[1][1] not in [row[0] for row in await tenant.teaches(order[1][0])]
    assert (order[2][1], 2, 3) in await tenant.teaches(order[2][0])

    await page.locator(".done button").last.click()  # the first decision is taken back by another one
    await page.wait_for_selector(here.format(*order[0]))
    await page.keyboard.press("r")
    await page.wait_for_function("() => document.querySelector('.done li:last-child').innerText.includes('ไม่ใช่')")
    await page.wait_for_function("() => !document.querySelector('.done').innerText.includes('กำลังบันทึก')")
    assert skill not in [row[0] for row in await tenant.teaches(course)]
    await reader.is_sound()


async def test_a_failed_decision_is_reported_and_sent_again(platform: Platform, browser: Browser) -> None:
    async with editing(platform, browser) as (tenant, reader):
        page = reader.page
        await tenant.offer("only", {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"})
        await until(tenant.has_proposals, "a proposed match")
        await reader.sign_in(tenant.key)
        await page.wait_for_selector(".match")
        skill = await page.get_attribute(".match", "data-skill")
        await page.route("**/matches:confirm", lambda route: route.abort())
        await page.click("[data-keep=confirm]")
        await page.wait_for_selector("[data-keep=send-again]")
        assert await tenant.teaches("only") == []
        assert await reader.violations() == []
        await page.unroute("**/matches:confirm")
        await page.click("[data-keep=send-again]")
        await page.wait_for_selector("[data-keep=send-again]", state="detached")

        async def is_taken() -> bool:
            return skill in [row[0] for row in await tenant.teaches("only")]

        await until(is_taken, "the decision that was sent again")


async def space_between(reader: Reader, upper: str, lower: str) -> float:
    """Return how many pixels are between the end of an element and the beginning of another one."""
    above, below = await reader.boxes(upper, lower)
    return below["y"] - above["y"] - above["height"]


async def test_on_a_wide_screen_a_count_stays_beside_a_long_name_and_each_figure_has_one_line(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=[(2560, 1300)]) as (tenant, reader):
        page = reader.page
        name = "The Institute for the Development of Digital Skills of Civil Servants in All Provinces and Agencies"
        await tenant.offer("one", {"en": "Zinnia gardens"}, provider={"en": name})

        async def found() -> bool:
            return (await tenant.ask("GET", "/v1/courses?q=zinnia"))["total"] == 1  # type: ignore[no-any-return]

        await until(found, "the search index has the course")
        await reader.sign_in(tenant.key, "/#view=courses&q=zinnia")
        await page.wait_for_selector(f".facets a:has-text('{name}')")
        below = await page.locator(".facets li").evaluate_all(
            """all => all.filter((one) => {
              const [link, count] = [...one.children].map((child) => child.getBoundingClientRect());
              return count.top >= link.bottom;
            }).map(one => one.innerText)"""
        )
        assert below == []
        await reader.goes_to("load")
        table = b"title,hours\nOne,2\n,2\n"
        await page.set_input_files("#file", {"name": "courses.csv", "mimeType": "text/csv", "buffer": table})
        await page.click("[data-keep=check]")
        await page.wait_for_selector("[data-keep=store], [data-keep=check-again]")
        for _ in ("th", "en"):
            heights = await page.locator(".figures dt").evaluate_all("all => all.map(one => one.offsetHeight)")
            assert len(heights) == 4
            assert len(set(heights)) == 1
            await switch_language(page)


async def chooses(reader: Reader, file: Path) -> None:
    """Choose the first file: whether one is chosen is said in the language of the page, in place of the browser's.

    Playwright asks the browser for its file choosers without waiting for the answer: it asks before the languages
    are switched, because a key that is pressed before the browser has the request cancels the choice.
    """
    opened: asyncio.Future[FileChooser] = asyncio.get_running_loop().create_future()
    reader.page.once("filechooser", lambda chooser: opened.set_result(chooser))  # noqa: PLW0108 - Playwright sets an attribute of the handler, and this method takes none
    for language, words in (("th", "เลือกไฟล์ ยังไม่ได้เลือกไฟล์"), ("en", "Choose a file No file is chosen")):
        await reader.page.wait_for_selector(f"html[lang={language}]")
        await reader.reads(".file", words)
        await switch_language(reader.page)
    await reader.tab_to("file")
    await reader.page.keyboard.press("Enter")
    await (await opened).set_files(file)
    await reader.reads("#file-name", file.name)


async def says_what_would_be_stored(reader: Reader) -> None:
    """Find the rows that are worth a look, with the verdicts of the figures above them, and what may be left empty."""
    await reader.reads(".rows > li.unchanged", "หลักสูตรที่ 7")
    await reader.reads(".rows > li.refused", "รับไม่ได้")
    await reader.reads("#default-languages-hint", "เช่น ไทย")


async def test_a_file_is_previewed_its_columns_confirmed_and_stored_with_the_keyboard_alone(
    tenant: Tenant, reader: Reader, tmp_path: Path
) -> None:
    page = reader.page
    courses = tmp_path / "รายวิชา.csv"
    rows = [*(f"หลักสูตรที่ {n},{n},ข้อมูล" for n in range(1, 41)), ",2,ข้อมูล", "หลักสูตรที่ 7,7,ข้อมูล"]
    courses.write_text("\n".join(["ชื่อหลักสูตร,จำนวนชั่วโมง,กลุ่ม", *rows]), encoding="utf-8")
    before = (await tenant.ask("GET", "/v1/courses?q="))["total"]
    await reader.sign_in(tenant.key, "/#view=load")
    await page.wait_for_selector("#file")
    await reader.presses("check")
    await reader.reads("#file-wrong", "กรุณาเลือกไฟล์")
    await chooses(reader, courses)
    await reader.presses("check")
    await expect(page.locator("[data-column='ชื่อหลักสูตร']").first).to_have_value("title")
    await reader.reads("label[for=file]", "ไฟล์อื่น")  # the field is empty again, below it stands what was read
    await expect(page.locator("[data-column='กลุ่ม']").first).to_have_value("")
    await expect(page.locator("[data-verdict=created] dd").first).to_have_text("40", use_inner_text=True)
    await expect(page.locator("[data-verdict=refused] dd").first).to_have_text("1", use_inner_text=True)
    await says_what_would_be_stored(reader)
    assert (await tenant.ask("GET", "/v1/courses?q="))["total"] == before  # nothing is stored yet
    header = page.locator(".sample thead th")
    await expect(header).to_have_text(["แถว", "ชื่อหลักสูตรชื่อหลักสูตร", "จำนวนชั่วโมงจำนวนชั่วโมง", "กลุ่มไม่อ่านคอลัมน์นี้"])
    await in_both_languages(reader, ".sample th:last-child", "ไม่อ่านคอลัมน์นี้", "Not read")
    assert await page.locator(".sample tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    ) == [[f"{n + 1}", f"หลักสูตรที่ {n}", f"{n}", "ข้อมูล"] for n in range(1, 6)]

    await reader.picks("[data-column='กลุ่ม']", "tags")
    await expect(header.last).to_contain_text("คำสำคัญ")
    await reader.types("default-provider", "สำนักงานตัวอย่าง, กรุงเทพฯ")
    await reader.presses("check-again")
    await page.wait_for_selector("[data-keep=store]")
    await expect(page.locator("[data-column='กลุ่ม']").first).to_have_value("tags")
    await expect(page.locator("#default-provider")).to_have_value("สำนักงานตัวอย่าง, กรุงเทพฯ")
    await reader.presses("store")
    await page.wait_for_selector("#load-status >> text=บันทึกเสร็จแล้ว")
    await expect(page.locator("[data-verdict=created] dd").first).to_have_text("40", use_inner_text=True)
    await expect(page.locator(".rows > li.refused")).to_have_count(1)
    await page.wait_for_selector(".rows > li.refused:has-text('ไม่รับ') li >> text=ไม่มีข้อมูล หลักสูตรต้องมีชื่อ")
    await expect(page.locator(".rows [lang=en]")).to_have_count(0)
    async with page.expect_download() as download:
        await reader.presses("report")
    report = (await (await download.value).path()).read_text(encoding="utf-8-sig")
    assert (len(report.splitlines()), report.count(",เพิ่มใหม่ (created),")) == (43, 40)
    await reader.is_sound()
    stored = await tenant.ask("GET", "/v1/courses?limit=500")
    mine = [one for one in stored["courses"] if one["provider"] == {"th": "สำนักงานตัวอย่าง, กรุงเทพฯ"}]
    assert len(mine) == 40
    assert all(one["tags"] == ["ข้อมูล"] for one in mine)

    zipped = b"PK\x03\x04" + bytes(100)
    await page.set_input_files("#file", {"name": "x.csv", "mimeType": "text/csv", "buffer": zipped})
    await page.click("[data-keep=check]")
    await page.wait_for_selector(".notice.refused >> text=ไฟล์นี้ไม่ใช่ไฟล์ข้อความ (ZIP, .xlsx)")
    await expect(page.locator(".notice.refused [lang=en]")).to_have_count(0)
    await reader.is_sound()


async def test_courses_are_searched_filtered_and_shown_with_the_source_of_their_skills(
    tenant: Tenant, reader: Reader
) -> None:
    page = reader.page
    given = {"framework": FRAMEWORK, "skill": "dlit-access", "from": 1, "to": 2}
    await tenant.offer("given", {"th": "วงแหวนกาแล็กซีขั้นต้น"}, teaches=[given], assumed=["hours"])
    needs = [{"course": "given"}, {"any": [{"course": "absent"}, {**given, "level": 1}]}]
    for name in ("from", "to"):
        needs[1]["any"][1].pop(name)  # type: ignore[index]
    await tenant.offer("later", {"th": "วงแหวนกาแล็กซีขั้นสูง"}, requires=needs, stated={"duration": "3 ชม."})

    async def found() -> bool:
        return (await tenant.ask("GET", "/v1/courses?q=กาแล็กซี"))["total"] == 2  # type: ignore[no-any-return]

    await until(found, "the search index has both")
    await reader.sign_in(tenant.key, "/#view=courses")
    await page.fill("#q", "กาแล็กซี")
    await page.press("#q", "Enter")
    await page.wait_for_function("() => document.querySelectorAll('.results li').length === 2")
    await expect(page.locator(".results mark").nth(1)).to_be_attached()
    for _ in ("th", "en"):
        await reader.is_sound()
        await switch_language(page)
    await page.click(".facets a >> nth=0")
    await page.wait_for_function("() => document.querySelectorAll('.results li').length === 1")
    await page.click(".chosen a")
    await page.wait_for_function("() => document.querySelectorAll('.results li').length === 2")
    await page.click(".results a[href*='later']")
    await page.wait_for_selector(".course[data-course=later] h1")
    await reader.reads(".stated", "3 ชม.")
    assert await space_between(reader, ".course h1", ".course .facts") >= 8
    await page.wait_for_selector("#before-title ~ ul a:has-text('ขั้นต้น')")
    await reader.is_sound()
    await page.click("#before-title ~ ul a:has-text('ขั้นต้น')")
    await page.wait_for_selector(".course[data-course=given] h1")
    await reader.reads(".course .statements", "ผู้จัดระบุ")
    await reader.reads(".course .facts", "ระบบประมาณเอง")

    await reader.goes_to("health")
    await page.wait_for_selector("[data-fault=dangling] li:has-text('absent')")
    for _ in ("th", "en"):
        await reader.is_sound()
        await switch_language(page)
    await page.click("[data-fault=dangling] li a:has-text('ขั้นสูง')")
    await page.wait_for_selector(".course[data-course=later] h1")
    await reader.goes_to("officers")
    await reader.shows("choose")
    await reader.is_sound()


async def begins_a_draft(reader: Reader) -> None:
    """Open the form of a draft, which the focus follows."""
    await reader.presses("new-draft")
    await reader.has_focus("draft-form-title")


async def test_a_framework_version_is_proposed_reviewed_and_approved_by_different_people_with_the_keyboard(
    tenant: Tenant, reader: Reader
) -> None:
    page = reader.page
    before = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
    await tenant.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", json=before)  # a version of the tenant's own
    proposer, reviewer, approver = [await tenant.editor() for _ in range(3)]
    await reader.sign_in(proposer, "/#view=frameworks")
    await page.wait_for_selector(".page-nav a", state="attached")
    assert await page.locator(".page-nav a").evaluate_all("all => all.map(one => one.dataset.keep)") == [
        f"to-{name}" for name in ("matches", "courses", "load", "health", "frameworks")
    ]
    await reader.reads("#framework-new", "ให้ผู้ดูแลระบบนำเข้าด้วยคำสั่งหรือ API")
    await reader.tab_into(f".results a[href*='{FRAMEWORK}']")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-keep=new-draft]")
    assert await space_between(reader, ".framework h1", "[data-keep=new-draft]") >= 12
    await begins_a_draft(reader)
    group, skill = before["job_groups"][0]["id"], before["skills"][0]["id"]
    required = {row["skill"]: row["level"] for row in before["requirements"] if row["job_group"] == group}
    level = next(step["level"] for step in before["scale"] if step["level"] not in (0, required.get(skill)))
    await reader.picks(f"#level-{skill}", f"{level:g}")
    await reader.goes_to("courses")  # what was changed stays while another page is open
    await page.wait_for_selector("#q")
    await page.go_back()
    await page.wait_for_selector("#draft-changes >> text=1")
    await expect(page.locator(f"#level-{skill}")).to_have_value(f"{level:g}")
    await reader.presses("propose")
    await page.wait_for_selector("#proposer-wrong:not(:empty)")
    await reader.is_sound()
    await reader.types("proposer", "ก. วงศ์สุวรรณ")
    await reader.presses("propose")
    await expect(page.locator("[data-state=draft] .impact tbody tr")).to_have_count(1)
    await reader.has_focus("draft-title")
    assert (await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}"))["requirements"] == before["requirements"]
    await in_both_languages(reader, "#impact-title", "ผลเมื่อประกาศใช้", "What publishing would change")

    steps = (
        ("review", "ข. ใจดี", reviewer, "ผู้เสนอร่างตรวจร่างของตนเองไม่ได้"),
        ("approve", "ค. มีสุข", approver, "ผู้ตรวจร่างอนุมัติร่างเดียวกันไม่ได้"),
    )
    for step, name, key, refusal in steps:
        await reader.types("signer", name)
        await reader.presses(step)  # by whoever took the step before, under another name
        await expect(page.locator(f".notice.refused >> text={refusal}")).to_be_in_viewport()
        await reader.is_sound()
        await reader.presses("sign-out")
        await page.wait_for_selector("#key")
        await reader.types("key", key)
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#signer")
        await reader.types("signer", name)
        await reader.presses(step)
        await page.wait_for_selector(f"[data-keep={step}]", state="detached")
    await reader.presses("publish")
    await page.wait_for_selector("#versions-title ~ ul >> text=อนุมัติโดย ค. มีสุข")
    after = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
    rows = [row for row in after["requirements"] if (row["job_group"], row["skill"]) == (group, skill)]
    assert [row["level"] for row in rows] == [level]
    await reader.is_sound()


async def test_on_a_phone_the_links_are_behind_one_button_that_works_by_keyboard(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=[(320, 640)]) as (tenant, reader):
        page = reader.page
        await reader.sign_in(tenant.key, "/#view=health")
        await page.wait_for_selector(".health h1")
        link = page.locator("[data-keep=to-system]")
        await expect(link).to_be_hidden()
        await reader.reads("[data-keep=menu]", "สถานะของคลังหลักสูตร")  # which page is open
        await reader.tab_to("menu")
        await page.keyboard.press("Enter")
        await link.wait_for()
        await reader.is_sound()
        await reader.tab_to("to-system")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("[data-keep=to-system][aria-current]", state="attached")
        await expect(link).to_be_hidden()
        await reader.has_focus("main")
        await page.go_back()
        await page.wait_for_selector(".health h1")
        await page.set_viewport_size({"width": 1280, "height": 900})
        await expect(link).to_be_visible()
        await expect(page.locator("[data-keep=menu]").first).to_be_hidden()
