"""Imports as a whole: formats over HTTP, reports, twins, cycles, what is missing, and imports that meet trouble."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from services.catalog.api.context import CONTEXT
from services.catalog.entries import Entry
from services.catalog.imports import CourseImport
from services.catalog.model import CourseImportReport, ListCourses
from services.catalog.store import CatalogStore
from shared.decoding import convert
from shared.domain import Course
from shared.errors import Unavailable
from shared.imports.job import ImportRequest
from shared.imports.reports import ReportStore
from shared.imports.rows import Row
from shared.imports.streaming import REPORTS
from tests.support.builders import unique
from tests.support.catalog import catalog, course, ids, put
from tests.support.services import Started
from tests.support.waiting import until

CSV, NDJSON, JSONLD = "text/csv", "application/x-ndjson", "application/ld+json"


SERVICE = catalog


async def sent(
    service: Started, body: str | bytes, tenant: str, query: str = "", content_type: str = NDJSON
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the answers to the rows, and the report."""
    data = body.encode() if isinstance(body, str) else body
    path = f"/v1/courses:import{query}"
    got = await service.ask("POST", path, "admin", tenant=tenant, data=data, headers={"Content-Type": content_type})
    text = await got.text()
    assert got.status == 200, text
    *rows, report = [json.loads(line) for line in text.splitlines()]
    return rows, report


def lines(*bodies: dict[str, Any]) -> str:
    return "\n".join(json.dumps(body, ensure_ascii=False) for body in bodies)


async def shown(service: Started, tenant: str, identifier: str) -> dict[str, Any]:
    body: dict[str, Any] = await (await service.ask("GET", f"/v1/courses/{identifier}", tenant=tenant)).json()
    return body


async def test_a_table_is_imported_by_its_map_and_its_report_can_be_fetched(service: Started) -> None:
    tenant = unique("tenant")
    body = "Code,Name,Skills,Secret\nA 1,การเขียน,\"['x', 'y']\",1\nA 2,,x,2\nA 1,การเขียน,\"['x', 'y']\",3\nA 1,อื่น,,4\n"
    refused = await service.ask(
        "POST", "/v1/courses:import", "admin", tenant=tenant, data=body.encode(), headers={"Content-Type": CSV}
    )
    problem = await refused.json()
    assert (refused.status, problem["field"], "map=guess" in problem["detail"]) == (422, "map", True)
    rows, report = await sent(service, body, tenant, "?map=guess&default=provider%3DUni,hours%3D6", CSV)
    assert [(row["line"], row["status"]) for row in rows] == [
        (2, "created"),
        (3, "refused"),
        (4, "unchanged"),
        (5, "refused"),
    ]
    assert rows[1]["begins"] == "A 2"
    assert rows[2]["warnings"] == [{"field": "id", "detail": "row 2 is the same course"}]
    assert "differs in title" in rows[3]["problems"][0]["detail"]
    assert [row.get("title") for row in rows] == [None, None, {"th": "การเขียน"}, {"th": "อื่น"}]
    assert (report["mapping"]["tags"], report["unused_columns"]) == (["Skills"], ["Secret"])
    assert (report["created"], report["unchanged"], report["refused"]) == (1, 1, 2)
    stored = await shown(service, tenant, rows[0]["id"])
    assert (stored["tags"], stored["hours"], "teaches" in stored) == (["x", "y"], 6.0, False)
    place = f"/v1/imports/{report['import_id']}"
    again = await service.ask("GET", place, "admin", tenant=tenant)
    assert await again.json() == report
    only = await (await service.ask("GET", f"{place}/rows?verdict=refused", "admin", tenant=tenant)).json()
    assert only == {"rows": [rows[1], rows[3]], "next": None}
    rest = await (await service.ask("GET", f"{place}/rows?after=3", "admin", tenant=tenant)).json()
    assert rest["rows"] == rows[2:]
    for path in (place, f"{place}/rows"):
        assert (await service.ask("GET", path, "admin", tenant="other")).status == 404
        assert (await service.ask("GET", path, "platform", tenant=tenant)).status == 403


async def test_a_wrong_content_type_is_415_and_names_the_right_ones(service: Started) -> None:
    for wrong in ("application/json", "application/octet-stream", "application/zip", "text/plain"):
        got = await service.ask("POST", "/v1/courses:import", "admin", data=b"{}", headers={"Content-Type": wrong})
        problem = await got.json()
        assert (got.status, problem["field"], "text/csv" in problem["detail"]) == (415, "Content-Type", True)


