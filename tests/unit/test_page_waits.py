"""The tests of pages wait for what a page shows: a page draws, asks services and moves the focus after an action."""

import re

from deploy.local.processes import ROOT

AT_ONCE = re.compile(
    r"assert .*await .*(\.(inner_text|text|text_content|input_value|get_attribute|is_visible|is_checked|focused)\("
    r"|\.count\(\)|activeElement)"
)


def test_no_test_of_a_page_asserts_what_it_reads_at_once() -> None:
    assert AT_ONCE.search('assert await page.inner_text("h1") == "Path"')
    assert not AT_ONCE.search('await expect(page.locator("h1")).to_have_text("Path")')
    found = [
        f"{file.name}:{number}: {line.strip()}: use `expect`, `reads` or `has_focus`"
        for file in sorted((ROOT / "tests" / "e2e").glob("test_page*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if AT_ONCE.search(line)
    ]
    assert found == []
