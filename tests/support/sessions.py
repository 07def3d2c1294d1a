"""Item banks and adaptive sessions for tests."""

import random
from collections.abc import Callable
from typing import Any

from services.assessment.item_bank.model import BankFacts, Item, ItemBank, ItemParameters, OptionText, StemText
from services.assessment.item_bank.store import ItemBankStore, NewDraft
from services.assessment.sessions.adaptive import Sitting
from shared.domain import SHARED_TENANT, LocalizedText
from tests.support.builders import FRAMEWORK
from tests.support.services import Started

BANK = "bank"
Answering = Callable[[dict[str, Any]], int]


def graded(name: str, skill: str, middle: float, discrimination: float = 2.0) -> Item:
    """Return a graded item of five options whose thresholds are around the level `middle`."""
    thresholds = [round(middle + 0.7 * (k - 1.5), 3) for k in range(4)]
    options = [OptionText(f"ระดับ {k}", f"step {k} of {name}") for k in range(5)]
    parameters = ItemParameters(discrimination, thresholds=thresholds)
    return Item(name, skill, "graded", max(middle, 0), _stem(name), options, None, parameters)


def choice(name: str, skill: str, difficulty: float, discrimination: float = 1.7) -> Item:
    """Return a choice item of four options; the third one is right."""
    options = [OptionText(f"ข้อ {k}", f"option {k} of {name}") for k in range(4)]
    parameters = ItemParameters(discrimination, difficulty=difficulty)
    return Item(name, skill, "choice", max(difficulty, 0), _stem(name), options, 2, parameters)


def _stem(name: str) -> StemText:
    return StemText(f"คำถาม {name}", f"Question {name}")


def items_of(skill: str, count: int) -> list[Item]:
    """Return items of a skill, spread over the levels 0 to 4.5, alternately graded and choice items."""
    middles = [4.5 * i / max(count - 1, 1) for i in range(count)]
    return [(graded, choice)[i % 2](f"{skill}-{i}", skill, round(middle, 3)) for i, middle in enumerate(middles)]


def bank(*items: Item, version: int = 1) -> ItemBank:
    return ItemBank(BANK, FRAMEWORK, LocalizedText(en="A bank"), "published", version, 1, list(items))


async def publish(service: Started, *items: Item, tenant: str = SHARED_TENANT, framework: str = FRAMEWORK) -> int:
    """Publish the next version of the tenant's bank; return its number."""
    store = ItemBankStore(service.database("assessment"))
    before = await store.version(tenant, BANK)
    facts = BankFacts(framework, LocalizedText(en="A bank"))
    version = before.version if before else 0
    draft = await store.save_draft(None, NewDraft(tenant, BANK, facts, version, 1), items)
    assert draft is not None
    published = await store.publish(draft, 1)
    assert published is not None
    return published.version


def honest(item: Item, level: float, chance: random.Random) -> int:
    """Return the response of somebody at this level, drawn by the response model of the item."""
    assert item.parameters is not None
    at_least = [
        1 / (1 + pow(2.718281828, -item.parameters.discrimination * (level - b))) for b in item.parameters.boundaries
    ]
    score = sum(chance.random() < share for share in at_least[:1])
    if item.kind == "graded":
        draw = chance.random()
        return sum(draw < share for share in at_least)
    return 2 if score else 0


def current(sitting: Sitting) -> str:
    """Return the id of the item to answer."""
    assert sitting.session.current is not None
    return sitting.session.current.item


async def start(service: Started, officer: str, expected: int = 201, **body: Any) -> dict[str, Any]:
    role = body.pop("role", "platform")
    who = officer if role == "officer" else None
    got = await service.ask("POST", f"/v1/officers/{officer}/sessions", role, officer=who, json=body)
    found: dict[str, Any] = await got.json()
    assert got.status == expected, found
    return found


async def answer(
    service: Started, step: dict[str, Any], response: int, expected: int = 200, **changed: Any
) -> dict[str, Any]:
    body = {"item": step["item"]["id"], "sequence": step["item"]["sequence"], "response": response} | changed
    path = f"/v1/officers/{step['officer']}/sessions/{step['session']}/answers"
    got = await service.ask("POST", path, json=body)
    found: dict[str, Any] = await got.json()
    assert got.status == expected, found
    return found


async def finish(service: Started, step: dict[str, Any], answering: Answering) -> dict[str, Any]:
    """Answer items until the session ends; return the last step."""
    while step["status"] == "open":
        step = await answer(service, step, answering(step["item"]))
    return step


async def detail(service: Started, step: dict[str, Any]) -> dict[str, Any]:
    got = await service.ask("GET", f"/v1/officers/{step['officer']}/sessions/{step['session']}")
    found: dict[str, Any] = await got.json()
    assert got.status == 200, found
    return found
