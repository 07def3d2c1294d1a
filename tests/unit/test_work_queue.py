"""The queue of work for requests. Every test holds the one thread at a gate, so nothing depends on time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from threading import Event as Flag

import pytest

from shared.errors import Overloaded, TooManyRequests
from shared.work_queue import (
    MAX_TASKS,
    OFFICERS_SHARE,
    SYSTEMS_SHARE,
    Caller,
    WorkQueue,
)

LONG = 10.0


@pytest.fixture
async def queue() -> AsyncIterator[WorkQueue]:
    made = WorkQueue(1)
    yield made
    made.close()


class Held:
    """The thread of a queue, held at a gate until `let_go`; `order` is what was done afterwards."""

    def __init__(self, queue: WorkQueue) -> None:
        self.order: list[str] = []
        self._queue, self._reached, self._gate = queue, Flag(), Flag()

    async def hold(self, caller: str = "holder") -> "asyncio.Task[bool]":
        def wait() -> bool:
            self._reached.set()
            return self._gate.wait(LONG)

        task = asyncio.create_task(self._queue.run(Caller(caller), wait))
        assert await asyncio.to_thread(self._reached.wait, LONG)
        return task

    def work(self, name: str) -> Callable[[], str]:
        def done() -> str:
            self.order.append(name)
            return name

        return done

    async def ask(self, caller: str, name: str) -> "asyncio.Task[str]":
        task = asyncio.create_task(self._queue.run(Caller(caller), self.work(name)))
        await asyncio.sleep(0)  # until it waits for its turn
        return task

    def let_go(self) -> None:
        self._gate.set()


@pytest.fixture
async def held(queue: WorkQueue) -> AsyncIterator[Held]:
    found = Held(queue)
    yield found
    found.let_go()


async def test_work_runs_in_a_thread_and_its_error_is_raised_to_the_caller(queue: WorkQueue) -> None:
    assert await queue.run(Caller("a"), "{} {x}".format, 1, x=2) == "1 2"
    with pytest.raises(ZeroDivisionError):
        await queue.run(Caller("a"), divmod, 1, 0)
    assert queue.tasks == 0


async def test_a_caller_over_its_share_is_rejected_and_others_are_not(queue: WorkQueue, held: Held) -> None:
    first = await held.hold("greedy")
    waiting = [await held.ask("greedy", str(n)) for n in range(OFFICERS_SHARE - 1)]
    with pytest.raises(TooManyRequests) as refused:
        await queue.run(Caller("greedy"), held.work("one too many"))
    assert (refused.value.retry_after or 0) > 0
    other = await held.ask("modest", "modest")
    assert (queue.tasks, queue.refused) == (OFFICERS_SHARE + 1, 1)
    held.let_go()
    await asyncio.gather(first, other, *waiting)
    assert (queue.tasks, "one too many" in held.order) == (0, False)
    assert await queue.run(Caller("greedy"), held.work("again")) == "again"


async def test_a_system_has_a_larger_share(queue: WorkQueue, held: Held) -> None:
    system = Caller("system", SYSTEMS_SHARE)
    first = await held.hold()
    waiting = [asyncio.create_task(queue.run(system, held.work(str(n)))) for n in range(SYSTEMS_SHARE)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests):
        await queue.run(system, held.work("one too many"))
    held.let_go()
    await asyncio.gather(first, *waiting)
    assert len(held.order) == SYSTEMS_SHARE > OFFICERS_SHARE


async def test_over_the_total_limit_everybody_is_rejected(queue: WorkQueue, held: Held) -> None:
    first = await held.hold()
    waiting = [await held.ask(f"caller {n}", str(n)) for n in range(MAX_TASKS - 1)]
    with pytest.raises(Overloaded) as refused:
        await queue.run(Caller("late"), held.work("late"))
    assert (refused.value.retry_after or 0) > 0
    held.let_go()
    await asyncio.gather(first, *waiting)
    assert len(held.order) == MAX_TASKS - 1


async def test_callers_take_turns_however_much_work_one_of_them_submits(queue: WorkQueue, held: Held) -> None:
    first = await held.hold("greedy")
    many = [await held.ask("greedy", f"greedy {n}") for n in range(OFFICERS_SHARE - 1)]
    few = [await held.ask("modest", f"modest {n}") for n in range(2)]
    held.let_go()
    await asyncio.gather(first, *many, *few)
    assert held.order == ["greedy 0", "modest 0", "greedy 1", "modest 1", "greedy 2"]
    assert queue.tasks == 0


async def test_work_without_a_waiting_caller_is_never_started(queue: WorkQueue, held: Held) -> None:
    first = await held.hold()
    gone, stays = await held.ask("gone", "gone"), await held.ask("stays", "stays")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (queue.tasks, queue.dropped) == (2, 1)
    held.let_go()
    await asyncio.gather(first, stays)
    assert held.order == ["stays"]


async def test_a_turn_of_a_caller_who_has_just_left_passes_to_the_next(queue: WorkQueue, held: Held) -> None:
    first = await held.hold()
    gone, stays = await held.ask("gone", "gone"), await held.ask("stays", "stays")
    first.add_done_callback(lambda _: gone.cancel())  # after its turn was given, before it has begun
    held.let_go()
    await asyncio.gather(first, stays)
    await asyncio.gather(gone, return_exceptions=True)
    assert "stays" in held.order
    assert queue.tasks == 0
    assert await queue.run(Caller("next"), held.work("next")) == "next"


async def test_started_work_counts_until_it_ends_although_its_caller_has_left(queue: WorkQueue, held: Held) -> None:
    first = await held.hold("gone")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    next_one = await held.ask("next", "next")
    assert (queue.tasks, held.order) == (2, [])
    held.let_go()
    assert await next_one == "next"
    assert queue.tasks == 0
