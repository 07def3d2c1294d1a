"""The page of the system's state, in a real Chromium over the whole system: for operators, without any other tool."""

import re

from playwright.async_api import Browser, expect

from deploy.local.seed import answered
from shared import VERSION
from tests.support.editors import Tenant, editing
from tests.support.page import SIZES, Reader, switch_language
from tests.support.places import DRAWN_LAST
from tests.support.platform import Platform

WORDS = {
    "th": ("สถานะของระบบ", "บริการคลังหลักสูตร", "การนำเข้าหลักสูตร"),
    "en": ("State of the system", "Catalog", "Latest imports of courses"),
}


async def imports(tenant: Tenant) -> None:
    """Import one course and one row that is refused."""
    rows = '{"id": "one", "title": {"en": "One"}, "provider": {"en": "P"}, "hours": 1, "languages": ["th"]}\n{}\n'
    headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {tenant.key}"}
    url = f"{tenant.platform.stack.urls['catalog'][0]}/v1/courses:import"
    async with answered(tenant.platform.session, "POST", url, data=rows, headers=headers) as answer:
        assert answer.status == 200
        await answer.read()


async def verdict(reader: Reader, service: str, wanted: str) -> None:
    await reader.page.wait_for_selector(f'[data-service="{service}"][data-verdict="{wanted}"]')


async def test_operators_see_every_service_and_one_that_stopped_without_losing_the_page(
    platform: Platform, tenant: Tenant, reader: Reader
) -> None:
    page = reader.page
    await imports(tenant)
    await reader.sign_in(tenant.key, "/#view=system")
    for service in ("assessment", "catalog", "recommender", "portal"):
        await page.wait_for_selector(f'[data-service="{service}"] [data-status="ready"]')
        await reader.reads(f'[data-service="{service}"] [data-replica="1"]', VERSION)
    for figure in ("lag", "outbox", "skipped"):
        shown = page.locator(f'[data-service="catalog"] [data-figure="{figure}"] dd').first
        await expect(shown).to_have_text(re.compile(r"^\d+$"), use_inner_text=True)
    await page.wait_for_selector('[data-imports="courses"] [data-import]')
    await page.wait_for_selector('[data-imports="officers"] .quiet')
    for language in ("th", "en"):
        if language == "en":
            await switch_language(page)
            await page.wait_for_selector('html[lang="en"]')
        for words in WORDS[language]:
            await reader.reads("main", words)
        await reader.is_sound()
    await reader.reads('[data-imports="courses"]', "1 new, 0 changed, 0 unchanged, 1 refused")
    assert tenant.key not in await page.content()

    async with platform.stack.restored():
        await platform.stack.stop("recommender")
        await page.click("[data-keep=ask-again]")
        await verdict(reader, "recommender", "bad")
        await reader.reads('[data-service="recommender"] [data-status="away"]', "Does not answer")
        await reader.reads('.sentence[data-verdict="bad"]', "At least one service does not work")
        await expect(page.locator('[data-service="catalog"] [data-status="ready"]')).to_have_count(1)
        await reader.is_sound()
        await platform.stack.start("recommender")
        await page.wait_for_selector('[data-service="recommender"] [data-status="ready"]')  # requested again by itself


async def test_the_latest_imports_are_updated_with_the_page_and_a_stopped_catalog_hides_nothing_else(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=[(320, 640), *SIZES]) as (tenant, reader):
        page = reader.page
        await reader.sign_in(tenant.key, "/#view=system")
        await page.wait_for_selector('[data-imports="courses"] > p.quiet')
        await imports(tenant)
        await page.click("[data-keep=ask-again]")
        await expect(page.locator('[data-imports="courses"] [data-import]')).to_have_count(1)
        async with platform.stack.restored():
            await platform.stack.stop("catalog")
            await page.click("[data-keep=ask-again]")
            await verdict(reader, "catalog", "bad")
            await page.wait_for_selector('[data-imports="courses"] .notice.refused')
            await expect(page.locator('[data-imports="courses"] [data-import]')).to_have_count(1)
            await expect(page.locator('[data-imports="officers"] .notice.refused')).to_have_count(0)
            await expect(page.locator('[data-service="recommender"] [data-status]')).to_have_count(1)
            for _ in ("th", "en"):
                await reader.is_sound()
                await switch_language(page)
            await platform.stack.start("catalog")
            await verdict(reader, "catalog", "good")
            await expect(page.locator('[data-imports="courses"] .notice.refused')).to_have_count(0)


async def test_admins_read_and_try_every_services_api_document_on_every_screen(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=SIZES) as (tenant, reader):
        page = reader.page
        await reader.sign_in(tenant.key, "/#view=system")
        await page.click("[data-keep=docs]")
        for service in ("assessment", "recommender", "portal", "catalog"):
            await page.click(f'nav a[href="/docs/{service}"]')
            await page.wait_for_selector(f'nav a[aria-current][href="/docs/{service}"]')
            await page.wait_for_selector(".opblock")
            await page.click(".opblock.opblock-get .opblock-summary-control >> nth=0")
            await page.click(".opblock.is-open .try-out__btn >> nth=0")
            await page.wait_for_selector(".opblock.is-open .execute")
            await page.wait_for_selector(DRAWN_LAST)
            await reader.is_sound()
            # 1280 x 1024 at 400 % is 320 x 256 CSS pixels
            for width, height in ((320, 256), (320, 640), (3840, 2160)):
                await page.set_viewport_size({"width": width, "height": height})
                assert await reader.overflow() == 0, (service, width)
        listed = '[id$="list_frameworks"]'
        await page.click(f"{listed} .opblock-summary-control")
        await page.click(f"{listed} .try-out__btn")
        await page.click(f"{listed} .execute")
        await page.wait_for_selector(f"{listed} .live-responses-table tbody .response-col_status")
        await reader.reads(f"{listed} .live-responses-table tbody .response-col_status", "200")
        await page.click('[id$="-livez"] .opblock-summary-control')
        await expect(page.locator('[id$="-livez"] .try-out__btn')).to_have_count(0)
        await page.focus("nav a >> nth=0")
        await page.keyboard.press("Tab")
        await page.wait_for_selector("nav a:focus")
