"""Reads that share one query: those of one kind that are asked for at the same moment."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Generic, TypeVar

V = TypeVar("V")


class SharedReads(Generic[V]):
    """One kind of read. `read` returns what it finds for several keys, by key.

    A query begins after the keys that it reads were asked for, so nobody gets what was read before.
    """

    def __init__(self, read: Callable[[Collection[str]], Awaitable[dict[str, V]]]) -> None:
        self._read = read
        self._keys = set[str]()
        self._next: asyncio.Task[dict[str, V]] | None = None

    async def of(self, key: str) -> V | None:
        """Return what is found for a key, None if there is nothing. Raises what `read` raises."""
        self._keys.add(key)
        if self._next is None:
            self._next = asyncio.create_task(self._read_next())  # begins after the requests that are ready now
            self._next.add_done_callback(_retrieve)
        found = await asyncio.shield(self._next)
        return found.get(key)

    async def _read_next(self) -> dict[str, V]:
        keys, self._keys, self._next = self._keys, set(), None
        return await self._read(keys)


def _retrieve(query: asyncio.Task[Any]) -> None:
    """Keep asyncio from logging the failure of a query whose readers have all gone."""
    if not query.cancelled():
        query.exception()
