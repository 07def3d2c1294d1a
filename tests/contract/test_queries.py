"""No query of a store reads a whole collection or sorts in memory: each is explained by a real MongoDB.

Every public method of every store is called on a small database while a listener takes down the commands. Then each
collection gets 20,000 documents of one tenant, and the server explains every command. A store or a method that is not
called here fails the test.
"""

import inspect
import pkgutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from importlib import import_module
from uuid import UUID

import msgspec
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import UpdateOne

import services
import shared
from services.assessment.item_bank.model import BankFacts, Item, OptionText, StemText
from services.assessment.item_bank.store import ItemBankStore, NewDraft
from services.assessment.model import Evidence, ListEvidence, Result
from services.assessment.sessions.model import (
    ListSessions,
    Session,
    SessionAnswer,
    SessionPlan,
    SessionSkill,
    ShownItem,
)
from services.assessment.sessions.store import SessionStore
from services.assessment.store import OfficerStore
from services.assessment.stored_officer import MOST_EVIDENCE, Change
from services.assessment.xapi.mapping import PutXapiMapping
from services.assessment.xapi.statements import read_statement
from services.assessment.xapi.store import KeptStatement, StatementStore
from services.catalog.draft_store import DraftStore
from services.catalog.drafts import FrameworkDraft, Signature
from services.catalog.entries import framework_key
from services.catalog.history import HistoryStore
from services.catalog.match_requests import ListMatches
from services.catalog.match_store import MatchStore
from services.catalog.matches import Match, with_decisions
from services.catalog.model import CourseImportReport, ListCourses, ListFrameworks
from services.catalog.part_store import PartedFramework, PartStore
from services.catalog.shared_copies import SharedCopies
from services.catalog.store import CatalogStore
from services.recommender.agency_report import DeadlineReport
from services.recommender.disclosure import Release
from services.recommender.feedback import Feedback
from services.recommender.rules import TenantRules
from services.recommender.store import ALL_INDEXES
from services.recommender.store.documents import IdempotencyRecord, NewPlan, PathVersion
from services.recommender.store.history import RETAINED_REVISIONS
from services.recommender.store.releases import ReleaseKey
from shared.auth import StoredKey
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import SHARED_TENANT, Framework, LocalizedText, Profile
from shared.events import (
    CATALOG_TOPIC,
    MAX_VALUE_BYTES,
    CoursePublished,
    CourseWithdrawn,
    Data,
    Envelope,
    FrameworkPublished,
    OfficerChanged,
    OfficerErased,
    new_event,
)
from shared.framework_parts import divided
from shared.imports.reports import ReportStore
from shared.imports.rows import ListRows, RowResult
from shared.kafka import ConsumedEvent, Publisher, Record, TopicSpec, create_topics
from shared.mongo import BUILD_SECONDS, Client, Collection, Database, Document, KeyStore, ensure_indexes
from shared.outbox import OUTBOX_INDEXES, outbox_insert
from shared.settings import StoreSettings, read
from tests.support.builders import DAY, FRAMEWORK, MOMENT, TENANT, course, framework, large_framework, profile
from tests.support.many_documents import LATER, NEXT_YEAR, fill
from tests.support.outbox import COLLECTION, LEASE, Owner
from tests.support.planner import LONG, READ, Office
from tests.support.query_plans import Call, Commands, Watched, commands_of, query_faults
from tests.support.waiting import running, until

READ_WHOLE = {
    "SessionStore.answered": "an operator calibrates a bank on all that was answered",
    "PlanStore.republish of all": "an operator announces everything again, or the topic was lost",
    "OfficerStore.republish of all": "the same",
    "CatalogStore.republish of all": "the same",
    "ReleaseStore.delete_all": "an operator deletes all figures",
    "MatchStore.waiting": "an operator sees how many courses wait; counted every ten seconds at most, in an index",
    "MatchStore.examples": "courses are compared with up to 5,000 examples, kept for a minute",
    "MatchStore.whole": "the health of a catalog is that of every course; one request at a time",
    "MatchStore.decided": "an operator calibrates on all that people have decided",
    "OfficerStore.places_under": "an admin sees how many officers a change of a framework concerns",
    "OfficerStore.places_under of all tenants": "the same, for the shared framework",
    "KeyStore.list": "an operator lists every key of a tenant",
    "KeyStore.list of all": "the same, of all tenants",
}
"""The calls that read a whole collection on purpose, and why."""

