"""Opens every page of the portal in a state that shows much of it, for the accessibility tests and the walk."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlencode

from playwright.async_api import Browser

from deploy.local.keys import TENANT
from tests.support.agencies import agency_of
from tests.support.builders import unique
from tests.support.editors import FRAMEWORK, Tenant, editing
from tests.support.page import PHONE, Reader, at_the_path, reading
from tests.support.platform import Officer, Platform, planned_officer
from tests.support.waiting import until

OF_OFFICERS = ("officer", "assessment", "shared")
OF_SUPERVISORS = ("plans", "plan", "rating")
OF_EDITORS = ("matches", "courses", "load", "health", "frameworks", "supervision", "system")
PLACES = ("sign-in", *OF_OFFICERS, "agencies", "agency", *OF_SUPERVISORS, *OF_EDITORS, "documents")

DRAWN_LAST = ".models .json-schema-2020-12-expand-deep-button"
"""What is drawn last of the page of an OpenAPI document."""

_agencies: dict[int, str] = {}
"""{id of a stack: the agency in it that has enough officers for figures}."""


@asynccontextmanager
async def at(
    place: str, platform: Platform, browser: Browser, *, sizes: Sequence[tuple[int, int]] = PHONE
) -> AsyncIterator[Reader]:
    """Open one of the PLACES, signed in with a role that may open it."""
    async with AsyncExitStack() as stack:
        if place == "sign-in":
            reader = await stack.enter_async_context(reading(browser, platform.portal, sizes=sizes))
            await reader.page.goto(platform.portal)
            await reader.shows("signIn")
        elif place in ("agencies", "agency"):
            reader = await stack.enter_async_context(reading(browser, platform.portal, sizes=sizes))
            await _at_an_agency(reader, platform, place)
        elif place in OF_SUPERVISORS:
            reader = await stack.enter_async_context(reading(browser, platform.portal, sizes=sizes))
            await _at_a_supervisors(reader, platform, place)
        elif place in OF_OFFICERS:
            officer, reader = await stack.enter_async_context(at_the_path(platform, browser, sizes=sizes))
            await _IN_OFFICERS[place](reader, officer)
        elif place == "documents":
            tenant, reader = await stack.enter_async_context(editing(platform, browser, sizes=sizes))
            await _at_the_documents(reader, tenant)
        else:
            tenant, reader = await stack.enter_async_context(editing(platform, browser, sizes=sizes))
            if place == "matches":
                await tenant.offer("one", {"th": "การวิเคราะห์ข้อมูล", "en": "Data Analytics"})
                await until(lambda: _is_matched(tenant), "a proposed match")
            if place == "supervision":
                await planned_officer(platform, tenant=tenant.name, agency="agency-a")
            address = f"/#view={place}" + (f"&framework={FRAMEWORK}" if place == "frameworks" else "")
            await reader.sign_in(tenant.key, address)
            await reader.page.wait_for_selector(f'[data-keep="to-{place}"][aria-current]', state="attached")
            await reader.page.wait_for_selector("main .match" if place == "matches" else "main h1")
            await reader.page.wait_for_load_state("networkidle")
        yield reader


async def _is_matched(tenant: Tenant) -> bool:
    return bool((await tenant.ask("GET", "/v1/matches?status=proposed"))["courses"])


async def _opens_the_history(reader: Reader, _: Officer) -> None:
    await reader.page.click("[data-keep=history-show]")
    await reader.page.wait_for_selector('section[aria-labelledby="past-paths-title"][aria-busy="false"]')


async def _takes_the_assessment(reader: Reader, _: Officer) -> None:
    await reader.page.click("[data-keep=assess-begin]")
    await reader.page.wait_for_selector("#question")


async def _opens_the_own_link(reader: Reader, officer: Officer) -> None:
    await reader.page.evaluate(f"location.hash = '#{await _link(officer)}'")
    await reader.page.wait_for_selector(f'h1:has-text("{officer.name}")')
    await reader.page.wait_for_selector(".step")


_IN_OFFICERS: dict[str, Callable[[Reader, Officer], Awaitable[None]]] = {
    "officer": _opens_the_history,
    "assessment": _takes_the_assessment,
    "shared": _opens_the_own_link,
}


async def _link(officer: Officer) -> str:
    """Return the fragment of a new share link of an officer."""
    made = await officer.platform.insist(
        "assessment",
        "POST",
        f"/v1/officers/{officer.name}/shares",
        key=await officer.api_key(),
        json={"days": 7},
    )
    return urlencode({"share": made["key"], "officer": officer.name})


async def _at_an_agency(reader: Reader, platform: Platform, place: str) -> None:
    """Sign in as an analyst and open the choice of agencies, or the report of one with every table open."""
    here = id(platform.stack)
    if here not in _agencies:
        _agencies[here], _ = await agency_of(platform, technology=5, service=6)
    key = await platform.stack.issuer.issue(TENANT, "analyst")
    if place == "agencies":
        await reader.sign_in(key)
        await reader.page.wait_for_selector(".agencies li")
        return
    await reader.sign_in(key, f"/#view=agency&agency={_agencies[here]}")
    await reader.page.wait_for_selector(".in-time form")  # the last of what is drawn
    await reader.opens_all(".agency")


async def _at_the_documents(reader: Reader, tenant: Tenant) -> None:
    """Sign in as an admin and open an operation of the catalog's document, ready to be tried."""
    await reader.sign_in(tenant.key, "/#view=system")
    await reader.page.click("[data-keep=docs]")
    await reader.page.click('nav a[href="/docs/catalog"]')
    await reader.page.wait_for_selector('nav a[aria-current][href="/docs/catalog"]')
    await reader.page.click(".opblock.opblock-get .opblock-summary-control >> nth=0")
    await reader.page.click(".opblock.is-open .try-out__btn >> nth=0")
    await reader.page.wait_for_selector(".opblock.is-open .execute")
    await reader.page.wait_for_selector(DRAWN_LAST)


async def _at_a_supervisors(reader: Reader, platform: Platform, place: str) -> None:
    """Sign in as the supervisor of an officer who shares the learning path."""
    agency = unique("agency")
    officer = await planned_officer(platform, agency=agency)
    await _link(officer)
    key = await platform.stack.issuer.issue(TENANT, "supervisor", agency=agency)
    fragment, shown = {
        "plans": ("", f'[data-officer="{officer.name}"]'),
        "plan": (f"/#plan={officer.name}", ".step"),
        "rating": (f"/#rate={officer.name}", ".rating fieldset"),
    }[place]
    await reader.sign_in(key, fragment)
    await reader.page.wait_for_selector(shown)
