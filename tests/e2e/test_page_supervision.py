"""Admins decide whose plans supervisors may read; in a real Chromium over the whole system."""

from playwright.async_api import Browser, expect

from tests.support.editors import editing
from tests.support.page import SIZES, Reader, reading, sign_out, switch_language
from tests.support.platform import Platform, planned_officer

AGENCY = "north"
WORDS = {
    "th": ("ผู้บังคับบัญชาดูเส้นทางการเรียนรู้ของใครได้บ้าง", "เท่านั้นที่เปลี่ยนได้", "ความเห็นของเจ้าหน้าที่ต่อหลักสูตร"),
    "en": ("Whose learning paths supervisors may read", "can change this", "What the officer said of courses"),
}
OPENS = {"th": "จะดูเส้นทางได้ {n} จาก {all} เส้นทาง", "en": "would read {n} of {all} learning paths"}


async def opens(reader: Reader, language: str, n: int, policy: str) -> None:
    """Wait until the preview of a policy shows how many of the two plans a supervisor would read."""
    words = OPENS[language].format(n=n, all=2)
    await reader.page.wait_for_selector(f'.preview [data-policy="{policy}"]:has-text("{words}")')


async def lists(reader: Reader, n: int) -> None:
    """Load the supervisor's page again, and wait until it lists so many officers."""
    await reader.page.reload()
    await expect(reader.page.locator("[data-officer]")).to_have_count(n)


async def test_an_admin_sees_the_effect_of_a_policy_and_sets_it(platform: Platform, browser: Browser) -> None:
    url = platform.portal
    async with (
        editing(platform, browser, sizes=SIZES) as (tenant, reader),
        reading(browser, url) as head,
    ):
        page = reader.page
        shows, _ = [await planned_officer(platform, tenant=tenant.name, agency=AGENCY) for _ in range(2)]
        own = await shows.api_key()
        await platform.insist("assessment", "POST", f"/v1/officers/{shows.name}/shares", key=own, json={"days": 7})
        await head.sign_in(await platform.stack.issuer.issue(tenant.name, "supervisor", agency=AGENCY))
        await head.page.wait_for_selector("[data-officer]")
        await lists(head, 1)

        await reader.sign_in(tenant.key, "/#view=supervision")
        for language in ("th", "en"):
            await page.wait_for_selector(f"html[lang={language}] [data-present=shared]")
            await opens(reader, language, 1, "shared")
            for words in (*WORDS[language], tenant.name):
                await reader.reads("main", words)
            await reader.is_sound()
            await switch_language(page)
        await page.wait_for_selector("html[lang=th]")
        async for _ in reader.windows():
            from_the_top = await page.locator(".option").evaluate_all(  # of its words to the middle of each button
                """all => all.map((one) => {
                  const [place, button] = [one, one.querySelector('input')].map((part) => part.getBoundingClientRect());
                  return button.y + button.height / 2 - place.y;
                })"""
            )
            assert max(from_the_top) < 30  # it stands beside the first line
        await reader.tab_to("supervision-shared")
        await page.keyboard.press("ArrowDown")
        await opens(reader, "th", 2, "all")
        await expect(page.locator("[data-present=shared]")).to_have_count(1)  # nothing is set yet
        await lists(head, 1)
        await reader.tab_to("supervision-save")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#supervision-saved:not(:empty)")
        await expect(page.locator("[data-present=all]")).to_have_count(1)
        await reader.is_sound()
        await lists(head, 2)
        await page.reload()
        await page.wait_for_selector("[data-keep=supervision-all]:checked")
        await page.check("[data-keep=supervision-shared]")
        await expect(page.locator("#supervision-saved:not(:empty)")).to_have_count(0)
        await page.click("[data-keep=supervision-save]")
        await page.wait_for_selector("[data-present=shared]")
        await lists(head, 1)


async def test_a_tenant_without_plans_and_an_unavailable_service_have_a_plain_message(
    platform: Platform, browser: Browser
) -> None:
    async with editing(platform, browser, sizes=[(320, 640), (1280, 900)]) as (tenant, reader):
        page = reader.page
        await reader.sign_in(await tenant.editor())
        await page.wait_for_selector("[data-keep=to-matches]", state="attached")
        await expect(page.locator("[data-keep=to-supervision]")).to_have_count(0)  # it is the admin's
        await sign_out(page)
        await page.fill("#key", tenant.key)
        await page.press("#key", "Enter")
        await reader.goes_to("supervision")
        await page.wait_for_selector(".preview [role=status]:has-text('ยังไม่มีเจ้าหน้าที่')")
        await page.route("**/v1/supervision", lambda route: route.abort())
        await page.click("[data-keep=supervision-save]")
        await page.wait_for_selector(".notice.refused")
        await reader.is_sound()
        await page.unroute("**/v1/supervision")
        await page.click("[data-keep=supervision-save]")
        await page.wait_for_selector("#supervision-saved:not(:empty)")
        await expect(page.locator(".notice.refused")).to_have_count(0)
