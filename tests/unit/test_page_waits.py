"""The tests of pages wait for what a page shows: a page draws, asks services and moves the focus after an action."""

import re

import pytest

from deploy.local.processes import ROOT

AT_ONCE = re.compile(
    r"assert .*await .*(\.(inner_text|text|text_content|input_value|get_attribute|is_visible|is_checked|focused)\("
    r"|\.count\(\)|activeElement)"
)
FAULTS = {
    AT_ONCE: "use `expect`, `reads` or `has_focus`",
    re.compile(r"\.open = true"): "what is in it is drawn later: use `opens` or `opens_all`",
    re.compile(r"\.bounding_box\("): "what is drawn late comes between two of them: use `boxes`",
    re.compile(r"\bsleep\(|wait_for_timeout\("): "nothing takes the same time everywhere: wait for what the page shows",
}


@pytest.mark.parametrize(
    ("fault", "line"),
    list(
        zip(
            FAULTS,
            (
                'assert await page.inner_text("h1") == "Path"',
                "await page.evaluate(\"document.querySelectorAll('details').forEach(one => { one.open = true; })\")",
                "left, right = [await page.locator('.route').nth(i).bounding_box() for i in (0, 1)]",
                "await asyncio.sleep(0.3)",
            ),
            strict=True,
        )
    ),
)
def test_no_test_of_a_page_reads_what_is_not_drawn_yet(fault: re.Pattern[str], line: str) -> None:
    assert fault.search(line)
    assert not fault.search('await expect(page.locator("h1")).to_have_text("Path")')
    found = [
        f"{file.name}:{number}: {line.strip()}: {FAULTS[fault]}"
        for file in sorted((ROOT / "tests" / "e2e").glob("test_page*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if fault.search(line)
    ]
    assert found == []
