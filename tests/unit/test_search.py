"""The search index without a server: what is found, in which order, on which page, and whose it is."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from services.catalog import search_replica
from services.catalog.model import ListCourses
from services.catalog.search.find import Found, find
from services.catalog.search.grams import Highlighter
from services.catalog.search.index import SearchIndex, fold_events, tidy
from services.catalog.search.segment import Postings
from services.catalog.search.tenant import TenantCourses
from services.catalog.search_replica import SearchReplica
from shared import outbox
from shared.cloudevents import from_kafka, to_kafka
from shared.domain import SHARED_TENANT, Course, Framework, LocalizedText, Prose, Teaches, key_of
from shared.errors import InvalidInput
from shared.events import CoursePublished, CourseWithdrawn, Data, Event, FrameworkPublished, new_event
from shared.kafka import ConsumedEvent, Record
from shared.outbox import Staged
from shared.work_queue import WorkQueue
from tests.support.builders import framework

TENANT = "agency"
TITLES = {
    "data": ("การวิเคราะห์ข้อมูลขนาดใหญ่", "Big Data Analytics"),
    "law": ("กฎหมายคุ้มครองข้อมูลส่วนบุคคล", "Personal Data Protection Law"),
    "python": ("การเขียนโปรแกรมภาษาไพทอน", "Programming in Python"),
    "water": ("การจัดการน้ำ", "Water Management"),
    "leader": ("ภาวะผู้นำ", "Leadership in Government"),
}


class Log:
    """A catalog's log: events with stamps that count up, and the index that was folded from them."""

    def __init__(self) -> None:
        self.index = SearchIndex.empty()
        self.stamp = 0

    def event(self, tenant: str, name: str, data: Data) -> Event:
        self.stamp += 1
        event = msgspec.structs.replace(new_event("/test", key_of(tenant, name), 1, data), catalog_revision=self.stamp)
        return from_kafka(*to_kafka(event))

    def put(self, *courses: Course, tenant: str = TENANT) -> None:
        events = [self.event(tenant, one.id, CoursePublished(tenant, one)) for one in courses]
        self.index = tidy(fold_events(self.index, events))

    def withdraw(self, *names: str, tenant: str = TENANT) -> None:
        events = [self.event(tenant, name, CourseWithdrawn(tenant, name)) for name in names]
        self.index = tidy(fold_events(self.index, events))

    def publish(self, one: Framework, tenant: str = SHARED_TENANT) -> None:
        self.index = fold_events(
            self.index, [self.event(tenant, f"framework:{one.id}", FrameworkPublished(tenant, one))]
        )

    def find(self, q: str | None = None, tenant: str = TENANT, **filters: Any) -> Found:
        return find(self.index, tenant, ListCourses(q=q, **filters))

    def ids(self, q: str | None = None, tenant: str = TENANT, **filters: Any) -> list[str]:
        return [name for _, name in self.find(q, tenant, **filters).courses]


def course(name: str, th: str | None = None, en: str | None = None, **more: Any) -> Course:
    title = LocalizedText(th, en or (None if th else name))
    given: dict[str, Any] = {"provider": LocalizedText(en="Provider"), "hours": 3.0, "languages": ["th"]} | more
    return Course(id=name, title=title, **given)


@pytest.fixture
def log() -> Log:
    log = Log()
    log.put(*(course(name, *titles) for name, titles in TITLES.items()))
    return log


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("ข้อมูลขนาดใหญ่", "data"),
        ("ขอมูลขนาดใหญ", "data"),  # without tone marks
        ("ข้อมูลขนาดใหย่", "data"),  # another letter
        ("กดหมายคุ้มครอง", "law"),
        ("กฎหมาย", "law"),
        ("pyhton", "python"),
        ("PROGRAMING", "python"),
        ("ｐｙｔｈｏｎ", "python"),
        ("การจัดการน้ํา", "water"),  # sara am as two characters
        ("การจัดการนํ้า", "water"),
        ("leadrship goverment", "leader"),
        ("data analitics", "data"),
    ],
)
def test_a_course_is_found_by_words_with_a_misspelling_or_without_tone_marks(log: Log, query: str, first: str) -> None:
    assert log.ids(query)[:1] == [first]