async def test_invalid_import_options_are_rejected_by_parameter(service: Started) -> None:
    for query, field in [
        ("map=x", "map"),
        ("default=colour%3Dred", "default"),
        ("encoding=x", "encoding"),
        ("x=1", "x"),
        ("import_id=x", "import_id"),
        (f"import_id={uuid4()}&dry_run=true", "import_id"),
    ]:
        got = await service.ask(
            "POST", f"/v1/courses:import?{query}", "admin", data=b"title\na\n", headers={"Content-Type": CSV}
        )
        assert (got.status, (await got.json())["field"]) == (422, field)


async def test_an_encoding_may_be_named_by_the_content_type(service: Started) -> None:
    tenant = unique("tenant")
    rows, _ = await sent(service, "title\nก\n".encode("cp874"), tenant, "?map=guess", "text/csv; charset=tis-620")
    assert (await shown(service, tenant, rows[0]["id"]))["title"] == {"th": "ก"}


async def test_a_dry_run_reports_what_would_happen_and_writes_nothing(service: Started) -> None:
    tenant, one, two = unique("tenant"), unique("course"), unique("course")
    await put(service, course(one), tenant=tenant)
    body = lines(course(one), course(one, hours=9.0), course(two))
    rows, report = await sent(service, body, tenant, "?dry_run=true")
    assert [row["status"] for row in rows] == ["unchanged", "refused", "created"]
    assert await ids(service, tenant=tenant) == [one]
    assert (await service.ask("GET", f"/v1/imports/{report['import_id']}", "admin", tenant=tenant)).status == 404
    table = "Course Name,Skills\nA,x\n"
    _, report = await sent(service, table, tenant, "?dry_run=true", CSV)
    assert report["mapping"] == {"title": ["Course Name"], "tags": ["Skills"]}
    assert report["sample"] == {"columns": ["Course Name", "Skills"], "rows": [{"line": 2, "cells": ["A", "x"]}]}
    _, report = await sent(service, table, tenant, "?map=guess", CSV)
    assert "sample" not in report


async def test_the_counts_of_an_import_with_an_id_of_the_client_are_read_while_its_file_is_sent(
    service: Started,
) -> None:
    tenant, other, chosen = unique("tenant"), unique("tenant"), str(uuid4())
    path, place = f"/v1/courses:import?import_id={chosen.upper()}", f"/v1/imports/{chosen}"
    bodies, seen = [course(f"c{n:04}") for n in range(300)], asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield lines(*bodies[:150]).encode() + b"\n"
        await seen.wait()
        yield lines(*bodies[150:]).encode()

    async def counted() -> bool:
        got = await service.ask("GET", place, "admin", tenant=tenant)
        return got.status == 200 and (await got.json()).get("created") == 150

    async def send(body: Any, of: str) -> tuple[int, str]:
        got = await service.ask("POST", path, "admin", tenant=of, data=body, headers={"Content-Type": NDJSON})
        return got.status, await got.text()

    assert (await service.ask("GET", place, "admin", tenant=tenant)).status == 404
    sending = asyncio.create_task(send(half(), tenant))
    await until(counted, "the report of the running import counts the rows that were sent")
    status, refused = await send(lines(course("second")), tenant)
    assert (status, json.loads(refused)["field"]) == (409, "import_id")
    assert (await service.ask("GET", place, "admin", tenant=other)).status == 404
    status, answered = await send(lines(course("theirs")), other)
    assert (status, json.loads(answered.splitlines()[-1])["import_id"]) == (200, chosen)
    seen.set()
    status, answered = await sending
    report = json.loads(answered.splitlines()[-1])
    assert (status, report["state"], report["created"]) == (200, "finished", 300)
    for of, expected in ((tenant, 300), (other, 1)):
        stored = await (await service.ask("GET", place, "admin", tenant=of)).json()
        rows = await (await service.ask("GET", f"/v1/imports/{chosen.upper()}/rows", "admin", tenant=of)).json()
        assert (stored["import_id"], stored["created"], len(rows["rows"])) == (chosen, expected, expected)
    assert (await send(lines(course("third")), tenant))[0] == 409
    assert not {"second", "third"} & set(await ids(service, tenant=tenant))


