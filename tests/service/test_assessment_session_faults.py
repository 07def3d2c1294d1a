"""Adaptive sessions when something dies, waits, is late or is gone: nothing is lost, nothing counts twice.

A second runner on the same MongoDB plays another replica, or the process that starts after one that died.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from services.assessment.api.context import CONTEXT
from services.assessment.intake import Intake
from services.assessment.item_bank.store import ItemBankStore
from services.assessment.model import AssessmentAccepted, SubmitAssessment
from services.assessment.sessions.adaptive import Sitting
from services.assessment.sessions.model import Session, StartSession, SubmitAnswer
from services.assessment.sessions.runner import SessionRunner
from services.assessment.sessions.store import SessionStore
from shared.domain import Framework
from shared.errors import Conflict, NotFound, Unavailable
from tests.support.assessment import assessment_service, profile_of, registered
from tests.support.services import Started
from tests.support.sessions import answer, current, detail, finish, items_of, publish, start
from tests.support.waiting import until

TENANT = "agency"
ONE_SKILL = StartSession(skills=["reading"])


@pytest.fixture(scope="module")
async def service(mongodb_uri: str, kafka_bootstrap: str) -> AsyncIterator[Started]:
    async with assessment_service(mongodb_uri, kafka_bootstrap) as service:
        await publish(service, *items_of("reading", 20), *items_of("writing", 20))
        yield service


class Clock:
    """A clock that shows what it is set to, from now on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Stopped(BaseException):
    """The process ends here."""


class DyingStore(SessionStore):
    """Dies before or after a write that has been counted down to."""

    before: int | None = None
    after: int | None = None

    async def advance(self, before: Session, after: Session) -> bool:
        self.before = None if self.before is None else self.before - 1
        if self.before == 0:
            raise Stopped
        done = await super().advance(before, after)
        self.after = None if self.after is None else self.after - 1
        if self.after == 0:
            raise Stopped
        return done


class GatedIntake(Intake):
    """Waits at a gate before it takes anything in; `away`: as if the database were."""

    def __init__(self, intake: Intake) -> None:
        self.__dict__ |= intake.__dict__
        self.gate = asyncio.Event()
        self.waiting = 0
        self.away = False

    async def submit(
        self, tenant: str, officer: str, key: str, body: SubmitAssessment, trace: str
    ) -> AssessmentAccepted:
        if self.away:
            raise Unavailable("the database is away; try again soon")
        self.waiting += 1
        await self.gate.wait()
        return await super().submit(tenant, officer, key, body, trace)


def replica(service: Started, store: SessionStore | None = None, intake: Intake | None = None) -> SessionRunner:
    """Return the runner of another replica, or of the same one after a restart."""
    app = service.client.app
    return SessionRunner(
        store or app[CONTEXT].sessions,
        ItemBankStore(service.database("assessment")),
        app[CONTEXT].store,
        intake or app[CONTEXT].intake,
        idle=timedelta(minutes=30),
        clock=Clock(),
    )


def clock_of(runner: SessionRunner) -> Clock:
    clock = runner._clock
    assert isinstance(clock, Clock)
    return clock


async def begin(runner: SessionRunner, officer: str, body: StartSession = ONE_SKILL) -> Sitting:
    sitting, new = await runner.start(TENANT, officer, body, str)
    assert new
    return sitting


async def respond(runner: SessionRunner, sitting: Sitting, response: int = 0) -> Sitting:
    body = SubmitAnswer(current(sitting), response, len(sitting.session.answers) + 1)
    return await runner.answer(TENANT, sitting.plan.officer, sitting.plan.id, body, str)


async def read(runner: SessionRunner, sitting: Sitting) -> Session:
    return (await runner.find(TENANT, sitting.plan.officer, sitting.plan.id)).session


async def evidence_of(service: Started, officer: str) -> list[dict[str, Any]]:
    got = await service.ask("GET", f"/v1/officers/{officer}/assessments")
    found: list[dict[str, Any]] = (await got.json())["assessments"]
    return found