def test_a_query_without_matching_courses_finds_nothing(log: Log) -> None:
    for query in ("xylophone", "การทำอาหาร", "😀", ".*", "^$", "$where", "العربية", "ฮฮ" * 100, "\u202eabc"):
        assert log.ids(query) == [], query


@pytest.mark.parametrize("nothing", ["", " ", "\t\n", "\u0e48\u0e49", "\u200b", "\u0301\u0301", "\u0000"])
def test_a_query_without_visible_characters_lists_every_course_by_id(log: Log, nothing: str) -> None:
    found = log.find(nothing)
    assert [name for _, name in found.courses] == sorted(TITLES)
    assert found.total == len(TITLES)


def test_a_single_character_finds_courses_that_contain_it(log: Log) -> None:
    assert set(log.ids("น")) == {"data", "law", "python", "water", "leader"}
    assert set(log.ids("ฎ")) == {"law"}
    log.put(course("vitamins", en="Vitamin C and D"))
    assert log.ids("c")[:1] == ["vitamins"]


def test_digits_of_all_scripts_are_equal(log: Log) -> None:
    log.put(course("plan", "แผนปี ๒๕๖๙"))
    assert log.ids("2569") == log.ids("๒๕๖๙") == log.ids("2๕6๙") == ["plan"]


def test_a_match_in_the_title_scores_higher_than_in_the_description() -> None:
    log = Log()
    log.put(
        course("text", en="Something else", description=Prose(en="All about statistics for everybody")),
        course("long", en="Statistics for the evaluation of public programmes"),
        course("exact", en="Statistics"),
    )
    assert log.ids("statistics") == ["exact", "long", "text"]


def test_a_published_course_is_found_and_a_withdrawn_one_is_gone(log: Log) -> None:
    log.put(course("new", "ปัญญาประดิษฐ์"))
    assert log.ids("ปัญญาประดิษฐ์") == ["new"]
    log.put(course("new", "บัญชีภาครัฐ"))
    assert (log.ids("ปัญญาประดิษฐ์"), log.ids("บัญชี")) == ([], ["new"])
    log.withdraw("new")
    assert log.ids("บัญชี") == []
    assert log.find("").total == len(TITLES)


def test_an_old_record_changes_nothing(log: Log) -> None:
    old = log.event(TENANT, "data", CourseWithdrawn(TENANT, "data"))
    log.put(course("data", *TITLES["data"]))
    log.index = fold_events(log.index, [old])
    assert "data" in log.ids("")


def test_a_tenant_sees_its_own_courses_and_shared_ones_only(log: Log) -> None:
    log.put(course("data", en="Shared data"), course("common", en="Common data"), tenant=SHARED_TENANT)
    log.put(course("secret", en="Secret data"), tenant="other")
    assert set(log.ids("data")) == {"data", "common", "law"}
    assert ("shared", "data") not in log.find("data").courses
    assert set(log.ids("data", tenant="other")) == {"data", "common", "secret"}
    assert set(log.ids("data", tenant=SHARED_TENANT)) == {"data", "common"}
    log.withdraw("data")
    assert ("shared", "data") in log.find("data").courses
    log.put(course("data", en="Own data again"))
    log.withdraw("data", tenant=SHARED_TENANT)
    assert (TENANT, "data") in log.find("data").courses
    assert "Secret" not in str(log.find("").facets)


def test_one_tenants_courses_do_not_affect_another_tenants_results(log: Log) -> None:
    before = log.find("data", tenant="third")
    log.put(*(course(f"c-{number}", en=f"Data {number}") for number in range(50)))
    assert log.find("data", tenant="third") == before


@pytest.mark.parametrize("query", ["", "data", "ข้อมูล", "zz"])
def test_paging_lists_every_course_once_while_the_catalog_changes(query: str) -> None:
    chance = random.Random(7)  # noqa: S311 - the same courses each time
    log = Log()
    names = [f"c-{number:03}" for number in range(300)]
    log.put(
        *(course(name, "ข้อมูล", f"data {chance.choice(['law', 'science', 'zz'])} {chance.random()}") for name in names)
    )
    stays = set(log.ids(query, limit=500)) - set(names[::7])
    seen: list[str] = []
    after, page = "", 0
    while True:
        found = log.find(query, after=after, limit=17)
        seen += [name for _, name in found.courses]
        if found.next is None:
            break
        after, page = found.next, page + 1
        log.put(*(course(f"new-{page}-{number}", "ข้อมูล", f"data zz {number}") for number in range(40)))
        log.withdraw(*names[::7][page::3])
    assert len(seen) == len(set(seen))
    assert stays <= set(seen)