async def test_unknown_courses_are_checked_at_the_end_of_the_file(service: Started) -> None:
    tenant, there = unique("tenant"), unique("course")
    await put(service, course(there), tenant=tenant)
    later = unique("later")
    body = lines(
        *(course(unique("first"), requires=[{"course": later}, {"course": there}]) for _ in range(3)),
        course("needs-ghost", requires=[{"any": [{"course": "ghost"}, {"course": later}]}]),
        course(later),
    )
    rows, report = await sent(service, body, tenant)
    assert [row["status"] for row in rows] == ["created"] * 5
    assert [row for row in rows if row.get("warnings")] == []
    assert report["unknown_courses"] == [{"course": "ghost", "rows": 1, "required_by": ["needs-ghost"]}]
    assert report["unknown"] == 1


SECRET = "0123456789abcdef.planted-secret-planted-secret-planted-secr"  # looks like a key


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (NDJSON, f'{{"broken": 1, "note": "keys are 40 bytes in", "key": "{SECRET}"'),
        (NDJSON, f'{{"id": "{SECRET}", "hours": 1}}'),
        (
            NDJSON,
            f'{{"title": {{"th": "รหัสคือ mongodb://me:planted@db/ {SECRET}"}}, "hours": "{SECRET}"}}',
        ),
        (NDJSON, "x" * 30 + SECRET + "y" * 300_000),
        (CSV, f"title,hours\nthe key of the portal is {SECRET}\n"),
        (CSV, f'title,hours,{SECRET}\n"{SECRET} is never closed,1,2\n'),
        (CSV, f"title,hours\n{SECRET},{SECRET}\n"),
        (JSONLD, f'[{{"@type": "Course", "name": {SECRET}}}]'),
        (JSONLD, f'[{{"@type": "Course", "name": "A", "timeRequired": "{"x" * 60}{SECRET}"}}]'),
    ],
)
async def test_a_key_in_a_refused_row_is_neither_answered_nor_kept(
    service: Started, content_type: str, body: str
) -> None:
    tenant = unique("tenant")
    rows, report = await sent(service, body, tenant, "?map=guess" * (content_type == CSV), content_type)
    kept = service.database("catalog")
    parts = [part async for part in kept["import_rows"].find({"import_id": report["import_id"]})]
    stored = await kept["imports"].find_one({"_id": report["import_id"]})
    assert parts
    assert stored is not None
    for found in (*parts, stored):
        assert "planted" not in str(found)
    assert [row["status"] for row in rows] in (["refused"], ["created"])
    assert "planted" not in str([row.get("begins") for row in rows])


def after(*names: str) -> list[dict[str, str]]:
    return [{"course": name} for name in names]


async def test_cycles_that_nobody_can_enter_are_reported(service: Started) -> None:
    tenant = unique("tenant")
    body = lines(
        course("c", requires=after("a")),
        course("b", requires=after("c")),
        course("a", requires=after("b")),
        course("behind", requires=after("a")),
        course("x", requires=[{"any": after("y", "free")}]),
        course("y", requires=after("x")),
        course("free"),
        course("p", requires=[{"any": after("q", "p2")}]),
        course("q", requires=after("p")),
        course("p2", requires=after("q")),
    )
    _, report = await sent(service, body, tenant)
    assert report["cycles"] == [["a", "b", "c"], ["p", "p2", "q"]]  # `x` is entered by `free`, and opens `y`


async def test_courses_missing_from_a_full_import_are_listed_and_withdrawn_on_request(service: Started) -> None:
    tenant = unique("tenant")
    bodies = [course(f"c{n}") for n in range(4)]
    await sent(service, lines(*bodies, course("other", provider={"en": "Another"})), tenant)
    await put(service, course("shared-one"), tenant="shared")
    _, plain = await sent(service, lines(*bodies[:2]), tenant)
    assert "absent" not in plain
    _, full = await sent(service, lines(*bodies[:2]), tenant, "?full=true")
    assert (full["missing"], full["absent"], "withdrawn" in full) == (["c2", "c3"], 2, False)
    broken = f"{lines(*bodies[:2])}\nnot json"
    _, broken_report = await sent(service, broken, tenant, "?full=true&withdraw=true")
    assert (broken_report["missing"], "withdrawn" in broken_report, broken_report["problem"]["field"]) == (
        ["c2", "c3"],
        False,
        "withdraw",
    )
    _, dry = await sent(service, lines(*bodies[:2]), tenant, "?full=true&withdraw=true&dry_run=true")
    assert (dry["missing"], "withdrawn" in dry) == (["c2", "c3"], False)
    assert len(await ids(service, tenant=tenant)) >= 5
    _, done = await sent(service, lines(*bodies[:2]), tenant, "?full=true&withdraw=true")
    assert (done["missing"], done["withdrawn"]) == (["c2", "c3"], 2)
    left = await ids(service, tenant=tenant)
    assert {"c0", "c1", "other", "shared-one"} <= set(left)
    assert not {"c2", "c3"} & set(left)
    await service.ask("DELETE", "/v1/courses/shared-one", "admin", tenant="shared")