OF_A_RELAY = {f"Lease.{name}" for name in ("create", "renew", "read", "update", "reserve", "release")} | {
    "ReadBack.run",
    "ReadBack.note_sent",
    "Relay.warning",
}
"""Methods that a run of the relay calls, or that read only its memory."""


@pytest.fixture
async def watched(mongodb_uri: str, namespace: str) -> AsyncIterator[Watched]:
    values = {"MONGODB_URI": mongodb_uri, "NAMESPACE": namespace, "API_KEY_PEPPER": "pepper of these tests"}
    commands = Commands()
    client: Client = AsyncIOMotorClient(mongodb_uri, event_listeners=[commands], tz_aware=True, w="majority")
    watched = Watched(client, read(StoreSettings, values), commands)
    yield watched
    for name in await client.list_database_names():
        if name.startswith(namespace):
            await client.drop_database(name)
    client.close()


def changed(sequence: int, officer: str = "a") -> tuple[Profile, Envelope]:
    one = profile(officer, {"reading": 1}, sequence=sequence)
    return one, new_event("/test", one.key, sequence, OfficerChanged(one))


async def officers(watched: Watched) -> AsyncIterator[Call]:
    store = OfficerStore(watched.database("assessment"))
    yield "OfficerStore.prepare", store.prepare()
    yield "OfficerStore.save first", store.save(Change(None, *changed(1)))
    for number in range(2, MOST_EVIDENCE + 3):
        found = await store.find(TENANT, "a")
        results = [Result("reading", 1.0)]
        one = Evidence(f"e{number}", FRAMEWORK, "test", results, MOMENT, MOMENT, number)
        call = store.save(Change(found, *changed(number), [(one, "digest")], {}))
        if number < MOST_EVIDENCE + 2:
            await call
        else:
            yield "OfficerStore.save with evidence over the most", call
    yield "OfficerStore.places_under", store.places_under(FRAMEWORK, tenant=TENANT)
    yield "OfficerStore.places_under of all tenants", store.places_under(FRAMEWORK, besides=["others"])
    yield "OfficerStore.find", store.find(TENANT, "a")
    yield "OfficerStore.find with one assessment", store.find(TENANT, "a", "e9")
    found = await store.find(TENANT, "a", "e2")
    assert found is not None
    assert found.archived
    yield "OfficerStore.accepted", store.accepted(found, "e2")
    yield "OfficerStore.evidence", store.evidence(found, ListEvidence())
    yield "OfficerStore.evidence after one in the document", store.evidence(found, ListEvidence(after="e9"))
    yield "OfficerStore.evidence after one in the archive", store.evidence(found, ListEvidence(after="e2"))
    yield "OfficerStore.find_many", store.find_many([found.key, "agency/nobody"])
    yield "OfficerStore.frameworks", store.frameworks([found.key, "agency/nobody"])
    yield "OfficerStore.archived", store.archived(["e2", "e9"])
    one = Evidence("bulk", FRAMEWORK, "test", [Result("reading", 1.0)], MOMENT, MOMENT, found.sequence + 1)
    bulk = [Change(found, *changed(found.sequence + 1), [(one, "digest")], {}), Change(None, *changed(1, "c"))]
    yield "OfficerStore.save_many", store.save_many(bulk)
    lost = [Change(found, *changed(found.sequence + 1), [(one, "digest")], {})]
    yield "OfficerStore.save_many after a lost race", store.save_many(lost)
    many = [f"many{number}" for number in range(30)]
    await store.save_many([Change(None, *changed(1, one)) for one in many])
    known = await store.find_many([f"{TENANT}/{one}" for one in many])
    together = [Change(before, *changed(2, before.officer)) for before in known.values()]
    yield "OfficerStore.save_many in one transaction", store.save_many(together)
    found = await store.find(TENANT, "a")
    assert found is not None
    yield "OfficerStore.statistics", store.statistics(found)
    yield "OfficerStore.recomputed", store.recomputed(found)
    yield "OfficerStore.recomputed at a time", store.recomputed(found, MOMENT)
    yield "OfficerStore.republish", store.republish([found.key])
    yield "OfficerStore.republish of all", store.republish()
    archived = await watched.database("assessment")["archive"].find_one()
    assert archived is not None
    gone = new_event("/test", found.key, found.sequence + 1, OfficerErased(TENANT, "a"))
    yield "OfficerStore.erase", store.erase(found, gone)
    yield "OfficerStore.clear_archive", store.clear_archive(found.key)
    yield "OfficerStore.republish of an erased officer", store.republish([found.key])
    await store.save(Change(None, *changed(1, "b")))
    await watched.database("assessment")["archive"].insert_one(archived)