def test_pages_together_are_in_the_order_of_one_large_page() -> None:
    log = Log()
    for begin in range(0, 200, 25):
        log.put(*(course(f"c-{number:03}", en=f"data {'law ' * (number % 3)}") for number in range(begin, begin + 25)))
    whole = log.ids("data law", limit=500)
    seen: list[str] = []
    after = ""
    while True:
        found = log.find("data law", after=after, limit=9)
        seen += [name for _, name in found.courses]
        if found.next is None:
            break
        after = found.next
    assert seen == whole


def test_a_cursor_is_valid_for_its_own_search_only(log: Log) -> None:
    cursor = log.find("data", limit=1).next
    assert cursor is not None
    assert log.ids("data", after=cursor) == log.ids("data")[1:]
    others: Sequence[tuple[str, dict[str, Any]]] = [
        ("law", {}),
        ("data", {"max_hours": 9.0}),
        ("data", {"tenant": "other"}),
        ("data", {"language": "th"}),
    ]
    for query, more in others:
        with pytest.raises(InvalidInput) as refused:
            log.find(query, after=cursor, **more)
        assert refused.value.field == "after"
    for bad in ("x", "~", "~~~~", "~" + "A" * 500, "data", "ก", cursor[:-3], cursor + "AAAA", cursor[1:3], "\u0000"):
        with pytest.raises(InvalidInput) as refused:
            log.find("data", after=bad)
        assert refused.value.field == "after", bad


def test_filters_combine_and_facets_count_the_rest() -> None:
    log = Log()
    log.publish(framework({"reading": 3, "writing": 0}))
    fw = framework({"reading": 3}).id
    log.put(
        course("a", en="Data one", teaches=[Teaches(fw, "reading", 0, 2)], hours=1.0, educational_level="beginner"),
        course("b", en="Data two", teaches=[Teaches(fw, "reading", 2, 4)], hours=8.0, languages=["en", "th"]),
        course(
            "c", en="Data three", teaches=[Teaches(fw, "writing", 0, 2)], provider=LocalizedText("สถาบัน ก", "Institute")
        ),
        course("d", en="Data four", teaches=[Teaches("esco", "reading", 0, 2)], hours=99.0),
        course("e", en="Data five"),
    )
    cases: list[tuple[dict[str, Any], str]] = [
        ({"skill": "reading"}, "abd"),
        ({"skill": "reading", "framework": fw}, "ab"),
        ({"skill": "reading", "level": 2.0}, "ad"),
        ({"skill": "reading", "level": 3.0}, "b"),
        ({"level": 1.0}, "acd"),
        ({"level": "beginner"}, "a"),
        ({"language": "en"}, "b"),
        ({"language": "fr"}, ""),
        ({"provider": "INSTITUTE"}, "c"),
        ({"provider": "สถาบัน  ก"}, "c"),
        ({"provider": "nobody"}, ""),
        ({"max_hours": 3.0}, "ace"),
        ({"job_group": "clerks"}, "ab"),
        ({"job_group": "clerks", "framework": fw, "max_hours": 2.0}, "a"),
    ]
    group = framework({"reading": 3}).job_groups[0].id
    for filters, names in cases:
        if "job_group" in filters:
            filters["job_group"] = group
        assert "".join(sorted(log.ids("data", **filters))) == names, filters
    facets = log.find("data", max_hours=10.0).facets
    assert [(one.provider.en, one.count) for one in facets.provider] == [("Provider", 3), ("Institute", 1)]
    assert [(one.language, one.count) for one in facets.language] == [("th", 4), ("en", 1)]
    assert [(one.skill, one.count) for one in facets.skill] == [("reading", 2), ("writing", 1)]
    assert [(one.over, one.most, one.count) for one in facets.hours] == [(0.0, 2.0, 1), (2.0, 5.0, 2), (5.0, 10.0, 1)]
    for filters in ({"job_group": "nobody"}, {"job_group": group, "framework": "none"}):
        with pytest.raises(InvalidInput) as refused:
            log.find("data", **filters)
        assert refused.value.field == ("framework" if "framework" in filters else "job_group")