async def test_a_list_that_states_no_provider_withdraws_nothing_of_another_such_list(service: Started) -> None:
    tenant, query = unique("tenant"), "?full=true&withdraw=true&map=guess"
    await sent(service, "code,title\nA,One\n", tenant, query, "text/csv")
    _, report = await sent(service, "code,title\nB,Two\n", tenant, query, "text/csv")
    assert ("missing" in report, "withdrawn" in report) == (False, False)
    assert (report["problem"]["status"], report["problem"]["field"]) == (422, "provider")
    assert len(await ids(service, tenant=tenant)) == 2
    mixed = "code,title,provider\nC,Three,P\nD,Four,P\n"
    await sent(service, mixed, tenant, query, "text/csv")
    _, report = await sent(service, "code,title,provider\nC,Three,P\nE,Five,\n", tenant, query, "text/csv")
    assert (report["withdrawn"], report["problem"]["field"]) == (1, "provider")


async def test_a_row_of_totals_or_of_names_does_not_keep_missing_courses(service: Started) -> None:
    tenant, query = unique("tenant"), "?full=true&withdraw=true&map=guess&default=provider=P"
    head, one, two = "code,title\n", "A,One\n", "B,Two\n"
    await sent(service, head + one + two, tenant, query, "text/csv")
    _, report = await sent(service, f"{head}{one}{head}รวม,1 หลักสูตร\n", tenant, query, "text/csv")
    assert (report["refused"], report["withdrawn"], "problem" in report) == (2, 1, False)


async def test_two_concurrent_imports_of_one_file_store_each_course_once(service: Started) -> None:
    tenant = unique("tenant")
    body = lines(*(course(f"c{n:04}") for n in range(400)))
    both = await asyncio.gather(*(sent(service, body, tenant) for _ in range(3)))
    for row in range(400):
        statuses = sorted(rows[row]["status"] for rows, _ in both)
        assert statuses == ["created", "unchanged", "unchanged"]
    sequences = service.database("catalog")["entries"].find({"tenant": tenant}, {"sequence": 1})
    assert {entry["sequence"] async for entry in sequences} == {1}


class Away(CatalogStore):
    """A store whose database goes away: before a write, after one whose answer is lost, or for ever."""

    def __init__(self, inner: CatalogStore, *, answers_lost: int = 0, calls_lost: int = 0) -> None:
        self.__dict__.update(inner.__dict__)
        self.answers_lost, self.calls_lost = answers_lost, calls_lost

    async def put_courses(self, *arguments: Any) -> Any:
        if self.calls_lost:
            self.calls_lost -= 1
            raise Unavailable("the database is away")
        done = await super().put_courses(*arguments)
        if self.answers_lost:
            self.answers_lost -= 1
            raise Unavailable("the database is away")
        return done


class Meanwhile(CatalogStore):
    """A store where another import stores a course before a withdrawal reads it (`find`) or writes it."""

    def __init__(self, inner: CatalogStore, key: str, method: str, other: Callable[[], Awaitable[object]]) -> None:
        self.__dict__.update(inner.__dict__)
        self.key, self.method, self.other = key, method, other

    async def find(self, key: str) -> Entry | None:
        if (key, "find") == (self.key, self.method):
            await self.other()
        return await super().find(key)

    async def withdraw_course(self, before: Entry, trace: str) -> Entry | None:
        if (before.key, "withdraw_course") == (self.key, self.method):
            await self.other()
        return await super().withdraw_course(before, trace)


