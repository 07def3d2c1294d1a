"""Parts of a bulk: two at a time, and none is begun after one has failed."""

import asyncio

import pytest

from shared.mongo import overlapped
from tests.support.waiting import until


async def test_two_parts_run_at_a_time_and_all_are_done() -> None:
    begun, go_on = list[int](), asyncio.Semaphore(0)

    async def work(part: int) -> None:
        begun.append(part)
        await go_on.acquire()

    running = asyncio.create_task(overlapped(work, range(5)))
    await until(lambda: len(begun) == 2)
    await asyncio.wait({running}, timeout=0)
    assert begun == [0, 1]
    go_on.release()
    await until(lambda: len(begun) == 3)
    for _ in range(4):
        go_on.release()
    await running
    assert begun == [0, 1, 2, 3, 4]


async def test_after_an_error_no_part_is_begun_and_the_running_one_ends() -> None:
    begun, ended, go_on = list[int](), list[int](), asyncio.Event()

    async def work(part: int) -> None:
        begun.append(part)
        if part == 0:
            raise ValueError("it cannot be written")
        await go_on.wait()
        ended.append(part)

    running = asyncio.create_task(overlapped(work, [1, 0, 2, 3]))
    await until(lambda: begun == [1, 0])
    done, _ = await asyncio.wait({running}, timeout=0)
    assert not done, "the first part is still being written"
    go_on.set()
    with pytest.raises(ValueError, match="cannot be written"):
        await running
    assert (begun, ended) == ([1, 0], [1])
