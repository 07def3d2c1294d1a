"""Functions that the routes of courses and frameworks share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from services.catalog.entries import Entry, cannot_be_read
from services.catalog.history import HistoryStore
from services.catalog.model import CoursePut, FrameworkPut
from services.catalog.store import CatalogStore
from shared.decoding import patched
from shared.domain import Course, Framework
from shared.errors import InvalidInput, NotFound, PreconditionFailed
from shared.preconditions import Preconditions, Tag
from shared.retries import retry_on_conflict
from shared.routes import ROUTE, json_response, not_modified, preconditions, principal, read_patch

STORE: web.AppKey[CatalogStore] = web.AppKey("store", CatalogStore)
HISTORY: web.AppKey[HistoryStore] = web.AppKey("history", HistoryStore)

E = TypeVar("E", Course, Framework)
P = TypeVar("P", CoursePut, FrameworkPut)


def shown(request: web.Request, entry: Entry | None, what: str) -> web.StreamResponse:
    """Return an entry with its ETag, or 304 if the client holds it. Raises NotFound."""
    if entry is None:
        raise NotFound(f"no such {what}")
    if entry.unreadable:
        raise cannot_be_read()
    tag = tag_of(entry.sequence, entry.tenant, principal(request).tenant)
    return not_modified(request, tag) or json_response(entry.shown, tag=tag)


def tag_of(sequence: int, owner: str, reader: str) -> Tag:
    """Return the entity tag of a revision. A shared entry and a tenant's own one of the same id have different tags."""
    return Tag(str(sequence) if owner == reader else f"{owner}-{sequence}")


def present_tag(entry: Entry | None, reader: str) -> Tag | None:
    """Return the entity tag of the representation for this reader, None if there is none."""
    if entry is None or entry.content is None:
        return None
    return tag_of(entry.sequence, entry.tenant, reader)


def same_id(given: str, expected: str) -> None:
    """Check that the body's id is that of the path. Raises InvalidInput."""
    if given != expected:
        raise InvalidInput(f"is not {expected!r}, as the path says", "id")


async def reached(history: HistoryStore, revision: int) -> None:
    """Check that the history has reached a revision. Raises InvalidInput, Unavailable."""
    if revision > (position := await history.position()):
        raise InvalidInput(f"the catalog is at {position}", "catalog_revision")


async def patch_entry(
    request: web.Request,
    key: str,
    before_id: str,
    shape: type[E],
    put: Callable[[web.Request, E, Preconditions], Awaitable[tuple[P, bool]]],
) -> P:
    """Apply a JSON merge patch to the tenant's own entry under `key`, and store the result with `put`.

    Raises NotFound, PreconditionFailed, InvalidInput.
    """
    conditions, patch = preconditions(request), await read_patch(request)
    store, tenant = request.app[STORE], principal(request).tenant

    async def decide() -> P | None:
        before = await store.find(key)
        if before is not None and before.unreadable:
            raise cannot_be_read()
        if before is None or before.copied or not isinstance(before.content, shape):
            raise NotFound(f"no such {shape.__name__.lower()} of your own")
        conditions.check(present_tag(before, tenant))
        content = await asyncio.to_thread(patched, before.content, patch, request[ROUTE].limit)
        same_id(content.id, before_id)
        try:
            result, _ = await put(request, content, Preconditions.of([f'"{before.sequence}"'], []))
        except PreconditionFailed:
            return None
        return result

    return await retry_on_conflict(decide, f"this {shape.__name__.lower()}")