async def test_after_a_crash_before_storing_an_answer_the_item_is_shown_again(service: Started) -> None:
    officer = await registered(service)
    store = DyingStore(service.database("assessment"))
    dying = replica(service, store)
    sitting = await begin(dying, officer)
    store.before = 1
    with pytest.raises(Stopped):
        await respond(dying, sitting)
    after = replica(service)
    assert await read(after, sitting) == sitting.session
    assert len((await respond(after, sitting)).session.answers) == 1


async def test_after_a_crash_after_storing_an_answer_it_counts_once(
    service: Started,
) -> None:
    officer = await registered(service)
    store = DyingStore(service.database("assessment"))
    dying = replica(service, store)
    sitting = await begin(dying, officer)
    store.after = 1
    with pytest.raises(Stopped):
        await respond(dying, sitting)
    after = replica(service)
    stored = await read(after, sitting)
    assert [one.response for one in stored.answers] == [0]
    assert stored.current is not None
    assert stored.current.item != current(sitting)
    assert (await respond(after, sitting)).session == stored


@pytest.mark.parametrize("handed_in", [False, True])
async def test_after_a_crash_between_end_and_profile_the_result_is_submitted_once(
    service: Started, handed_in: bool
) -> None:
    """The process dies after the end is stored, before the profile is written or before the session records it."""
    officer = await registered(service)
    store = DyingStore(service.database("assessment"))
    intake = GatedIntake(service.client.app[CONTEXT].intake)
    dying = replica(service, store, intake)
    sitting = await begin(dying, officer, StartSession(skills=["reading"], max_items=1))
    last = asyncio.ensure_future(respond(dying, sitting))
    await until(lambda: intake.waiting)
    if handed_in:
        store.before = 1
        intake.gate.set()
        with pytest.raises(Stopped):
            await last
        assert (await profile_of(service, officer))["sequence"] == 2
    else:
        last.cancel()
        await asyncio.gather(last, return_exceptions=True)
    after = replica(service)
    clock_of(after).ahead = timedelta(seconds=6)
    stored = await read(after, sitting)
    assert stored.end is not None
    await asyncio.gather(after.sweep(), replica(service).find(TENANT, officer, sitting.plan.id))
    await until(lambda: _settled(after, sitting))
    profile = await profile_of(service, officer)
    assert (profile["sequence"], len(profile["levels"])) == (2, 1)
    assert len(await evidence_of(service, officer)) == 1
    stored = await read(after, sitting)
    assert (stored.settled, stored.profile_sequence) == (True, 2)


class ChangedIntake(Intake):
    """Sees the version of a framework that follows."""

    def __init__(self, intake: Intake, change: Callable[[Framework], Framework]) -> None:
        self.__dict__ |= intake.__dict__
        self.change = change

    async def framework(self, tenant: str, name: str) -> Framework:
        return self.change(await super().framework(tenant, name))


@pytest.mark.parametrize(
    "change",
    [
        lambda one: structs.replace(one, skills=[skill for skill in one.skills if skill.id != "reading"]),
        lambda one: structs.replace(one, scale=[step for step in one.scale if step.level <= 1]),
    ],
    ids=["without-the-skill", "shorter-scale"],
)
async def test_a_result_that_was_accepted_counts_although_the_framework_changes_before_the_session_records_it(
    service: Started, change: Callable[[Framework], Framework]
) -> None:
    officer = await registered(service)
    store = DyingStore(service.database("assessment"))
    intake = GatedIntake(service.client.app[CONTEXT].intake)
    dying = replica(service, store, intake)
    sitting = await begin(dying, officer, StartSession(skills=["reading"], max_items=1))
    last = asyncio.ensure_future(respond(dying, sitting))
    await until(lambda: intake.waiting)
    store.before = 1
    intake.gate.set()
    with pytest.raises(Stopped):
        await last
    after = replica(service, intake=ChangedIntake(service.client.app[CONTEXT].intake, change))
    clock_of(after).ahead = timedelta(seconds=6)
    await after.sweep()
    kept = await read(after, sitting)
    assert (kept.settled, kept.profile_sequence) == (True, 2)
    assert len(await evidence_of(service, officer)) == 1


