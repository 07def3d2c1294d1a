"""What requests ask for waits apart from events, within limits. The threads that do it are held at a gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from threading import Event as Flag

from aiohttp import ClientResponse

from services.recommender.api.context import CONTEXT
from shared.events import PROFILES_TOPIC
from shared.work_queue import (
    MAX_TASKS,
    OFFICERS_SHARE,
    Caller,
    WorkQueue,
)
from tests.support.recommender import (
    READ,
    SHOWN,
    WRITE,
    assessed,
    give_feedback,
    path_of,
    planned,
    recommender,
    somebody,
)
from tests.support.recommender import (
    REQUEST as BODY,
)
from tests.support.services import Started
from tests.support.waiting import until

LONG = 60.0


SERVICE = partial(recommender, entries=(SHOWN, READ, WRITE))


def work_queue_of(service: Started) -> WorkQueue:
    return service.client.app[CONTEXT].work_queue  # type: ignore[no-any-return]


@asynccontextmanager
async def held(service: Started) -> AsyncIterator[Flag]:
    """Block every thread of the work queue until the flag is set."""
    queue, gate = work_queue_of(service), Flag()
    tasks = [asyncio.create_task(queue.run(Caller(f"holder {n}"), gate.wait, LONG)) for n in range(queue.threads)]
    await asyncio.sleep(0)
    try:
        yield gate
    finally:
        gate.set()
        await asyncio.gather(*tasks)


async def what_if(service: Started, officer: str) -> ClientResponse:
    """Ask as an officer who has a key; keys made at the same time would count as different callers."""
    return await service.ask("POST", "/v1/recommendations", "officer", officer=officer, json=BODY)


async def reached_tasks(service: Started, count: int) -> None:
    async def reached() -> bool:
        return work_queue_of(service).tasks == count

    await until(reached)


async def refused_as(got: ClientResponse, status: int) -> None:
    assert got.status == status
    assert int(got.headers["Retry-After"]) > 0
    assert got.content_type == "application/problem+json"
    assert (await got.json())["status"] == status


async def test_a_caller_over_its_share_gets_429_and_others_are_served(service: Started) -> None:
    before = somebody()
    await planned(service, before)
    for officer in ("greedy", "modest"):
        await service.key("officer", officer=officer)
    async with held(service) as gate:
        holding = work_queue_of(service).tasks
        waiting = [asyncio.create_task(what_if(service, "greedy")) for _ in range(OFFICERS_SHARE)]
        await reached_tasks(service, holding + OFFICERS_SHARE)
        await refused_as(await what_if(service, "greedy"), 429)
        await planned(service, somebody())  # an event is planned and saved while all work of requests waits
        await service.publish(PROFILES_TOPIC, assessed(before))
        await path_of(service, before)
        assert (await service.ask("GET", f"/v1/officers/{before.officer}/path")).status == 200
        modest = asyncio.create_task(what_if(service, "modest"))
        await reached_tasks(service, holding + OFFICERS_SHARE + 1)
        assert not any(task.done() for task in (*waiting, modest))
        gate.set()
        assert {got.status for got in await asyncio.gather(modest, *waiting)} == {200}
    await reached_tasks(service, 0)
    metrics = await (await service.client.get("/metrics")).text()
    assert f"learning_path_work_queue_rejected_tasks_total {work_queue_of(service).refused:.1f}" in metrics
    assert (await what_if(service, "greedy")).status == 200


async def test_over_the_total_limit_the_answer_is_503_and_feedback_can_be_sent_again(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    async with held(service) as gate:
        queue = work_queue_of(service)
        crowd = [asyncio.create_task(queue.run(Caller(f"caller {n}"), int)) for n in range(MAX_TASKS - queue.tasks)]
        await reached_tasks(service, MAX_TASKS)
        await refused_as(await what_if(service, "late"), 503)
        address = f"/v1/officers/{officer.officer}/path/why-not/read"
        await refused_as(await service.ask("GET", address, tenant=officer.tenant), 503)
        status, problem = await give_feedback(service, officer, "read", "pin", key="the-same")
        assert (status, problem["status"]) == (503, 503)
        assert (await service.client.get("/livez")).status == 200
        gate.set()
        await asyncio.gather(*crowd)
    await reached_tasks(service, 0)
    status, taken = await give_feedback(service, officer, "read", "pin", key="the-same")
    assert (status, taken["feedback_sequence"]) == (200, 1)


async def test_a_disconnected_clients_what_if_is_cancelled_and_feedback_is_not(service: Started) -> None:
    officer = somebody()
    await planned(service, officer)
    async with held(service) as gate:
        holding, dropped = work_queue_of(service).tasks, work_queue_of(service).dropped
        asking = asyncio.create_task(what_if(service, "impatient"))
        feedback = asyncio.create_task(give_feedback(service, officer, "write", "pin"))
        await reached_tasks(service, holding + 2)
        for task in (asking, feedback):
            task.cancel()
        await asyncio.gather(asking, feedback, return_exceptions=True)
        await reached_tasks(service, holding + 1)
        assert work_queue_of(service).dropped == dropped + 1
        gate.set()
    await path_of(service, officer, revision=2)
