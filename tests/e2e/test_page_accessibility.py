"""What WCAG 2.2 AA asks of a page and axe does not see: reflow, text spacing, target size, focus, motion, names, paper.

Every check runs on every page: tests/support/places.py lists them.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from deploy.local.stack import Stack
from tests.support.page import Reader
from tests.support.places import PLACES, at
from tests.support.platform import Platform
from tests.support.waiting import until

DOCUMENT = Path(__file__).parents[2] / "docs" / "pages.md"

TWICE = "document.documentElement.style.fontSize = '212.5%'"  # of 106.25 %
ONCE = "document.documentElement.style.fontSize = ''"
SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; }
    * { word-spacing: .16em !important; }
    p { margin-block-end: 2em !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""

PLAIN = "document.adoptedStyleSheets = []; document.documentElement.style.fontSize = ''"

CUT_OFF = """() => [...document.querySelectorAll('main *, header *')].filter((one) => {
  const style = getComputedStyle(one);
  if (one.closest('.unseen, select, svg, progress') || !one.innerText?.trim() || one.matches('.unseen')) return false;
  const hides = (value) => value === 'hidden' || value === 'clip';
  return (hides(style.overflowX) && one.scrollWidth > one.clientWidth + 1)
    || (hides(style.overflowY) && one.scrollHeight > one.clientHeight + 1);
}).map((one) => one.outerHTML.slice(0, 120))"""

SMALL = """() => {
  const targets = [...document.querySelectorAll('a[href], button, input, select, textarea, summary')]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches('.skip:not(:focus)'))
    .map((one) => (one.matches('input') && one.closest('label')) || one)
    .map((one) => ({ one, box: one.getBoundingClientRect() }));
  const isInText = ({ one }) => getComputedStyle(one).display === 'inline'
    && [...one.parentElement.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const middle = ({ box }) => [box.x + box.width / 2, box.y + box.height / 2];
  const apart = (at, other) => {  // how far a centre is from another target
    const [x, y] = middle(at);
    const { left, right, top, bottom } = other.box;
    return Math.hypot(Math.max(left - x, 0, x - right), Math.max(top - y, 0, y - bottom));
  };
  return targets.filter((at) => Math.min(at.box.width, at.box.height) < 23.5 && !isInText(at))
    .filter((at) => targets.some((other) =>
      other.one !== at.one && !other.one.contains(at.one) && apart(at, other) < 12))
    .map(({ one, box }) => `${Math.round(box.width)}x${Math.round(box.height)} ${one.outerHTML.slice(0, 100)}`);
}"""

# What is to be pressed or filled in, but for what shows a choice that was made.
TO_USE = """[...document.querySelectorAll('main[data-view] :is(button, .button, input, select, textarea)')]
  .filter((one) => one.checkVisibility() && !one.closest('.rating, .draft, .filters, .framework-choice'))
  .map((one) => one.outerHTML)"""

FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const shown = one.matches('.option input, .file input') ? one.closest('.option, .file') : one;
  const box = shown.getBoundingClientRect();
  const style = getComputedStyle(shown);
  const seen = [.5, .1, .9].some((part) => {
    const x = box.x + box.width / 2;
    const y = box.y + box.height * part;
    const top = document.elementFromPoint(x, y);
    return top && (shown.contains(top) || top.contains(shown));
  });
  return {
    name: one.dataset.keep || one.id || one.outerHTML.slice(0, 100),
    outlined: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
    seen,
  };
}"""

Tree = list[dict[str, Any]]
NAMED = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "spinbutton", "img", "progressbar"}


async def tree_of(reader: Reader) -> Tree:
    """Return the accessibility tree of the page: role, name and level of every node that is not ignored, in order."""
    session = await reader.page.context.new_cdp_session(reader.page)
    await session.send("Accessibility.enable")
    found = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    nodes = {node["nodeId"]: node for node in found["nodes"]}
    return [
        {
            "role": node["role"]["value"],
            "name": node.get("name", {}).get("value", ""),
            **{one["name"]: one["value"].get("value") for one in node.get("properties", [])},
        }
        for node in _in_reading_order(nodes, found["nodes"][0]["nodeId"])
        if not node["ignored"] and "role" in node
    ]


def _in_reading_order(nodes: dict[str, dict[str, Any]], root: str) -> Iterator[dict[str, Any]]:
    yield nodes[root]
    for child in nodes[root].get("childIds", []):
        if child in nodes:
            yield from _in_reading_order(nodes, child)


