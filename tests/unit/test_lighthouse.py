"""What the pages' Lighthouse command makes of its reports, and what it installs."""

import json
from pathlib import Path
from typing import Any

from msgspec.json import decode

from deploy.local.processes import ROOT
from tests.lighthouse.__main__ import DOCUMENT, FOLDER, Report, table, write


def report(performance: float, blocked: float) -> Report:
    paints = ("first-contentful-paint", "largest-contentful-paint", "cumulative-layout-shift")
    audits: dict[str, Any] = {name: {"numericValue": 1500.0} for name in paints}
    contents = {
        "categories": {
            name: {"score": performance} for name in ("performance", "accessibility", "best-practices", "seo")
        },
        "audits": {**audits, "total-blocking-time": {"numericValue": blocked}, "uses-text": {"score": None}},
        "environment": {"benchmarkIndex": 1000.5},
        "configSettings": {"throttling": {"cpuSlowdownMultiplier": 4}},
        "lighthouseVersion": "13.0.0",
    }
    return decode(json.dumps(contents), type=Report)


def test_the_table_shows_medians_and_what_they_were_measured_on(tmp_path: Path) -> None:
    text = table({"signing in": [report(0.5, 3000), report(0.99, 100), report(0.98, 200)]}, (0.5, 2.25))
    assert "| signing in | 98 | 98 | 98 | 98 | 1.5 s | 1.5 s | 0.2 s |" in text
    assert "each figure the median of 3 loads" in text
    assert "4 times slower" in text
    assert "under a load of 0.5 before and 2.2 after" in text
    document = tmp_path / "pages.md"
    document.write_text("before\n\n| page | performance |\n|---|--:|\n| old | 1 |\n\nLighthouse of old.\n\nafter\n")
    for _ in range(2):  # what was written is found again
        write(text, document)
        assert document.read_text() == f"before\n\n{text}\n\nafter\n"


def test_the_document_has_a_place_for_the_table(tmp_path: Path) -> None:
    document = tmp_path / "pages.md"
    document.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    write("| page | performance |\n\nLighthouse of now.", document)
    assert "Lighthouse of now." in document.read_text(encoding="utf-8")


def test_lighthouse_is_locked_with_sums_and_no_addresses_and_nothing_else_installs_it() -> None:
    lock = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert "://" not in lock
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    assert all("rm -rf" in line for line in makefile if "lighthouse" in line)
    for requirements in (ROOT / "deploy" / "requirements").glob("*.txt"):
        assert "lighthouse" not in requirements.read_text(encoding="utf-8")
