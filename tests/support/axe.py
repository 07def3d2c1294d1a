"""What axe finds on a page, in a real Chromium.

Axe needs most of its time for the contrast of texts, which depends on how a text looks and not on its words. So axe
checks the contrast of one look once in a process: it leaves out texts that look as one that has passed, and looks at
three of those that look alike. A text over an element that is not among its ancestors is missed if it looks as one that
has passed.
"""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

_VIOLATIONS = """async ({ inside, outside, passed }) => {
  const known = new Set(passed);
  const grounds = new Map();
  const ground = (one) => {
    if (!one) return '';
    if (!grounds.has(one)) {
      const { backgroundColor, backgroundImage, opacity, filter, mixBlendMode } = getComputedStyle(one);
      const own = `${backgroundColor} ${backgroundImage} ${opacity} ${filter} ${mixBlendMode}`;
      const below = ground(one.parentElement);
      grounds.set(one, own === 'rgba(0, 0, 0, 0) none 1 none normal' ? below : `${below} | ${own}`);
    }
    return grounds.get(one);
  };
  const look = (one) => {
    const { color, fontSize, fontWeight, textShadow, webkitTextFillColor } = getComputedStyle(one);
    return `${color} ${webkitTextFillColor} ${fontSize} ${fontWeight} ${textShadow}${ground(one)}`;
  };
  const hasText = (one) => one.matches('input, select, textarea')
    || [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const isMeant = (one) => (!inside || one.closest(inside)) && !(outside && one.closest(outside));
  const words = ({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));

  const context = inside ? { include: [[inside]] } : outside ? { exclude: [[outside]] } : document;
  const rules = { 'color-contrast': { enabled: false } };
  const others = words(await axe.run(context, { resultTypes: ['violations'], rules }));
  const texts = [...document.querySelectorAll('body, body *')].filter((one) => hasText(one) && isMeant(one));
  const fresh = Map.groupBy(texts.filter((one) => !known.has(look(one))), look);
  const include = [...fresh.values()].flatMap((alike) => alike.slice(0, 3));
  if (include.length === 0) return { violations: others, passed: [] };
  const options = { runOnly: ['color-contrast'], resultTypes: ['violations', 'passes'], elementRef: true };
  const contrast = await axe.run({ include }, options);
  const looks = contrast.passes.flatMap(({ nodes }) => nodes.map(({ element }) => look(element)));
  return { violations: [...others, ...words(contrast)], passed: looks };
}"""
_passed: set[str] = set()
"""The looks of texts that have enough contrast: colour, size, weight, shadow, and the grounds of all ancestors."""


async def violations(page: Page, inside: str = "", outside: str = "") -> list[str]:
    """Return the faults that axe finds now, on the whole page or only `inside`, or `outside`, of a selector."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    given = {"inside": inside, "outside": outside, "passed": list(_passed)}
    found: dict[str, Any] = await page.evaluate(_VIOLATIONS, given)
    _passed.update(found["passed"])
    faults: list[str] = found["violations"]
    return faults
