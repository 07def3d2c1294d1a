"""What the routes of courses and frameworks share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from services.catalog.history import HistoryStore
from services.catalog.store import CatalogStore, Entry
from shared.errors import InvalidInput, NotFound, PreconditionFailed, Unavailable
from shared.routes import answer, held_already, not_modified

STORE: web.AppKey[CatalogStore] = web.AppKey("store", CatalogStore)
HISTORY: web.AppKey[HistoryStore] = web.AppKey("history", HistoryStore)

T = TypeVar("T")

_ATTEMPTS = 20


def shown(request: web.Request, entry: Entry | None, what: str) -> web.StreamResponse:
    """Return an entry with its ETag, or 304 where the client holds it. Raises NotFound."""
    if entry is None:
        raise NotFound(f"no such {what}")
    if held_already(request, entry.sequence):
        return not_modified(entry.sequence)
    return answer(entry.content, revision=entry.sequence)


def same_id(given: str, asked: str) -> None:
    """Refuse a body of another id than its path's. Raises InvalidInput."""
    if given != asked:
        raise InvalidInput(f"is not {asked!r}, as the path says", "id")


def not_stale(before: Entry | None, expected: int | None) -> None:
    """Refuse a change of another revision than the one that is expected, if any is. Raises PreconditionFailed."""
    if expected is None:
        return
    if before is None or before.content is None:
        raise PreconditionFailed("it is not there", "If-Match")
    if before.sequence != expected:
        raise PreconditionFailed(f"it is at {before.sequence}", "If-Match")


async def reached(history: HistoryStore, revision: int) -> None:
    """Refuse a revision that the history has not got to yet. Raises InvalidInput, Unavailable."""
    if revision > (position := await history.position()):
        raise InvalidInput(f"the catalogue is at {position}", "catalogue_revision")


async def settled(decide: Callable[[], Awaitable[T | None]]) -> T:
    """Return what `decide` wrote; None from it means a lost race, so it reads and decides again."""
    for attempt in range(_ATTEMPTS):
        if (result := await decide()) is not None:
            return result
        await asyncio.sleep(0.005 * attempt)
    raise Unavailable("this changes too fast; try again soon")
