"""Links that sign in, over the whole system."""

from dataclasses import replace
from urllib.parse import quote

from playwright.async_api import Browser, expect

from deploy.local.keys import links
from shared.auth import Role
from tests.support.page import PHONE, SIZES, reading, switch_language
from tests.support.platform import Platform, planned_officer

KEY_FORM = "#key"
ROLES: dict[Role, tuple[str, ...]] = {
    "officer": (".step", "h1", "เส้นทางการเรียนรู้ของท่าน", "Your learning path"),
    "supervisor": ("#officer", "h1", "เส้นทางการเรียนรู้ของเจ้าหน้าที่ในหน่วยงาน", "Learning paths of your officers"),
    "analyst": ("#agency", "h1", "ท่านต้องการดูหน่วยงานใด", "Which agency would you like to see?"),
    "admin": ("[data-keep=to-system]", "h1", "ตรวจทักษะที่ระบบเสนอ", "Check proposed skills"),
    "editor": ("[data-keep=to-matches]", "h1", "ตรวจทักษะที่ระบบเสนอ", "Check proposed skills"),
    "platform": ("#officer", "h1", "ดูเส้นทางของใคร", "Whose"),
}
"""By role what its page holds, and words of it in Thai and English."""


async def test_the_link_of_every_role_opens_its_page_in_both_languages(platform: Platform, browser: Browser) -> None:
    officer = await planned_officer(platform)
    keys = replace(platform.stack.keys, officers={officer.name: await officer.api_key()})
    url = platform.portal
    addresses = links(url, keys, officer.name)
    assert set(addresses) == set(ROLES)
    for role, (there, selector, *words) in ROLES.items():
        async with reading(browser, url, sizes=SIZES) as reader:
            await reader.page.goto(addresses[role])
            await reader.page.wait_for_selector(there, state="attached")
            for text in words:
                await reader.reads(selector, text)
                await reader.is_sound()
                await switch_language(reader.page)
            await expect(reader.page.locator("[data-keep=to-system]")).to_have_count(int(role == "admin"))


async def test_a_link_with_a_key_signs_in_and_the_key_is_gone_from_the_address(
    platform: Platform, browser: Browser
) -> None:
    officer, other = [await planned_officer(platform) for _ in range(2)]
    key, url = await officer.api_key(), platform.portal
    link = links(url, platform.stack.keys, next(iter(platform.stack.keys.officers)))["platform"]
    async with reading(browser, url, sizes=SIZES) as reader:
        page = reader.page
        await page.goto(f"{url}/#key={quote(key)}")
        await reader.shows("path")
        await expect(page).to_have_url(f"{url}/")
        await page.goto(link + f"&officer={other.name}")  # in the same tab only the fragment changes: no new load
        await page.wait_for_selector(".whose")
        await reader.shows("path")
        await reader.reads(".whose", other.name)
        await expect(page).to_have_url(f"{url}/#officer={other.name}")
        await page.go_back()  # the page before is not the link, but what stood in the address after it was taken
        await expect(page).to_have_url(f"{url}/")
        assert not [one for one in reader.requests if key in one or platform.stack.keys.platform in one]
        storage = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert key.split(".")[1] not in storage
        await reader.fits()


async def test_a_link_with_an_invalid_key_is_explained(platform: Platform, browser: Browser) -> None:
    url = platform.portal
    async with reading(browser, url, sizes=PHONE) as reader:
        for fragment, words in (("key=no.key", "รหัสนี้ใช้ไม่ได้"), ("key=", "กรุณาใส่รหัส")):
            await reader.page.goto(f"{url}/#{fragment}")
            await reader.shows("signIn")
            await reader.page.wait_for_selector(f"{KEY_FORM}-wrong >> text={words}")
            await expect(reader.page.locator(KEY_FORM)).to_have_attribute("aria-invalid", "true")
            await expect(reader.page).to_have_url(f"{url}/")
            assert await reader.violations() == []