async def _settled(runner: SessionRunner, sitting: Sitting) -> bool:
    return (await read(runner, sitting)).settled


async def test_repeating_the_last_answer_submits_a_waiting_result(service: Started) -> None:
    officer = await registered(service)
    intake = GatedIntake(service.client.app[CONTEXT].intake)
    intake.away = True
    runner = replica(service, intake=intake)
    sitting = await begin(runner, officer, StartSession(skills=["reading"], max_items=1))
    ended = await respond(runner, sitting)
    assert ended.session.end is not None
    assert not ended.session.settled
    intake.away = False
    intake.gate.set()
    again = await respond(runner, sitting)
    assert (again.session.settled, again.session.profile_sequence) == (True, 2)
    assert len(await evidence_of(service, officer)) == 1


async def test_a_waiting_result_is_not_retried_at_once(service: Started) -> None:
    officer = await registered(service)
    intake = GatedIntake(service.client.app[CONTEXT].intake)
    intake.away = True
    runner = replica(service, intake=intake)
    ended = await respond(runner, await begin(runner, officer, StartSession(skills=["reading"], max_items=1)))
    clock_of(runner).ahead = timedelta(minutes=2)
    await runner.sweep()
    stored = await read(runner, ended)
    assert stored.settled or (stored.due_at is not None and stored.due_at > clock_of(runner)())


async def test_two_replicas_serve_one_session_alternately_and_concurrently(service: Started) -> None:
    officer = await registered(service)
    one, other = replica(service), replica(service)
    first = await begin(one, officer, StartSession(skills=["writing"]))
    second = await respond(other, first, 2)
    assert (await respond(one, first, 2)).session == second.session, "what it held in memory is out of date"
    with pytest.raises(Conflict) as raised:
        await respond(one, first, 1)
    assert raised.value.field == "response"
    if second.session.current is not None:
        done = await asyncio.gather(*(respond(each, second, 2) for each in (one, other)))
        assert done[0].session == done[1].session
        assert len(done[0].session.answers) == 2


async def test_an_abandoned_session_counts_as_of_its_last_answer(service: Started) -> None:
    officer = await registered(service)
    runner = replica(service)
    clock_of(runner).ahead = timedelta(minutes=-25)
    sitting = await respond(runner, await begin(runner, officer, StartSession()))
    await runner.sweep()
    assert (await read(runner, sitting)).end is None
    clock_of(runner).ahead = timedelta(minutes=9)
    await runner.sweep()
    stored = await read(runner, sitting)
    assert stored.end is not None
    assert (stored.end.ending, stored.settled) == ("left", True)
    [evidence] = await evidence_of(service, officer)
    assert len(evidence["results"]) == 1
    taken = datetime.fromisoformat(evidence["taken_at"])
    assert timedelta(minutes=24) < datetime.now(UTC) - taken < timedelta(minutes=30)
    got = await service.ask("GET", f"/v1/officers/{officer}/sessions/{sitting.plan.id}")
    assert (await got.json())["result"]["ending"] == "left"
    assert (await start(service, officer))["session"] != sitting.plan.id


async def test_a_session_ends_at_its_time_limit_without_answers(service: Started) -> None:
    officer = await registered(service)
    runner = replica(service)
    body = StartSession(skills=["writing"], seconds=60)
    sitting = await respond(runner, await begin(runner, officer, body), 2)
    clock_of(runner).ahead = timedelta(seconds=61)
    with pytest.raises(Conflict) as raised:
        await respond(runner, sitting, 2)
    assert raised.value.field == "sequence"
    stored = await read(runner, sitting)
    assert stored.end is not None
    assert (stored.end.ending, len(stored.answers), stored.settled) == ("time_limit", 1, True)
    other = await registered(service)
    left = await begin(runner, other, body)
    clock_of(runner).ahead = timedelta(seconds=125)
    await runner.sweep()
    ended = (await read(runner, left)).end
    assert ended is not None
    assert ended.ending == "time_limit"
    third = await registered(service)
    await begin(runner, third, body)
    clock_of(runner).ahead = timedelta(seconds=190)
    assert (await runner.start(TENANT, third, body, str))[1], "one whose time has passed makes room for the next"


