"""The pages of those who maintain the catalog: its faults, large frameworks and other tenants, in a real Chromium."""

import io
import json
from typing import Any

import aiohttp
from playwright.async_api import Browser, FilePayload, expect

from deploy.local.seed import bearer
from tests.support.editors import FRAMEWORK, Tenant, editing
from tests.support.page import SIZES, Reader, reading, switch_language
from tests.support.platform import Officer, Platform, required
from tests.support.waiting import until

PATIENCE = aiohttp.ClientTimeout(total=120)
FAULTS = {
    "cycles": ("[href*=one]", ".course[data-course=one] h1"),
    "dangling": ("[href*=same-b]", ".course[data-course=same-b] h1"),
    "unreachable": ("[href*=untaught]", "#q"),
    "twins": ("[href*=same-a]", ".course[data-course=same-a] h1"),
    "weak_matches": ("[href*=doubtful]", ".match"),
}
"""By the kind of fault a link to what can be mended, and what it opens."""


async def put_large(tenant: Tenant, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
    """Put a body of more than 1 MiB once, in parts, and wait long for the answer."""
    url = f"{tenant.platform.stack.urls['catalog'][0]}{path}"
    sent = {"Content-Type": "application/json", **bearer(tenant.key), **(headers or {})}
    data = io.BytesIO(json.dumps(body).encode())
    async with tenant.platform.session.put(url, data=data, headers=sent, timeout=PATIENCE) as answer:
        said = await answer.text()
        assert answer.ok, (answer.status, said)


async def test_an_editor_of_another_tenant_finds_nothing_of_this_one(platform: Platform, browser: Browser) -> None:
    async with editing(platform, browser) as (tenant, _):
        await tenant.offer("secret", {"th": "วงแหวนดาวพฤหัสบดี", "en": "Data Analytics"}, requires=[{"course": "none"}])
        before = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
        await tenant.ask("PUT", "/v1/frameworks/own", json=before | {"id": "own"})
        await until(tenant.has_proposals, "a proposed match")
        async with editing(platform, browser, sizes=SIZES) as (other, reader):
            page = reader.page
            await reader.sign_in(await other.editor(), "/#view=courses&course=secret")
            for place in ("view=courses&course=secret", "view=frameworks&framework=own"):
                await page.evaluate(f"location.hash = '#{place}'")
                for words in ("ไม่พบสิ่งที่ขอ", "This was not found"):
                    await page.wait_for_selector(f".notice.refused >> text={words}")
                    await reader.is_sound()
                    await switch_language(page)
            for view, there in (
                ("matches", "#queue-end"),
                ("health", ".health .figures"),
                ("frameworks", ".results a"),
            ):
                await reader.goes_to(view)
                await page.wait_for_selector(there)
                for name in ("secret", "วงแหวนดาวพฤหัสบดี", "framework=own"):
                    assert name not in await page.inner_html("#main"), view


async def test_every_fault_of_the_catalog_leads_to_what_can_be_mended(tenant: Tenant, reader: Reader) -> None:
    page = reader.page
    await tenant.offer("one", {"th": "ก่อน"}, requires=[{"course": "two"}])
    await tenant.offer("two", {"th": "หลัง"}, requires=[{"course": "one"}])
    await tenant.offer("same-a", {"th": "วงแหวนกาแล็กซี"})
    await tenant.offer("same-b", {"th": "วงแหวนกาแล็กซี"}, requires=[{"course": "absent"}])
    await tenant.offer("doubt", {"en": "Data Analytics and Data Visualization"}, description={"en": "With data."})
    levels = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
    skill = {"id": "untaught", "area": levels["areas"][0]["id"], "title": {"th": "ทักษะที่ไม่มีใครสอน"}}
    row = {"job_group": levels["job_groups"][0]["id"], "skill": "untaught", "level": levels["scale"][-1]["level"]}
    more = {"skills": [*levels["skills"], skill], "requirements": [*levels["requirements"], row]}
    await tenant.ask("PUT", f"/v1/frameworks/{FRAMEWORK}", json=levels | more)

    async def all_kinds() -> bool:
        counts = (await tenant.ask("GET", "/v1/catalog/health"))["counts"]
        return all(counts.get(kind) for kind in FAULTS)

    await until(all_kinds, "a fault of every kind")
    await reader.sign_in(tenant.key, "/#view=health")
    await page.wait_for_selector("[data-fault=cycles] li")
    for _ in ("th", "en"):
        await reader.is_sound()
        await switch_language(page)
    await reader.reads("[data-fault=unreachable]", "ยืนยันทักษะที่ระบบเสนอ")
    for kind, (link, there) in FAULTS.items():
        await page.click(f"[data-fault={kind}] a{link}")
        await page.wait_for_selector(there)
        await page.go_back()
        await page.wait_for_selector("[data-fault=cycles] li")


async def test_a_framework_of_two_thousand_job_groups_is_changed_and_its_effect_is_shown_whole(
    tenant: Tenant, reader: Reader
) -> None:
    groups, skills, changes, first = 2000, 10, 500, 100
    page = reader.page
    title = "เจ้าหน้าที่วิเคราะห์นโยบายและแผนด้านเทคโนโลยีสารสนเทศและการสื่อสารเพื่อการบริหารราชการส่วนภูมิภาคที่"
    required_levels: list[dict[str, Any]] = [
        {"job_group": f"g{g}", "skill": f"s{s}", "level": 1} for g in range(groups) for s in range(skills)
    ]
    framework = {
        "id": "large",
        "title": {"th": f"กรอบทักษะ{title}"},
        "areas": [{"id": "area", "title": {"th": title}}],
        "skills": [{"id": f"s{n}", "area": "area", "title": {"th": f"{title} {n}"}} for n in range(skills)],
        "scale": [{"level": level, "title": {"th": f"{title} {level}"}} for level in range(4)],
        "job_groups": [{"id": f"g{n}", "title": {"th": f"{title} {n}"}} for n in range(groups)],
        "stages": [],
        "requirements": required_levels,
    }
    await put_large(tenant, "/v1/frameworks/large", framework)
    await reader.sign_in(await tenant.editor(), "/#view=frameworks&framework=large")
    await reader.tab_to("new-draft")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#draft-group")
    await expect(page.locator("#draft-group option")).to_have_count(groups)
    await reader.tab_to("draft-group")
    await page.keyboard.press("End")
    await reader.tab_to("level-s0")
    await page.keyboard.press("End")
    await page.wait_for_selector("#draft-changes >> text=1")
    for _ in ("th", "en"):
        await reader.fits()
        await switch_language(page)
    await reader.tab_to("proposer")
    await page.keyboard.type("ก. วงศ์สุวรรณ")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("[data-state=draft] .impact tbody tr")
    draft = await tenant.ask("GET", "/v1/frameworks/large/draft")
    changed = [row for row in draft["framework"]["requirements"] if row["level"] != 1]
    assert [(row["job_group"], row["skill"], row["level"]) for row in changed] == [("g1999", "s0", 3)]

    rows = [row | {"level": 1 + (n < changes)} for n, row in enumerate(required_levels)]
    higher = draft["framework"] | {"requirements": rows}
    body = {"framework": higher, "by": "ก. วงศ์สุวรรณ", "comment": None}
    await put_large(tenant, "/v1/frameworks/large/draft", body, {"If-Match": f'"{draft["revision"]}"'})
    await page.reload()
    await page.wait_for_selector("[data-state=draft] .impact tbody tr")
    await expect(page.locator(".impact tbody tr")).to_have_count(first)
    await page.focus("[data-keep=impact-rest] > summary")
    await page.keyboard.press("Enter")
    await expect(page.locator(".impact tbody tr")).to_have_count(changes)
    await reader.fits()


async def test_the_longest_names_fit_on_every_page_of_editors_and_supervisors(
    platform: Platform, browser: Browser
) -> None:
    thai, latin = (("การวิเคราะห์ข้อมูล" * 20)[:300], ("DataAnalytics" * 30)[:300])
    async with editing(platform, browser, sizes=[(320, 640), *SIZES]) as (tenant, reader):
        page = reader.page
        course, agency = "one".ljust(64, "e"), "north".ljust(64, "h")
        more = {"provider": {"th": thai, "en": latin}, "description": {"th": thai * 10}, "tags": [thai, latin]}
        missing = [{"course": "missing".ljust(64, "g")}]
        await tenant.offer(course, {"th": thai, "en": latin}, **more, stated={"duration": latin})
        await tenant.offer("two", {"th": thai, "en": latin}, **more, requires=missing)
        await until(tenant.has_proposals, "a proposed match")
        await reader.sign_in(tenant.key, "/#view=matches")
        places = {
            "view=matches": ".match .prose",
            "view=courses&q=การวิเคราะห์ข้อมูล": ".results li",
            f"view=courses&course={course}": ".course .facts",
            "view=health": "[data-fault=twins] li",
        }
        for place, there in places.items():
            await page.evaluate(f"location.hash = '#{place}'")
            await page.wait_for_selector(there)
            for _ in ("th", "en"):
                await reader.is_sound()
                await switch_language(page)
        await reader.goes_to("load")
        lines = f"title,hours,{thai}\n{thai},x,y\n"
        file = FilePayload(name=f"{thai[:80]}.csv", mimeType="text/csv", buffer=lines.encode())
        await page.set_input_files("#file", file)
        await page.click("[data-keep=check]")
        await page.wait_for_selector(f"[data-column='{thai}']")
        await reader.is_sound()
        officer = Officer(platform, tenant.name)
        officer.name = officer.name.ljust(64, "r")
        await officer.register(agency=agency)
        await officer.assess(required(0.5))
        await officer.is_planned()
        await platform.insist("recommender", "PUT", "/v1/supervision", key=tenant.key, json={"paths": "all"})
    supervisor = await platform.stack.issuer.issue(tenant.name, "supervisor", agency=agency)
    async with reading(browser, reader.url, sizes=[(320, 640), *SIZES]) as reader:
        await reader.sign_in(supervisor)
        for place, there in (("list", "[data-officer]"), ("plan", ".step"), ("rate", ".rating fieldset")):
            await reader.page.evaluate(f"location.hash = '#{place}={officer.name}'")
            await reader.page.wait_for_selector(there)
            await reader.is_sound()
