"""Measures the pages for docs/pages.md, their sizes and Lighthouse on its phone profile: `python -m tests.lighthouse`.

It starts a system of its own with an officer, an agency and proposed matches, signs in as each page's reader, and loads
each page several times with an empty cache. Lighthouse and what it needs are installed beside this file, by this
command alone. It needs Chromium, and a Node that is new enough or the locked wheel of one.
"""

import argparse
import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

import aiohttp
from msgspec import Struct
from msgspec.json import decode
from playwright.async_api import BrowserContext, async_playwright

from deploy.local.pages import Node, build, install, write_sizes
from deploy.local.processes import LOCAL, ROOT, CannotStart
from deploy.local.stack import Stack
from tests.support.agencies import agency_of
from tests.support.editors import Tenant
from tests.support.page import FLAGS, NO_CHROMIUM, chromium
from tests.support.platform import Platform, planned_officer
from tests.support.waiting import until

FOLDER = Path(__file__).parent
REPORTS = LOCAL / "lighthouse"
"""Where the whole reports are left."""

DOCUMENT = ROOT / "docs" / "pages.md"
NODE_NEEDED = (22, 19)
"""What the locked Lighthouse needs."""

PASSES = 95


class Category(Struct):
    """`score`: 0 to 1."""

    score: float


class Audit(Struct, rename="camel"):
    """What one check found; `numeric_value` in ms where it is a time."""

    numeric_value: float = 0.0


class Environment(Struct, rename="camel"):
    """`benchmark_index`: how fast Lighthouse finds this machine."""

    benchmark_index: float


class Throttling(Struct, rename="camel"):
    """By how much the phone's processor is taken to be slower than this machine's."""

    cpu_slowdown_multiplier: float


class Settings(Struct):
    """What was simulated."""

    throttling: Throttling


class Report(Struct, rename="camel"):
    """What the table takes from Lighthouse's report on one load of a page."""

    categories: dict[str, Category]
    audits: dict[str, Audit]
    environment: Environment
    config_settings: Settings
    lighthouse_version: str

    def score(self, category: str) -> float:
        """Return what a page got of 100."""
        return round(100 * self.categories[category].score)

    def value(self, audit: str) -> float:
        """Return what was measured."""
        return self.audits[audit].numeric_value


CATEGORIES = {"performance": "performance", "accessibility": "accessibility"} | {
    "best-practices": "best practices",
    "seo": "search",
}
TIMES = {
    "first-contentful-paint": "first paint",
    "largest-contentful-paint": "largest paint",
    "total-blocking-time": "blocked",
}


class Opened(NamedTuple):
    """A page: its name in the table, where it is, who opens it, and what is there once it has loaded."""

    name: str
    at: str
    key: str
    there: str


async def pages_of(platform: Platform) -> list[Opened]:
    """Return the pages to be measured, with something in each of them."""
    officer = await planned_officer(platform)
    agency, _ = await agency_of(platform, technology=5, service=6)
    tenant = Tenant(platform, "measured", await platform.stack.issuer.issue("measured", "admin"))
    for number, title in enumerate(("การวิเคราะห์ข้อมูล", "ความมั่นคงปลอดภัยไซเบอร์", "การออกแบบบริการดิจิทัล")):
        await tenant.offer(f"course-{number}", {"th": title}, description={"th": f"หลักสูตร{title}สำหรับบุคลากรภาครัฐ"})
    await until(tenant.has_proposals, "a proposed match")
    return [
        Opened("signing in", "/", "", "#key"),
        Opened("an officer's first view", "/", await officer.api_key(), ".step"),
        Opened("the editors' queue", "/#view=matches", await tenant.editor(), ".match"),
        Opened("an agency", f"/#view=agency&agency={agency}", platform.stack.keys.platform, ".agency .gap"),
        Opened("the state of the system", "/#view=system", tenant.key, "[data-service=portal] [data-status=ready]"),
    ]


@contextlib.asynccontextmanager
async def browsing(executable: str, folder: Path) -> AsyncIterator[tuple[BrowserContext, int]]:
    """Start Chromium for as long as the block runs; yield its one context and the port on which it may be steered."""
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=executable, args=[*FLAGS, "--remote-debugging-port=0"]
        )
        try:
            yield context, int((folder / "DevToolsActivePort").read_text().splitlines()[0])
        finally:
            await context.close()