@pytest.mark.parametrize("seed", range(3))
def test_an_index_after_many_changes_equals_one_of_the_final_state(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same changes each time
    log, present = Log(), dict[str, Course]()
    for _ in range(60):
        names = [f"c-{chance.randrange(80):02}" for _ in range(chance.choice([1, 1, 2, 30]))]
        if chance.random() < 0.3:
            log.withdraw(*names)
            present = {name: one for name, one in present.items() if name not in names}
            continue
        words = ["ข้อมูล", "กฎหมาย", "น้ำ", "data", "law", "water"]
        made = {
            name: course(name, en=" ".join(chance.sample(words, 3)), hours=chance.choice([1.0, 9.0])) for name in names
        }
        log.put(*made.values())
        present |= made
    once = Log()
    once.put(*present.values())
    searches: list[tuple[str, dict[str, Any]]] = [("", {}), ("data", {}), ("ข้อมูล law", {}), ("น้ำ", {"max_hours": 2.0})]
    for query, filters in searches:
        many, one = log.find(query, limit=500, **filters), once.find(query, limit=500, **filters)
        assert (many.total, many.facets) == (one.total, one.facets)
        assert {name for _, name in many.courses} == {name for _, name in one.courses}
    assert log.index.courses == len(present)


@pytest.mark.parametrize(
    ("query", "text", "shown"),
    [
        ("ขอมูล", "การวิเคราะห์ข้อมูลใหญ่", ["ข้อมูล"]),
        ("analitics", "Big Data Analytics", ["Analytics"]),
        ("นำ", "การจัดการน้ำ", ["น้ำ"]),
        ("ai", "AI for all", ["AI"]),
        ("é", "Cafe\u0301 e\u0301", ["e\u0301"]),
        ("ไม่มี", "Nothing of it", []),
        ("data", "", []),
        ("แปล", "การเเปล", ["เเปล"]),
    ],
)
def test_highlights_are_positions_in_the_original_text(query: str, text: str, shown: list[str]) -> None:
    assert [text[begin:end] for begin, end in Highlighter(query).spans(text)] == shown


@pytest.mark.parametrize(
    ("query", "searched"),
    [("ข้อมลู", "ขอมูล"), ("dtaa", "data"), ("dtaa ข้อมลู", "data ขอมูล"), ("ข้อมลูภาครัฐ", "ขอมูลภาครัฐ")],
)
def test_neighbouring_characters_that_are_exchanged_are_found_among_many_courses(
    log: Log, query: str, searched: str
) -> None:
    """Their n-grams are too few for a short word, and what is right of it is frequent."""
    log.put(*(course(f"d-{number:03}", f"ข้อมูลภาครัฐ {number}", f"data of agency {number}") for number in range(300)))
    first = log.find(query, limit=200)
    rest = log.find(query, limit=200, after=first.next)
    assert (first.query, rest.query) == (searched, searched)
    assert len({name for _, name in (*first.courses, *rest.courses)}) == first.total >= 300
    assert log.find(query, provider="nobody").courses == []


def test_a_filter_never_finds_what_is_not_found_without_it(log: Log) -> None:
    log.put(*(course(f"from-{number}", f"ก {number}", f"from zero {number}", hours=2) for number in range(50)))
    log.put(course("form", "แบบฟอร์ม", "form", hours=9))
    assert log.find("form", max_hours=3).total == 0
    assert log.find("fomr", max_hours=3).total == 0
    assert [name for _, name in log.find("form").courses] == ["form"]


async def test_the_index_follows_at_once_except_while_a_backlog_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_replica, "BACKLOG_WAIT_SECONDS", 3600.0)
    monkeypatch.setattr(outbox, "_BACKLOG_SECONDS", 3600.0)
    monkeypatch.setattr(outbox, "BULK_PAUSE_SECONDS", 0.001)
    staged, log, record = Staged(), Log(), Record("catalog.state", 0, 0, b"", b"", [])
    replica = SearchReplica("127.0.0.1:1", "catalog.state", WorkQueue(), staged)

    async def read(name: str) -> None:
        event = log.event(TENANT, name, CoursePublished(TENANT, course(name)))
        await replica.on_catalog([ConsumedEvent(record, event)])

    staged.set_backlog(more=True)
    await read("while-the-index-is-built")
    replica.follower.caught_up.set()
    assert await replica.is_ready() is None
    reading = asyncio.create_task(read("of-the-backlog"))
    done, _ = await asyncio.wait({reading}, timeout=0.05)
    assert not done
    assert replica.index.courses == 1
    staged.set_backlog(more=False)
    await asyncio.wait_for(reading, 60)
    await read("after-it")
    staged.set_backlog(more=True)
    with staged.bulk():  # an import may take hours, and little of it is announced until its end
        await asyncio.wait_for(read("while-rows-are-stored"), 60)
    assert replica.index.courses == 4