def walks() -> dict[str, list[str]]:
    """Return the roles that docs/pages.md lists for each place, in order."""
    rows = re.findall(
        r"^\| [^|]*\(`([\w-]+)`\) \|[^|]*\| ([^|]*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {place: re.findall(r"`(\w+)`", roles) for place, roles in rows}


def left_of(walk: Iterable[str], tree: Tree) -> list[str]:
    """Return the roles of a walk that are not found in the tree in this order."""
    read = iter([f"h{node['level']}" if node["role"] == "heading" else node["role"] for node in tree])
    return [role for role in walk if role not in read]  # each search goes on where the one before it ended


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
async def opened(stack: Stack, browser: Browser, place: str) -> AsyncIterator[Reader]:
    """Open a place once for all checks."""
    async with aiohttp.ClientSession() as session, at(place, Platform(stack, session), browser) as reader:
        yield reader


@pytest.fixture
async def reader(opened: Reader) -> AsyncIterator[Reader]:
    """Return the page of a place in the window and with the media in which it was opened, whatever a check changes."""
    yield opened
    await opened.page.set_viewport_size({"width": 390, "height": 844})
    await opened.page.emulate_media(media="null", color_scheme="light", reduced_motion="reduce")
    await opened.page.evaluate(PLAIN)


def test_the_documents_describe_the_walk_through_every_page() -> None:
    assert set(walks()) == set(PLACES)
    assert all(len(walk) >= 4 and "h1" in walk for walk in walks().values())
    tree: Tree = [{"role": "heading", "level": 1}, {"role": "list"}, {"role": "button"}]
    assert left_of(["h1", "button"], tree) == []
    assert left_of(["button", "list"], tree) == ["list"]


async def test_landmarks_headings_and_accessible_names_are_complete(reader: Reader, place: str) -> None:
    async def is_drawn() -> bool:
        return left_of(walks()[place], await tree_of(reader)) == []

    await until(is_drawn, f"every role and name of {place}")
    tree = await tree_of(reader)
    roles = [node["role"] for node in tree]
    for landmark in ("banner", "main", "contentinfo"):
        assert roles.count(landmark) == 1, landmark
    assert [node for node in tree if node["role"] in NAMED and not node["name"].strip()] == []
    await expect(reader.page.locator('[lang=""]')).to_have_count(0)  # of an unknown language
    levels = [node["level"] for node in tree if node["role"] == "heading"]
    assert levels.count(1) == 1
    assert [(a, b) for a, b in pairwise(levels) if b > a + 1] == []


async def test_nothing_is_cut_off_at_400_percent_on_large_screens_or_with_wide_text(reader: Reader) -> None:
    # 1280 x 1024 at 400 % is 320 x 256 CSS pixels (1.4.10); the last is a wall of 4K
    for width, height in ((320, 256), (320, 640), (3840, 2160)):
        await reader.page.set_viewport_size({"width": width, "height": height})
        assert await reader.overflow() == 0, (width, height)
    await reader.page.set_viewport_size({"width": 390, "height": 800})
    await reader.page.evaluate(TWICE)  # 1.4.4
    assert await reader.overflow() == 0
    await reader.page.evaluate(ONCE)
    for width in (320, 1280):  # 1.4.12
        await reader.page.set_viewport_size({"width": width, "height": 800})
        await reader.page.evaluate(SPACED)
        assert await reader.overflow() == 0, width
        assert await reader.page.evaluate(CUT_OFF) == []


async def test_reduced_motion_dark_mode_and_print_are_supported(reader: Reader) -> None:
    page = reader.page  # with reduced motion, as all tests here
    await page.emulate_media(color_scheme="dark")
    assert await page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length") == 0
    assert await reader.violations() == []
    await page.emulate_media(media="print")
    await expect(page.locator("main h1").first).to_be_visible()
    await expect(page.locator("#language")).to_be_hidden()
    assert await page.evaluate(TO_USE) == []
    assert await page.evaluate(
        "document.querySelector('main[data-view]') && getComputedStyle(document.body).color"
    ) in (
        "rgb(21, 39, 43)",  # dark on white also where the reader prefers light on dark
        None,  # the API documents
    )
    assert await reader.overflow() == 0


async def test_every_target_is_large_enough_and_the_focus_is_always_visible(reader: Reader) -> None:
    assert await reader.page.evaluate(SMALL) == []  # 2.5.8
    await reader.page.focus("#skip")
    hidden, walked = [], set[str]()
    for _ in range(150):  # 2.4.7, 2.4.11
        await reader.page.keyboard.press("Tab")
        found = await reader.page.evaluate(FOCUSED)
        if found is None:
            break
        walked.add(found["name"])
        if not (found["outlined"] and found["seen"]):
            hidden.append(found)
    assert hidden == []
    assert len(walked) >= 3
