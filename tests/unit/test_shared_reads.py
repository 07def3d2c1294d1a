"""Reads that are asked for at the same moment share one query."""

import asyncio
import gc
from collections.abc import Collection
from typing import Any

import pytest

from services.recommender.store.shared_reads import SharedReads


class Store:
    """Counts up at each query; every query waits until `answer` is called."""

    def __init__(self) -> None:
        self.queries: list[list[str]] = []
        self._begun = asyncio.Semaphore(0)
        self._answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def read(self, keys: Collection[str]) -> dict[str, int]:
        self.queries.append(sorted(keys))
        number = len(self.queries)
        self._begun.release()
        if error := await self._answers.get():
            raise error
        return {key: number for key in keys if key != "absent"}

    async def begun(self) -> None:
        """Wait until one more query has begun."""
        await self._begun.acquire()

    def answer(self, error: Exception | None = None) -> None:
        """Let one query end."""
        self._answers.put_nowait(error)


async def test_reads_of_one_moment_share_a_query_and_later_ones_do_not_join_it() -> None:
    store = Store()
    reads = SharedReads(store.read)
    first = asyncio.gather(*map(reads.of, ["a", "b", "a", "absent"]))
    await store.begun()
    later = asyncio.ensure_future(reads.of("a"))
    await store.begun()
    assert store.queries == [["a", "absent", "b"], ["a"]]
    store.answer()
    store.answer()
    assert await first == [1, 1, 1, None]
    assert await later == 2


async def test_a_failure_reaches_everybody_and_the_next_read_tries_again() -> None:
    store = Store()
    reads = SharedReads(store.read)
    store.answer(LookupError("no server"))
    for found in await asyncio.gather(reads.of("a"), reads.of("b"), return_exceptions=True):
        assert isinstance(found, LookupError)
    store.answer()
    assert await reads.of("a") == 2


async def test_a_reader_that_is_cancelled_leaves_the_query_to_the_others() -> None:
    store = Store()
    reads = SharedReads(store.read)
    gone, other = asyncio.ensure_future(reads.of("a")), asyncio.ensure_future(reads.of("b"))
    await store.begun()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    store.answer()
    assert await other == 1
    assert len(store.queries) == 1


async def test_a_failure_after_all_readers_have_gone_is_no_error_of_the_program() -> None:
    store, logged = Store(), list[dict[str, Any]]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: logged.append(context))
    try:
        reader = asyncio.ensure_future(SharedReads(store.read).of("a"))
        await store.begun()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        [query] = [task for task in asyncio.all_tasks() if "_read_next" in repr(task.get_coro())]
        store.answer(LookupError("no server"))
        await asyncio.wait([query])
        del query
        gc.collect()
        await asyncio.sleep(0)
    finally:
        loop.set_exception_handler(None)
    assert logged == []