def test_a_change_looks_only_at_the_courses_of_the_tenants_that_it_concerns(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    for number in range(30):
        log.put(course("c", en="Water"), tenant=f"t{number}")
        log.publish(framework({"a": 1}), tenant=f"t{number}")
    looked = list[TenantCourses]()
    tidied = TenantCourses.tidied

    def counted(self: TenantCourses) -> TenantCourses:
        looked.append(self)
        return tidied(self)

    monkeypatch.setattr(TenantCourses, "tidied", counted)
    log.put(course("d", en="Data"), tenant="t3")
    log.publish(framework({"a": 2}), tenant="t3")
    log.index = tidy(log.index)
    assert len(looked) == 1
    assert log.ids("data", tenant="t3") == ["d"]
    assert log.ids("data", tenant="t4") == []


def test_a_change_of_a_shared_course_looks_only_at_the_tenants_with_a_course_of_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log()
    for number in range(30):
        log.put(course("c", en="Water"), tenant=f"t{number}")
    log.put(course("d", en="Data"), tenant="t3")
    looked = set[int]()
    contains = TenantCourses.__contains__

    def counted(self: TenantCourses, name: str) -> bool:
        looked.add(id(self))
        return contains(self, name)

    monkeypatch.setattr(TenantCourses, "__contains__", counted)
    log.put(course("d", en="Shared data"), course("e", en="Shared words"), tenant=SHARED_TENANT)
    assert len(looked) == 2  # the shared courses, and those of t3
    assert log.index.hidden("t3") == {"d"}
    assert log.index.hidden("t4") == frozenset()


@pytest.mark.parametrize("seed", range(3))
def test_a_tenant_hides_exactly_the_shared_courses_with_ids_of_its_own(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same changes each time
    log, present = Log(), {tenant: set[str]() for tenant in (SHARED_TENANT, "t0", "t1", "t2")}
    for _ in range(80):
        changed = chance.sample(sorted(present), chance.choice([1, 2]))  # their changes are folded together
        events = []
        for tenant in changed:
            names = {f"c{chance.randrange(8)}" for _ in range(3)}
            withdrawn = chance.random() < 0.4
            present[tenant] = present[tenant] - names if withdrawn else present[tenant] | names
            for name in sorted(names):
                data = CourseWithdrawn(tenant, name) if withdrawn else CoursePublished(tenant, course(name))
                events.append(log.event(tenant, name, data))
        log.index = tidy(fold_events(log.index, events))
        for tenant in ("t0", "t1", "t2"):
            assert log.index.hidden(tenant) == present[tenant] & present[SHARED_TENANT]


def test_the_frameworks_of_a_tenant_are_found_without_reading_those_of_all_others() -> None:
    class Unread(dict[Any, Any]):
        def __iter__(self) -> Any:
            raise AssertionError("the frameworks of all tenants are read")

        items = keys = values = __iter__

    index = SearchIndex({}, Unread({SHARED_TENANT: {"a": {}, "b": {}}, TENANT: {"b": {"g": frozenset("s")}}, "t": {}}))
    assert index.frameworks(TENANT) == {"a": {}, "b": {"g": frozenset("s")}}
    assert index.frameworks("none") == {"a": {}, "b": {}}


def test_a_course_with_several_ngrams_within_bounds_is_found_once() -> None:
    codes, docs = np.array([10, 20, 30], np.uint64), np.array([0, 4, 1, 4, 2], np.uint16)
    postings = Postings(codes, np.array([0, 2, 4, 5]), docs)
    lows, highs = np.array([[10, 10, 20, 31], [31, 11, 30, 99]], np.uint64)
    assert [one.tolist() for one in postings.of(lows, highs)] == [[0, 1, 2, 4], [0, 4], [1, 4], []]
    assert postings.count(lows, highs).tolist() == [5, 2, 2, 0]
