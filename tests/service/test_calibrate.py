"""`calibrate` on a real database: which answers count, what is published, and the report."""

import argparse
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from services.assessment.calibrating import answers_of, calibrate
from services.assessment.item_bank.model import BankFacts, Item, ItemBank, OptionText, StemText
from services.assessment.item_bank.store import ItemBankStore, NewDraft
from services.assessment.sessions.model import Session, SessionAnswer, SessionPlan
from services.assessment.sessions.store import SessionStore
from shared.domain import LocalizedText
from shared.errors import Conflict, NotFound
from shared.mongo import Database, connect
from shared.settings import AssessmentSettings
from tests.support.builders import FRAMEWORK, MOMENT, unique
from tests.support.services import settings_of

OPTIONS = [OptionText("ไม่", "no"), OptionText("ใช่", "yes")]


@pytest.fixture
async def database(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Database]:
    settings = settings_of(AssessmentSettings, mongodb_uri, kafka_bootstrap)
    client = connect(settings)
    name = settings.database("assessment")
    await ItemBankStore(client[name]).prepare()
    await SessionStore(client[name]).prepare()
    yield client[name]
    await client.drop_database(name)
    client.close()


def items(*levels: float) -> list[Item]:
    return [
        Item(f"i{n}", "reading", "choice", level, StemText(f"ถาม {n}", f"ask {n}"), OPTIONS, 1)
        for n, level in enumerate(levels)
    ]


async def published(database: Database, name: str, content: list[Item]) -> ItemBank:
    store = ItemBankStore(database)
    before = await store.version("agency", name)
    facts = BankFacts(FRAMEWORK, LocalizedText(en="Bank"))
    draft = await store.save_draft(None, NewDraft("agency", name, facts, before.version if before else 0, 1), content)
    assert draft is not None
    version = await store.publish(draft, 1)
    assert version is not None
    return await store.whole(version)


async def answered(database: Database, bank: ItemBank, scores: dict[str, int | None]) -> None:
    """Store a session of a bank version with these answers; None: no answer came in time."""
    officer, store = unique("o"), SessionStore(database)
    plan = SessionPlan(
        unique("s"), "agency", officer, FRAMEWORK, "agency", bank.id, bank.version, [0.0, 4.0], [], 1, 60, None, None,
        MOMENT, "digest",
    )  # fmt: skip
    begun = Session(plan, 1, [], None, {})
    answers = [SessionAnswer(name, "reading", MOMENT, MOMENT, score, score) for name, score in scores.items()]
    assert await store.start(begun)
    assert await store.advance(begun, msgspec.structs.replace(begun, revision=2, answers=answers))


def arguments(bank: str, **changes: object) -> argparse.Namespace:
    given = {"bank": bank, "tenant": "agency", "least": 200, "report": None, "dry_run": False}
    return argparse.Namespace(**given | changes)


async def run_calibration(database: Database, wanted: argparse.Namespace) -> tuple[int, str]:
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = await calibrate(database, wanted)
    return code, output.getvalue()


async def test_answers_count_while_the_item_is_unchanged(database: Database) -> None:
    name = unique("bank")
    first = await published(database, name, items(1, 2, 3))
    await answered(database, first, {"i0": 1, "i1": 0, "i2": None})
    mended = items(2, 2, 3)  # another level: shown as before
    mended[1] = msgspec.structs.replace(mended[1], stem=StemText("ใหม่", "new"))
    second = await published(database, name, mended)
    await answered(database, second, {"i1": 1})
    await answered(database, await published(database, unique("bank"), items(1)), {"i0": 0})
    found = await answers_of(ItemBankStore(database), SessionStore(database), "agency", second)
    assert sorted(found, key=len) == [{"i0": 1}, {"i1": 1}]


async def test_too_few_answers_publish_nothing(database: Database, tmp_path: Path) -> None:
    name = unique("bank")
    bank = await published(database, name, items(1, 2, 3))
    for n in range(30):
        await answered(database, bank, {"i0": 1, "i1": n % 2, "i2": 0})
    code, output = await run_calibration(database, arguments(name, report=tmp_path / "report"))
    assert (code, "no item has enough answers" in output) == (0, True)
    newest = await ItemBankStore(database).version("agency", name)
    assert newest is not None
    assert newest.version == 1
    assert (tmp_path / "report" / "calibration.md").read_text(encoding="utf-8").count("reading.svg") == 1
    assert (tmp_path / "report" / "reading.svg").read_text(encoding="utf-8").startswith("<svg")


async def test_enough_answers_publish_a_version_and_leave_the_old_one(database: Database) -> None:
    pytest.importorskip("girth", reason="the extra `calibration` is not installed")
    name, chance = unique("bank"), np.random.default_rng(1)
    bank = await published(database, name, items(1, 2, 3, 4))
    for level in chance.normal(2, 1, 300):
        right = chance.random(4) < 1 / (1 + np.exp(-1.5 * (level - np.array([1.2, 1.3, 2.2, 3.4]))))
        await answered(database, bank, {f"i{n}": int(one) for n, one in enumerate(right)})
    code, output = await run_calibration(database, arguments(name, dry_run=True))
    assert (code, "nothing was published" in output) == (0, True)
    code, output = await run_calibration(database, arguments(name))
    assert (code, f"{name}: version 2 is published, 4 of 4 items fitted" in output) == (0, True)
    store = ItemBankStore(database)
    first, second = await store.version("agency", name, 1), await store.version("agency", name, 2)
    assert first is not None
    assert second is not None
    old, new = await store.whole(first), await store.whole(second)
    assert old == bank
    parameters = [one.parameters for one in new.items]
    assert [one.answers for one in parameters if one] == [300] * 4
    places = [one.difficulty for one in parameters if one and one.difficulty is not None]
    assert places == sorted(places)
    assert places[1] - places[0] < 0.5


async def test_a_bank_that_cannot_be_calibrated_is_reported(database: Database) -> None:
    name = unique("bank")
    with pytest.raises(NotFound):
        await calibrate(database, arguments(name))
    await published(database, name, items(1, 2, 3))
    facts = BankFacts(FRAMEWORK, LocalizedText(en="Bank"))
    await ItemBankStore(database).save_draft(None, NewDraft("agency", name, facts, 1, 1), items(1))
    with pytest.raises(Conflict, match="draft"):
        await calibrate(database, arguments(name))