async def test_a_late_answer_is_an_http_error_and_the_next_item_is_available(service: Started) -> None:
    officer = await registered(service)
    step = await start(service, officer, skills=["writing"], seconds_per_item=5)
    assert 0 < step["item"]["seconds_left"] <= 5
    runner = service.client.app[CONTEXT].runner
    clock = Clock()
    before, runner._clock = runner._clock, clock
    try:
        clock.ahead = timedelta(seconds=6)
        assert (await answer(service, step, 0, 409))["field"] == "item"
        assert (await answer(service, step, 0, 409))["field"] == "item"
        found = await detail(service, step)
        assert [one["response"] for one in found["asked"]] == [None]
        assert found["item"]["sequence"] == 2
        clock.ahead = timedelta(days=-2)
        assert (await answer(service, found, 0))["progress"]["answered"] == 1
    finally:
        runner._clock = before


async def test_a_clock_set_far_back_delays_a_result_and_loses_nothing(service: Started) -> None:
    officer = await registered(service)
    runner = replica(service)
    clock_of(runner).ahead = timedelta(hours=2)  # the answers are dated in the future for whoever takes them in
    sitting = await begin(runner, officer, StartSession(skills=["reading"], max_items=1))
    ended = await respond(runner, sitting)
    assert (ended.session.end is not None, ended.session.settled) == (True, False)
    assert await evidence_of(service, officer) == []
    due = await service.database("assessment")["sessions"].find_one({"_id": sitting.plan.key})
    assert due is not None
    assert due["due_at"] > datetime.now(UTC) + timedelta(hours=2)


async def test_an_undecodable_session_does_not_stop_others_from_ending(service: Started) -> None:
    officer = await registered(service)
    runner = replica(service)
    clock_of(runner).ahead = timedelta(minutes=-40)
    sitting = await respond(runner, await begin(runner, officer))
    clock_of(runner).ahead = timedelta(minutes=-1)
    broken = {
        "_id": f"{TENANT}/broken/s",
        "officer_key": f"{TENANT}/broken",
        "due_at": datetime(2020, 1, 1, tzinfo=UTC),
    }
    await service.database("assessment")["sessions"].insert_one(broken)
    await runner.sweep()
    await until(lambda: _settled(runner, sitting))
    stored = await service.database("assessment")["sessions"].find_one({"_id": broken["_id"]})
    assert stored is not None
    assert stored["due_at"] > datetime.now(UTC)


async def test_sessions_of_an_erased_officer_go_to_nobody(service: Started) -> None:
    """A session whose start was in progress while the officer was erased is found by the sweep and removed."""
    officer = await registered(service)
    runner = replica(service)
    sitting = await respond(runner, await begin(runner, officer))
    collection = service.database("assessment")["sessions"]
    orphan = await collection.find_one({"_id": sitting.plan.key})
    assert orphan is not None
    assert (await service.ask("DELETE", f"/v1/officers/{officer}")).status == 204
    await collection.insert_one(orphan)
    got = await service.ask("PUT", f"/v1/officers/{officer}", "admin", json={"job_group": "service", "agency": "north"})
    assert got.status == 201
    clock_of(runner).ahead = timedelta(minutes=31)
    with pytest.raises(NotFound):
        await runner.stop(TENANT, officer, sitting.plan.id, str)
    assert await collection.find_one({"_id": sitting.plan.key}) is None
    profile = await profile_of(service, officer)
    assert not profile.get("levels")


async def test_many_concurrent_sessions_end_in_as_many_profiles(service: Started) -> None:
    officers = [await registered(service) for _ in range(12)]

    async def take(officer: str) -> dict[str, Any]:
        return await finish(service, await start(service, officer), lambda item: len(item["options"]) - 2)

    results = await asyncio.gather(*map(take, officers))
    assert all(one["result"]["accepted"] for one in results)
    for officer in officers:
        assert len(await evidence_of(service, officer)) == 1