@pytest.mark.parametrize("method", ["find", "withdraw_course"])
@pytest.mark.parametrize("changed", [{"hours": 9.0}, {"provider": {"en": "Another"}}])
async def test_a_missing_course_that_another_import_changes_meanwhile_is_not_withdrawn(
    service: Started, method: str, changed: dict[str, Any]
) -> None:
    tenant, app = unique("tenant"), service.client.app
    await sent(service, lines(*(course(f"c{n}") for n in range(3))), tenant)
    other = course("c1") | changed
    store = Meanwhile(app[CONTEXT].store, f"{tenant}/c1", method, lambda: sent(service, lines(other), tenant))
    request = ImportRequest(reports=app[REPORTS], tenant=tenant, trace="", form="ndjson")
    taken = CourseImport(store, request, full=True, withdraw=True)
    await taken.begin()
    await taken.store_rows([Row(1, convert(course("c0"), Course))])
    report = await taken.finish()
    assert (report.missing, report.withdrawn) == (["c1", "c2"], 1)
    assert await ids(service, tenant=tenant) == ["c0", "c1"]
    kept = await shown(service, tenant, "c1")
    assert kept | changed == kept


def rows_of(count: int) -> list[Row[Course]]:
    return [Row(n, convert(course(f"c{n:04}"), Course)) for n in range(1, count + 1)]


@pytest.mark.parametrize("lost", [{"answers_lost": 2}, {"calls_lost": 2}, {"answers_lost": 1, "calls_lost": 1}])
async def test_an_import_survives_a_database_outage_without_loss_or_duplicates(
    service: Started, lost: dict[str, int]
) -> None:
    tenant, app = unique("tenant"), service.client.app
    request = ImportRequest(reports=app[REPORTS], tenant=tenant, trace="", form="ndjson", patience=30)
    taken = CourseImport(Away(app[CONTEXT].store, **lost), request)
    await taken.begin()
    await taken.count(results := await taken.store_rows(rows_of(50)))
    assert [(one.status, one.revision) for one in results] == [("created", 1)] * 50
    report = await taken.finish()
    assert (report.created, report.state) == (50, "finished")
    assert await ids(service, tenant=tenant) == [f"c{n:04}" for n in range(1, 51)]


async def test_an_import_ends_with_a_reason_if_the_database_stays_unavailable(service: Started) -> None:
    tenant, app = unique("tenant"), service.client.app
    request = ImportRequest(reports=app[REPORTS], tenant=tenant, trace="", form="ndjson", patience=0.3)
    taken = CourseImport(Away(app[CONTEXT].store, calls_lost=10**6), request)
    await taken.begin()
    with pytest.raises(Unavailable) as away:
        await taken.store_rows(rows_of(5))
    await taken.stop(away.value)
    found = await ReportStore(service.database("catalog"), CourseImportReport).find(tenant, taken.report.import_id)
    assert found
    assert (found.state, found.problem and found.problem.status) == ("stopped", 503)


async def _stopped(service: Started, tenant: str, place: str) -> dict[str, Any] | None:
    report: dict[str, Any] = await (await service.ask("GET", place, "admin", tenant=tenant)).json()
    return report if report["state"] == "stopped" else None


async def test_an_import_of_a_disconnected_client_is_completed_by_the_next(
    service: Started,
) -> None:
    tenant = unique("tenant")
    bodies = [course(f"c{n:04}") for n in range(300)]

    async def half() -> AsyncIterator[bytes]:
        yield lines(*bodies[:150]).encode() + b"\n"
        await asyncio.Event().wait()

    got = await service.ask(
        "POST", "/v1/courses:import", "admin", tenant=tenant, data=half(), headers={"Content-Type": NDJSON}
    )
    for _ in range(150):
        await got.content.readline()
    got.close()
    place = got.headers["Location"]
    report = await until(lambda: _stopped(service, tenant, place), "the import is stopped")
    assert (report["created"], report["problem"]["status"] in (400, 408)) == (150, True)  # as its end is noticed
    rows, report = await sent(service, lines(*bodies), tenant)
    assert [row["status"] for row in rows] == ["unchanged"] * 150 + ["created"] * 150
    assert report["state"] == "finished"
    store: CatalogStore = service.client.app[CONTEXT].store
    assert len(await store.page(tenant, ListCourses(limit=500))) == 300