async def statements(watched: Watched) -> AsyncIterator[Call]:
    store = StatementStore(watched.database("assessment"))
    given = {
        "actor": {"account": {"homePage": "https://a.example", "name": "a"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/passed"},
        "object": {"id": "https://a.example/quiz"},
    }
    one, two = (read_statement(given | {"id": str(UUID(int=n))}, "", MOMENT) for n in (1, 2))
    yield "StatementStore.prepare", store.prepare()
    yield "StatementStore.put_mapping", store.put_mapping(TENANT, PutXapiMapping("https://a.example", []))
    yield "StatementStore.mapping", store.mapping(TENANT)
    stored_statements = [KeptStatement(received, f"{TENANT}/a", "unmapped", MOMENT) for received in (one, two)]
    yield "StatementStore.keep", store.keep(TENANT, stored_statements, {})
    yield "StatementStore.keep again", store.keep(TENANT, stored_statements, {one.id: None})
    yield "StatementStore.shown_mapping", store.shown_mapping(TENANT)
    yield "StatementStore.digests", store.digests(TENANT, [one.id])
    yield "StatementStore.find", store.find(TENANT, one.id)
    yield "StatementStore.erase", store.erase(f"{TENANT}/b")


async def banks(watched: Watched) -> AsyncIterator[Call]:
    store = ItemBankStore(watched.database("assessment"))
    facts = BankFacts(FRAMEWORK, LocalizedText(en="Bank"))
    options = [OptionText("ไม่", "no"), OptionText("ใช่", "yes")]
    item = Item("i", "reading", "choice", 1, StemText("อ่านได้ไหม", "Can you read?"), options, 1)
    made = NewDraft(TENANT, "b", facts, 0, 1)
    yield "ItemBankStore.prepare", store.prepare()
    yield "ItemBankStore.save_draft", store.save_draft(None, made, [item])
    draft = await store.draft(TENANT, "b")
    assert draft is not None
    yield "ItemBankStore.save_draft again", store.save_draft(draft, made, [item])
    yield "ItemBankStore.draft", store.draft(TENANT, "b")
    draft = await store.draft(TENANT, "b")
    assert draft is not None
    yield "ItemBankStore.publish", store.publish(draft, 1)
    found = await store.version(TENANT, "b")
    assert found is not None
    yield "ItemBankStore.version", store.version(TENANT, "b")
    yield "ItemBankStore.version of a number", store.version(TENANT, "b", 1)
    yield "ItemBankStore.current", store.current(TENANT, FRAMEWORK)
    yield "ItemBankStore.newest", store.newest(TENANT, "a", 10)
    yield "ItemBankStore.whole", store.whole(found)
    yield "ItemBankStore.items", ItemBankStore(watched.database("assessment")).items(found)
    yield "ItemBankStore.page", store.page(found, 0, 10)
    gone = await store.save_draft(None, replace(made, version=1), [item])
    assert gone is not None
    yield "ItemBankStore.remove_draft", store.remove_draft(gone)
    await store.save_draft(None, replace(made, bank="c"), [item])


async def sessions(watched: Watched) -> AsyncIterator[Call]:
    store = SessionStore(watched.database("assessment"))
    skills = [SessionSkill("reading", 1, 1)]
    plan = SessionPlan("s", TENANT, "a", FRAMEWORK, TENANT, "b", 1, [0, 1], skills, 7, 60, None, None, MOMENT, "digest")
    first = Session(plan, 2, [], ShownItem("i", "reading", MOMENT), {}, due_at=MOMENT)
    yield "SessionStore.prepare", store.prepare()
    yield "SessionStore.start", store.start(first)
    yield "SessionStore.start of a second one", store.start(first)
    answer = SessionAnswer("i", "reading", MOMENT, MOMENT, 1, 1)
    second = msgspec.structs.replace(first, revision=3, answers=[answer])
    yield "SessionStore.advance", store.advance(first, second)
    yield "SessionStore.find", store.find(TENANT, "a", "s")
    yield "SessionStore.open_of", store.open_of(TENANT, "a")
    yield "SessionStore.page", store.page(TENANT, "a", ListSessions())
    yield "SessionStore.page after one", store.page(TENANT, "a", ListSessions(after="s"))
    yield "SessionStore.due", store.due(LATER, 100)
    yield "SessionStore.postpone", store.postpone(second, MOMENT)
    yield "SessionStore.exposure", store.exposure(plan.bank_key)
    yield "SessionStore.answered", store.answered(plan.bank_key)
    yield "SessionStore.remove", store.remove(first)
    yield "SessionStore.erase", store.erase(plan.officer_key)
    await store.start(first)


async def courses(watched: Watched) -> AsyncIterator[Call]:
    store = CatalogStore(watched.database("catalog"))
    yield "CatalogStore.prepare", store.prepare()
    yardstick, one = framework({"reading": 3}), course("c", ("reading", 0, 3))
    yield "CatalogStore.put_framework", store.put_framework(None, TENANT, yardstick, "")
    yield "CatalogStore.put_course", store.put_course(None, TENANT, one, "")
    found = await store.find(f"{TENANT}/c")
    assert found is not None
    yield "CatalogStore.put_course again", store.put_course(found, TENANT, one, "")
    yield "CatalogStore.find", store.find(found.key)
    yield "CatalogStore.course_entries", store.course_entries([found.key])
    yield "CatalogStore.visible", store.visible(TENANT, "absent")
    yield "CatalogStore.visible_framework", store.visible_framework(TENANT, FRAMEWORK)
    for wanted in _lists():
        yield f"CatalogStore.page with {wanted}", store.page(TENANT, wanted)
    yield "CatalogStore.courses", store.courses([f"{TENANT}/c", f"{TENANT}/d"])
    yield "CatalogStore.frameworks_in_use", store.frameworks_in_use(TENANT)
    yield "CatalogStore.offered", store.offered(TENANT, ["c", "d"])
    yield "CatalogStore.framework_scales", store.framework_scales(TENANT, [FRAMEWORK])
    yield "CatalogStore.frameworks", store.frameworks(TENANT, ListFrameworks(after="a"))
    yield (
        "CatalogStore.put_courses",
        store.put_courses(TENANT, {"m1": one, "m2": course("other", ("reading", 0, 2))}, ""),
    )
    touched = UpdateOne({"_id": found.key}, {"$set": {"match_due": True}})
    yield "CatalogStore.write_staged", store.write_staged([touched])
    yield "CatalogStore.after_import", store.after_import(0.0)
    yield "CatalogStore.republish", store.republish([found.key])
    yield "CatalogStore.republish of all", store.republish()
    large = msgspec.structs.replace(large_framework(), id="large")
    yield "CatalogStore.put_framework in parts", store.put_framework(None, TENANT, large, "")
    document = await watched.database("catalog")["entries"].find_one({"id": "large"}) or {}
    yield "CatalogStore.whole", store.whole(document)
    async for call in parts(store.parts, large):
        yield call
    found = await store.find(found.key)
    assert found is not None
    yield "CatalogStore.withdraw_course", store.withdraw_course(found, "")
    async for call in matches(MatchStore(watched.database("catalog"), store), store):
        yield call
    async for call in copies(SharedCopies(MatchStore(watched.database("catalog"), store)), store):
        yield call
    async for call in drafts(DraftStore(watched.database("catalog"))):
        yield call


async def copies(store: SharedCopies, catalog: CatalogStore) -> AsyncIterator[Call]:
    shared = course("shared-one", ("reading", 0, 2))
    await catalog.put_course(None, SHARED_TENANT, shared, "")
    yield "SharedCopies.tenants", store.tenants()
    yield "SharedCopies.next_pass", store.next_pass(200)
    found = await store.next_pass(200)
    assert found is not None
    yield "SharedCopies.passed", store.passed(found)
    yield "SharedCopies.due", store.due(200)
    yield "SharedCopies.planned", store.planned(TENANT, found.courses, {FRAMEWORK})
    planned = await store.planned(TENANT, found.courses, {FRAMEWORK})
    assert planned
    match = Match(framework=FRAMEWORK, skill="reading", from_level=0, to_level=1, confidence=0.5)
    yield "SharedCopies.write", store.write([(planned[0], [match])])
    yield "SharedCopies.done", store.done(found.courses)
    own = await catalog.put_course(None, TENANT, course("uncovers"), "")
    assert own is not None
    await catalog.withdraw_course(own, "")
    yield "SharedCopies.uncover", store.uncover(200)


async def parts(store: PartStore, whole: Framework) -> AsyncIterator[Call]:
    made = divided(TENANT, msgspec.structs.replace(whole, version=2))
    yield "PartStore.prepare", store.prepare()
    yield "PartStore.stage", store.stage(made)
    named = PartedFramework(2, made.header.digest, made.header.parts)
    yield "PartStore.read", store.read(TENANT, "large", named)
    yield "PartStore.republish", store.republish([made.parts[0].key])
    yield "PartStore.retire", store.retire(TENANT, "large", 3)


async def drafts(store: DraftStore) -> AsyncIterator[Call]:
    yardstick = framework({"reading": 1})
    by = Signature("somebody", "key", LATER)
    first = FrameworkDraft(yardstick, 1, "draft", 0, by)
    second = msgspec.structs.replace(first, revision=2)
    yield "DraftStore.prepare", store.prepare()
    yield "DraftStore.save", store.save(TENANT, None, first)
    yield "DraftStore.save again", store.save(TENANT, first, second)
    yield "DraftStore.last_revision", store.last_revision(TENANT, yardstick.id)
    yield "DraftStore.find", store.find(TENANT, yardstick.id)
    yield "DraftStore.keep_approval", store.keep_approval(TENANT, second, 1)
    yield "DraftStore.approvals", store.approvals(TENANT, yardstick.id, [1, 2], 1000)
    yield "DraftStore.remove", store.remove(TENANT, second)
    yield "DraftStore.save of another one", store.save(TENANT, None, msgspec.structs.replace(second, revision=3))
    large = FrameworkDraft(msgspec.structs.replace(large_framework(), id="large"), 1, "draft", 0, by)
    yield "DraftStore.save in pieces", store.save(TENANT, None, large)
    yield "DraftStore.save in pieces again", store.save(TENANT, large, msgspec.structs.replace(large, revision=2))
    yield "DraftStore.find in pieces", store.find(TENANT, "large")
    yield "DraftStore.remove in pieces", store.remove(TENANT, msgspec.structs.replace(large, revision=2))
    third = msgspec.structs.replace(large, revision=3)
    yield "DraftStore.save in pieces once more", store.save(TENANT, None, third)


async def matches(store: MatchStore, catalog: CatalogStore) -> AsyncIterator[Call]:
    await store.prepare()
    yield "MatchStore.prepare", store.prepare()
    await catalog.put_course(None, TENANT, course("kept"), "")
    proposals = [Match(FRAMEWORK, skill, 0, 1, 0.7) for skill in ("reading", "writing")]
    one = await store.find(TENANT, "kept")
    assert one is not None
    yield "MatchStore.find", store.find(TENANT, "kept")
    yield "MatchStore.due", store.due(TENANT, 200)
    yield "MatchStore.next_due", store.next_due("")
    yield "MatchStore.next_due after a tenant", store.next_due("agency")
    yield "MatchStore.waiting", store.waiting()
    yield "MatchStore.propose", store.propose([(one, proposals)])
    one = await store.find(TENANT, "kept")
    assert one is not None
    confirmed = [msgspec.structs.replace(proposals[0], status="confirmed"), proposals[1]]
    taught = with_decisions(one.course, proposals, confirmed)
    yield "MatchStore.decide", store.decide(one, one.course, proposals, "")
    one = await store.find(TENANT, "kept")
    assert one is not None
    yield "MatchStore.decide with a row", store.decide(one, taught, confirmed, "")
    yield "MatchStore.without_levels", store.without_levels()
    yield "MatchStore.with_skills", store.with_skills(TENANT, 200)
    yield "MatchStore.leveled", store.leveled([one])
    yield "MatchStore.level_again", store.level_again([one])
    for wanted in (ListMatches(), ListMatches(status="proposed", after="b"), ListMatches(status="corrected")):
        yield f"MatchStore.page with {wanted}", store.page(TENANT, wanted)
    yield "MatchStore.framework", store.framework(framework_key(TENANT, FRAMEWORK))
    yield "MatchStore.frameworks", store.frameworks(TENANT)
    yield "MatchStore.versions", store.versions(TENANT)
    yield "MatchStore.examples", store.examples(TENANT, FRAMEWORK)
    yield "MatchStore.decided", store.decided(TENANT)
    yield "MatchStore.whole", store.whole(TENANT)
    yield "MatchStore.mark", store.mark()
    yield "MatchStore.spread", store.spread(200)


def _lists() -> Iterator[ListCourses]:
    yield ListCourses(after="b")
    yield ListCourses(skill="reading")
    yield ListCourses(framework=FRAMEWORK, skill="reading", language="th")
    yield ListCourses(skill="taught by none")
    yield ListCourses(framework="taught by none")
    yield ListCourses(language="en")


async def reports(watched: Watched) -> AsyncIterator[Call]:
    store = ReportStore(watched.database("catalog"), CourseImportReport)
    yield "ReportStore.prepare", store.prepare()
    report = CourseImportReport("i-5", "running", "csv", MOMENT, MOMENT)
    yield "ReportStore.save", store.save(TENANT, report, "run")
    yield "ReportStore.add", store.add(TENANT, "i-5", [RowResult(1, "created", "c", 1), RowResult(2, "refused")])
    yield "ReportStore.find", store.find(TENANT, "i-5")
    yield "ReportStore.newest", store.newest(TENANT, 10)
    yield "ReportStore.page", store.page(TENANT, "i-5", ListRows())
    yield "ReportStore.page of a verdict", store.page(TENANT, "i-5", ListRows(after=1, verdict="refused"))


async def history(watched: Watched) -> AsyncIterator[Call]:
    store = HistoryStore(watched.database("catalog"))
    yield "HistoryStore.prepare", store.prepare()
    yardstick, one = framework({"reading": 3}), course("c", ("reading", 0, 3))
    data: list[tuple[str, Data]] = [
        (f"framework:{FRAMEWORK}", FrameworkPublished(TENANT, yardstick)),
        ("c", CoursePublished(TENANT, one)),
        ("gone", CourseWithdrawn(TENANT, "gone")),
    ]
    made = divided(TENANT, msgspec.structs.replace(large_framework(), id="large"))
    data += [(part.key.partition("/")[2], part) for part in made.parts]
    data.append(("framework:large", made.header))
    batch = []
    for stamp, (name, news) in enumerate(data, 1):
        envelope = msgspec.structs.replace(new_event("/test", f"{TENANT}/{name}", 1, news), catalog_revision=stamp)
        key, value, headers = to_kafka(envelope)
        event = from_kafka(key, value, headers)
        batch.append(ConsumedEvent(Record(CATALOG_TOPIC, 0, stamp, key, value, headers), event))
    yield "HistoryStore.on_read_back", store.on_read_back(batch)
    yield "HistoryStore.position", store.position()
    for wanted in _lists():
        yield f"HistoryStore.page with {wanted}", store.page(TENANT, wanted, 30_000)
    yield "HistoryStore.offered", store.offered(TENANT, ["c", "gone"], 30_000)
    yield "HistoryStore.framework", store.framework(TENANT, FRAMEWORK, 30_000)
    yield "HistoryStore.framework_versions", store.framework_versions(TENANT, FRAMEWORK, 30_000, 100)


async def keys(watched: Watched) -> AsyncIterator[Call]:
    store = KeyStore(watched.client, watched.settings)
    yield "KeyStore.prepare", store.prepare()
    stored = StoredKey("k", "digest", TENANT, "officer", "a")
    yield "KeyStore.create", store.create(stored)
    yield "KeyStore.find", store.find("k")
    yield "KeyStore.note_use", store.note_use("k")
    yield "KeyStore.working", store.working(["k", "absent"])
    yield "KeyStore.list", store.list(TENANT)
    yield "KeyStore.list of all", store.list()
    viewer = StoredKey("v", "digest", TENANT, "viewer", "a", LATER)
    yield "KeyStore.create of a viewer", store.create(viewer)
    yield "KeyStore.viewers_of", store.viewers_of(TENANT, "a")
    yield "KeyStore.viewed_until", store.viewed_until(TENANT, ["a", "b"])
    yield "KeyStore.remove_viewer", store.remove_viewer(TENANT, "a", "v")
    yield "KeyStore.remove_viewers", store.remove_viewers(TENANT, "a")
    yield "KeyStore.revoke_of", store.revoke_of(TENANT, "a")
    yield "KeyStore.revoke_subject", store.revoke_subject("https://provider.example 1")
    yield "KeyStore.revoke", store.revoke("k")


async def plans(watched: Watched) -> AsyncIterator[Call]:  # noqa: PLR0915 - one call a line
    database = watched.database("recommender")
    await ensure_indexes(database, ALL_INDEXES)
    office = Office(database, READ, LONG)
    store, replanner = office.store, office.replanner()
    one = profile("a", {"reading": 1}, sequence=1)
    await office.plan(one)
    await office.plan(msgspec.structs.replace(one, sequence=2, deadline=NEXT_YEAR.date(), weekly_hours=2.0))
    key = f"{TENANT}/a"
    yield "PlanStore.find_path", store.find_path(TENANT, "a")
    yield "PlanStore.find_path of a known version", store.find_path(TENANT, "a", PathVersion(2, MOMENT))
    yield "PlanStore.find", store.find(TENANT, "a")
    yield "PlanStore.heads", store.heads([key, "absent"])
    yield "PlanStore.sequences", store.sequences([key])
    yield "PlanStore.bases", store.bases([key])
    yield "PlanStore.affected_by any change", store.affected_by(None, range(3), 900)
    yield "PlanStore.frameworks_of", store.frameworks_of(TENANT, "office")
    yield "PlanStore.agencies", store.agencies(TENANT)
    yield "PlanStore.agency_of", store.agency_of(TENANT, "a")
    yield "PlanStore.count_open", store.count_open(TENANT, FRAMEWORK, "reading")
    yield "PlanStore.officers", store.officers(TENANT, "office", "a", 50)
    yield "SupervisionStore.put", store.supervision.put(TENANT, "all", "key")
    yield "SupervisionStore.of", store.supervision.of(TENANT)
    yield "PlanStore.summaries", store.summaries(TENANT, "office", FRAMEWORK)
    yield "PlanStore.mark_checked", store.mark_checked([key], 1)
    yield "PlanStore.move", store.move({key: 1})
    yield "PlanStore.defer", store.defer([key])
    yield "PlanStore.republish", store.republish([key])
    yield "PlanStore.republish of all", store.republish()
    rules = TenantRules(1)
    yield "RuleStore.put", store.rules.put(TENANT, rules, "key")
    yield "RuleStore.of", store.rules.of(TENANT)
    yield "RuleStore.recent", store.rules.recent("another")
    yield "RuleStore.find", store.rules.find(TENANT, 1)
    yield "RuleStore.refresh", store.rules.refresh()
    yield "RuleStore.put_since", store.rules.put_since(MOMENT)
    yield "PlanStore.affected_by", replanner.after_catalog_change(range(3), 0)
    yield "PlanStore.under_older_rules", replanner.after_newer_rules(range(3))
    yield "PlanStore.due_by", replanner.near_deadlines(range(3), NEXT_YEAR)
    stored = await store.find(TENANT, "a")
    assert stored is not None
    yield "PlanStore.mark_rules_checked", store.mark_rules_checked([stored], 1)
    path = msgspec.structs.replace(stored.announced.recommended(), revision=stored.head.revision + 1)
    new = NewPlan(0, msgspec.structs.replace(stored.profile, sequence=3), path, stored.head)
    yield "History.archive", store.history.archive([key])
    yield "History.trim", store.history.trim({key: RETAINED_REVISIONS + 1})
    yield (
        "History.trim of several",
        store.history.trim({key: RETAINED_REVISIONS + 1, "example/b": RETAINED_REVISIONS + 2}),
    )
    yield "PlanStore.save", store.save([new])
    yield "PlanStore.save with a lost race", store.save([new])
    record = IdempotencyRecord("k", "digest", 1, 2, stale=False, at=MOMENT)
    yield "PlanStore.save_feedback", store.save_feedback(new, record, 0)
    yield "PlanStore.save_stale_feedback", store.save_stale_feedback(stored, Feedback(1), record, 0)
    yield "History.find", store.history.find(key, 1)
    yield "History.page", store.history.page(key, None, 20)
    yield "History.page after a revision", store.history.page(key, 2, 20)
    releases, whose = store.releases, ReleaseKey(TENANT, "office", FRAMEWORK)
    report = DeadlineReport(DAY, 1.0, 2.0, 3, [], DAY)
    yield "ReleaseStore.turn", releases.turn(TENANT)
    yield "ReleaseStore.replace first", releases.replace(whose, 0, Release(), turn=0)
    yield "ReleaseStore.replace", releases.replace(whose, 1, Release(), turn=1)
    yield "ReleaseStore.find", releases.find(whose)
    yield "ReleaseStore.versions_elsewhere", releases.versions_elsewhere(whose, range(200))
    yield "ReleaseStore.officers", releases.officers(TENANT, "office", [FRAMEWORK])
    yield "ReleaseStore.save_report", releases.save_report(whose, 2, "when", report)
    yield "ReleaseStore.report", releases.report(whose, 2, "when")
    yield "ReleaseStore.delete_all", releases.delete_all()
    yield "ReleaseStore.replace after a deletion", releases.replace(whose, 0, Release(), turn=2)
    yield "History.erase", store.history.erase(key)
    yield "PlanStore.erase of somebody unknown", store.erase(TENANT, "unknown", 1, 0)
    await office.plan(profile("b", {"reading": 1}))
    yield "PlanStore.erase", store.erase(TENANT, "b", 2, 0)
    await store.history.archive([key])


async def relay(watched: Watched, bootstrap: str) -> AsyncIterator[Call]:
    """Yield a run of the relay that issues each of its queries: two events sent, one too large, and the read-back."""
    database, topic = watched.database("owner"), watched.settings.topic("things")
    await ensure_indexes(database, {COLLECTION: OUTBOX_INDEXES})
    await create_topics(bootstrap, [TopicSpec(topic, 1, 1, {})])
    async with Publisher(bootstrap) as publisher:
        owner = Owner(database, bootstrap, topic, publisher)
        await owner.change("t/a", 1)
        large = new_event("/test", "t/large", 1, CourseWithdrawn("t", "x" * (2 * MAX_VALUE_BYTES)))
        await database[COLLECTION].insert_one({"_id": "t/large", "sequence": 1, **outbox_insert(large)})

        async def sent_and_read_back() -> None:
            relay = owner.relay(stamp=True)
            async with running(relay):
                await until(lambda: relay.unsendable == 1)
                await owner.change("t/b", 1)
                await until(lambda: relay.sent == 2)
                await until(lambda: database["leases"].find_one({"_id": LEASE, "read_back": {"$exists": True}}))

        yield "Relay.run", sent_and_read_back()


def _methods(store: type) -> set[str]:
    """Return the public methods of a store, as `Class.method`; properties are none."""
    methods = [name for name, method in vars(store).items() if inspect.isfunction(method)]
    return {f"{store.__name__}.{name}" for name in methods if not name.startswith("_")}


def _stores() -> Iterator[type]:
    """Yield the classes of services/ and shared/ that are made with a client, a database or a collection."""
    for package in (services, shared):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for _, one in inspect.getmembers(import_module(module.name), inspect.isclass):
                wanted = inspect.get_annotations(one.__init__).values() if one.__module__ == module.name else ()
                if any(handle in wanted for handle in (Database, Client, Collection)):
                    yield one


async def test_every_query_of_the_stores_uses_an_index(watched: Watched, kafka_bootstrap: str) -> None:
    labels: set[str] = set()
    commands: list[tuple[str, str, Document]] = []
    of_catalog = (courses(watched), reports(watched), history(watched))
    for calls in (
        officers(watched),
        statements(watched),
        banks(watched),
        sessions(watched),
        *of_catalog,
        keys(watched),
        plans(watched),
    ):
        labels |= await commands_of(watched, calls, commands)
    labels |= await commands_of(watched, relay(watched, kafka_bootstrap), commands)
    forgotten = (
        {name for store in _stores() for name in _methods(store)} - {label.split()[0] for label in labels} - OF_A_RELAY
    )
    assert not forgotten, "methods of stores whose queries are not looked at: call them above"

    await fill(watched)
    faults: dict[str, list[str]] = {}
    for label, database, command in commands:
        if found := await query_faults(watched.client[database], command):
            faults.setdefault(label, []).append(f"{found}: {command}")
    assert {label: found for label, found in faults.items() if label not in READ_WHOLE} == {}
    assert faults.keys() == READ_WHOLE.keys(), "these read no whole collection any more: strike them out"


async def test_an_index_may_take_longer_to_build_than_a_query_may_take(mongodb_uri: str, namespace: str) -> None:
    commands = Commands()
    client: Client = AsyncIOMotorClient(mongodb_uri, event_listeners=[commands], timeoutMS=5000)
    database = client[f"{namespace}built"]
    await ensure_indexes(database, {COLLECTION: OUTBOX_INDEXES})
    await database[COLLECTION].find_one({"_id": "a"})
    bounds = {next(iter(command)): command["maxTimeMS"] for _, command in commands.sent if "maxTimeMS" in command}
    assert bounds["find"] <= 5000
    assert 60_000 * 9 < bounds["createIndexes"] <= 1000 * BUILD_SECONDS
    await client.drop_database(database.name)
    client.close()
