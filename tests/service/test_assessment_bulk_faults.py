"""Bulk imports that meet other changes, lose their database or are repeated: every row counts once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from services.assessment.api.context import CONTEXT
from services.assessment.imports import OfficerImport, ResultImport
from services.assessment.intake import Intake
from services.assessment.model import ImportedOfficer, ImportedResult
from services.assessment.registration import Registrar
from services.assessment.store import _TOGETHER, OfficerStore
from services.assessment.stored_officer import Change
from shared.decoding import convert
from shared.errors import Unavailable
from shared.events import OfficerChanged, new_event
from shared.imports.job import ImportRequest
from shared.imports.rows import Row
from shared.imports.streaming import REPORTS
from tests.support.assessment import (
    NDJSON,
    assessment,
    assessment_service,
    imported,
    profile_of,
    registered,
    row,
    statuses,
    submit,
)
from tests.support.builders import FRAMEWORK, unique
from tests.support.services import Started

SERVICE = assessment_service


class Overtaken(OfficerStore):
    """A store whose first write is overtaken by another process, which takes other evidence under the same key."""

    first: Callable[[], Awaitable[Any]] | None = None

    async def save_many(self, changes: Sequence[Change], *, bulk: bool = True) -> set[str]:
        if first := self.first:
            self.first = None
            await first()
        return await super().save_many(changes, bulk=bulk)


async def test_the_later_of_two_concurrent_files_is_refused_because_its_key_was_used(service: Started) -> None:
    officer, app = await registered(service), service.client.app
    caught_up = asyncio.Event()
    caught_up.set()
    store = Overtaken(service.database("assessment"))
    store.first = lambda: imported(service, [row(officer, 1, key="k")])
    request = ImportRequest(reports=app[REPORTS], tenant="agency", trace="", form="ndjson")
    job = ResultImport(Intake(store, app[CONTEXT].index, caught_up), request)
    await job.begin()
    [verdict] = await job.store_rows([Row(1, convert(row(officer, 4, key="k"), ImportedResult))])
    assert (verdict.status, [problem.field for problem in verdict.problems or []]) == ("refused", ["key"])
    assert [level["level"] for level in (await profile_of(service, officer))["levels"]] == [1]


async def many_changes(store: OfficerStore, officers: Sequence[str], agency: str) -> list[Change]:
    """Return a change of each of these officers, based on what is stored of them now."""
    found = await store.find_many([f"agency/{one}" for one in officers])
    changes = []
    for before in found.values():
        assert before.profile is not None
        after = msgspec.structs.replace(before.profile, sequence=before.sequence + 1, agency=agency)
        changes.append(Change(before, after, new_event("/test", after.key, after.sequence, OfficerChanged(after))))
    return changes


async def test_of_many_officers_those_that_changed_before_are_not_written(service: Started) -> None:
    officers = [await registered(service) for _ in range(_TOGETHER + 5)]
    store = OfficerStore(service.database("assessment"))
    changes = await many_changes(store, officers, "south")
    for one in officers[:2]:
        assert (await submit(service, one, assessment(1)))[0] == 202
    assert (await service.ask("DELETE", f"/v1/officers/{officers[2]}")).status == 204
    assert await store.save_many(changes) == {f"agency/{one}" for one in officers[3:]}
    found = await store.find_many([f"agency/{one}" for one in officers])
    profiles = [found[f"agency/{one}"].profile for one in officers]
    assert [one and one.agency for one in profiles] == ["north", "north", None, *["south"] * (len(officers) - 3)]


class Interrupted:
    """A collection in whose first transaction, between its read and its write, another process writes."""

    def __init__(self, officers: Any, meanwhile: Callable[[], Awaitable[Any]]) -> None:
        self._officers = officers
        self._meanwhile: Callable[[], Awaitable[Any]] | None = meanwhile
        self.conflicts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._officers, name)

    async def bulk_write(self, *writes: Any, **options: Any) -> Any:
        if "session" in options and (meanwhile := self._meanwhile):
            self._meanwhile = None
            await meanwhile()
            self.conflicts += 1
        return await self._officers.bulk_write(*writes, **options)


async def test_a_change_during_a_transaction_stays_and_the_other_officers_are_written(service: Started) -> None:
    officers = [await registered(service) for _ in range(_TOGETHER + 5)]
    store = OfficerStore(service.database("assessment"))
    changes = await many_changes(store, officers, "south")
    interrupted = Interrupted(store._officers, lambda: submit(service, officers[0], assessment(1)))
    store._officers = interrupted  # type: ignore[assignment]
    assert await store.save_many(changes) == {f"agency/{one}" for one in officers[1:]}
    assert interrupted.conflicts == 1
    first, *others = [await profile_of(service, one) for one in officers]
    assert (first["agency"], first["sequence"], len(first["levels"])) == ("north", 2, 1)
    assert {(one["agency"], one["sequence"]) for one in others} == {("south", 2)}


async def test_rows_that_meet_a_single_submission_in_their_transaction_all_count(service: Started) -> None:
    officers, app = [await registered(service) for _ in range(_TOGETHER + 5)], service.client.app
    caught_up = asyncio.Event()
    caught_up.set()
    store = OfficerStore(service.database("assessment"))
    interrupted = Interrupted(store._officers, lambda: submit(service, officers[3], assessment(4), "single"))
    store._officers = interrupted  # type: ignore[assignment]
    request = ImportRequest(reports=app[REPORTS], tenant="agency", trace="", form="ndjson")
    job = ResultImport(Intake(store, app[CONTEXT].index, caught_up), request)
    await job.begin()
    rows = [row(one, n % 4, key="k") for n, one in enumerate(officers)]
    verdicts = await job.store_rows([Row(n, convert(one, ImportedResult)) for n, one in enumerate(rows, 1)])
    assert interrupted.conflicts == 1
    assert {one.status for one in verdicts} == {"created"}
    assert [one.revision for one in verdicts] == [2, 2, 2, 3, *[2] * (len(officers) - 4)]
    for one in officers:
        found = await store.find("agency", one)
        assert found is not None
        assert found.kept == (2 if one == officers[3] else 1)
        assert found.statistics == await store.recomputed(found)


class OutOnce(OfficerStore):
    """A store whose first write fails, as with a database that is away, while the others of its batch are taken."""

    failed = False

    async def save_many(self, changes: Sequence[Change], *, bulk: bool = True) -> set[str]:
        if not self.failed:
            self.failed = True
            raise Unavailable("the database is away")
        return await super().save_many(changes, bulk=bulk)


async def test_a_failed_part_is_retried_and_every_row_counts_once_in_order(service: Started) -> None:
    """More rows than one part holds, those of each officer far apart; the second of equal keys is refused."""
    officers, app = [await registered(service) for _ in range(5)], service.client.app
    rows = [row(one, n % 5, key=f"k{n}") for n in range(120) for one in officers]
    again = [row(one, 4, key="k0") for one in officers]
    caught_up = asyncio.Event()
    caught_up.set()
    store = OutOnce(service.database("assessment"))
    request = ImportRequest(reports=app[REPORTS], tenant="agency", trace="", form="ndjson")
    job = ResultImport(Intake(store, app[CONTEXT].index, caught_up), request)
    await job.begin()
    verdicts = await job.store_rows([Row(n, convert(one, ImportedResult)) for n, one in enumerate([*rows, *again], 1)])
    assert store.failed
    assert [one.line for one in verdicts] == list(range(1, len(verdicts) + 1))
    assert {one.status for one in verdicts[: len(rows)]} == {"created"}
    assert [one.status for one in verdicts[len(rows) :]] == ["refused"] * len(officers)
    assert statuses((await imported(service, rows))[0]) == ["unchanged"] * len(rows)
    for one in officers:
        found = await store.find("agency", one)
        assert found is not None
        assert found.kept == 120
        assert found.statistics == await store.recomputed(found)


class Dying(OfficerStore):
    """A store whose process dies after its first write has been taken, before anybody gets an answer."""

    async def save_many(self, changes: Sequence[Change], *, bulk: bool = True) -> set[str]:
        await super().save_many(changes, bulk=bulk)
        raise RuntimeError("the process is gone")


async def test_after_a_crash_between_write_and_answer_the_same_file_completes_the_import(service: Started) -> None:
    officers = [await registered(service) for _ in range(3)]
    app, rows = service.client.app, [row(one, 2, key=f"k{n}") for n, one in enumerate(officers)]
    caught_up = asyncio.Event()
    caught_up.set()
    intake = Intake(Dying(service.database("assessment")), app[CONTEXT].index, caught_up)
    job = ResultImport(intake, ImportRequest(reports=app[REPORTS], tenant="agency", trace="", form="ndjson"))
    await job.begin()
    with pytest.raises(RuntimeError):
        await job.store_rows([Row(n, convert(one, ImportedResult)) for n, one in enumerate(rows[:2], 1)])
    verdicts, report = await imported(service, rows)
    assert statuses(verdicts) == ["unchanged", "unchanged", "created"]
    assert report["state"] == "finished"
    for one in officers:
        shown = await (await service.ask("GET", f"/v1/officers/{one}/profile")).json()
        assert [skill["pieces"] for skill in shown["skills"]] == [1]


class Unanswered(OfficerStore):
    """A store whose first write is taken, and whose server is away before it can confirm it."""

    answered = False

    async def save_many(self, changes: Sequence[Change], *, bulk: bool = True) -> set[str]:
        done = await super().save_many(changes, bulk=bulk)
        if not self.answered:
            self.answered = True
            raise Unavailable("the database is away")
        return done


async def test_rows_unanswered_after_an_outage_get_their_real_result(service: Started) -> None:
    """Of the second of two equal rows it was, is and stays true that it changes nothing."""
    officers, app = [await registered(service) for _ in range(4)], service.client.app
    caught_up = asyncio.Event()
    caught_up.set()
    intake = Intake(Unanswered(service.database("assessment")), app[CONTEXT].index, caught_up)
    job = ResultImport(intake, ImportRequest(reports=app[REPORTS], tenant="agency", trace="", form="ndjson"))
    await job.begin()
    rows = [row(one, n, key=f"k{n}") for n, one in enumerate(officers)]
    verdicts = await job.store_rows([Row(n, convert(one, ImportedResult)) for n, one in enumerate([*rows, rows[0]], 1)])
    assert [(one.status, one.revision) for one in verdicts] == [("created", 2)] * 4 + [("unchanged", 2)]
    assert statuses((await imported(service, rows))[0]) == ["unchanged"] * 4


async def test_officers_unanswered_after_an_outage_get_their_real_result(service: Started) -> None:
    known, new, app = await registered(service), unique("bulk"), service.client.app
    caught_up = asyncio.Event()
    caught_up.set()
    store = Unanswered(service.database("assessment"))
    registrar = Registrar(store, Intake(store, app[CONTEXT].index, caught_up), app[CONTEXT].index, FRAMEWORK)
    job = OfficerImport(registrar, ImportRequest(reports=app[REPORTS], tenant="agency", trace="", form="ndjson"))
    await job.begin()
    rows = [{"officer": one, "job_group": "service", "agency": "west"} for one in (known, new)]
    verdicts = await job.store_rows([Row(n, convert(one, ImportedOfficer)) for n, one in enumerate(rows, 1)])
    assert [(one.status, one.revision) for one in verdicts] == [("changed", 2), ("created", 1)]
    assert statuses((await imported(service, rows, "officers"))[0]) == ["unchanged"] * 2


async def test_a_repeated_request_gets_the_result_of_the_first(service: Started) -> None:
    officers, named = [await registered(service) for _ in range(2)], NDJSON | {"Idempotency-Key": unique("import")}
    rows = [*(row(one, n) for n, one in enumerate(officers)), row(officers[0], 0)]
    first, report = await imported(service, rows, headers=named)
    again, repeated = await imported(service, rows, headers=named)
    assert (statuses(first), again) == (["created", "created", "unchanged"], first)
    assert (repeated["created"], repeated["unchanged"]) == (report["created"], report["unchanged"])
    assert repeated["import_id"] != report["import_id"]
    dry, _ = await imported(service, rows, headers=named, query="?dry_run=true")
    other, _ = await imported(service, rows, headers=NDJSON | {"Idempotency-Key": unique("import")})
    more, _ = await imported(service, [*rows, row(officers[1], 4)], headers=named)
    assert (statuses(dry), statuses(other)) == (["unchanged"] * 3, ["unchanged"] * 3)
    assert statuses(more) == ["created", "created", "unchanged", "created"]
    moved, _ = await imported(service, rows[1:], headers=named)
    assert statuses(moved) == ["unchanged"] * 2
    for one, pieces in zip(officers, (1, 2), strict=True):
        shown = await (await service.ask("GET", f"/v1/officers/{one}/profile")).json()
        assert [skill["pieces"] for skill in shown["skills"]] == [pieces]
    wrong = NDJSON | {"Idempotency-Key": "two words"}
    got = await service.ask("POST", "/v1/assessments:import", data=b"{}", headers=wrong)
    assert (got.status, (await got.json())["field"]) == (400, "Idempotency-Key")


async def test_a_repeated_request_registers_nobody_a_second_time(service: Started) -> None:
    known, new, named = await registered(service), unique("bulk"), NDJSON | {"Idempotency-Key": unique("import")}
    rows = [{"officer": one, "job_group": "service", "agency": "west"} for one in (known, new)]
    first, _ = await imported(service, rows, "officers", headers=named)
    assert statuses(first) == ["changed", "created"]
    moved = {"job_group": "service", "agency": "south"}
    assert (await service.ask("PUT", f"/v1/officers/{new}", json=moved)).status == 200
    again, _ = await imported(service, rows, "officers", headers=named)
    assert again == first
    assert (await profile_of(service, new))["agency"] == "south"
    corrected, _ = await imported(service, [rows[0], rows[1] | {"agency": "east"}], "officers", headers=named)
    assert statuses(corrected) == ["changed", "changed"]
    assert (await profile_of(service, new))["agency"] == "east"
