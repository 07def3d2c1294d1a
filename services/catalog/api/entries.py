"""What the routes of courses and frameworks share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from services.catalog.history import HistoryStore
from services.catalog.store import CatalogStore, Entry
from shared.errors import InvalidInput, NotFound, Unavailable
from shared.preconditions import Tag
from shared.routes import answer, not_modified, principal

STORE: web.AppKey[CatalogStore] = web.AppKey("store", CatalogStore)
HISTORY: web.AppKey[HistoryStore] = web.AppKey("history", HistoryStore)

T = TypeVar("T")

_ATTEMPTS = 20


def shown(request: web.Request, entry: Entry | None, what: str) -> web.StreamResponse:
    """Return an entry with its ETag, or 304 where the client holds it. Raises NotFound."""
    if entry is None:
        raise NotFound(f"no such {what}")
    tag = tag_of(entry.sequence, entry.tenant, principal(request).tenant)
    return not_modified(request, tag) or answer(entry.content, tag=tag)


def tag_of(sequence: int, owner: str, reader: str) -> Tag:
    """Return the tag of a revision. A shared entry and a tenant's own one of the same id count for themselves."""
    return Tag(str(sequence) if owner == reader else f"{owner}-{sequence}")


def present_tag(entry: Entry | None, reader: str) -> Tag | None:
    """Return the tag of what a reader is shown, None where that is nothing."""
    if entry is None or entry.content is None:
        return None
    return tag_of(entry.sequence, entry.tenant, reader)


def same_id(given: str, asked: str) -> None:
    """Refuse a body of another id than its path's. Raises InvalidInput."""
    if given != asked:
        raise InvalidInput(f"is not {asked!r}, as the path says", "id")


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