async def sign_in(context: BrowserContext, url: str, opened: Opened) -> None:
    """Open a page as its reader, and no other, has it."""
    await context.clear_cookies()
    page = await context.new_page()
    await page.goto(url + opened.at)
    if opened.key:
        await page.fill("#key", opened.key)
        await page.press("#key", "Enter")
    await page.wait_for_selector(opened.there)
    await page.close()


def measured(node: Node, port: int, address: str, file: Path) -> Report:
    """Load an address once, and leave the whole report in a file. Raises CannotStart."""
    node.script(FOLDER / "measure.mjs", str(port), address, str(file))
    return decode(file.read_bytes(), type=Report)


def row(name: str, loads: Sequence[Report]) -> list[str]:
    """Return the medians of all loads of a page."""
    scores = [f"{median(one.score(category) for one in loads):.0f}" for category in CATEGORIES]
    times = [f"{median(one.value(audit) for one in loads) / 1000:.1f} s" for audit in TIMES]
    return [name, *scores, *times, f"{median(one.value('cumulative-layout-shift') for one in loads):.3f}"]


def table(found: dict[str, list[Report]], load: tuple[float, float]) -> str:
    """Return the medians of each page as a table, and what they were measured on. `load` is before and after."""
    heads = ["page", *CATEGORIES.values(), *TIMES.values(), "shift"]
    rows = [heads, ["---", *["--:"] * (len(heads) - 1)], *(row(name, loads) for name, loads in found.items())]
    every = [one for loads in found.values() for one in loads]
    speeds = [one.environment.benchmark_index for one in every]
    slower = every[0].config_settings.throttling.cpu_slowdown_multiplier
    under = [
        f"Lighthouse {every[0].lighthouse_version} on {datetime.now(UTC).date()}, each figure the median of",
        f"{min(len(loads) for loads in found.values())} loads. It takes the phone's processor to be {slower:g} times",
        f"slower than this one, whose speed it put at {median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f});",
        f"{os.cpu_count()} processors, under a load of {load[0]:.1f} before and {load[1]:.1f} after.",
    ]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in rows), "", " ".join(under)])


def write(text: str, document: Path = DOCUMENT) -> None:
    """Write the table into the document about the pages, in place of the present one."""
    before = document.read_text(encoding="utf-8")
    after = re.sub(r"\| page \| performance .*\n(?:\|.*\n)*\nLighthouse .*(?=\n)", lambda _: text, before, count=1)
    document.write_text(after, encoding="utf-8")


async def main(loads: int, only: str) -> None:
    """Start everything, measure, print and, where all was measured, write the tables."""
    executable = chromium()
    if executable is None:
        raise SystemExit(NO_CHROMIUM)
    node = install(print, FOLDER, NODE_NEEDED)
    build(print)
    found: dict[str, list[Report]] = {}
    before = os.getloadavg()[0]
    REPORTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        async with Stack("lighthouse") as stack, aiohttp.ClientSession() as session:
            pages = await pages_of(Platform(stack, session))
            async with browsing(executable, Path(profile)) as (context, port):
                url = stack.urls["portal"][0]
                for opened in pages:
                    if only not in opened.name:
                        continue
                    await sign_in(context, url, opened)
                    loaded = found[opened.name] = []
                    for number in range(1, loads + 1):
                        file = REPORTS / f"{opened.name.replace(' ', '-')}-{number}.json"
                        loaded.append(await asyncio.to_thread(measured, node, port, url + opened.at, file))
                        sys.stdout.write(f"{' | '.join(row(opened.name, loaded[-1:]))}\n")
    text = table(found, (before, os.getloadavg()[0]))
    sys.stdout.write(f"{text}\n")
    if not only:
        write_sizes()
        write(text)
    low = [name for name, loads_ in found.items() if any(int(score) < PASSES for score in row(name, loads_)[1:5])]
    if low:
        raise SystemExit(f"below {PASSES}: {', '.join(low)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.lighthouse", description=__doc__)
    parser.add_argument("--loads", type=int, default=5, help="how often each page is loaded")
    parser.add_argument("--only", default="", help="a part of the name of the page to measure; writes no tables")
    given = parser.parse_args()
    try:
        asyncio.run(main(given.loads, given.only))
    except CannotStart as error:
        raise SystemExit(str(error)) from error
