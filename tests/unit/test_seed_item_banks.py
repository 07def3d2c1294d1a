"""The starter items: enough for every required skill, over its levels, in both languages, and not to be guessed."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.local.processes import ROOT
from services.assessment.item_bank.model import BankFacts, Item, bank_faults, coverage
from shared.domain import Framework

BANKS = sorted((ROOT / "deploy/seed/item_banks").glob("*.json"))
FRAMEWORKS = sorted((ROOT / "deploy/seed/frameworks").glob("*.json"))
THAI = re.compile(r"[\u0e00-\u0e7f]")


def read(path: Path) -> tuple[BankFacts, list[Item], Framework]:
    given: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    items = msgspec.convert(given.pop("items"), list[Item])
    framework = msgspec.json.decode((ROOT / "deploy/seed/frameworks" / path.name).read_bytes(), type=Framework)
    return msgspec.convert(given, BankFacts), items, framework


def test_every_shipped_framework_has_a_bank() -> None:
    assert [path.name for path in BANKS] == [path.name for path in FRAMEWORKS]


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_every_required_skill_has_items_of_both_kinds_over_its_levels(path: Path) -> None:
    facts, items, framework = read(path)
    assert facts.framework == framework.id == path.stem
    assert bank_faults(items, framework) == []
    counts = coverage(items)
    highest: dict[str, float] = {}
    for row in framework.requirements:
        highest[row.skill] = max(highest.get(row.skill, 0.0), row.level)
    for skill, level in highest.items():
        assert sum(counts[skill].values()) >= 6, skill
        assert set(counts[skill]) >= {step.level for step in framework.scale if 0 < step.level <= level}, skill
        assert {item.kind for item in items if item.skill == skill} == {"choice", "graded"}, skill


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_every_text_is_specific_to_its_item_and_bilingual(path: Path) -> None:
    facts, items, _ = read(path)
    assert facts.label == "starter"
    assert {item.label for item in items} == {"starter"}
    for language in ("th", "en"):
        stems = Counter(getattr(item.stem, language) for item in items)
        assert not [stem for stem, count in stems.items() if count > 1]
    for item in items:
        assert THAI.search(item.stem.th), item.id
        assert not THAI.search(item.stem.en), item.id
        assert not [option.en for option in item.options if THAI.search(option.en)], item.id


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_position_and_length_do_not_reveal_the_right_option(path: Path) -> None:
    choices = [item for item in read(path)[1] if item.kind == "choice"]
    places = Counter(item.key for item in choices)
    assert set(places) == set(range(4))
    assert max(places.values()) <= 0.3 * len(choices)
    for language in ("th", "en"):
        ranks = Counter(_rank(item, language) for item in choices)
        assert max(ranks.values()) <= 0.4 * len(choices), language
        assert ranks[3] <= 0.3 * len(choices), "the longest option is right by chance in 25 of 100"


def _rank(item: Item, language: str) -> int:
    """Return how many options are shorter than the right one: who always takes that place is right so often."""
    lengths = [len(getattr(option, language)) for option in item.options]
    return sum(length < lengths[item.key or 0] for length in lengths)
