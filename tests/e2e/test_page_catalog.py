"""The pages of those who maintain the catalog: its faults and other tenants, in a real Chromium."""

import pytest
from playwright.async_api import Browser

from tests.support.editors import FRAMEWORK, editing
from tests.support.page import switch_language
from tests.support.platform import Platform
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(400)
SIZES = [(390, 844), (1280, 900)]
FAULTS = {
    "cycles": ("[href*=one]", ".course[data-course=one] h1"),
    "dangling": ("[href*=same-b]", ".course[data-course=same-b] h1"),
    "unreachable": ("[href*=untaught]", "#q"),
    "twins": ("[href*=same-a]", ".course[data-course=same-a] h1"),
    "weak_matches": ("[href*=doubtful]", ".match"),
}
"""By the kind of fault a link to what can be mended, and what it opens."""


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_an_editor_of_another_tenant_finds_nothing_of_this_one(
    platform: Platform, browser: Browser, width: int, height: int
) -> None:
    async with editing(platform, browser, width=width, height=height) as (tenant, _):
        await tenant.offer("secret", {"th": "วงแหวนดาวพฤหัสบดี", "en": "Data Analytics"}, requires=[{"course": "none"}])
        before = await tenant.ask("GET", f"/v1/frameworks/{FRAMEWORK}")
        await tenant.ask("PUT", "/v1/frameworks/own", json=before | {"id": "own"})

        async def proposed() -> bool:
            return bool((await tenant.ask("GET", "/v1/matches?status=proposed"))["courses"])

        await until(proposed, "a proposed match")
        async with editing(platform, browser, width=width, height=height) as (other, reader):
            page = reader.page
            await reader.sign_in(await other.editor(), "/#view=courses&course=secret")
            for place in ("view=courses&course=secret", "view=frameworks&framework=own"):
                await page.evaluate(f"location.hash = '#{place}'")
                for words in ("ไม่พบสิ่งที่ขอ", "This was not found"):
                    await page.wait_for_selector(f".notice.refused >> text={words}")
                    assert await reader.overflow() == 0
                    assert await reader.violations() == []
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


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_every_fault_of_the_catalog_leads_to_what_can_be_mended(
    platform: Platform, browser: Browser, width: int, height: int
) -> None:
    async with editing(platform, browser, width=width, height=height) as (tenant, reader):
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
            assert await reader.overflow() == 0
            assert await reader.violations() == []
            await switch_language(page)
        for kind, (link, there) in FAULTS.items():
            await page.click(f"[data-fault={kind}] a{link}")
            await page.wait_for_selector(there)
            await page.go_back()
            await page.wait_for_selector("[data-fault=cycles] li")
