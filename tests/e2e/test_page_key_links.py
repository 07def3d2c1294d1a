"""Links that sign in, over the whole system."""

from urllib.parse import quote

import pytest
from playwright.async_api import Browser, expect

from deploy.local.keys import links
from tests.support.page import reading
from tests.support.platform import Officer, Platform, required

pytestmark = pytest.mark.timeout(400)
KEY_FORM = "#key"


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_link_with_a_key_signs_in_and_the_key_is_gone_from_the_address(
    platform: Platform, browser: Browser, width: int
) -> None:
    officer, other = Officer(platform), Officer(platform)
    for one in (officer, other):
        await one.register()
        await one.assess(required(0.5))
        await one.is_planned()
    key, url = await officer.api_key(), platform.stack.urls["portal"][0]
    link = links(url, platform.stack.keys, next(iter(platform.stack.keys.officers)))["platform"]
    async with reading(browser, url, width=width) as reader:
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
        assert await reader.overflow() == 0


async def test_a_link_with_an_invalid_key_is_explained(platform: Platform, browser: Browser) -> None:
    url = platform.stack.urls["portal"][0]
    async with reading(browser, url, width=390) as reader:
        for fragment, words in (("key=no.key", "รหัสนี้ใช้ไม่ได้"), ("key=", "กรุณาใส่รหัส")):
            await reader.page.goto(f"{url}/#{fragment}")
            await reader.shows("signIn")
            await reader.page.wait_for_selector(f"{KEY_FORM}-wrong >> text={words}")
            await expect(reader.page.locator(KEY_FORM)).to_have_attribute("aria-invalid", "true")
            await expect(reader.page).to_have_url(f"{url}/")
            assert await reader.violations() == []
