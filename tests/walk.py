"""Dumps the accessibility tree of Chromium for each page of the portal: `python -m tests.walk [PLACE ...]`.

It starts a system of its own, needs Chromium, and writes an accessibility tree for each place into `.local/walk/`.
"""

import asyncio
import sys
from collections.abc import Sequence

import aiohttp

from deploy.local.pages import build
from deploy.local.processes import LOCAL
from deploy.local.stack import Stack
from tests.support.page import DESK, NO_CHROMIUM, chromium, launched
from tests.support.places import PLACES, at
from tests.support.platform import Platform

FOLDER = LOCAL / "walk"


async def main(places: Sequence[str]) -> None:
    """Start everything, open the places one after the other, and write the tree of each."""
    if unknown := set(places) - set(PLACES):
        raise SystemExit(f"no such place: {', '.join(sorted(unknown))}; there are {', '.join(PLACES)}")
    executable = chromium()
    if executable is None:
        raise SystemExit(NO_CHROMIUM)
    build(print)
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with Stack("walk") as stack, aiohttp.ClientSession() as session, launched(executable) as browser:
        for place in places:
            async with at(place, Platform(stack, session), browser, sizes=DESK) as reader:
                path = FOLDER / f"{place}.yaml"
                path.write_text(await reader.page.locator("body").aria_snapshot() + "\n", encoding="utf-8")
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or PLACES))
