"""The tests of the pages find a text of too little contrast, though axe looks at each look of a text once."""

import pytest
from playwright.async_api import Browser

from tests.support import axe
from tests.support.axe import violations

FAINT = "color: #999; background-color: #fff"  # 2.85 : 1
CASES = {
    "colour": "<p style='color: #999'>other words</p>",
    "fill": "<p style='-webkit-text-fill-color: #999'>other words</p>",
    "weight": "<p style='color: #949494; font-size: 19px'>other words</p>",  # 3.03 : 1, which only large texts may have
    "ground": "<div style='background-color: #444'><p>other words</p></div>",
    "ground of a field": "<label>Name <input style='background-color: #444' value='other words'></label>",
    "opacity": "<div style='opacity: .3'><p>other words</p></div>",
}
PAGE = """<!doctype html><html lang="en"><title>Page</title><main style="color: #111; background-color: #fff">
<h1>Heading</h1><p>words</p><p style="color: #949494; font-size: 19px; font-weight: bold">words</p>
<label>Name <input value="words"></label><div id="more"></div></main></html>"""


@pytest.mark.parametrize("more", CASES.values(), ids=CASES.keys())
async def test_a_text_is_found_that_differs_from_sufficient_ones_in_its_look_alone(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    monkeypatch.setattr(axe, "_passed", set())
    page = await browser.new_page()
    await page.set_content(PAGE)
    assert await violations(page) == []
    assert axe._passed != set()
    await page.evaluate("more => { document.getElementById('more').innerHTML = more; }", more)
    for _ in range(2):  # what was found once is found again
        assert [one.split(":")[0] for one in await violations(page)] == ["color-contrast"]
    assert await violations(page, outside="#more") == []
    assert len(await violations(page, inside="#more")) == 1
    await page.close()


async def test_a_text_that_was_hidden_is_found_once_it_is_shown(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axe, "_passed", set())
    page = await browser.new_page()
    await page.set_content(PAGE)
    hidden = f"<p hidden style='{FAINT}'>words</p>"
    await page.evaluate("more => { document.getElementById('more').innerHTML = more; }", hidden)
    assert await violations(page) == []
    await page.evaluate("document.querySelector('[hidden]').hidden = false")
    assert len(await violations(page)) == 1
    await page.close()


async def test_contrast_of_equal_looks_is_computed_once(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axe, "_passed", set())
    page = await browser.new_page()
    await page.set_content(PAGE)
    assert await violations(page) == []
    await page.evaluate("""() => {
        const { run } = axe;
        axe.run = (context, options) => { (window.runs ??= []).push(options.runOnly); return run(context, options); };
        document.getElementById('more').innerHTML = '<p>other words</p>';
    }""")
    assert await violations(page) == []
    assert await page.evaluate("window.runs") == [None]
    await page.close()
